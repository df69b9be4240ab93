//! Entries of a log: live events, and the flat entries of `history` and `missed`.

use bytes::Bytes;
use serde::Serialize;

use super::{ArgumentsData, EventData, NamesData};
use crate::{
    chat::event::{MissedEntries, MissedRun},
    domain::{Act, Body, Content, Conversation, DisplayName, Entry, MessageKind, RoomTopic},
    wire::{
        body::{AttachmentEncoding, BodyData},
        payload::{Payload, Timestamp},
    },
};

/// An entry. Its event decides which of the optional fields it has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::wire) struct EntryData<'a> {
    /// The name of the event, for flat entries only.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    seq: u64,
    /// The message that an edit or a deletion changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    id: &'a str,
    /// The author, in `new message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    /// The author, in every other event.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    /// The display name of the author, in live events only.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// The body, in `new message` and `message edited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<BodyData<'a>>,
    /// The body, in every other event of the protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<BodyData<'a>>,
    /// The arguments of an event of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<ArgumentsData<'a>>,
    /// The topic in `topic`, empty if it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u64>,
}

/// `missed`: a part of the missed entries, or the current position of the log.
#[derive(Debug, Serialize)]
pub(in crate::wire) struct MissedData<'a> {
    room: &'a str,
    messages: Vec<EntryData<'a>>,
    #[serde(skip_serializing_if = "NamesData::is_empty")]
    names: NamesData<'a>,
    recovered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<u64>,
}

/// The name of an entry's event.
pub(in crate::wire) fn name(entry: &Entry) -> &str {
    match &entry.act {
        Act::Said { kind: MessageKind::Message, .. } => "new message",
        Act::Said { kind: MessageKind::GroupChat, .. } => "GroupChat",
        Act::Said { kind: MessageKind::SingleChat, .. } => "SingleChat",
        Act::Said { kind: MessageKind::Notification, .. } => "notification",
        Act::Said { kind: MessageKind::Custom(name), .. } => name.as_raw(),
        Act::Edited { .. } => "message edited",
        Act::Deleted { .. } => "message deleted",
        Act::Topic(_) => "topic",
    }
}

/// A live entry. A notification has the number of unread entries of the inbox.
pub(super) fn live(
    entry: &Entry,
    unread: Option<u64>,
    encoding: AttachmentEncoding,
) -> Payload<EventData<'_>> {
    let name = entry.author_name.as_ref().map(DisplayName::as_raw);
    let data = EntryData { name, unread, ..entry_data(entry, encoding, 0) };
    Payload { data: EventData::Entry(data), attachments: attachments(entry).to_vec() }
}

/// The entries of `history` and `missed`: flat, with the name of their event.
pub(in crate::wire) fn flat<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    encoding: AttachmentEncoding,
) -> Payload<Vec<EntryData<'a>>> {
    let (mut data, mut all) = (Vec::with_capacity(entries.size_hint().0), Vec::new());
    for entry in entries {
        let flat = entry_data(entry, encoding, all.len());
        data.push(EntryData { event: Some(name(entry)), ..flat });
        all.extend_from_slice(attachments(entry));
    }
    Payload { data, attachments: all }
}

pub(super) fn missed(
    missed: &MissedEntries,
    encoding: AttachmentEncoding,
) -> Payload<EventData<'_>> {
    let MissedEntries { room, run } = missed;
    let room = room.as_raw();
    match run {
        MissedRun::Recovered { entries, more, names } => {
            let entries = flat(entries.iter().filter_map(|delivery| delivery.entry()), encoding);
            entries.map(|messages| {
                let (more, names) = (Some(*more), names.into());
                let recovered = true;
                EventData::Missed(MissedData { room, messages, names, recovered, more, head: None })
            })
        }
        MissedRun::TooFar { head } => {
            let (messages, head) = (Vec::new(), Some(head.as_raw()));
            let names = NamesData::default();
            let data = MissedData { room, messages, names, recovered: false, more: None, head };
            Payload::without_attachments(EventData::Missed(data))
        }
    }
}

/// An entry's fields. `first` is the number of its first attachment in the packet.
fn entry_data(entry: &Entry, encoding: AttachmentEncoding, first: usize) -> EntryData<'_> {
    let Entry { place, position, id, author, author_name: _, at, act } = entry;
    // An inbox has no address: it is always the recipient's own.
    let (room, to) = match &place.conversation {
        Conversation::Room(room) => (Some(room.as_raw()), None),
        Conversation::Direct(one, other) => {
            (None, Some(if one == author { other.as_raw() } else { one.as_raw() }))
        }
        Conversation::Inbox(_) => (None, None),
    };
    let body = entry.body().map(|body| BodyData { body, encoding, first });
    let data = EntryData {
        event: None,
        room,
        to,
        seq: position.seq.as_raw(),
        of: None,
        id: id.as_raw(),
        username: None,
        user: None,
        name: None,
        msg: None,
        data: None,
        args: None,
        topic: None,
        deleted: None,
        at: Timestamp(*at),
        edited_at: None,
        unread: None,
    };
    let author = Some(author.as_raw());
    match act {
        Act::Said { kind, content } => {
            let (deleted, edited_at) = match content {
                Content::Body { body: _, edited_at } => (None, edited_at.map(Timestamp)),
                Content::Removed => (Some(true), None),
            };
            let data = EntryData { deleted, edited_at, ..data };
            match kind {
                MessageKind::Message => EntryData { username: author, msg: body, ..data },
                MessageKind::GroupChat | MessageKind::SingleChat | MessageKind::Notification => {
                    EntryData { user: author, data: body, ..data }
                }
                MessageKind::Custom(_) => {
                    let args = entry.body();
                    let args = args.map(|args| ArgumentsData::flat(args, encoding, first));
                    EntryData { user: author, args, ..data }
                }
            }
        }
        Act::Edited { of, body: _ } => {
            EntryData { of: Some(of.as_raw()), user: author, msg: body, ..data }
        }
        Act::Deleted { of } => EntryData { of: Some(of.as_raw()), user: author, ..data },
        Act::Topic(topic) => {
            EntryData { topic: Some(RoomTopic::text(topic.as_ref())), user: author, ..data }
        }
    }
}

fn attachments(entry: &Entry) -> &[Bytes] {
    entry.body().map(Body::attachments).unwrap_or_default()
}
