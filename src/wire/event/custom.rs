//! Events of the application: their arguments, as the client sent them.

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

use crate::{
    domain::{Act, Body, Content, CustomEvent, DisplayName, Entry, MessageKind, RoomName},
    wire::{
        body::{self, AttachmentEncoding},
        payload::{Payload, Timestamp, json},
    },
};

/// The arguments of an event as an array.
#[derive(Debug)]
pub(in crate::wire) struct ArgumentsData<'a> {
    /// What stands before the arguments, where the array has it.
    name: Option<&'a str>,
    args: &'a Body,
    encoding: AttachmentEncoding,
    /// The number of the first attachment in the packet.
    first: usize,
    /// What stands after them.
    kept: Option<KeptData<'a>>,
}

/// The last argument of an event that is kept.
#[derive(Debug, Serialize)]
struct KeptData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    seq: u64,
    id: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    at: Timestamp,
}

impl<'a> ArgumentsData<'a> {
    /// The arguments of an entry in a page, which has the other fields beside them.
    pub(in crate::wire) fn flat(
        args: &'a Body,
        encoding: AttachmentEncoding,
        first: usize,
    ) -> Self {
        Self { name: None, args, encoding, first, kept: None }
    }

    /// The array with the name before the arguments: a packet of Socket.IO.
    pub(in crate::wire) fn named(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }
}

/// The arguments of an event that passes by, with the byte strings beside them.
pub(super) fn passing(
    event: &CustomEvent,
    encoding: AttachmentEncoding,
) -> Payload<ArgumentsData<'_>> {
    payload(&event.args, encoding, None)
}

/// The same of an entry, if it is an event of the application.
pub(super) fn kept(
    entry: &Entry,
    encoding: AttachmentEncoding,
) -> Option<Payload<ArgumentsData<'_>>> {
    let Act::Said { kind: MessageKind::Custom(_), content } = &entry.act else { return None };
    let Content::Body { body, .. } = content else { return None };
    let kept = KeptData {
        room: entry.place.conversation.room().map(RoomName::as_raw),
        seq: entry.seq().as_raw(),
        id: entry.id.as_raw(),
        user: entry.author.as_raw(),
        name: entry.author_name.as_ref().map(DisplayName::as_raw),
        at: Timestamp(entry.at),
    };
    Some(payload(body, encoding, Some(kept)))
}

/// Arguments alone, with the byte strings beside them.
pub(in crate::wire) fn arguments(
    args: &Body,
    encoding: AttachmentEncoding,
) -> Payload<ArgumentsData<'_>> {
    payload(args, encoding, None)
}

fn payload<'a>(
    args: &'a Body,
    encoding: AttachmentEncoding,
    kept: Option<KeptData<'a>>,
) -> Payload<ArgumentsData<'a>> {
    let data = ArgumentsData { name: None, args, encoding, first: 0, kept };
    Payload { data, attachments: args.attachments().to_vec() }
}

impl Serialize for ArgumentsData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { name, args, encoding, first, kept } = self;
        let text = body::write(args, *encoding, *first);
        let inside = text.trim().strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let inside = inside.ok_or_else(|| S::Error::custom("arguments are an array"))?.trim();
        let name = name.map(|it| json(&it));
        let kept = kept.as_ref().map(json);
        let parts = [name.as_deref(), Some(inside).filter(|it| !it.is_empty()), kept.as_deref()];
        let array = format!("[{}]", parts.into_iter().flatten().collect::<Vec<_>>().join(","));
        let raw: &RawValue = serde_json::from_str(&array).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}
