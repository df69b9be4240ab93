//! Message bodies: JSON text, with byte strings beside it.

use bytes::Bytes;

use super::{Limits, Rejection};

/// The size of a placeholder without its number.
const PLACEHOLDER_BYTES: usize = r#"{"_placeholder":true,"num":}"#.len();

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
    /// The size is that of the text and all attachments together, in bytes. Placeholders do not count:
    /// no client sends them as part of its body.
    pub fn parse(
        json: Box<str>,
        attachments: Vec<Bytes>,
        limits: &Limits,
    ) -> Result<Self, Rejection> {
        if attachments.len() > limits.attachments_max {
            return Err(Rejection::TooManyAttachments);
        }
        let body = Self { json, attachments };
        if body.bytes() > limits.body_bytes_max.get().saturating_add(body.placeholder_bytes()) {
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

    /// Size of the placeholders in the text.
    fn placeholder_bytes(&self) -> usize {
        let digits = |number: usize| number.checked_ilog10().unwrap_or(0) as usize + 1;
        (0..self.attachments.len()).map(|number| PLACEHOLDER_BYTES + digits(number)).sum()
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
    fn text_and_attachments_count_together_without_placeholders() {
        let limits = Limits { attachments_max: 11, ..Limits::default() };
        let most = limits.body_bytes_max.get();
        let placeholder = |number| format!(r#"{{"_placeholder":true,"num":{number}}}"#);
        let eleven: Vec<_> = (0..11).map(placeholder).collect();
        for (text, count, own_bytes) in [
            (placeholder(0), 1, 0),
            (format!("[{}]", placeholder(0)), 1, 2),
            (format!("[{}]", eleven.join(",")), 11, 12),
        ] {
            let parse = |size: usize| {
                let mut attachments = vec![Bytes::new(); count - 1];
                attachments.push(vec![0; size].into());
                Body::parse(text.as_str().into(), attachments, &limits)
            };
            assert!(parse(most - own_bytes).is_ok(), "{text}");
            assert_eq!(parse(most - own_bytes + 1), Err(Rejection::MessageTooLarge), "{text}");
        }
    }

    #[test]
    fn ten_attachments_are_accepted_and_eleven_are_refused() {
        let limits = Limits::default();
        let with = |count| Body::parse("[]".into(), vec![Bytes::new(); count], &limits);
        assert!(with(10).is_ok());
        assert_eq!(with(11), Err(Rejection::TooManyAttachments));
    }
}
