//! Events as JSON data, made once per event and form.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    body::{self, Form},
    json::Object,
};
use crate::{
    chat::event::{Delivery, Event, Missed, RoomState, Run, Visit, Welcome},
    domain::{Conversation, Kind, Limits, Message, Token, UserName},
};

/// JSON text, and the byte strings that its placeholders number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) json: String,
    pub(super) attachments: Vec<Bytes>,
}

/// What an event is called.
pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Welcome(_) => "welcome",
        Event::Users(_) => "get users",
        Event::Presence { .. } => "presence",
        Event::Message(message) => message_name(message.kind),
        Event::Joined { .. } => "user joined",
        Event::Left { .. } => "user left",
        Event::Missed(_) => "missed",
        Event::AuthExpiring { .. } => "auth expiring",
    }
}

fn message_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Message => "new message",
        Kind::GroupChat => "GroupChat",
        Kind::SingleChat => "SingleChat",
    }
}

/// An event's data.
pub(super) fn data(event: &Event, form: Form, limits: &Limits) -> Written {
    let json = match event {
        Event::Message(message) => return message_data(message, form, 0),
        Event::Missed(missed) => return missed_data(missed, form),
        Event::Welcome(welcome) => welcome_data(welcome, limits),
        Event::AuthExpiring { expires_at } => {
            Object::new().add_time("expiresAt", *expires_at).end()
        }
        Event::Users(users) => names(users),
        Event::Presence { room, count } => {
            Object::new().add("room", room.as_raw()).add("count", count).end()
        }
        Event::Joined { room, user } | Event::Left { room, user } => {
            Object::new().add("room", room.as_raw()).add("user", user.as_raw()).end()
        }
    };
    Written { json, attachments: Vec::new() }
}

/// Names as an array.
pub(super) fn names(users: &[UserName]) -> String {
    let names: Vec<_> = users.iter().map(UserName::as_raw).collect();
    serde_json::to_string(&names).expect("strings always serialise")
}

fn welcome_data(welcome: &Welcome, limits: &Limits) -> String {
    let Welcome { user, name, admin, token, expires_at, visit, connection, node, rooms } = welcome;
    let rooms: Vec<_> = rooms.iter().map(room_state).collect();
    let bounds = Object::new()
        .add("bodyBytesMax", &limits.body_bytes_max)
        .add("frameBytesMax", &limits.frame_bytes_max)
        .add("attachmentsMax", &limits.attachments_max)
        .add("historyMax", &limits.history_messages_max)
        .add("roomsMax", &limits.rooms_per_connection_max)
        .end();
    let object = Object::new()
        .add("user", user.as_raw())
        .add_some("name", name.as_deref())
        .add_some("admin", admin.then_some(true))
        .add_some("token", token.as_ref().map(Token::expose))
        .add_time("expiresAt", *expires_at);
    let object = match visit {
        None => object,
        Some(Visit::First) => object.add("returning", &false),
        Some(Visit::Return { last_seen }) => {
            object.add("returning", &true).add_time("lastSeen", *last_seen)
        }
    };
    object
        .add("connection", &connection.to_string())
        .add("node", node.as_raw())
        .add_raw("rooms", &format!("[{}]", rooms.join(",")))
        .add_raw("limits", &bounds)
        .end()
}

fn room_state(state: &RoomState) -> String {
    let RoomState { room, head, unread } = state;
    Object::new().add("room", room.as_raw()).add("seq", &head.as_raw()).add("unread", unread).end()
}

/// A message as it goes out live. `first` is the number of its first attachment in the packet.
fn message_data(message: &Message, form: Form, first: usize) -> Written {
    let json = message_object(Object::new(), message, form, first).end();
    Written { json, attachments: message.body.attachments().to_vec() }
}

fn message_object(object: Object, message: &Message, form: Form, first: usize) -> Object {
    let Message { place, seq, id, kind, author, body, at } = message;
    let (author_key, body_key) = match kind {
        Kind::Message => ("username", "msg"),
        Kind::GroupChat | Kind::SingleChat => ("user", "data"),
    };
    let object = match &place.conversation {
        Conversation::Room(room) => object.add("room", room.as_raw()),
        Conversation::Direct(one, other) => {
            let to = if one == author { other } else { one };
            object.add("to", to.as_raw())
        }
    };
    object
        .add("seq", &seq.as_raw())
        .add("id", id.as_raw())
        .add(author_key, author.as_raw())
        .add_raw(body_key, &body::write(body, form, first))
        .add_time("at", *at)
}

/// Messages as they stand in `history` and `missed`: flat, with the name of their event.
pub(super) fn flat<'a>(messages: impl Iterator<Item = &'a Message>, form: Form) -> Written {
    let (mut json, mut attachments) = (String::from("["), Vec::new());
    for message in messages {
        if json.len() > 1 {
            json.push(',');
        }
        let object = Object::new().add("event", message_name(message.kind));
        json.push_str(&message_object(object, message, form, attachments.len()).end());
        attachments.extend_from_slice(message.body.attachments());
    }
    json.push(']');
    Written { json, attachments }
}

fn missed_data(missed: &Missed, form: Form) -> Written {
    let Missed { room, run } = missed;
    let object = Object::new().add("room", room.as_raw());
    match run {
        Run::Recovered { messages, more } => {
            let Written { json, attachments } =
                flat(messages.iter().filter_map(|delivery| delivery.message()), form);
            let object = object.add_raw("messages", &json).add("recovered", &true);
            Written { json: object.add("more", more).end(), attachments }
        }
        Run::TooFar { head } => {
            let object = object.add_raw("messages", "[]").add("recovered", &false);
            let json = object.add("head", &head.as_raw()).end();
            Written { json, attachments: Vec::new() }
        }
    }
}

/// The name of what a delivery holds.
pub(super) fn delivery_name(delivery: &Arc<Delivery>) -> &'static str {
    name(delivery.event())
}
