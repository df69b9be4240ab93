//! The keys of an object that are not as its documented form has them.

use std::{borrow::Cow, fmt};

/// What is wrong with the keys of an object: at least one of them is missing, unknown or of another
/// type. If none is, there is no object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyMismatch {
    /// The keys that the object needs and does not have.
    pub missing: Vec<Cow<'static, str>>,
    /// The keys that the object has and that mean nothing in it.
    pub unknown: Vec<UnknownKey>,
    /// The keys whose values have another type, with the type that is expected.
    pub mistyped: Vec<(Cow<'static, str>, ValueType)>,
    /// All keys that mean something in it.
    pub known: Vec<Cow<'static, str>>,
}

/// A key that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key, or its beginning.
    pub key: Box<str>,
    /// The key that is probably meant.
    pub nearest: Option<Cow<'static, str>>,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A text.
    Text,
    /// A whole number, not negative.
    WholeNumber,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of anything.
    List,
    /// A list of texts.
    Texts,
    /// A list of objects.
    Objects,
    /// An object.
    Object,
}

impl ValueType {
    /// The name that clients read.
    pub fn as_raw(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::WholeNumber => "whole number",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Texts => "list of texts",
            Self::Objects => "list of objects",
            Self::Object => "object",
        }
    }
}

impl fmt::Display for KeyMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, unknown, mistyped, known } = self;
        if missing.is_empty() && unknown.is_empty() && mistyped.is_empty() {
            return write!(f, "the data is not an object with keys of {}", Keys(known));
        }
        match &missing[..] {
            [] => (),
            [key] => write!(f, "the key `{key}` is missing")?,
            keys => write!(f, "the keys {} are missing", Keys(keys))?,
        }
        let mut separator = if missing.is_empty() { "" } else { "; " };
        for UnknownKey { key, nearest } in unknown {
            write!(f, "{separator}there is no key `{}`", key.escape_debug())?;
            if let Some(nearest) = nearest {
                write!(f, ", the nearest is `{nearest}`")?;
            }
            separator = "; ";
        }
        for (key, expected) in mistyped {
            let article = if *expected == ValueType::Object { "an" } else { "a" };
            write!(f, "{separator}`{key}` must be {article} {}", expected.as_raw())?;
            separator = "; ";
        }
        let is_clear = unknown.iter().all(|it| it.nearest.is_some());
        match &known[..] {
            _ if is_clear => Ok(()),
            [] => f.write_str("; there are none"),
            keys => write!(f, "; there are {}", Keys(keys)),
        }
    }
}

/// Keys in a sentence.
struct Keys<'a>(&'a [Cow<'static, str>]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, key) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}`{key}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_keys() {
        let keys = |names: &[&'static str]| names.iter().map(|it| Cow::Borrowed(*it)).collect();
        let unknown = |key: &str, nearest: Option<&'static str>| {
            vec![UnknownKey { key: key.into(), nearest: nearest.map(Cow::Borrowed) }]
        };
        let known = || keys(&["seq", "msg"]);
        for (mismatch, message) in [
            (
                KeyMismatch { missing: keys(&["msg"]), known: known(), ..KeyMismatch::default() },
                "the key `msg` is missing",
            ),
            (
                KeyMismatch { missing: known(), known: known(), ..KeyMismatch::default() },
                "the keys `seq`, `msg` are missing",
            ),
            (
                KeyMismatch {
                    missing: keys(&["msg"]),
                    unknown: unknown("message", Some("msg")),
                    known: known(),
                    ..KeyMismatch::default()
                },
                "the key `msg` is missing; there is no key `message`, the nearest is `msg`",
            ),
            (
                KeyMismatch {
                    unknown: unknown("a\n", None),
                    known: known(),
                    ..KeyMismatch::default()
                },
                "there is no key `a\\n`; there are `seq`, `msg`",
            ),
            (
                KeyMismatch { unknown: unknown("a", None), ..KeyMismatch::default() },
                "there is no key `a`; there are none",
            ),
            (
                KeyMismatch {
                    missing: keys(&["msg"]),
                    mistyped: vec![("seq".into(), ValueType::WholeNumber)],
                    known: known(),
                    ..KeyMismatch::default()
                },
                "the key `msg` is missing; `seq` must be a whole number",
            ),
            (
                KeyMismatch {
                    mistyped: vec![("to".into(), ValueType::Object)],
                    ..KeyMismatch::default()
                },
                "`to` must be an object",
            ),
            (
                KeyMismatch { known: known(), ..KeyMismatch::default() },
                "the data is not an object with keys of `seq`, `msg`",
            ),
        ] {
            assert_eq!(mismatch.to_string(), message);
        }
    }
}
