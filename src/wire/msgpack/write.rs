//! From a JSON text with byte strings beside it to `MessagePack`.

use bytes::Bytes;
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str, write_uint,
};
use serde_json::{Number, Value};

use crate::wire::{body, event::EncodedPayload};

/// What an error in writing would mean.
const FITS: &str = "a vector takes what it is given, and nothing of ours has four billion parts";

/// Makes one frame of what was written.
pub(super) fn pack(payload: EncodedPayload) -> Bytes {
    let EncodedPayload { json, attachments } = payload;
    let value = serde_json::from_str(&json).expect("we wrote it");
    let mut frame = Vec::with_capacity(json.len());
    write(&mut frame, &value, &attachments);
    frame.into()
}

/// What nests was read from JSON, so this recursion is bounded.
fn write(frame: &mut Vec<u8>, value: &Value, attachments: &[Bytes]) {
    if let Some(bytes) = body::bytes_at(value, attachments) {
        return write_bin(frame, bytes).expect(FITS);
    }
    match value {
        Value::Null => write_nil(frame).expect(FITS),
        Value::Bool(it) => write_bool(frame, *it).expect(FITS),
        Value::Number(number) => write_number(frame, number),
        Value::String(text) => write_str(frame, text).expect(FITS),
        Value::Array(items) => {
            write_array_len(frame, length(items.len())).expect(FITS);
            for item in items {
                write(frame, item, attachments);
            }
        }
        Value::Object(members) => {
            write_map_len(frame, length(members.len())).expect(FITS);
            for (key, member) in members {
                write_str(frame, key).expect(FITS);
                write(frame, member, attachments);
            }
        }
    }
}

/// The shortest form that holds the number.
fn write_number(frame: &mut Vec<u8>, number: &Number) {
    if let Some(number) = number.as_u64() {
        write_uint(frame, number).expect(FITS);
    } else if let Some(number) = number.as_i64() {
        write_sint(frame, number).expect(FITS);
    } else {
        let number = number.as_f64().expect("what is not whole is a float");
        write_f64(frame, number).expect(FITS);
    }
}

fn length(parts: usize) -> u32 {
    u32::try_from(parts).expect(FITS)
}
