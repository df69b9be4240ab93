//! From `MessagePack` to a JSON text with byte strings beside it.
//!
//! No length in a frame is trusted: it is compared with the rest of the frame before anything is
//! read, and nothing is allocated ahead. The size of the frame bounds the memory: at most 6 bytes
//! of text per byte of the frame (`false`, and `\u0001` for a control character), a copy of its
//! byte strings, [`Limits::attachments_max`] placeholders, and references to the keys of the maps
//! around one value.

use std::{borrow::Cow, collections::BTreeSet, mem};

use bytes::Bytes;
use rmp::Marker;
use serde::Serialize;

use crate::{
    domain::{Limits, Rejection},
    wire::{
        body::{FOREIGN_PLACEHOLDER, PLACEHOLDER, placeholder},
        json::{TOO_DEEP, UNSUPPORTED_VALUE},
    },
};

const TRUNCATED: Rejection = Rejection::BadRequest("the MessagePack is cut off");
const TRAILING_BYTES: Rejection = Rejection::BadRequest("the MessagePack goes on after its end");
const INVALID_UTF8: Rejection = Rejection::BadRequest("the text is not UTF-8");
const KEY_NOT_TEXT: Rejection = Rejection::BadRequest("the key of a map is not text");
const DUPLICATE_KEY: Rejection = Rejection::BadRequest("a map has a key twice");

/// `undefined`, as `notepack.io` writes it: an extension of one byte.
const UNDEFINED: &[u8] = &[0xd4, 0, 0];

/// From this number on, JavaScript does not represent every integer.
const SAFE_INTEGER_BOUND: f64 = 9_007_199_254_740_992.0;

/// A frame as text and byte strings.
#[derive(Debug)]
pub(in crate::wire) struct Unpacked {
    /// JSON in which placeholders, none of them the client's, replace the byte strings.
    pub(in crate::wire) text: String,
    pub(in crate::wire) attachments: Vec<Bytes>,
    /// Why the request is refused, if its name and `ack` can be read all the same.
    pub(in crate::wire) rejection: Option<Rejection>,
}

/// What becomes of values that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum ForeignValues {
    /// The frame is refused.
    Refused,
    /// What `JSON.stringify` makes of them: a time is a text, a number that is not finite is `null`, and
    /// `undefined` is `null` in an array and nothing in an object.
    AsJavaScript,
}

/// Unpacks a frame, which is one value, in which arrays and maps may be nested to `depth`. Deeper ones
/// refuse the request.
pub(in crate::wire) fn unpack(
    frame: &[u8],
    depth: usize,
    foreign_values: ForeignValues,
    limits: &Limits,
) -> Result<Unpacked, Rejection> {
    let mut reader = MsgPackReader::new(frame, limits.attachments_max);
    reader.foreign_values = foreign_values;
    reader.value(depth)?;
    let MsgPackReader { rest, text, attachments, rejection, .. } = reader;
    if !rest.is_empty() {
        return Err(TRAILING_BYTES);
    }
    let text = String::from_utf8(text).expect("only UTF-8 is written");
    Ok(Unpacked { text, attachments, rejection })
}

/// Text with each surrogate replaced by U+FFFD, as the same text in JSON. UTF-8 has no surrogates, but
/// encoders in JavaScript write those of a text that was cut in the middle of a character.
fn replace_surrogates(bytes: &[u8]) -> Option<String> {
    let (mut replaced, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((first, after)) = rest.split_first() {
        if let [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] = rest {
            replaced.extend_from_slice("\u{fffd}".as_bytes());
            rest = after;
        } else {
            replaced.push(*first);
            rest = after;
        }
    }
    String::from_utf8(replaced).ok()
}

pub(super) struct MsgPackReader<'a> {
    rest: &'a [u8],
    attachments_max: usize,
    pub(super) foreign_values: ForeignValues,
    text: Vec<u8>,
    attachments: Vec<Bytes>,
    rejection: Option<Rejection>,
}

impl<'a> MsgPackReader<'a> {
    pub(super) fn new(frame: &'a [u8], attachments_max: usize) -> Self {
        Self {
            rest: frame,
            attachments_max,
            foreign_values: ForeignValues::Refused,
            text: Vec::new(),
            attachments: Vec::new(),
            rejection: None,
        }
    }

    /// Reads one value, in which arrays and maps may be nested to `depth`.
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
                self.write(&*text);
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => self.bytes(marker)?,
            Marker::FixArray(_)
            | Marker::Array16
            | Marker::Array32
            | Marker::FixMap(_)
            | Marker::Map16
            | Marker::Map32 => self.container(marker, depth)?,
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => self.extension(marker)?,
            Marker::Reserved => return Err(UNSUPPORTED_VALUE),
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

