//! From `MessagePack` to a JSON text with byte strings beside it.
//!
//! Nothing is made on the word of the frame: a length is compared with what is left of it before
//! anything is taken, and lists grow by what was read. What comes of a frame is bounded by it: at
//! most 6 bytes of text for each of its own (`false`, and `\u0001` for a control character), its
//! byte strings once more, [`Limits::attachments_max`] placeholders, and the keys of the maps around
//! one value, by reference.

use std::collections::BTreeSet;

use bytes::Bytes;
use rmp::Marker;
use serde::Serialize;

use crate::{
    domain::{Limits, Rejection},
    wire::{
        body::{FOREIGN_PLACEHOLDER, PLACEHOLDER, placeholder},
        json::{DEPTH_MAX, TOO_DEEP},
    },
};

const TRUNCATED: Rejection = Rejection::BadRequest("the MessagePack is cut off");
const TRAILING_BYTES: Rejection = Rejection::BadRequest("the MessagePack goes on after its end");
const INVALID_UTF8: Rejection = Rejection::BadRequest("the text is not UTF-8");
const UNSUPPORTED_VALUE: Rejection = Rejection::BadRequest("JSON has no such value");
const KEY_NOT_TEXT: Rejection = Rejection::BadRequest("the key of a map is not text");
const DUPLICATE_KEY: Rejection = Rejection::BadRequest("a map has a key twice");

/// From here on JavaScript's numbers are not all the whole numbers.
const SAFE_INTEGER_BOUND: f64 = 9_007_199_254_740_992.0;

/// A frame as text and byte strings.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// JSON in which placeholders, none of them the client's, stand for the byte strings.
    pub(super) text: String,
    pub(super) attachments: Vec<Bytes>,
    /// Why the request is refused, though it can be seen which one it is.
    pub(super) rejection: Option<Rejection>,
}

/// Unpacks a frame, which is one value.
pub(super) fn unpack(frame: &[u8], limits: &Limits) -> Result<Unpacked, Rejection> {
    let (attachments_max, text, attachments) = (limits.attachments_max, Vec::new(), Vec::new());
    let mut reader =
        MsgPackReader { rest: frame, attachments_max, text, attachments, rejection: None };
    // The frame is an object around the data, which may be as deep as anywhere.
    reader.value(DEPTH_MAX + 1)?;
    let MsgPackReader { rest, attachments_max: _, text, attachments, rejection } = reader;
    if !rest.is_empty() {
        return Err(TRAILING_BYTES);
    }
    let text = String::from_utf8(text).expect("what is written is text");
    Ok(Unpacked { text, attachments, rejection })
}

struct MsgPackReader<'a> {
    rest: &'a [u8],
    attachments_max: usize,
    text: Vec<u8>,
    attachments: Vec<Bytes>,
    rejection: Option<Rejection>,
}

impl<'a> MsgPackReader<'a> {
    /// Takes one value, in which arrays and maps may be nested to `depth`.
    fn value(&mut self, depth: usize) -> Result<(), Rejection> {
        let marker = self.marker()?;
        match marker {
            Marker::Null => self.write_raw("null"),
            Marker::True => self.write_raw("true"),
            Marker::False => self.write_raw("false"),
            Marker::FixPos(number) => self.write(&number),
            Marker::U8 => self.number(u8::from_be_bytes)?,
            Marker::U16 => self.number(u16::from_be_bytes)?,
            Marker::U32 => self.number(u32::from_be_bytes)?,
            Marker::U64 => self.number(u64::from_be_bytes)?,
            Marker::FixNeg(number) => self.write(&number),
            Marker::I8 => self.number(i8::from_be_bytes)?,
            Marker::I16 => self.number(i16::from_be_bytes)?,
            Marker::I32 => self.number(i32::from_be_bytes)?,
            Marker::I64 => self.number(i64::from_be_bytes)?,
            Marker::F32 => self.float(|bytes| f32::from_be_bytes(bytes).into())?,
            Marker::F64 => self.float(f64::from_be_bytes)?,
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let text = self.text(marker)?;
                self.write(text);
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => self.bytes(marker)?,
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                self.array(marker, depth.checked_sub(1).ok_or(TOO_DEEP)?)?;
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                self.map(marker, depth.checked_sub(1).ok_or(TOO_DEEP)?)?;
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32
            | Marker::Reserved => return Err(UNSUPPORTED_VALUE),
        }
        Ok(())
    }

