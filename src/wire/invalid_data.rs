//! Data that does not have the documented form, and why.

use std::fmt;

use serde::Deserialize;

use super::keys::{self, RefusedKeys};
use crate::domain::{KeyMismatch, Rejection, UnknownKey, ValueType};

/// Characters of a text that a reason repeats.
const QUOTED_CHARS_MAX: usize = 64;
/// Characters of a reason: serde repeats the names of unknown keys.
const REASON_CHARS_MAX: usize = 500;

/// What serde writes before a name or a number of the data.
const DATA_FOLLOWS: [&str; 5] =
    ["unknown variant ", "integer ", "floating point ", "boolean ", "character "];

/// Why data from a back end does not have the documented form.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidData {
    reason: String,
    /// The keys that are wrong, if that is the reason.
    keys: Option<Box<KeyMismatch>>,
}

impl InvalidData {
    /// Data with this reason.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), keys: None }
    }

    /// Data whose keys are wrong.
    pub(super) fn of_keys(keys: KeyMismatch) -> Self {
        Self { reason: keys.to_string(), keys: Some(Box::new(keys)) }
    }

    /// Data without a key that it needs.
    pub(super) fn missing(key: &'static str) -> Self {
        Self::of_keys(KeyMismatch { missing: vec![key.into()], ..KeyMismatch::default() })
    }

    /// Data with a value of another type.
    pub(super) fn mistyped(key: &'static str, expected: ValueType) -> Self {
        let mistyped = vec![(key.into(), expected)];
        Self::of_keys(KeyMismatch { mistyped, ..KeyMismatch::default() })
    }

    /// The same of an item of a list.
    pub(super) fn in_item(self, number: usize) -> Self {
        Self { reason: format!("item {number}: {}", self.reason), ..self }
    }

    /// The reason without what the data says itself, for the log: unknown names, numbers, and texts in
    /// quotes are left out. Names of the documented form stay.
    pub fn without_data(&self) -> String {
        if let Some(keys) = self.keys() {
            let unnamed = |it: &UnknownKey| UnknownKey { key: "…".into(), ..it.clone() };
            let unknown = keys.unknown.iter().map(unnamed).collect();
            return KeyMismatch { unknown, ..keys.clone() }.to_string();
        }
        let reason = without_quoted(&self.reason);
        let found = DATA_FOLLOWS.iter().find_map(|it| Some((reason.split_once(it)?.0, it)));
        let Some((before, what)) = found else { return reason };
        let expected = reason.rfind(", expected").and_then(|at| reason.get(at..));
        format!("{before}{what}`…`{}", expected.unwrap_or_default())
    }

    /// The keys that are wrong, if that is the reason.
    pub(super) fn keys(&self) -> Option<&KeyMismatch> {
        self.keys.as_deref()
    }
}

impl fmt::Display for InvalidData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match start(&self.reason, REASON_CHARS_MAX) {
            Some(start) => write!(f, "{start}…"),
            None => f.write_str(&self.reason),
        }
    }
}

/// A reason with `"…"` in place of each text in quotes, in which `\\` protects the next character.
fn without_quoted(reason: &str) -> String {
    let mut kept = String::new();
    let mut chars = reason.chars();
    while let Some(it) = chars.next() {
        kept.push(it);
        if it == '"' {
            while let Some(quoted) = chars.next().filter(|it| *it != '"') {
                if quoted == '\\' {
                    chars.next();
                }
            }
            kept.push_str("…\"");
        }
    }
    kept
}

/// A text of the data in quotes, shortened.
pub(super) fn quoted(text: &str) -> String {
    match start(text, QUOTED_CHARS_MAX) {
        Some(start) => format!("{start:?}…"),
        None => format!("{text:?}"),
    }
}

/// The first characters of a text that has more.
fn start(text: &str, chars_max: usize) -> Option<&str> {
    let (end, _) = text.char_indices().nth(chars_max)?;
    text.get(..end)
}

/// A rejection of the value of a key.
pub(super) fn of_key(key: &str, rejection: &Rejection) -> InvalidData {
    InvalidData::new(format!("`{key}`: {rejection}"))
}

/// A failure with this reason.
pub(super) fn invalid<T>(reason: &str) -> Result<T, InvalidData> {
    Err(InvalidData::new(reason))
}

/// A JSON object; a blank text is an empty one.
pub(super) fn object_or_default<'a, T: Default + Deserialize<'a>>(
    text: &'a str,
) -> Result<T, InvalidData> {
    if text.trim_start().is_empty() { Ok(T::default()) } else { object(text) }
}

/// A JSON object.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, InvalidData> {
    // serde would accept an array and read its items as the fields, in order.
    if !text.trim_start().starts_with('{') {
        return Err(InvalidData::of_keys(keys::of_no_object::<T>()));
    }
    serde_json::from_str(text).map_err(|error| match keys::of_error(text, &error) {
        Some(RefusedKeys { mismatch, item: None }) => InvalidData::of_keys(mismatch),
        Some(RefusedKeys { mismatch, item: Some(item) }) => {
            InvalidData::of_keys(mismatch).in_item(item)
        }
        None => InvalidData::new(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are read")]
    struct Form {
        ack: Option<Vec<u8>>,
        role: Option<Role>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        Owner,
    }

    #[test]
    fn the_log_is_told_nothing_of_the_data() {
        for (text, expected) in [
            (r#"{"secret":1}"#, "there is no key `…`; there are `ack`, `role`"),
            (r#"{"ack":"sec\"ret"}"#, "`ack` must be a list"),
            (r#"{"ack":[4711]}"#, "invalid value: integer `…`, expected u8"),
            (r#"{"ack":["sec\"ret"]}"#, r#"invalid type: string "…", expected u8"#),
            (r#"{"role":"secret"}"#, "unknown variant `…`, expected `owner`"),
            ("secret", "the data is not an object with keys of `ack`, `role`"),
        ] {
            let reason = object::<Form>(text).unwrap_err().without_data();
            assert!(reason.starts_with(expected), "{reason}");
        }
        for key in [r#"\"secret"#, r#"x\"y secret"#, "` secret", "ack` secret", r"\\` secret"] {
            let text = format!(r#"{{"{key}":1}}"#);
            let reason = object::<Form>(&text).unwrap_err().without_data();
            assert!(!reason.contains("secret"), "{reason}");
            let text = format!(r#"{{"role":"{key}"}}"#);
            let reason = object::<Form>(&text).unwrap_err().without_data();
            assert!(!reason.contains("secret"), "{reason}");
        }
        let reason = InvalidData::new(format!("`role`: {} is no role", quoted("secret")));
        assert_eq!(reason.without_data(), r#"`role`: "…" is no role"#);
        let cut = InvalidData::new("a cut text: \"secret");
        assert_eq!(cut.without_data(), r#"a cut text: "…""#);
    }

    #[test]
    fn a_reason_repeats_little_of_the_data() {
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
        let long = "ä".repeat(1 << 20);
        assert_eq!(quoted(&long), format!("\"{}\"…", "ä".repeat(64)));
        let unknown = format!(r#"{{"{long}":1}}"#);
        let Err(invalid) = object::<std::collections::BTreeMap<String, bool>>(&unknown) else {
            panic!("it is no boolean")
        };
        assert!(invalid.to_string().chars().count() <= REASON_CHARS_MAX + 1);
        assert_eq!(InvalidData::new(long).to_string().chars().count(), REASON_CHARS_MAX + 1);
    }
}
