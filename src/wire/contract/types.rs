//! The language in which the contract describes payloads.
//!
//! It is closed and small, so that every writer (JSON Schema, TypeScript) handles all of it. Everything
//! is a constant: a payload is a table and not code.

use crate::domain::ValueType;

/// The type of a value on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    /// Any JSON value, with bytes anywhere.
    Any,
    /// Any text.
    Text,
    /// A text that is this one.
    Literal(&'static str),
    /// One of these texts.
    OneOfTexts(&'static [&'static str]),
    /// A text that is one of these, or another in a later version or of a back end.
    OpenTexts(&'static [&'static str]),
    /// A time as RFC 3339.
    Time,
    /// A whole number from 0 to 2^53 - 1.
    Count,
    /// `true` or `false`.
    Boolean,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
    /// A byte string: `{"base64": "…"}` in JSON.
    Bytes,
    /// The body of a message: any JSON but `null` and a blank text, with bytes anywhere.
    Body,
    /// A list of such values.
    List(&'static Type),
    /// An object with any keys and such values.
    Map(&'static Type),
    /// An object.
    Object(&'static [Member]),
    /// One of several types.
    Either(&'static [Type]),
    /// A type with a name.
    Named(&'static Definition),
}

/// A part of an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member {
    /// A key that is always there.
    Required(Field),
    /// A key that may be left out.
    Optional(Field),
    /// Exactly one of these keys is there.
    OneOf(&'static [Field]),
    /// At most one of these keys is there.
    AtMostOneOf(&'static [Field]),
    /// All members of another object.
    All(&'static [Member]),
}

/// A key of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) of: Type,
    /// What it means; empty where the name says it.
    pub(super) about: &'static str,
}

/// A type with a name, which all formats keep.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) about: &'static str,
}

/// A key that is always there.
pub(super) const fn required(name: &'static str, of: Type, about: &'static str) -> Member {
    Member::Required(field(name, of, about))
}

/// A key that may be left out.
pub(super) const fn optional(name: &'static str, of: Type, about: &'static str) -> Member {
    Member::Optional(field(name, of, about))
}

/// A key of [`Member::OneOf`] and [`Member::AtMostOneOf`].
pub(super) const fn field(name: &'static str, of: Type, about: &'static str) -> Field {
    Field { name, of, about }
}

/// A key of the documented form of an object.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct DescribedKey {
    pub(in crate::wire) name: &'static str,
    /// Whether the object needs it.
    pub(in crate::wire) required: bool,
    of: Type,
}

impl DescribedKey {
    /// The type that the value has to have, if this JSON is of another one.
    pub(in crate::wire) fn expected_of(self, json: &str) -> Option<ValueType> {
        let is_null = json == "null" && !self.required;
        self.of.expected_of(json).filter(|_| !is_null)
    }
}

impl Type {
    /// This type, if the JSON is of another one. Of the types that requests have, those
    /// that are not any JSON.
    fn expected_of(self, json: &str) -> Option<ValueType> {
        let (is_right, expected) = match self {
            Self::Text
            | Self::Literal(_)
            | Self::OneOfTexts(_)
            | Self::OpenTexts(_)
            | Self::Time => (json.starts_with('"'), ValueType::Text),
            Self::Count => (json.parse::<u64>().is_ok(), ValueType::WholeNumber),
            Self::Boolean | Self::True | Self::False => {
                (matches!(json, "true" | "false"), ValueType::Boolean)
            }
            Self::List(Self::Text) => {
                (serde_json::from_str::<Vec<String>>(json).is_ok(), ValueType::Texts)
            }
            Self::List(_) => (json.starts_with('['), ValueType::List),
            Self::Named(definition) => return definition.of.expected_of(json),
            Self::Any
            | Self::Null
            | Self::Bytes
            | Self::Body
            | Self::Map(_)
            | Self::Object(_)
            | Self::Either(_) => return None,
        };
        (!is_right).then_some(expected)
    }

    /// Calls `found` with each definition that this type names itself.
    pub(super) fn for_each_named(self, found: &mut impl FnMut(&'static Definition)) {
        match self {
            Self::Named(definition) => found(definition),
            Self::List(of) | Self::Map(of) => of.for_each_named(found),
            Self::Either(types) => types.iter().for_each(|it| it.for_each_named(found)),
            Self::Object(members) => members.iter().for_each(|it| it.for_each_named(found)),
            Self::Any
            | Self::Text
            | Self::Literal(_)
            | Self::OneOfTexts(_)
            | Self::OpenTexts(_)
            | Self::Time
            | Self::Count
            | Self::Boolean
            | Self::True
            | Self::False
            | Self::Null
            | Self::Bytes
            | Self::Body => {}
        }
    }
}

impl Member {
    /// Calls `found` with each key.
    pub(super) fn for_each_key(&self, found: &mut impl FnMut(DescribedKey)) {
        let key =
            |field: &Field, required| DescribedKey { name: field.name, required, of: field.of };
        match self {
            Self::Required(field) => found(key(field, true)),
            Self::Optional(field) => found(key(field, false)),
            Self::OneOf(fields) | Self::AtMostOneOf(fields) => {
                fields.iter().for_each(|it| found(key(it, false)));
            }
            Self::All(members) => members.iter().for_each(|it| it.for_each_key(found)),
        }
    }

    fn for_each_named(self, found: &mut impl FnMut(&'static Definition)) {
        match self {
            Self::Required(field) | Self::Optional(field) => field.of.for_each_named(found),
            Self::OneOf(fields) | Self::AtMostOneOf(fields) => {
                for field in fields {
                    field.of.for_each_named(found);
                }
            }
            Self::All(members) => members.iter().for_each(|it| it.for_each_named(found)),
        }
    }
}
