//! Socket.IO packets: JSON text with byte strings beside it.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

pub use super::request::RequestKind;
use super::{
    answer::{self, RejectionData},
    body::{self, AttachmentEncoding},
    event,
    hello::hello_from_auth,
    json,
    payload::{Payload, SERIALIZES},
    request::{self, ReplyForm, RequestData},
};
use crate::{
    chat::{Answer, Hello, Reply, Request, event::Delivery},
    domain::{CloseReason, Limits, Rejection, Space, Token},
};

/// The slot of a delivery that holds its [`Packet`].
const SLOT: usize = 0;

/// The first element of an event packet whose name the engine could not read. The name follows.
pub const NAME_MARKER: &str = "\"\",";

/// A JSON value of a Socket.IO packet: a text that is sent as it is or, if there are byte strings,
/// a tree in which byte strings replace their placeholders.
#[derive(Clone, Debug)]
pub struct Packet {
    json: Box<RawValue>,
    tree: Option<Box<(Value, Vec<Bytes>)>>,
    bytes: usize,
}

impl Packet {
    fn new(payload: Payload<impl Serialize>) -> Self {
        let Payload { data, attachments } = payload;
        let json = to_raw_value(&data).expect(SERIALIZES);
        let bytes = json.get().len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let tree = (!attachments.is_empty()).then(|| {
            let value = serde_json::from_str(json.get()).expect(SERIALIZES);
            Box::new((value, attachments))
        });
        Self { json, tree, bytes }
    }

    fn without_attachments(data: impl Serialize) -> Self {
        Self::new(Payload::without_attachments(data))
    }

    /// The size that counts against an outbox: text and byte strings.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Serialize for Packet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.tree.as_deref() {
            None => self.json.serialize(serializer),
            Some((value, attachments)) => PacketNode { value, attachments }.serialize(serializer),
        }
    }
}

/// A node of the tree of a [`Packet`].
struct PacketNode<'a> {
    value: &'a Value,
    attachments: &'a [Bytes],
}

impl Serialize for PacketNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attachments = self.attachments;
        if let Some(bytes) = body::bytes_at(self.value, attachments) {
            return serializer.serialize_bytes(bytes);
        }
        match self.value {
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    seq.serialize_element(&PacketNode { value, attachments })?;
                }
                seq.end()
            }
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, &PacketNode { value, attachments })?;
                }
                map.end()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.value.serialize(serializer)
            }
        }
    }
}

/// An event packet's array: its name, and its first argument if there is one. The name is a string,
/// or a number as its text.
struct EventArray<'a> {
    name: Option<Cow<'a, str>>,
    data: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for EventArray<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = EventArray<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's name and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let missing = |expected| A::Error::invalid_length(0, expected);
        let mut raw: &RawValue = items.next_element()?.ok_or_else(|| missing(&self))?;
        if raw.get() == NAME_MARKER.trim_end_matches(',') {
            raw = items.next_element()?.ok_or_else(|| missing(&self))?;
        }
        let name = match serde_json::from_str(raw.get()) {
            Ok(Value::String(name)) => Some(Cow::Owned(name)),
            Ok(Value::Number(_)) => Some(Cow::Borrowed(raw.get())),
            _ => None,
        };
        let data = items.next_element()?;
        // Further arguments are ignored.
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(EventArray { name, data })
    }
}

/// Parses `["event", data]` with its byte strings.
pub fn request(
    text: &str,
    attachments: &[Bytes],
    limits: &Limits,
) -> (RequestKind, Result<Request, Rejection>) {
    match serde_json::from_str(&json::replace_lone_surrogates(text)) {
        Ok(EventArray { name: Some(name), data: raw }) => {
            let encoding = AttachmentEncoding::Placeholders;
            let data = RequestData { raw, attachments, encoding, limits };
            (RequestKind::of(&name), request::request(&name, &data))
        }
        Ok(EventArray { name: None, .. }) | Err(_) => {
            (RequestKind::Unknown(None), Err(Rejection::BadRequest("an event has a name and data")))
        }
    }
}

/// The space of a namespace. The official client sends a namespace as the application wrote it, and a
/// packet ends it at a comma; so what has a meaning in packets or addresses is percent-encoded.
fn space_of_namespace(namespace: &str) -> Result<Space, Rejection> {
    let space = percent_decode_str(namespace).decode_utf8();
    Space::parse(&space.map_err(|_error| Rejection::UnknownSpace)?)
}

/// Parses the handshake of a connection to the namespace `space`. Clients of protocol v4 have no
/// `auth` and use the query of their connection. `request_token` is the token of its first request.
pub fn hello(
    space: &str,
    auth: Option<&str>,
    query: &str,
    request_token: Result<Option<Token>, Rejection>,
) -> Result<Hello, Rejection> {
    let auth = auth.map(json::replace_lone_surrogates);
    hello_from_auth(space_of_namespace(space)?, auth.as_deref(), query, request_token)
}

