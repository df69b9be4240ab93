//! From wire structs with byte strings beside them to `MessagePack`.
//!
//! The structs become a [`Value`] first, without JSON text between. It sorts the keys of maps, and
//! its placeholders are found and replaced by byte strings.

use bytes::Bytes;
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str, write_uint,
};
use serde::Serialize;
use serde_json::{Number, Value};

use crate::wire::{
    body,
    payload::{Payload, SERIALIZES},
};

/// The capacity that a frame starts with. Most events fit.
const FRAME_BYTES: usize = 256;
/// Why writing cannot fail.
const FITS: &str = "a vector grows as needed, and no value has four billion parts";

/// Serializes data into one frame.
pub(super) fn pack(payload: Payload<impl Serialize>) -> Bytes {
    let Payload { data, attachments } = payload;
    let value = serde_json::to_value(&data).expect(SERIALIZES);
    let mut frame = Vec::with_capacity(FRAME_BYTES);
    write(&mut frame, &value, &attachments);
    frame.into()
}

/// Bodies were parsed from JSON of bounded depth, so this recursion is bounded.
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

/// Writes the shortest form of the number.
fn write_number(frame: &mut Vec<u8>, number: &Number) {
    if let Some(number) = number.as_u64() {
        write_uint(frame, number).expect(FITS);
    } else if let Some(number) = number.as_i64() {
        write_sint(frame, number).expect(FITS);
    } else {
        let number = number.as_f64().expect("a number that is no integer is a float");
        write_f64(frame, number).expect(FITS);
    }
}

fn length(parts: usize) -> u32 {
    u32::try_from(parts).expect(FITS)
}
