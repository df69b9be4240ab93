//! Payloads that several events have.

use super::types::{
    Definition, Field, Member,
    Member::{All, AtMostOneOf, OneOf},
    Type::{self, Either, List, Map, Named, Object},
    field, optional, required,
};

/// The codes of refusals, in the order of docs/protocol.md.
pub static CODES: [&str; 36] = [
    "bad_request",
    "unsupported_encoding",
    "unknown_event",
    "unauthorized",
    "token_expired",
    "token_revoked",
    "token_required",
    "other_user",
    "unknown_space",
    "space_forbidden",
    "room_forbidden",
    "forbidden",
    "read_only",
    "banned",
    "origin_forbidden",
    "not_identified",
    "already_identified",
    "name_invalid",
    "name_taken",
    "room_invalid",
    "too_many_rooms",
    "not_member",
    "message_empty",
    "message_too_large",
    "too_many_attachments",
    "id_invalid",
    "conflict",
    "no_such_user",
    "no_such_room",
    "no_such_message",
    "too_many_denials",
    "refused",
    "too_fast",
    "unavailable",
    "draining",
    "internal",
];

/// The codes of `closing`, in the order of docs/protocol.md.
pub static CLOSE_CODES: [&str; 15] = [
    "draining",
    "slow_reader",
    "ping_timeout",
    "flood",
    "frame_too_large",
    "fault",
    "token_expired",
    "reconnect",
    "invalid_user",
    "replaced",
    "signed_out",
    "name_taken",
    "disconnected",
    "banned",
    "token_revoked",
];

pub(super) static CODE: Definition = Definition {
    name: "Code",
    of: Type::OpenTexts(&CODES),
    about: "Why something is refused: a code of the protocol, or one of your back end.",
};

pub(super) static CLOSE_CODE: Definition = Definition {
    name: "CloseCode",
    of: Type::OpenTexts(&CLOSE_CODES),
    about: "Why the server ends a connection.",
};

pub(super) static ROLE: Definition = Definition {
    name: "Role",
    of: Type::OneOfTexts(&["owner", "admin", "member", "reader"]),
    about: "What a member may do, from most to least.",
};

const RETRY_AFTER: Member =
    optional("retryAfterMs", Type::Count, "With `too_fast`: when the same request may succeed.");
pub(super) const BANNED_UNTIL: Member =
    optional("until", Type::Time, "With `banned`: when that ends. Absent when it does not.");
static KEY_MISMATCH: Definition = Definition {
    name: "KeyMismatch",
    of: Object(&[
        optional("missing", List(&Type::Text), "Keys that are needed."),
        optional("unknown", List(&Type::Text), "Keys that mean nothing: up to 8."),
        optional("nearest", Map(&Type::Text), "For an unknown key the one that may be meant."),
        optional("expected", Map(&Type::Text), "The types of values that have another one."),
        optional("known", List(&Type::Text), "The keys that there are, if this is no object."),
    ]),
    about: "The keys that are wrong.",
};

const DETAILS: Member =
    optional("details", Named(&KEY_MISMATCH), "With `bad_request`: the keys that are wrong.");
const REFUSAL_DATA: Member = optional("data", Type::Any, "What your back end says about it.");
pub(super) const REFUSAL_MEMBERS: &[Member] = &[
    required("code", Named(&CODE), ""),
    required("message", Type::Text, "For people who develop; compare the code."),
    RETRY_AFTER,
    BANNED_UNTIL,
    DETAILS,
    REFUSAL_DATA,
];

pub(super) static REFUSAL: Definition = Definition {
    name: "Refusal",
    of: Object(REFUSAL_MEMBERS),
    about: "Why a request, a connection or a sign-in is refused.",
};

pub(super) const SEQ: Member =
    required("seq", Type::Count, "The place in the conversation: 1, 2, 3 … without gaps.");
pub(super) const AT: Member = required("at", Type::Time, "");
pub(super) const ROOM: Member = required("room", Type::Text, "");
pub(super) const USER: Member = required("user", Type::Text, "");
/// The topic beside a room.
pub(super) const TOPIC: Member =
    optional("topic", Type::Text, "What the room is about. Absent when it has no topic.");
/// The display name beside a user, in events of one user.
pub(super) const NAME: Member =
    optional("name", Type::Text, "The display name of the user, from the token.");
/// The display names beside a list.
pub(super) const NAMES: Member =
    optional("names", Map(&Type::Text), "The display names of those users who have one.");
pub(super) const ID: Member = required("id", Type::Text, "The identity of the message.");
pub(super) const DEFAULT_ROOM: Member =
    optional("room", Type::Text, "The connection's default room when it is left out.");
pub(super) const MESSAGE_ID: Member = optional(
    "id",
    Type::Text,
    "1 to 64 visible ASCII characters. The same id again stores nothing: make one to send again safely.",
);

const WITH: Field = field("with", Type::Text, "The other user of a direct conversation.");
const INBOX: Field = field("inbox", Type::True, "The inbox of the user.");
/// The conversation of a request: the default room when all are left out.
pub(super) const CONVERSATION: Member = AtMostOneOf(&[field("room", Type::Text, ""), WITH, INBOX]);
/// A room or a direct conversation of a request.
pub(super) const ROOM_OR_WITH: Member = AtMostOneOf(&[field("room", Type::Text, ""), WITH]);
/// The conversation of an event.
pub(super) const VIEW: Member = OneOf(&[field("room", Type::Text, ""), WITH, INBOX]);
/// Where a message is: a room, or the other user from the author's view.
const ROOM_OR_TO: Member =
    OneOf(&[field("room", Type::Text, ""), field("to", Type::Text, "The recipient.")]);

/// A member of a room, in lists.
pub(super) const ROOM_MEMBER: &[Member] =
    &[USER, required("role", Named(&ROLE), ""), required("online", Type::Boolean, "")];

