//! JSON as text: written in one go, and measured before it is trusted.

use serde::Serialize;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::domain::Rejection;

/// Nesting that we take from a client. Deeper values overflow the stacks of clients that parse
/// them by recursion.
pub(super) const DEPTH_MAX: usize = 64;

pub(super) const TOO_DEEP: Rejection = Rejection::BadRequest("the data is nested too deeply");

/// RFC 3339, UTC, milliseconds.
const AT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Refuses text that nests deeper than anybody needs, without recursion of our own.
pub(super) fn check_depth(text: &str) -> Result<(), Rejection> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth > DEPTH_MAX {
            return Err(TOO_DEEP);
        }
    }
    Ok(())
}

/// A JSON object in the making, its keys in the order in which they are added.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds any value that serialises.
    pub(super) fn add(self, key: &str, value: &(impl Serialize + ?Sized)) -> Self {
        let text = serde_json::to_string(value).expect("strings and numbers always serialise");
        self.add_raw(key, &text)
    }

    /// Adds a value only if there is one.
    pub(super) fn add_some<T: Serialize>(self, key: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.add(key, &value),
            None => self,
        }
    }

    /// Adds a time.
    pub(super) fn add_time(self, key: &str, at: OffsetDateTime) -> Self {
        let text = at.to_offset(time::UtcOffset::UTC).format(AT);
        self.add(key, &text.expect("the format asks for nothing that a date has not"))
    }

    /// Adds a time only if there is one.
    pub(super) fn add_some_time(self, key: &str, at: Option<OffsetDateTime>) -> Self {
        match at {
            Some(at) => self.add_time(key, at),
            None => self,
        }
    }

    /// Adds what is JSON already. The key is one of ours and needs no escapes.
    pub(super) fn add_raw(mut self, key: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.reserve(key.len() + json.len() + 5);
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(json);
        self
    }

    /// Adds all the members of another finished object.
    pub(super) fn add_members(mut self, object: &str) -> Self {
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let members = members.unwrap_or_default();
        if self.0.len() > 1 && !members.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(members);
        self
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check_depth(&nested(64)).is_ok());
        assert!(check_depth(&nested(65)).is_err());
        assert!(check_depth(&"{\"a\":".repeat(100_000)).is_err());
        assert!(check_depth(&format!("\"{}\"", "[".repeat(1000))).is_ok());
        assert!(check_depth(&format!("\"\\\"{}\"", "[".repeat(1000))).is_ok());
    }

    #[test]
    fn an_object_is_written_in_order() {
        let object = Object::new()
            .add("a", "x\"y")
            .add_some("b", None::<u64>)
            .add_some("c", Some(3))
            .add_time("at", datetime!(2026-11-20 10:11:12.345678 +2))
            .add_raw("d", "[1]")
            .add_members(r#"{"e":5}"#)
            .end();
        let whole = r#"{"a":"x\"y","c":3,"at":"2026-11-20T08:11:12.345Z","d":[1],"e":5}"#;
        assert_eq!(object, whole);
    }
}
