//! Message bodies: JSON text, with byte strings beside it.

use bytes::Bytes;

use super::{Limits, Rejection};

/// A message body: one JSON value as text, and the byte strings that belong into it.
///
/// In place of each byte string, the text holds `{"_placeholder":true,"num":N}` as in the Socket.IO
/// protocol, numbered 0, 1, 2 … in the order of the text. A body of bytes alone is one placeholder.
/// All wire formats and the store use this form; `wire` produces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    json: Box<str>,
    attachments: Vec<Bytes>,
}

impl Body {
    /// Accepts a canonical text and its attachments within the limits.
    ///
    /// The size is that of the text and all attachments together, in bytes.
    pub fn parse(
        json: Box<str>,
        attachments: Vec<Bytes>,
        limits: &Limits,
    ) -> Result<Self, Rejection> {
        if attachments.len() > limits.attachments_max {
            return Err(Rejection::TooManyAttachments);
        }
        let body = Self { json, attachments };
        if body.bytes() > limits.body_bytes_max.get() {
            return Err(Rejection::MessageTooLarge);
        }
        if body.is_blank() {
            return Err(Rejection::MessageEmpty);
        }
        Ok(body)
    }

    /// A body that the store holds: it was parsed before it was stored.
    pub fn from_raw(json: Box<str>, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The byte strings, in the order of their numbers.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Size of text and attachments together.
    pub fn bytes(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether the body is `null` or a string of white space.
    fn is_blank(&self) -> bool {
        let json = self.json.trim();
        json == "null"
            || json
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .is_some_and(is_whitespace)
    }
}

/// Whether the inside of a JSON string is only white space, including escaped white space.
fn is_whitespace(inside: &str) -> bool {
    let unescaped = inside.replace("\\n", " ").replace("\\t", " ").replace("\\r", " ");
    unescaped.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Body, Rejection> {
        Body::parse(json.into(), Vec::new(), &Limits::default())
    }

    #[test]
    fn a_blank_body_is_refused() {
        for blank in ["null", "\"\"", "\"  \"", r#""\n\t ""#] {
            assert_eq!(parse(blank), Err(Rejection::MessageEmpty), "{blank}");
        }
        for fine in ["0", "false", "[]", "{}", "\"x\"", r#""\\n""#] {
            assert!(parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn text_and_attachments_count_together() {
        let limits = Limits::default();
        let most = limits.body_bytes_max.get();
        let text: Box<str> = r#"{"_placeholder":true,"num":0}"#.into();
        let room = most - text.len();
        let bytes = |count| vec![Bytes::from(vec![0; count])];
        assert!(Body::parse(text.clone(), bytes(room), &limits).is_ok());
        let over = Body::parse(text, bytes(room + 1), &limits);
        assert_eq!(over, Err(Rejection::MessageTooLarge));
    }

    #[test]
    fn ten_attachments_are_accepted_and_eleven_are_refused() {
        let limits = Limits::default();
        let with = |count| Body::parse("[]".into(), vec![Bytes::new(); count], &limits);
        assert!(with(10).is_ok());
        assert_eq!(with(11), Err(Rejection::TooManyAttachments));
    }
}