    fn number<const N: usize, T: Serialize>(
        &mut self,
        read: impl FnOnce([u8; N]) -> T,
    ) -> Result<(), Rejection> {
        let number = read(self.chunk()?);
        self.write(&number);
        Ok(())
    }

    /// A whole number is written as JavaScript writes it, where it is exact: some libraries send a
    /// whole number as a float when it is large.
    fn float<const N: usize>(
        &mut self,
        read: impl FnOnce([u8; N]) -> f64,
    ) -> Result<(), Rejection> {
        let number = read(self.chunk()?);
        if !number.is_finite() {
            return Err(UNSUPPORTED_VALUE);
        }
        if number.fract() == 0.0 && number.abs() < SAFE_INTEGER_BOUND {
            self.write_raw(&format!("{number:.0}"));
        } else {
            self.write(&number);
        }
        Ok(())
    }

    fn bytes(&mut self, marker: Marker) -> Result<(), Rejection> {
        let length = self.length(marker)?;
        let bytes = self.take(length)?;
        let number = self.attachments.len();
        if number < self.attachments_max {
            self.write_raw(&placeholder(number));
            // A copy, because a part of the frame would hold the whole of it.
            self.attachments.push(Bytes::copy_from_slice(bytes));
        } else {
            self.write_raw("null");
            self.reject(Rejection::TooManyAttachments);
        }
        Ok(())
    }

    fn array(&mut self, marker: Marker, depth: usize) -> Result<(), Rejection> {
        let length = self.length(marker)?;
        self.write_raw("[");
        for place in 0..length {
            if place > 0 {
                self.write_raw(",");
            }
            self.value(depth)?;
        }
        self.write_raw("]");
        Ok(())
    }

    fn map(&mut self, marker: Marker, depth: usize) -> Result<(), Rejection> {
        let length = self.length(marker)?;
        let mut keys = BTreeSet::new();
        self.write_raw("{");
        for place in 0..length {
            if place > 0 {
                self.write_raw(",");
            }
            let marker = self.marker()?;
            let key = self.text(marker)?;
            if !keys.insert(key) {
                return Err(DUPLICATE_KEY);
            }
            if key == PLACEHOLDER {
                // The bytes of a client are bytes here, so this could only be taken for them.
                self.reject(FOREIGN_PLACEHOLDER);
            }
            self.write(key);
            self.write_raw(":");
            self.value(depth)?;
        }
        self.write_raw("}");
        Ok(())
    }

    /// Takes the text that `marker` begins: also where only text may stand.
    fn text(&mut self, marker: Marker) -> Result<&'a str, Rejection> {
        if !matches!(marker, Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32) {
            return Err(KEY_NOT_TEXT);
        }
        let length = self.length(marker)?;
        str::from_utf8(self.take(length)?).map_err(|_error| INVALID_UTF8)
    }

    /// How long something is, in its own parts. Each of them takes at least one byte, so more than
    /// there are left is a lie.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others have no length or a long one")]
    fn length(&mut self, marker: Marker) -> Result<usize, Rejection> {
        let length = match marker {
            Marker::FixStr(length) | Marker::FixArray(length) | Marker::FixMap(length) => {
                length.into()
            }
            Marker::Str8 | Marker::Bin8 => u8::from_be_bytes(self.chunk()?).into(),
            Marker::Str16 | Marker::Bin16 | Marker::Array16 | Marker::Map16 => {
                u16::from_be_bytes(self.chunk()?).into()
            }
            _ => u32::from_be_bytes(self.chunk()?),
        };
        let length = usize::try_from(length).map_err(|_too_long| TRUNCATED)?;
        if length <= self.rest.len() { Ok(length) } else { Err(TRUNCATED) }
    }

    fn marker(&mut self) -> Result<Marker, Rejection> {
        let [byte] = self.chunk()?;
        Ok(Marker::from_u8(byte))
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Rejection> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    fn write(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(&mut self.text, value).expect("texts and numbers always serialise");
    }

    fn write_raw(&mut self, json: &str) {
        self.text.extend_from_slice(json.as_bytes());
    }

    /// Refuses the request once it was read: whoever asked hears of it where they wait.
    fn reject(&mut self, rejection: Rejection) {
        self.rejection.get_or_insert(rejection);
    }
}
