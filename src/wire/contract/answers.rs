//! What the HTTP API answers, for its document.

use serde_json::{Map, Value};

use super::{
    definitions::{AT, NAMES, PAGE, PRESENCES, REFUSAL_MEMBERS, ROOM, ROOM_MEMBER, TOPIC, USER},
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
    /// It is done.
    Done,
    /// What connections answered.
    Asked,
    /// A page of bans.
    Bans,
    /// A page of revocations.
    Revocations,
    /// A page of users.
    Users,
    /// A page of connections.
    Connections,
    /// A page of rooms.
    Rooms,
    /// One room.
    Room,
    /// A page of the members of a room.
    Members,
    /// A page of dead letters.
    DeadLetters,
    /// How many dead letters are sent again.
    Resent,
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
const DONE: Type = Object(&[required("ok", Type::True, "")]);
const CONNECTION: Member = required("connection", Type::Text, "Its address.");
const ANONYMOUS_USER: Member = optional("user", Type::Text, "Absent while it is anonymous.");
const ASKED: Type = Object(&[
    required(
        "answers",
        List(&Object(&[CONNECTION, ANONYMOUS_USER, required("args", List(&Type::Any), "")])),
        "Those that came, in the order of their arrival.",
    ),
    NAMES,
    required("missing", Type::Count, "How many connections were asked and have no answer here."),
    required("complete", Type::Boolean, "Whether all nodes said how many connections they asked."),
]);
const BAN: Type = Object(&[USER, AT, END, optional("reason", Type::Text, "")]);
const BANS: Type = Object(&[required("bans", List(&BAN), "By name."), NAMES, NEXT]);
const END: Member = optional("until", Type::Time, "Absent when it does not end.");
const REVOCATION: Type = Either(&[
    Object(&[required("jti", Type::Text, "Of the token."), AT, END]),
    Object(&[USER, required("issued_before", Type::Time, "Of the user's tokens."), END]),
]);
const REVOCATIONS: Type = Object(&[
    required("revocations", List(&REVOCATION), "Of tokens by `jti`, then of users by name."),
    NEXT,
]);
const TOTAL: Member = required("total", Type::Count, "On all pages.");
const NEXT: Member = optional("next", Type::Text, "The `after` of the next page, if there is one.");
const DEVICES: Member = required("devices", Type::Count, "Connected devices.");
const DEVICE_IDS: Member = required("deviceIds", List(&Type::Text), "Of those that have an id.");
const USERS: Type = Object(&[
    required("users", List(&Object(&[USER, DEVICES, DEVICE_IDS])), "By name."),
    NAMES,
    TOTAL,
    NEXT,
]);
const CONNECTIONS: Type = Object(&[
    required(
        "connections",
        List(&Object(&[
            CONNECTION,
            ANONYMOUS_USER,
            required("transport", Type::OneOfTexts(&["websocket", "polling", "ws"]), ""),
            optional("address", Type::Text, "Of the client, where it is known."),
            required("since", Type::Time, ""),
            required("node", Type::Text, ""),
        ])),
        "Of all nodes, in the order of nodes and connections.",
    ),
    NAMES,
    required("complete", Type::Boolean, "Whether all nodes answered in time."),
    TOTAL,
    NEXT,
]);
const LISTED_ROOM: &[Member] = &[
    ROOM,
    TOPIC,
    required("members", Type::Count, ""),
    required("online", Type::Count, "The users in it, on all nodes."),
    required("seq", Type::Count, "The last entry."),
    required("messages", Type::Count, "Those that are kept."),
];
const ROOMS: Type = Object(&[required("rooms", List(&Object(LISTED_ROOM)), "By name."), NEXT]);
const ONE_ROOM: Type = Object(&[
    All(LISTED_ROOM),
    optional("at", Type::Time, "The time of the last entry. Absent when there was none."),
]);
const MEMBER: Type = Object(&[
    All(ROOM_MEMBER),
    DEVICES,
    optional("joined", Type::Time, "Absent when an earlier version stored the member."),
]);
const MEMBERS: Type = Object(&[required("members", List(&MEMBER), "By name."), NAMES, TOTAL, NEXT]);
const DEAD_LETTER: Type = Object(&[
    required("webhook", Type::Text, ""),
    required("attempts", Type::Count, ""),
    optional("failure", Type::Text, "How the last attempt failed."),
    optional("deadAt", Type::Time, ""),
    required("id", Type::Text, "Of the event."),
    required("type", Type::Text, "Of the event."),
    required("timestamp", Type::Time, "Of the event."),
    required("space", Type::Text, ""),
    required("data", Type::Any, "As docs/webhooks.md has it, without the body of a message."),
]);
const DEAD_LETTERS: Type = Object(&[required("dead", List(&DEAD_LETTER), "Oldest first."), NEXT]);
const RESENT: Type = Object(&[
    required("ok", Type::True, ""),
    required("resent", Type::Count, "How many there are."),
]);
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
        AnswerPayload::Done => ("Done", DONE),
        AnswerPayload::Asked => ("Asked", ASKED),
        AnswerPayload::Bans => ("BanPage", BANS),
        AnswerPayload::Revocations => ("RevocationPage", REVOCATIONS),
        AnswerPayload::Users => ("UserPage", USERS),
        AnswerPayload::Connections => ("ConnectionPage", CONNECTIONS),
        AnswerPayload::Rooms => ("RoomPage", ROOMS),
        AnswerPayload::Room => ("Room", ONE_ROOM),
        AnswerPayload::Members => ("MemberPage", MEMBERS),
        AnswerPayload::DeadLetters => ("DeadLetterPage", DEAD_LETTERS),
        AnswerPayload::Resent => ("Resent", RESENT),
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
