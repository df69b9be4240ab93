//! Data that does not have the documented form, and why.

use std::fmt;

use serde::Deserialize;

use crate::domain::Rejection;

/// Why data from a back end does not have the documented form.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidData(pub(super) String);

impl fmt::Display for InvalidData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The same, for the value of a key.
pub(super) fn of_key(key: &str, rejection: &Rejection) -> InvalidData {
    InvalidData(format!("`{key}`: {rejection}"))
}

/// A failure with this reason.
pub(super) fn invalid<T>(reason: &str) -> Result<T, InvalidData> {
    Err(InvalidData(reason.to_owned()))
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
    serde_json::from_str(text).map_err(|error| InvalidData(error.to_string()))
}
