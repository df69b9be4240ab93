//! Events as JSON data, made once per event and form.

mod entry;
mod welcome;

use std::sync::Arc;

use bytes::Bytes;

use super::{body::AttachmentEncoding, json::Object};
use crate::{
    chat::event::{Delivery, Event, Tally},
    domain::{Limits, Muted, Typing, UserName, View},
};

pub(super) use entry::flat;
pub(super) use welcome::room_state;

/// JSON text, and the byte strings that its placeholders number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EncodedPayload {
    pub(super) json: String,
    pub(super) attachments: Vec<Bytes>,
}

impl EncodedPayload {
    /// A text without byte strings.
    pub(super) fn text(json: String) -> Self {
        Self { json, attachments: Vec::new() }
    }
}

/// What an event is called.
pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Welcome(_) => "welcome",
        Event::Users(_) => "get users",
        Event::Presence { .. } => "presence",
        Event::Entry(entry) | Event::Notified { entry, unread: _ } => entry::name(entry),
        Event::Joined { .. } => "user joined",
        Event::Left { .. } => "user left",
        Event::Membership { .. } => "membership",
        Event::Read { .. } => "read",
        Event::Typing { .. } => "typing",
        Event::Missed(_) => "missed",
        Event::AuthExpiring { .. } => "auth expiring",
    }
}

/// The name of what a delivery holds.
pub(super) fn delivery_name(delivery: &Arc<Delivery>) -> &'static str {
    name(delivery.event())
}

/// An event's data.
pub(super) fn data(event: &Event, encoding: AttachmentEncoding, limits: &Limits) -> EncodedPayload {
    let object = Object::new();
    let object = match event {
        Event::Entry(entry) => return entry::live(entry, encoding),
        Event::Notified { entry, unread } => return entry::notified(entry, *unread, encoding),
        Event::Missed(missed) => return entry::missed(missed, encoding),
        Event::Welcome(welcome) => welcome::data(object, welcome, limits),
        Event::AuthExpiring { expires_at } => object.add_time("expiresAt", *expires_at),
        Event::Users(users) => return EncodedPayload::text(names(users)),
        Event::Presence { room, count } => object.add("room", room.as_raw()).add("count", count),
        Event::Joined { room, user } | Event::Left { room, user } => {
            object.add("room", room.as_raw()).add("user", user.as_raw())
        }
        Event::Membership { room, state, by } => {
            let object = object.add("room", room.as_raw());
            let object = match state {
                Some(state) => tally(object.add("role", state.role.as_raw()), &state.tally),
                None => object.add_raw("role", "null"),
            };
            object.add_some("by", by.as_ref().map(UserName::as_raw))
        }
        Event::Read { view, user, seq, unread } => place(object, view)
            .add("user", user.as_raw())
            .add("seq", &seq.as_raw())
            .add_some("unread", *unread),
        Event::Typing { view, user, typing } => {
            place(object, view).add("user", user.as_raw()).add("typing", &(*typing == Typing::Yes))
        }
    };
    EncodedPayload::text(object.end())
}

/// Names as an array.
pub(super) fn names(users: &[UserName]) -> String {
    let names: Vec<_> = users.iter().map(UserName::as_raw).collect();
    serde_json::to_string(&names).expect("strings always serialise")
}

/// How far a conversation goes and was read.
fn tally(object: Object, tally: &Tally) -> Object {
    let Tally { head, unread, read, muted } = tally;
    let object = object.add("seq", &head.as_raw()).add("unread", unread);
    object.add("read", &read.as_raw()).add_some("muted", (*muted == Muted::Yes).then_some(true))
}

/// A conversation, as the one who hears of it calls it.
fn place(object: Object, view: &View) -> Object {
    match view {
        View::Room(room) => object.add("room", room.as_raw()),
        View::Direct(user) => object.add("with", user.as_raw()),
        View::Inbox => object.add("inbox", &true),
    }
}

#[cfg(test)]
mod tests;
