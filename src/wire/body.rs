//! Parsing and serialization of message bodies. Each wire encodes their byte strings differently.
//!
//! A parsed body has its byte strings beside its text, and the text holds numbered placeholders
//! (see [`Body`]). Only `wire` produces such texts, so a placeholder in one is never a client's.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, Serializer, ser::Error};
use serde_json::{Value, json, value::RawValue};

use crate::domain::{Body, Limits, Rejection};

/// How a wire format encodes byte strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttachmentEncoding {
    /// Beside the text, which holds placeholders. `MessagePack` is converted to and from this.
    Placeholders,
    /// In the text, as `{"base64": "…"}`.
    Base64,
}

/// The key of an object that stands for bytes.
pub(super) const PLACEHOLDER: &str = "_placeholder";
const BASE64: &str = "base64";

pub(super) const FOREIGN_PLACEHOLDER: Rejection =
    Rejection::BadRequest("the attachments do not belong to the placeholders");
const BAD_BASE64: Rejection = Rejection::BadRequest("the base64 is not base64");

/// Parses a body of a frame with the byte strings `attachments`. `text` is JSON.
pub(super) fn read(
    text: &str,
    encoding: AttachmentEncoding,
    attachments: &[Bytes],
    limits: &Limits,
) -> Result<Body, Rejection> {
    if text.starts_with('"') && is_compact(text) {
        return Body::parse(text.into(), Vec::new(), limits);
    }
    // A full parse refuses numbers and unpaired surrogates that clients cannot represent, and finds
    // keys that are escaped or repeated.
    let mut value: Value = serde_json::from_str(text)
        .map_err(|_error| Rejection::BadRequest("the body is not JSON that everybody can read"))?;
    let taken = vec![false; attachments.len()];
    let mut reader = AttachmentReader { encoding, given: attachments, taken, found: Vec::new() };
    reader.walk(&mut value)?;
    let found = reader.found;
    // Without byte strings the client's own text is kept, unless it may hide a placeholder.
    let own = found.is_empty() && !text.contains(PLACEHOLDER) && is_compact(text);
    let text = if own { text.to_owned() } else { value.to_string() };
    Body::parse(text.into(), found, limits)
}

/// Whether every escape of a text is one that JSON needs. Others are decoded, so that the size of a
/// body does not depend on how its client writes JSON.
fn is_compact(text: &str) -> bool {
    !text.contains("\\u") && !text.contains("\\/")
}

/// Whether the data of a request is one byte string.
pub(super) fn is_bytes(raw: &RawValue, encoding: AttachmentEncoding) -> bool {
    let key = match encoding {
        AttachmentEncoding::Placeholders => PLACEHOLDER,
        AttachmentEncoding::Base64 => BASE64,
    };
    let small = raw.get().starts_with('{') && raw.get().contains(key);
    small
        && match (serde_json::from_str::<Value>(raw.get()), encoding) {
            (Ok(Value::Object(object)), AttachmentEncoding::Placeholders) => {
                object.contains_key(key)
            }
            (Ok(Value::Object(object)), AttachmentEncoding::Base64) => {
                object.len() == 1 && object.contains_key(key)
            }
            _ => false,
        }
}

/// Collects the byte strings of a value, in the order of its text.
struct AttachmentReader<'a> {
    encoding: AttachmentEncoding,
    given: &'a [Bytes],
    taken: Vec<bool>,
    found: Vec<Bytes>,
}

