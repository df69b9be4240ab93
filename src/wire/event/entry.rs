//! Entries of a log: as they go out live, and flat as `history` and `missed` hold them.

use bytes::Bytes;

use super::{EncodedPayload, Object};
use crate::{
    chat::event::{MissedEntries, MissedRun},
    domain::{Act, Body, Content, Conversation, Entry, MessageKind, Place, UserName},
    wire::body::{self, AttachmentEncoding},
};

/// What an entry is called.
pub(super) fn name(entry: &Entry) -> &'static str {
    match &entry.act {
        Act::Said { kind: MessageKind::Message, .. } => "new message",
        Act::Said { kind: MessageKind::GroupChat, .. } => "GroupChat",
        Act::Said { kind: MessageKind::SingleChat, .. } => "SingleChat",
        Act::Said { kind: MessageKind::Notification, .. } => "notification",
        Act::Edited { .. } => "message edited",
        Act::Deleted { .. } => "message deleted",
    }
}

/// An entry as it goes out live.
pub(super) fn live(entry: &Entry, encoding: AttachmentEncoding) -> EncodedPayload {
    let json = object(Object::new(), entry, encoding, 0).end();
    EncodedPayload { json, attachments: attachments(entry).to_vec() }
}

/// What stands in an inbox now, and how much of it is not read.
pub(super) fn notified(entry: &Entry, unread: u64, encoding: AttachmentEncoding) -> EncodedPayload {
    let json = object(Object::new(), entry, encoding, 0).add("unread", &unread).end();
    EncodedPayload { json, attachments: attachments(entry).to_vec() }
}

/// Entries as they stand in `history` and `missed`: flat, with the name of their event.
pub(in crate::wire) fn flat<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    encoding: AttachmentEncoding,
) -> EncodedPayload {
    let (mut json, mut all) = (String::from("["), Vec::new());
    for entry in entries {
        if json.len() > 1 {
            json.push(',');
        }
        let named = Object::new().add("event", name(entry));
        json.push_str(&object(named, entry, encoding, all.len()).end());
        all.extend_from_slice(attachments(entry));
    }
    json.push(']');
    EncodedPayload { json, attachments: all }
}

pub(super) fn missed(missed: &MissedEntries, encoding: AttachmentEncoding) -> EncodedPayload {
    let MissedEntries { room, run } = missed;
    let object = Object::new().add("room", room.as_raw());
    match run {
        MissedRun::Recovered { entries, more } => {
            let EncodedPayload { json, attachments } =
                flat(entries.iter().filter_map(|delivery| delivery.entry()), encoding);
            let object = object.add_raw("messages", &json).add("recovered", &true);
            EncodedPayload { json: object.add("more", more).end(), attachments }
        }
        MissedRun::TooFar { head } => {
            let object = object.add_raw("messages", "[]").add("recovered", &false);
            EncodedPayload::text(object.add("head", &head.as_raw()).end())
        }
    }
}

/// An entry's members. `first` is the number of its first attachment in the packet.
fn object(object: Object, entry: &Entry, encoding: AttachmentEncoding, first: usize) -> Object {
    let Entry { place, position, id, author, at, act } = entry;
    let object = address(object, place, author).add("seq", &position.seq.as_raw());
    match act {
        Act::Said { kind, content } => {
            let (author_key, body_key) = match kind {
                MessageKind::Message => ("username", "msg"),
                MessageKind::GroupChat | MessageKind::SingleChat | MessageKind::Notification => {
                    ("user", "data")
                }
            };
            let (body, edited_at) = match content {
                Content::Body { body, edited_at } => (Some(body), *edited_at),
                Content::Removed => (None, None),
            };
            let object = object.add("id", id.as_raw()).add(author_key, author.as_raw());
            let object = match body {
                Some(body) => object.add_raw(body_key, &body::write(body, encoding, first)),
                None => object.add("deleted", &true),
            };
            object.add_time("at", *at).add_some_time("editedAt", edited_at)
        }
        Act::Edited { of, body } => {
            let object = object.add("of", &of.as_raw()).add("id", id.as_raw());
            let object = object.add("user", author.as_raw());
            let object = match body {
                Some(body) => object.add_raw("msg", &body::write(body, encoding, first)),
                None => object,
            };
            object.add_time("at", *at)
        }
        Act::Deleted { of } => object
            .add("of", &of.as_raw())
            .add("id", id.as_raw())
            .add("user", author.as_raw())
            .add_time("at", *at),
    }
}

/// Where an entry belongs: an inbox goes without saying.
fn address(object: Object, place: &Place, author: &UserName) -> Object {
    match &place.conversation {
        Conversation::Room(room) => object.add("room", room.as_raw()),
        Conversation::Direct(one, other) => {
            let to = if one == author { other } else { one };
            object.add("to", to.as_raw())
        }
        Conversation::Inbox(_) => object,
    }
}

fn attachments(entry: &Entry) -> &[Bytes] {
    entry.body().map(Body::attachments).unwrap_or_default()
}
