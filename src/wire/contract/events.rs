//! What the server sends: a row for each event of docs/protocol.md.

use super::{
    definitions::{
        AT, BANNED_UNTIL, CLOSE_CODE, ENTRIES, GROUP_CHAT, MESSAGE_DELETED, MESSAGE_EDITED, NAME,
        NAMES, NEW_MESSAGE, NEW_TOPIC, NOTIFICATION, PAGE, PRESENCES, REFUSAL_MEMBERS, ROOM,
        ROOM_STATE, ROOM_STATES, SINGLE_CHAT, TALLY, USER, USERS, VIEW,
    },
    types::{
        Member,
        Member::{All, OneOf},
        Type::{self, Either, List, Named, Object},
        field, optional, required,
    },
};

/// An event.
#[derive(Debug)]
pub(super) struct EventRow {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) data: Type,
}

const fn row(name: &'static str, data: Type, about: &'static str) -> EventRow {
    EventRow { name, about, data }
}

const ROOM_USER: Type = Object(&[ROOM, USER, NAME]);
const BY: Member = optional("by", Type::Text, "The other user who did it.");
const BY_NAME: Member = optional("byName", Type::Text, "The display name of `by`.");
const LIMITS: Type = Object(&[
    required("bodyBytesMax", Type::Count, "The largest body."),
    required("frameBytesMax", Type::Count, "The largest frame."),
    required("attachmentsMax", Type::Count, "The most byte strings in a body."),
    required("historyMax", Type::Count, "The most entries of a page of `history`."),
    required("roomsMax", Type::Count, "The most rooms of a user."),
]);

const DIRECT: &[Member] = &[required("with", Type::Text, "The other user."), All(TALLY)];
const DIRECTS: Type = List(&Object(DIRECT));

/// Every event of the protocol that the server sends, in the order of docs/protocol.md, and the
/// answers that are events when no acknowledgement was asked for.
pub(super) static EVENT_ROWS: [EventRow; 22] = [
    row(
        "welcome",
        Object(&[
            USER,
            optional("name", Type::Text, "The display name."),
            optional("admin", Type::True, ""),
            optional("token", Type::Text, "For the next connection of this guest."),
            required("expiresAt", Type::Time, "When the connection ends without a fresh token."),
            optional("returning", Type::Boolean, "Whether this user used the device before."),
            optional("lastSeen", Type::Time, "When the device last connected or disconnected."),
            required("connection", Type::Text, ""),
            required("node", Type::Text, ""),
            required("epoch", Type::Text, "Names the database: pass it with `since`."),
            required("rooms", ROOM_STATES, ""),
            required("directs", DIRECTS, "The direct conversations with the newest messages."),
            NAMES,
            required("inbox", Object(TALLY), ""),
            required("limits", LIMITS, ""),
        ]),
        "The connection is identified, and these are its rooms.",
    ),
    row(
        "auth expiring",
        Object(&[required("expiresAt", Type::Time, "")]),
        "The token expires soon: send `auth`.",
    ),
    row("get users", List(&Type::Text), "The users in the default room."),
    row(
        "presence",
        Either(&[Object(&[ROOM, required("count", Type::Count, "")]), Object(PRESENCES)]),
        "The number of users in a large room, or the answer to `presence` without an acknowledgement.",
    ),
    row("new message", Object(&[All(NEW_MESSAGE), NAME]), "A message of `send message`."),
    row("GroupChat", Object(&[All(GROUP_CHAT), NAME]), "A message of `GroupChat`."),
    row("SingleChat", Object(&[All(SINGLE_CHAT), NAME]), "A direct message."),
    row("message edited", Object(&[All(MESSAGE_EDITED), NAME]), "A message has another body."),
    row("message deleted", Object(&[All(MESSAGE_DELETED), NAME]), "A message was deleted."),
    row("topic", Object(&[All(NEW_TOPIC), NAME]), "A room has another topic."),
    row(
        "notification",
        Object(&[
            All(NOTIFICATION),
            NAME,
            required("unread", Type::Count, "The unread entries of the inbox."),
        ]),
        "A notification arrived in the inbox.",
    ),
    row(
        "read",
        Object(&[
            VIEW,
            USER,
            NAME,
            required("seq", Type::Count, "Everything up to here is read."),
            optional("unread", Type::Count, "For the user's own connections."),
        ]),
        "A user has read up to here.",
    ),
    row(
        "typing",
        Object(&[
            OneOf(&[
                field("room", Type::Text, ""),
                field("with", Type::Text, "The other user of a direct conversation."),
            ]),
            USER,
            NAME,
            required("typing", Type::Boolean, ""),
        ]),
        "A user begins or ends to type.",
    ),
    row(
        "membership",
        Either(&[
            Object(&[All(ROOM_STATE), BY, BY_NAME]),
            Object(&[ROOM, required("role", Type::Null, "The membership ended."), BY, BY_NAME]),
        ]),
        "A membership of the user began, changed or ended.",
    ),
    row("user joined", ROOM_USER, "A user is in the room now."),
    row("user left", ROOM_USER, "A user is not in the room any more."),
    row(
        "missed",
        Either(&[
            Object(&[
                ROOM,
                required("messages", ENTRIES, "What was missed, oldest first."),
                NAMES,
                required("recovered", Type::True, ""),
                required("more", Type::Boolean, "Another `missed` of this room follows."),
            ]),
            Object(&[
                ROOM,
                required("messages", ENTRIES, "None."),
                required("recovered", Type::False, "Too much was missed: page `history`."),
                required("head", Type::Count, "The last entry."),
            ]),
        ]),
        "What was missed in a room since the last connection.",
    ),
    row("clock", Object(&[AT]), "The time of the server, each `clock_secs` seconds."),
    row(
        "closing",
        Object(&[
            required("code", Named(&CLOSE_CODE), ""),
            required("reconnect", Type::Boolean, "Whether the client should connect again."),
            required("afterMs", Type::Count, "How long it should wait before."),
            optional("limit", Type::Count, "With `frame_too_large`: the largest frame in bytes."),
            BANNED_UNTIL,
        ]),
        "The server is about to end the connection.",
    ),
    row(
        "error message",
        Object(&[
            required(
                "event",
                Either(&[Type::Text, Type::Null]),
                "The name that was sent, or `null` if it cannot be read.",
            ),
            All(REFUSAL_MEMBERS),
        ]),
        "A request without an acknowledgement is refused.",
    ),
    row("GroupList", Object(USERS), "The answer to `GroupList` without an acknowledgement."),
    row("history", Object(PAGE), "The answer to `history` without an acknowledgement."),
];