impl AttachmentReader<'_> {
    /// The depth of the text was checked, so this recursion is bounded.
    fn walk(&mut self, value: &mut Value) -> Result<(), Rejection> {
        if let Some(bytes) = self.bytes_of(value)? {
            *value = json!({ PLACEHOLDER: true, "num": self.found.len() });
            self.found.push(bytes);
            return Ok(());
        }
        match value {
            Value::Array(items) => items.iter_mut().try_for_each(|it| self.walk(it)),
            Value::Object(members) => members.values_mut().try_for_each(|it| self.walk(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn bytes_of(&mut self, value: &Value) -> Result<Option<Bytes>, Rejection> {
        let Value::Object(object) = value else { return Ok(None) };
        if object.contains_key(PLACEHOLDER) {
            return match self.encoding {
                AttachmentEncoding::Placeholders => self.take(object.get("num")).map(Some),
                AttachmentEncoding::Base64 => Err(FOREIGN_PLACEHOLDER),
            };
        }
        match (self.encoding, object.get(BASE64), object.len()) {
            (AttachmentEncoding::Base64, Some(Value::String(text)), 1) => {
                let bytes = STANDARD.decode(text).map_err(|_error| BAD_BASE64)?;
                Ok(Some(bytes.into()))
            }
            _ => Ok(None),
        }
    }

    /// The attachment with this number, once.
    fn take(&mut self, number: Option<&Value>) -> Result<Bytes, Rejection> {
        let number = number.and_then(Value::as_u64).and_then(|it| usize::try_from(it).ok());
        let number = number.ok_or(FOREIGN_PLACEHOLDER)?;
        let bytes = self.given.get(number).ok_or(FOREIGN_PLACEHOLDER)?;
        match self.taken.get_mut(number) {
            Some(taken) if !*taken => *taken = true,
            _ => return Err(FOREIGN_PLACEHOLDER),
        }
        Ok(bytes.clone())
    }
}

/// The byte string of a placeholder. `None` if the value is none.
pub(super) fn bytes_at<'a>(value: &Value, attachments: &'a [Bytes]) -> Option<&'a Bytes> {
    let object = value.as_object()?;
    object.get(PLACEHOLDER)?;
    let number = usize::try_from(object.get("num")?.as_u64()?).ok()?;
    attachments.get(number)
}

/// A body as a field of a wire struct: its JSON is copied, not parsed into a tree.
#[derive(Debug)]
pub(super) struct BodyData<'a> {
    pub(super) body: &'a Body,
    pub(super) encoding: AttachmentEncoding,
    /// The number of the body's first attachment in the packet.
    pub(super) first: usize,
}

impl Serialize for BodyData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = write(self.body, self.encoding, self.first);
        let raw: &RawValue = serde_json::from_str(&text).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A body's text in an encoding. `first` is the number of its first attachment in the packet.
pub(super) fn write(body: &Body, encoding: AttachmentEncoding, first: usize) -> Cow<'_, str> {
    let attachments = body.attachments();
    if attachments.is_empty() || (encoding == AttachmentEncoding::Placeholders && first == 0) {
        return Cow::Borrowed(body.json());
    }
    let mut written = String::with_capacity(body.json().len());
    let mut rest = body.json();
    for (number, bytes) in attachments.iter().enumerate() {
        // Quotes inside strings are escaped, so this text is a placeholder wherever it occurs.
        let Some((before, after)) = rest.split_once(&placeholder(number)) else { break };
        written.push_str(before);
        match encoding {
            AttachmentEncoding::Placeholders => written.push_str(&placeholder(first + number)),
            AttachmentEncoding::Base64 => {
                written.push_str("{\"base64\":\"");
                STANDARD.encode_string(bytes, &mut written);
                written.push_str("\"}");
            }
        }
        rest = after;
    }
    written.push_str(rest);
    Cow::Owned(written)
}

