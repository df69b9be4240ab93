//! Parts of OpenAPI schemas that a derive cannot say, for the requests of the HTTP API.
//!
//! A request's schema is derived from the struct that serde reads it into. Texts with rules that JSON
//! Schema has no words for have a `format` of ours, which [`FORMATS`] explains.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, Ref, RefOr, Schema, SchemaFormat, Type,
        schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, SchemaType},
    },
};

/// The formats of texts: their names, and what they mean.
pub(super) const FORMATS: [(&str, &str); 15] = [
    ("user-name", "A user: 1 to 64 characters, as docs/protocol.md says under \"Names\"."),
    ("guest-name", "The name of a guest: as `user-name`, with 1 to 32 characters."),
    ("room-name", "A room: 1 to 64 characters."),
    ("room-topic", "A topic: one line of up to 250 characters. The empty text removes it."),
    ("name-query", "The beginning of a word, in any case: 1 to 64 characters."),
    ("space", "A space: a path of up to 64 characters that begins with `/`."),
    ("space-or-all", "A space, or `*` for all."),
    ("event-name", "An event of the application: 1 to 128 characters, none of the server's."),
    ("message-id", "1 to 64 visible ASCII characters."),
    ("connection", "The address of a connection, as `welcome` and back ends have it."),
    ("token", "A token (JWT)."),
    ("token-id", "The `jti` of a token: 1 to 256 bytes without control characters."),
    ("revocation", "`jti:` and the `jti` of a token, or `user:` and a user."),
    ("event-id", "The `id` of an event of webhooks."),
    ("webhook-name", "A webhook of the settings."),
];

/// The body of a message, or any part of one. Its schema is in the contract.
pub(super) struct BodySchema;

impl PartialSchema for BodySchema {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name("Body").into()
    }
}

impl ToSchema for BodySchema {
    fn name() -> Cow<'static, str> {
        "Body".into()
    }
}

/// An object with one of these keys, and no other.
pub(super) fn one_key_of(keys: Vec<(&str, RefOr<Schema>)>) -> RefOr<Schema> {
    let objects =
        keys.into_iter().map(|(key, schema)| closed_object().property(key, schema).required(key));
    objects.fold(OneOfBuilder::new(), OneOfBuilder::item).into()
}

/// A text with a format of [`FORMATS`].
pub(super) fn text(format: &str) -> RefOr<Schema> {
    text_of(Type::String.into(), format)
}

/// The same, or `null`, which counts as left out.
pub(super) fn text_or_null(format: &str) -> RefOr<Schema> {
    text_of(SchemaType::from_iter([Type::String, Type::Null]), format)
}

/// A time as RFC 3339.
pub(super) fn time() -> RefOr<Schema> {
    time_of(Type::String.into())
}

/// The same, or `null`, which counts as left out.
pub(super) fn time_or_null() -> RefOr<Schema> {
    time_of(SchemaType::from_iter([Type::String, Type::Null]))
}

fn time_of(of: SchemaType) -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    ObjectBuilder::new().schema_type(of).format(Some(format)).into()
}

/// `null`: a key that counts as left out.
pub(super) fn only_null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Null)
}

/// No text with a format is empty.
fn text_of(of: SchemaType, format: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(of).min_length(Some(1));
    text.format(Some(SchemaFormat::Custom(format.to_owned()))).into()
}

/// `true`.
pub(super) fn only_true() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).into()
}

/// A role, or `null`, which counts as left out.
pub(super) fn role_or_null() -> RefOr<Schema> {
    let roles = ["owner", "admin", "member", "reader"];
    let values = roles.map(Some).into_iter().chain([None]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(values)).into()
}

/// An object without other keys than those that are added to it.
pub(super) fn closed_object() -> ObjectBuilder {
    let none = AdditionalProperties::<Schema>::FreeForm(false);
    ObjectBuilder::new().additional_properties(Some(none))
}