/// An event's name and data, serialized once for all connections.
pub fn event<'a>(delivery: &'a Arc<Delivery>, limits: &Limits) -> (&'static str, &'a Packet) {
    let make =
        || Packet::new(event::data(delivery.event(), AttachmentEncoding::Placeholders, limits));
    (event::delivery_name(delivery), delivery.encoded(SLOT, make))
}

/// The arguments of an acknowledgement.
#[derive(Clone, Debug)]
pub enum Acknowledgement {
    /// One object.
    One(Packet),
    /// `new user`: whether it succeeded, and an object.
    Two(bool, Packet),
}

/// The acknowledgement of a request.
pub fn acknowledgement(kind: &RequestKind, reply: &Reply) -> Acknowledgement {
    match (kind, reply) {
        (
            RequestKind::Known(_, ReplyForm::UserAndToken),
            Ok(Answer::Identified { user, token }),
        ) => {
            Acknowledgement::Two(true, Packet::without_attachments(answer::identified(user, token)))
        }
        (RequestKind::Known(_, ReplyForm::UserAndToken), Err(rejection)) => {
            Acknowledgement::Two(false, Packet::without_attachments(RejectionData::from(rejection)))
        }
        _ => Acknowledgement::One(Packet::new(answer::reply(
            None,
            reply,
            AttachmentEncoding::Placeholders,
        ))),
    }
}

/// The event of a reply to a request without an acknowledgement, if the request has one.
pub fn reply_event(kind: &RequestKind, reply: &Reply) -> Option<(&'static str, Packet)> {
    match (kind, reply) {
        (kind, Err(rejection)) => Some((
            "error message",
            Packet::without_attachments(answer::error_message(kind, rejection)),
        )),
        (RequestKind::Known(name, ReplyForm::AcknowledgementOrEvent), Ok(answer)) => {
            Some((name, Packet::new(answer::answer(answer, AttachmentEncoding::Placeholders))))
        }
        (
            RequestKind::Known(_, ReplyForm::Acknowledgement | ReplyForm::UserAndToken)
            | RequestKind::Unknown(_),
            Ok(_),
        ) => None,
    }
}

/// The data of `closing`.
pub fn closing(reason: CloseReason) -> Packet {
    Packet::without_attachments(answer::closing(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_name_and_its_first_argument() {
        let limits = Limits::default();
        for text in [r#"["send message","hi"]"#, r#"["send message","hi",1,{}]"#] {
            let (kind, request) = request(text, &[], &limits);
            assert_eq!(kind, RequestKind::Known("send message", ReplyForm::Acknowledgement));
            assert!(matches!(request, Ok(Request::Send(_))), "{text}");
        }
        let (kind, request) = request(r#"["GroupList"]"#, &[], &limits);
        assert_eq!(kind, RequestKind::of("GroupList"));
        assert!(matches!(request, Ok(Request::GroupList { room: None })));
    }

    #[test]
    fn invalid_events_are_refused() {
        let limits = Limits::default();
        for text in [r#"[{"toString":"foo"}]"#, r#"[true,"x"]"#, "[null]", "{}", "[]", "7", "[\"a"]
        {
            assert!(
                matches!(request(text, &[], &limits).1, Err(Rejection::BadRequest(_))),
                "{text}"
            );
        }
        for text in [r#"["error"]"#, r#"["connect"]"#, r#"["disconnect","123"]"#] {
            assert_eq!(request(text, &[], &limits).1.unwrap_err(), Rejection::UnknownEvent);
        }
    }

    #[test]
    fn a_name_of_any_form_is_named_in_its_refusal() {
        let long = "\u{e9}".repeat(10_000);
        for (text, name) in [
            (r#"["","q\"uote"]"#.to_owned(), "q\"uote"),
            (r#"["","caf\u00e9",1]"#.to_owned(), "caf\u{e9}"),
            (r#"["",300,"x"]"#.to_owned(), "300"),
            (r#"["",""]"#.to_owned(), ""),
            (r#"["","\ud83d"]"#.to_owned(), "\u{fffd}"),
            (format!(r#"["","{long}"]"#), &*"\u{e9}".repeat(64)),
        ] {
            let (kind, request) = request(&text, &[], &Limits::default());
            assert_eq!(request.unwrap_err(), Rejection::UnknownEvent, "{text}");
            assert_eq!(kind, RequestKind::Unknown(Some(name.into())));
        }
        let (kind, _) = request(r#"["","\u0073end message","x"]"#, &[], &Limits::default());
        assert_eq!(kind, RequestKind::of("send message"));
    }
}