/// A placeholder as `serde_json` writes it: the keys in this order.
pub(super) fn placeholder(number: usize) -> String {
    format!("{{\"{PLACEHOLDER}\":true,\"num\":{number}}}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(all: &[&'static [u8]]) -> Vec<Bytes> {
        all.iter().map(|it| Bytes::from_static(it)).collect()
    }

    fn socketio(text: &str, attachments: &[&'static [u8]]) -> Result<Body, Rejection> {
        read(text, AttachmentEncoding::Placeholders, &bytes(attachments), &Limits::default())
    }

    fn plain(text: &str) -> Result<Body, Rejection> {
        read(text, AttachmentEncoding::Base64, &[], &Limits::default())
    }

    #[test]
    fn bytes_are_converted_between_encodings() {
        let text = r#"{"b":{"num":1,"_placeholder":true},"a":[{"_placeholder":true,"num":0}]}"#;
        let body = socketio(text, &[b"zero", b"one"]).unwrap();
        assert_eq!(body.attachments(), bytes(&[b"zero", b"one"]), "in the order of sorted keys");
        let json = write(&body, AttachmentEncoding::Base64, 0);
        assert_eq!(json, r#"{"a":[{"base64":"emVybw=="}],"b":{"base64":"b25l"}}"#);
        assert_eq!(plain(&json).unwrap(), body);
        let later = write(&body, AttachmentEncoding::Placeholders, 5);
        let expected = r#"{"a":[{"_placeholder":true,"num":5}],"b":{"_placeholder":true,"num":6}}"#;
        assert_eq!(later, expected);
    }

    #[test]
    fn placeholders_without_their_attachments_are_refused() {
        let one = r#"{"_placeholder":true,"num":0}"#;
        let twice = format!("[{one},{one}]");
        for (text, attachments) in [
            (one, &[][..]),
            (&twice, &[b"x" as &[u8]][..]),
            (r#"{"_placeholder":true,"num":"splice"}"#, &[b"x"]),
            (r#"{"_placeholder":true,"num":-1}"#, &[b"x"]),
            (r#"{"_placeholder":true,"num":1e99}"#, &[b"x"]),
            (r#"{"_placeholder":true}"#, &[b"x"]),
            (r#"{"\u005fplaceholder":true,"num":0}"#, &[]),
        ] {
            assert_eq!(socketio(text, attachments), Err(FOREIGN_PLACEHOLDER), "{text}");
        }
        assert_eq!(plain(one), Err(FOREIGN_PLACEHOLDER));
    }

    #[test]
    fn a_placeholder_under_a_repeated_key_is_dropped() {
        let text = r#"{"a":{"_placeholder":true,"num":7},"a":1}"#;
        assert_eq!(socketio(text, &[]).unwrap().json(), r#"{"a":1}"#);
        assert_eq!(plain(text).unwrap().json(), r#"{"a":1}"#);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for text in ["[1e400]", r#"{"a":-1e999}"#, "1e400"] {
            assert!(matches!(plain(text), Err(Rejection::BadRequest(_))), "{text}");
        }
        assert_eq!(plain("[1.50, 2e3]").unwrap().json(), "[1.50, 2e3]", "the client's own text");
    }

    #[test]
    fn a_body_is_stored_without_escapes_that_json_does_not_need() {
        for (text, stored) in [
            (r#""\u0061\u044f\ud83d\ude00\/""#, "\"a\u{44f}\u{1f600}/\""),
            (r#""\n\"\\\u0001""#, r#""\n\"\\\u0001""#),
            (r#"{"a\/b":["\u0061"]}"#, r#"{"a/b":["a"]}"#),
        ] {
            assert_eq!(plain(text).unwrap().json(), stored);
        }
    }

    #[test]
    fn base64_is_decoded_only_as_the_only_key() {
        assert_eq!(plain(r#"{"base64":"AAE="}"#).unwrap().attachments(), bytes(&[&[0, 1]]));
        assert_eq!(plain(r#"{"base64":"%"}"#), Err(BAD_BASE64));
        let with_more = r#"{"base64":"AAE=","name":"x"}"#;
        assert!(plain(with_more).unwrap().attachments().is_empty());
    }

    #[test]
    fn a_string_that_looks_like_a_placeholder_stays_a_string() {
        let text = r#"["{\"_placeholder\":true,\"num\":0}",{"_placeholder":true,"num":0}]"#;
        let body = socketio(text, &[b"x"]).unwrap();
        let json = r#"["{\"_placeholder\":true,\"num\":0}",{"base64":"eA=="}]"#;
        assert_eq!(write(&body, AttachmentEncoding::Base64, 0), json);
    }

    proptest! {
        #[test]
        fn written_bodies_are_read_back_unchanged(parts in prop::collection::vec(any::<Vec<u8>>(), 0..10)) {
            let items: Vec<_> = parts.iter().map(|it| json!({ BASE64: STANDARD.encode(it) })).collect();
            let text = json!({ "say": "hi", "parts": items }).to_string();
            let body = plain(&text).unwrap();
            prop_assert_eq!(body.attachments().len(), parts.len());
            prop_assert_eq!(plain(&write(&body, AttachmentEncoding::Base64, 0)).unwrap(), body.clone());
            let packet = write(&body, AttachmentEncoding::Placeholders, 0);
            let again = read(&packet, AttachmentEncoding::Placeholders, body.attachments(), &Limits::default());
            prop_assert_eq!(again.unwrap(), body);
        }
    }
}
