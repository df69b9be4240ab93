//! What the HTTP API answers, for its document.

use serde_json::{Map, Value};

use super::{
    definitions::{AT, PAGE, PRESENCES, REFUSAL_MEMBERS, USER},
    json_schema::{SchemaWriter, UnknownKeys},
    types::{
        Member::{self, All},
        Type::{self, Either, List, Object},
        optional, required,
    },
};

const WRITER: SchemaWriter =
    SchemaWriter { definitions: "#/components/schemas/", unknown_keys: UnknownKeys::Accepted };

/// An answer of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerPayload {
    /// A page of a log.
    History,
    /// Users, and whether they are online.
    Presence,
    /// The outcome of each item.
    Results,
    /// The identity of a session, or `null`.
    Profile,
    /// The identity of a new session.
    SignedIn,
    /// Why nothing was done.
    Refusal,
}

const RESULT: Type = Either(&[
    Object(&[required("ok", Type::True, "Done.")]),
    Object(&[
        required("ok", Type::True, "On disk."),
        required("id", Type::Text, ""),
        required("seq", Type::Count, ""),
        AT,
        optional("duplicate", Type::True, "It was on disk before."),
    ]),
    Object(&[required("ok", Type::False, "This item alone is refused."), All(REFUSAL_MEMBERS)]),
]);
const RESULTS: &[Member] = &[required("results", List(&RESULT), "One for each item.")];
const PROFILE: Type = Object(&[
    USER,
    optional("name", Type::Text, "The display name."),
    required("guest", Type::Boolean, ""),
    required("admin", Type::Boolean, ""),
    required("expiresAt", Type::Time, ""),
]);

/// The name and the schema of an answer.
pub(in crate::wire) fn answer_schema(answer: AnswerPayload) -> (&'static str, Value) {
    let (name, of) = match answer {
        AnswerPayload::History => ("History", Object(PAGE)),
        AnswerPayload::Presence => ("Presence", Object(PRESENCES)),
        AnswerPayload::Results => ("Results", Object(RESULTS)),
        AnswerPayload::Profile => ("Profile", Either(&[PROFILE, Type::Null])),
        AnswerPayload::SignedIn => ("SignedIn", PROFILE),
        AnswerPayload::Refusal => ("Refusal", Object(REFUSAL_MEMBERS)),
    };
    (name, WRITER.schema(of))
}

/// The definitions that answers name, and the body of messages.
pub(in crate::wire) fn component_schemas() -> Map<String, Value> {
    let mut schemas = WRITER.definitions();
    schemas.insert("Body".to_owned(), WRITER.schema(Type::Body));
    schemas
}
