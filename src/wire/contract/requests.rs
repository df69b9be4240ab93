//! What clients send: a row for each request, in the order of `REQUESTS`.

use super::{
    definitions::{
        AT, CONVERSATION, DEFAULT_ROOM, ID, IDENTIFIED_MEMBERS, MESSAGE_ID, NAME, PAGE, PRESENCES,
        ROLE, ROOM, ROOM_MEMBER, ROOM_OR_WITH, ROOM_STATE, SEQ, TOPIC, USER, USERS,
    },
    types::{
        Definition, DescribedKey, Member,
        Member::{All, AtMostOneOf},
        Type::{self, Either, List, Named, Object},
        field, optional, required,
    },
};

/// A request.
#[derive(Debug)]
pub(super) struct RequestRow {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) data: RequestArgument,
    /// The answer beside `ok: true`.
    pub(super) answer: &'static [Member],
}

/// The first argument of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestArgument {
    /// It is always there.
    Required(Type),
    /// It may be left out.
    Optional(Type),
}

impl RequestArgument {
    pub(super) fn type_of(self) -> Type {
        let (Self::Required(of) | Self::Optional(of)) = self;
        of
    }
}

/// Calls `found` with each key of the object that a request takes. `None` if there is no such request.
pub(in crate::wire) fn for_each_request_key(
    name: &str,
    mut found: impl FnMut(DescribedKey),
) -> Option<()> {
    let row = REQUEST_ROWS.iter().find(|it| it.name == name)?;
    let of = row.data.type_of();
    let types = if let Either(types) = &of { types } else { std::slice::from_ref(&of) };
    for object in types {
        if let Object(members) = object {
            members.iter().for_each(|it| it.for_each_key(&mut found));
        }
    }
    Some(())
}

const fn row(
    name: &'static str,
    data: Type,
    answer: &'static [Member],
    about: &'static str,
) -> RequestRow {
    RequestRow { name, about, data: RequestArgument::Required(data), answer }
}

const DUPLICATE: Member = optional("duplicate", Type::True, "The same was stored before.");
const COUNT: Member = required("count", Type::Count, "The users in the room.");
const POSTED: &[Member] = &[ID, ROOM, SEQ, AT, DUPLICATE];
const POSTED_TO: &[Member] = &[
    ID,
    required("to", Type::Text, ""),
    SEQ,
    AT,
    DUPLICATE,
    required("online", Type::Boolean, "Whether the recipient is connected."),
];
const CHANGED: &[Member] = &[SEQ, AT, DUPLICATE];
const USER_POST: Type = Object(&[
    required("to", Type::Text, "The recipient."),
    required("data", Type::Body, ""),
    MESSAGE_ID,
]);
const OPTIONAL_ROOM: Type = Object(&[DEFAULT_ROOM]);

const QUERY: Member =
    optional("query", Type::Text, "How a word of the name begins: 1 to 64 characters.");
const ROOM_QUERY: Member = optional(
    "query",
    Type::Text,
    "How a word of the name or of the topic begins: 1 to 64 characters.",
);
const CURSOR: Member = optional("cursor", Type::Text, "The `next` of the page before.");
const NEXT: Member =
    optional("next", Type::Text, "The `cursor` of the next page, if there is one.");
const LIST_LIMIT: Member =
    optional("limit", Type::Count, "How many: 1 to 200, 50 when it is left out.");
const ROOMS_LIMIT: Member =
    optional("limit", Type::Count, "How many: 1 to 100, 50 when it is left out.");

static MEMBER: Definition = Definition {
    name: "RoomMember",
    of: Object(&[
        All(ROOM_MEMBER),
        NAME,
        optional("lastSeen", Type::Time, "Absent for users who never connected."),
    ]),
    about: "A member of a room.",
};

static DIRECTORY_ROOM: Definition = Definition {
    name: "DirectoryRoom",
    of: Object(&[
        ROOM,
        TOPIC,
        required("members", Type::Count, ""),
        required("online", Type::Count, "The users in it who are online."),
        required("joined", Type::Boolean, "Whether the user is a member."),
    ]),
    about: "A room that the user is in or may join.",
};