/// The position of a user in a conversation.
pub(super) const TALLY: &[Member] = &[
    required("seq", Type::Count, "The last entry."),
    required("unread", Type::Count, ""),
    required("read", Type::Count, "The last entry that the user has read."),
    optional("muted", Type::True, ""),
];

pub(super) const ROOM_STATE: &[Member] =
    &[ROOM, required("role", Named(&ROLE), ""), TOPIC, All(TALLY)];

static ROOM_STATE_DEFINITION: Definition =
    Definition { name: "RoomState", of: Object(ROOM_STATE), about: "A room of the user." };

/// The rooms of the user.
pub(super) const ROOM_STATES: Type = List(&Named(&ROOM_STATE_DEFINITION));

static PRESENCE: Definition = Definition {
    name: "UserPresence",
    of: Object(&[
        USER,
        required("online", Type::Boolean, ""),
        required("devices", Type::Count, "Connected devices."),
        optional("lastSeen", Type::Time, "Absent for users who never connected."),
    ]),
    about: "Whether a user is online.",
};

pub(super) const IDENTIFIED_MEMBERS: &[Member] =
    &[USER, required("token", Type::Text, "For the next connection of this guest.")];

pub(super) static IDENTIFIED: Definition =
    Definition { name: "Identified", of: Object(IDENTIFIED_MEMBERS), about: "A guest's identity." };

/// A body under this key, or the mark that it was deleted.
const MSG: Member = OneOf(&[
    field("msg", Type::Body, "The newest body."),
    field("deleted", Type::True, "The message was deleted."),
]);
const DATA: Member = OneOf(&[
    field("data", Type::Body, "The newest body."),
    field("deleted", Type::True, "The message was deleted."),
]);
const EDITED_AT: Member = optional("editedAt", Type::Time, "The time of the last edit.");
const OF: Member = required("of", Type::Count, "The `seq` of the message that is changed.");

pub(super) const NEW_MESSAGE: &[Member] =
    &[ROOM, SEQ, ID, required("username", Type::Text, "The author."), MSG, AT, EDITED_AT];
pub(super) const GROUP_CHAT: &[Member] = &[ROOM, SEQ, ID, USER, DATA, AT, EDITED_AT];
pub(super) const SINGLE_CHAT: &[Member] =
    &[required("to", Type::Text, "The recipient."), SEQ, ID, USER, DATA, AT, EDITED_AT];
pub(super) const NOTIFICATION: &[Member] = &[SEQ, ID, USER, DATA, AT, EDITED_AT];
pub(super) const MESSAGE_EDITED: &[Member] = &[
    ROOM_OR_TO,
    SEQ,
    OF,
    ID,
    USER,
    optional("msg", Type::Body, "Absent when another change of the message followed."),
    AT,
];
pub(super) const MESSAGE_DELETED: &[Member] = &[ROOM_OR_TO, SEQ, OF, ID, USER, AT];
pub(super) const NEW_TOPIC: &[Member] =
    &[ROOM, SEQ, ID, USER, required("topic", Type::Text, "Empty when it was removed."), AT];

const fn event(name: &'static str) -> Member {
    required("event", Type::Literal(name), "")
}

pub(super) static KEPT_ENTRY: Definition = Definition {
    name: "KeptEntry",
    of: Object(&[
        required("event", Type::Text, "Its name, which is none of the protocol's."),
        ROOM,
        SEQ,
        ID,
        USER,
        OneOf(&[
            field("args", List(&Type::Any), "The arguments, as they were sent."),
            field("deleted", Type::True, "It was deleted."),
        ]),
        AT,
    ]),
    about: "An event of your own that was kept.",
};

static ENTRY: Definition = Definition {
    name: "Entry",
    of: Either(&[
        Object(&[event("new message"), All(NEW_MESSAGE)]),
        Object(&[event("GroupChat"), All(GROUP_CHAT)]),
        Object(&[event("SingleChat"), All(SINGLE_CHAT)]),
        Object(&[event("notification"), All(NOTIFICATION)]),
        Object(&[event("message edited"), All(MESSAGE_EDITED)]),
        Object(&[event("message deleted"), All(MESSAGE_DELETED)]),
        Object(&[event("topic"), All(NEW_TOPIC)]),
        Named(&KEPT_ENTRY),
    ]),
    about: "An entry of a conversation's log, in its present state.",
};

/// Entries of a log.
pub(super) const ENTRIES: Type = List(&Named(&ENTRY));
const PRESENCE_LIST: Type = List(&Named(&PRESENCE));

pub(super) const PAGE: &[Member] = &[
    required("messages", ENTRIES, "Oldest first."),
    NAMES,
    required("more", Type::Boolean, "There are further ones in this direction."),
];

pub(super) const USERS: &[Member] = &[
    ROOM,
    required("users", List(&Type::Text), "Empty in a room of more than `presence_list_max` users."),
    NAMES,
    required("count", Type::Count, ""),
];

pub(super) const PRESENCES: &[Member] = &[required("users", PRESENCE_LIST, ""), NAMES];

/// What a client passes when it connects: `auth` of Socket.IO.
pub(super) static CONNECT_PARAMETERS: Definition = Definition {
    name: "ConnectParameters",
    of: Object(&[
        optional("token", Type::Text, "Who the user is. A connection without one is a guest."),
        optional("device", Type::Text, "An id that the client creates once and keeps."),
        optional("room", Type::Text, "The default room, in place of `lobby`."),
        optional("since", Map(&Type::Count), "The last `seq` received per room."),
        optional("epoch", Type::Text, "The `epoch` of the last `welcome`."),
    ]),
    about: "What a client may pass when it connects: `auth` of Socket.IO.",
};
