//! Data that does not have the documented form, and why.

use std::fmt;

use serde::Deserialize;

use super::keys;
use crate::domain::{KeyMismatch, Rejection};

/// Characters of a text that a reason repeats.
const QUOTED_CHARS_MAX: usize = 64;
/// Characters of a reason: serde repeats the names of unknown keys.
const REASON_CHARS_MAX: usize = 500;

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
    fn of_keys(keys: KeyMismatch) -> Self {
        Self::with_keys(keys.to_string(), Some(keys))
    }

    /// The same for keys.
    pub(super) fn with_keys(reason: impl Into<String>, keys: Option<KeyMismatch>) -> Self {
        Self { reason: reason.into(), keys: keys.map(Box::new) }
    }

    /// The same of an item of a list.
    pub(super) fn in_item(self, number: usize) -> Self {
        Self { reason: format!("item {number}: {}", self.reason), ..self }
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
        return invalid("this is not a JSON object");
    }
    serde_json::from_str(text).map_err(|error| {
        let of_other_kind = || InvalidData::new(error.to_string());
        keys::of_error(&error).map_or_else(of_other_kind, InvalidData::of_keys)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