/// Every request of the protocol.
pub(super) static REQUEST_ROWS: [RequestRow; 22] = [
    row(
        "new user",
        Either(&[
            Type::Text,
            Object(&[
                required("name", Type::Text, "1 to 32 characters."),
                optional("device", Type::Text, "An id that the client creates once and keeps."),
            ]),
        ]),
        IDENTIFIED_MEMBERS,
        "Identifies the connection as a guest.",
    ),
    row(
        "identify",
        Object(&[
            required("name", Type::Text, "1 to 32 characters."),
            optional("device", Type::Text, "An id that the client creates once and keeps."),
        ]),
        IDENTIFIED_MEMBERS,
        "The same as `new user`, with one answer.",
    ),
    row(
        "send message",
        Either(&[
            Type::Text,
            Type::Bytes,
            Object(&[DEFAULT_ROOM, required("msg", Type::Body, ""), MESSAGE_ID]),
        ]),
        POSTED,
        "Posts a message, which everybody in the room receives as `new message`, the sender included.",
    ),
    row(
        "GroupChat",
        Either(&[
            Type::Text,
            Type::Bytes,
            Object(&[DEFAULT_ROOM, required("data", Type::Body, ""), MESSAGE_ID]),
        ]),
        POSTED,
        "Posts a message, which everybody in the room but this connection receives as `GroupChat`.",
    ),
    row("SingleChat", USER_POST, POSTED_TO, "Sends a direct message."),
    RequestRow {
        name: "GroupList",
        about: "Who is in a room. Without an acknowledgement the answer is an event of this name.",
        data: RequestArgument::Optional(Either(&[Type::Text, OPTIONAL_ROOM])),
        answer: USERS,
    },
    RequestRow {
        name: "join",
        about: "Makes the user a member of a room, on all devices.",
        data: RequestArgument::Optional(Either(&[
            Type::Text,
            Object(&[
                DEFAULT_ROOM,
                optional(
                    "since",
                    Type::Count,
                    "The last `seq` received: what follows is sent again.",
                ),
                optional("epoch", Type::Text, "The `epoch` of the last `welcome`."),
            ]),
        ])),
        answer: &[All(ROOM_STATE), COUNT],
    },
    RequestRow {
        name: "leave",
        about: "Ends the membership.",
        data: RequestArgument::Optional(Either(&[Type::Text, OPTIONAL_ROOM])),
        answer: &[ROOM, SEQ, COUNT],
    },
    RequestRow {
        name: "history",
        about: "A page of a conversation's log. Without an acknowledgement the answer is an event of this name.",
        data: RequestArgument::Optional(Object(&[
            CONVERSATION,
            AtMostOneOf(&[
                field("before", Type::Count, "Entries before this `seq`."),
                field("after", Type::Count, "Entries after this `seq`."),
            ]),
            optional("limit", Type::Count, "How many entries: 1 to 200, 50 when it is left out."),
        ])),
        answer: PAGE,
    },
    row(
        "read",
        Object(&[CONVERSATION, required("seq", Type::Count, "Everything up to here is read.")]),
        &[SEQ, required("unread", Type::Count, "")],
        "Moves the read pointer of the user, only forward.",
    ),
    row(
        "mute",
        Object(&[CONVERSATION, required("muted", Type::Boolean, "")]),
        &[required("muted", Type::Boolean, "")],
        "Marks a conversation as muted. It changes no delivery.",
    ),
    row(
        "typing",
        Object(&[
            AtMostOneOf(&[
                field("room", Type::Text, ""),
                field("to", Type::Text, "The other user of a direct conversation."),
            ]),
            required("typing", Type::Boolean, ""),
        ]),
        &[],
        "Tells the others that the user types.",
    ),
    row(
        "edit message",
        Object(&[
            ROOM_OR_WITH,
            required("seq", Type::Count, "The message."),
            required("msg", Type::Body, ""),
        ]),
        CHANGED,
        "Replaces the body of an own message.",
    ),
    row(
        "delete message",
        Object(&[ROOM_OR_WITH, required("seq", Type::Count, "The message.")]),
        CHANGED,
        "Deletes a message.",
    ),
    row(
        "invite",
        Object(&[DEFAULT_ROOM, USER, optional("role", Named(&ROLE), "`member` when left out.")]),
        &[ROOM, USER, required("role", Named(&ROLE), "")],
        "Makes another user a member, or changes their role.",
    ),
    row(
        "kick",
        Object(&[DEFAULT_ROOM, USER]),
        &[ROOM, USER],
        "Ends the membership of another user.",
    ),
    row(
        "topic",
        Object(&[
            DEFAULT_ROOM,
            required("topic", Type::Text, "One line of 1 to 250 characters. Empty: none any more."),
        ]),
        &[ROOM, required("topic", Type::Text, "Without white space around it.")],
        "Sets the topic of a room, or removes it.",
    ),
    row("notify", USER_POST, POSTED_TO, "Sends a notification to a user, for administrators."),
    RequestRow {
        name: "members",
        about: "The members of a room, online and away, by name. For its members.",
        data: RequestArgument::Optional(Object(&[DEFAULT_ROOM, QUERY, CURSOR, LIST_LIMIT])),
        answer: &[
            ROOM,
            required("members", List(&Named(&MEMBER)), "By name."),
            required("total", Type::Count, "All members, also those that `query` leaves out."),
            NEXT,
        ],
    },
    RequestRow {
        name: "rooms",
        about: "The public rooms that the user may join, and those that the user is in.",
        data: RequestArgument::Optional(Object(&[ROOM_QUERY, CURSOR, ROOMS_LIMIT])),
        answer: &[required("rooms", List(&Named(&DIRECTORY_ROOM)), "By name."), NEXT],
    },
    row(
        "presence",
        Object(&[required("users", List(&Type::Text), "1 to 100 names.")]),
        PRESENCES,
        "Which users are online. Without an acknowledgement the answer is an event of this name.",
    ),
    row(
        "auth",
        Object(&[required("token", Type::Text, "A fresh token of the same user.")]),
        &[USER, required("expiresAt", Type::Time, "")],
        "Keeps the connection beyond the end of its token.",
    ),
];