    /// Writes an integer without a fraction where it is exact, as JavaScript does: some libraries
    /// send large integers as floats.
    fn float<const N: usize>(
        &mut self,
        read: impl FnOnce([u8; N]) -> f64,
    ) -> Result<(), Rejection> {
        let number = read(self.chunk()?);
        if !number.is_finite() && self.foreign_values == ForeignValues::AsJavaScript {
            self.write_raw("null");
        } else if !number.is_finite() {
            return Err(UNSUPPORTED_VALUE);
        } else if number.fract() == 0.0 && number.abs() < SAFE_INTEGER_BOUND {
            self.write_raw(&format!("{number:.0}"));
        } else {
            self.write(&number);
        }
        Ok(())
    }

    fn bytes(&mut self, marker: Marker) -> Result<(), Rejection> {
        let length = self.length(marker)?;
        let bytes = self.take(length)?;
        self.attach(bytes);
        Ok(())
    }

    /// Adds a byte string.
    pub(super) fn attach(&mut self, bytes: &[u8]) {
        let number = self.attachments.len();
        if number < self.attachments_max {
            self.write_raw(&placeholder(number));
            // A copy, because a slice would keep the whole frame in memory.
            self.attachments.push(Bytes::copy_from_slice(bytes));
        } else {
            self.write_raw("null");
            self.reject(Rejection::TooManyAttachments);
        }
    }

    /// Reads the array or map that `marker` begins. What is too deep is skipped.
    fn container(&mut self, marker: Marker, depth: usize) -> Result<(), Rejection> {
        let Some(depth) = depth.checked_sub(1) else {
            self.write_raw("null");
            self.reject(TOO_DEEP);
            return self.skip(marker);
        };
        if matches!(marker, Marker::FixArray(_) | Marker::Array16 | Marker::Array32) {
            self.array(marker, depth)
        } else {
            self.map(marker, depth)
        }
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
        let (mut keys, mut is_first) = (BTreeSet::new(), true);
        self.write_raw("{");
        for _ in 0..length {
            let marker = self.marker()?;
            let key = self.text(marker)?;
            if key == PLACEHOLDER {
                // Clients send byte strings as such here, so this key could only forge one.
                self.reject(FOREIGN_PLACEHOLDER);
            }
            if !keys.insert(key.clone()) {
                return Err(DUPLICATE_KEY);
            }
            if self.take_undefined() {
                continue;
            }
            if !mem::take(&mut is_first) {
                self.write_raw(",");
            }
            self.write(&*key);
            self.write_raw(":");
            self.value(depth)?;
        }
        self.write_raw("}");
        Ok(())
    }

    /// Reads the text that `marker` begins. Also for keys, which must be text.
    pub(super) fn text(&mut self, marker: Marker) -> Result<Cow<'a, str>, Rejection> {
        if !matches!(marker, Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32) {
            return Err(KEY_NOT_TEXT);
        }
        let length = self.length(marker)?;
        let bytes = self.take(length)?;
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_error) => replace_surrogates(bytes).map(Cow::Owned).ok_or(INVALID_UTF8),
        }
    }

    /// Reads a length, in bytes, items or members. Each takes at least one byte, so a length above
    /// the rest of the frame is invalid.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other markers have no length or one of 32 bits"
    )]
    pub(super) fn length(&mut self, marker: Marker) -> Result<usize, Rejection> {
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

    pub(super) fn marker(&mut self) -> Result<Marker, Rejection> {
        let [byte] = self.chunk()?;
        Ok(Marker::from_u8(byte))
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*chunk)
    }

    /// Takes `undefined`, if it is next and its member is left out.
    fn take_undefined(&mut self) -> bool {
        let rest = self.rest.strip_prefix(UNDEFINED);
        match rest.filter(|_| self.foreign_values == ForeignValues::AsJavaScript) {
            Some(rest) => self.rest = rest,
            None => return false,
        }
        true
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Rejection> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn write(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(&mut self.text, value).expect("texts and numbers always serialize");
    }

    pub(super) fn write_raw(&mut self, json: &str) {
        self.text.extend_from_slice(json.as_bytes());
    }

    /// Refuses the request after the frame was read, so that the reply carries its `ack`.
    pub(super) fn reject(&mut self, rejection: Rejection) {
        self.rejection.get_or_insert(rejection);
    }
}
