//! Socket.IO packets: JSON text with byte strings beside it.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

pub use super::request::{ANSWER_NAME, RequestKind};
use super::{
    answer,
    body::AttachmentEncoding,
    code,
    event::{self, EventData},
    hello::hello_from_auth,
    json,
    payload::{self, Payload},
    rejection::{self, RejectionData},
    request::{self, ReplyForm, RequestData},
};
use crate::{
    chat::{Answer, Hello, Reply, Request, RequestContext, event::Delivery},
    domain::{AskId, CloseReason, Limits, Rejection, Space, Token},
};

/// The first element of an event packet whose name the engine could not read. The name follows.
pub const NAME_MARKER: &str = "\"\",";

/// A packet: its text, and the byte strings that follow it. The text is an Engine.IO message
/// (`4`); it is the same in both versions of the protocol.
#[derive(Clone, Debug)]
pub struct Packet {
    /// `42["event",…]`, for example.
    pub text: String,
    /// What the placeholders in the text number.
    pub attachments: Vec<Bytes>,
}

/// A namespace as its client writes it, as a prefix of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(Box<str>);

/// See [`connect_error`].
#[derive(Serialize)]
struct ConnectErrorData<'a> {
    message: &'a str,
    data: rejection::ConnectErrorDetails<'a>,
}

/// The kind of a packet, with its digit if it has attachments.
#[derive(Clone, Copy, Debug)]
enum PacketKind {
    Event,
    /// An event that the client acknowledges.
    Ask(AskId),
    Acknowledgement(i64),
}

impl Namespace {
    /// The namespace with this name.
    pub fn new(name: &str) -> Self {
        if name == "/" { Self("".into()) } else { Self(format!("{name},").into()) }
    }

    /// Whether the text is CONNECT, as the server answers it, to this namespace.
    pub fn is_connected_by(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix("40") else { return false };
        match rest.strip_prefix('/') {
            None => self.0.is_empty(),
            Some(_) => match self.0.strip_suffix(',') {
                None => false,
                Some(name) => {
                    rest.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with(','))
                }
            },
        }
    }

    /// A packet of this namespace. `items` serializes as its array.
    fn packet(&self, kind: PacketKind, payload: Payload<impl Serialize>) -> Packet {
        let Payload { data: items, attachments } = payload;
        let digit = match (kind, attachments.is_empty()) {
            (PacketKind::Event | PacketKind::Ask(_), true) => '2',
            (PacketKind::Event | PacketKind::Ask(_), false) => '5',
            (PacketKind::Acknowledgement(_), true) => '3',
            (PacketKind::Acknowledgement(_), false) => '6',
        };
        let mut text = format!("4{digit}");
        if !attachments.is_empty() {
            text.push_str(&attachments.len().to_string());
            text.push('-');
        }
        text.push_str(&self.0);
        match kind {
            PacketKind::Event => (),
            PacketKind::Ask(ask) => text.push_str(&ask.as_raw().to_string()),
            PacketKind::Acknowledgement(number) => text.push_str(&number.to_string()),
        }
        let text = payload::append_json(text, &items);
        Packet { text, attachments }
    }

    fn event_packet(&self, name: &str, payload: Payload<impl Serialize>) -> Packet {
        self.packet(PacketKind::Event, payload.map(|data| (name, data)))
    }
}

/// An event packet's array: its name, and its arguments. The name is a string, or a number as its
/// text.
struct EventArray<'a> {
    name: Option<Cow<'a, str>>,
    data: Option<&'a RawValue>,
    /// The arguments after the first one; none for a request that does not read them.
    more: Vec<&'a RawValue>,
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
        let (data, mut more) = (items.next_element()?, Vec::new());
        if name.as_deref().is_some_and(request::reads_one_argument) {
            while items.next_element::<IgnoredAny>()?.is_some() {}
        } else {
            while let Some(argument) = items.next_element()? {
                more.push(argument);
            }
        }
        Ok(EventArray { name, data, more })
    }
}

/// The names that the parser of the official server refuses: those of its own events.
const RESERVED_NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet of a client: an event, or the acknowledgement of one.
#[derive(Debug)]
pub struct ReceivedPacket {
    /// The request that the reply names.
    pub kind: RequestKind,
    /// The number of the acknowledgement, if the client expects one.
    pub ack: Option<i64>,
    /// The request, or why it is refused.
    pub request: Result<Request, Rejection>,
    /// Whether the packet is none that a client may send: the official server ends its session.
    pub breaks_protocol: bool,
}

/// Parses the array of a packet with its number and byte strings.
pub fn received(
    text: &str,
    number: Option<i64>,
    attachments: &[Bytes],
    context: RequestContext<'_>,
) -> ReceivedPacket {
    if let Some(request) = request::of_packet(text, number, attachments, context) {
        let kind = RequestKind::Unknown(None);
        return ReceivedPacket { kind, ack: None, request, breaks_protocol: false };
    }
    match serde_json::from_str(&json::replace_lone_surrogates(text)) {
        Ok(EventArray { name: Some(name), data: raw, more })
            if !RESERVED_NAMES.contains(&&*name) =>
        {
            let encoding = AttachmentEncoding::Placeholders;
            let data = RequestData { raw, more: &more, attachments, encoding, context };
            let (kind, request) = (RequestKind::of(&name), request::request(&name, &data));
            ReceivedPacket { kind, ack: number, request, breaks_protocol: false }
        }
        Ok(_) | Err(_) => {
            let request = Err(Rejection::BadRequest("an event has a name and data"));
            let kind = RequestKind::Unknown(None);
            ReceivedPacket { kind, ack: number, request, breaks_protocol: true }
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

/// The packet of an event. The caller caches it per delivery.
pub fn event(delivery: &Arc<Delivery>, namespace: &Namespace, limits: &Limits) -> Packet {
    let event = delivery.event();
    let name = event::name(event);
    let Payload { data, attachments } =
        event::data(event, AttachmentEncoding::Placeholders, limits);
    if let EventData::Arguments(args) = data {
        let data = args.named(name);
        let kind = event::ask(event).map_or(PacketKind::Event, PacketKind::Ask);
        namespace.packet(kind, Payload { data, attachments })
    } else {
        namespace.event_packet(name, Payload { data, attachments })
    }
}

/// The acknowledgement of a request with this number.
pub fn acknowledgement(
    kind: &RequestKind,
    number: i64,
    reply: &Reply,
    namespace: &Namespace,
) -> Packet {
    let packet_kind = PacketKind::Acknowledgement(number);
    match (kind, reply) {
        (
            RequestKind::Known(_, ReplyForm::UserAndToken),
            Ok(Answer::Identified { user, token }),
        ) => {
            let items = (true, answer::identified(user, token));
            namespace.packet(packet_kind, Payload::without_attachments(items))
        }
        (RequestKind::Known(_, ReplyForm::UserAndToken), Err(rejection)) => {
            let items = (false, RejectionData::from(rejection));
            namespace.packet(packet_kind, Payload::without_attachments(items))
        }
        (_, Ok(Answer::Custom { ack })) => {
            let args = event::arguments(ack, AttachmentEncoding::Placeholders);
            namespace.packet(packet_kind, args)
        }
        _ => {
            let data = answer::reply(None, reply, AttachmentEncoding::Placeholders);
            namespace.packet(packet_kind, data.map(|data| (data,)))
        }
    }
}

/// The event of a reply to a request without an acknowledgement, if the request has one.
pub fn reply_event(kind: &RequestKind, reply: &Reply, namespace: &Namespace) -> Option<Packet> {
    match (kind, reply) {
        (kind, Err(rejection)) => {
            let data = Payload::without_attachments(rejection::error_message(kind, rejection));
            Some(namespace.event_packet("error message", data))
        }
        (RequestKind::Known(name, ReplyForm::AcknowledgementOrEvent), Ok(answer)) => {
            let data = answer::answer(answer, AttachmentEncoding::Placeholders);
            Some(namespace.event_packet(name, data))
        }
        (
            RequestKind::Known(_, ReplyForm::Acknowledgement | ReplyForm::UserAndToken)
            | RequestKind::Unknown(_),
            Ok(_),
        ) => None,
    }
}

/// The message of a refused connection: the code, the text of the protocol for an unknown space, or the
/// words of a back end.
pub fn connect_error_message(rejection: &Rejection) -> &str {
    if let Rejection::Refused(refusal) = rejection {
        &refusal.message
    } else if *rejection == Rejection::UnknownSpace {
        "Invalid namespace"
    } else {
        code::rejection(rejection).code
    }
}

/// The object of a refused connection, as JSON text: `{message, data}`, where `data` is that of a back
/// end, or `{code, message, retryAfterMs?}`.
pub fn connect_error(refused: &Rejection) -> String {
    let message = connect_error_message(refused);
    payload::json(&ConnectErrorData { message, data: rejection::connect_error_data(refused) })
}

/// The packet of `closing`.
pub fn closing(reason: CloseReason, namespace: &Namespace) -> Packet {
    namespace.event_packet("closing", Payload::without_attachments(answer::closing(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::event::Event,
        domain::{Body, CustomEvent, EventName},
        wire::test_support::context,
    };

    fn request(
        text: &str,
        attachments: &[Bytes],
        context: RequestContext<'_>,
    ) -> (RequestKind, Result<Request, Rejection>) {
        let ReceivedPacket { kind, request, .. } = received(text, None, attachments, context);
        (kind, request)
    }

    #[test]
    fn an_event_is_a_name_and_its_first_argument() {
        let limits = Limits::default();
        for text in [r#"["send message","hi"]"#, r#"["send message","hi",1,{}]"#] {
            let (kind, request) = request(text, &[], context(&limits));
            assert_eq!(kind, RequestKind::Known("send message", ReplyForm::Acknowledgement));
            assert!(matches!(request, Ok(Request::Send(_))), "{text}");
        }
        let (kind, request) = request(r#"["GroupList"]"#, &[], context(&limits));
        assert_eq!(kind, RequestKind::of("GroupList"));
        assert!(matches!(request, Ok(Request::GroupList { room: None })));
    }

    #[test]
    fn an_ask_has_its_number_before_its_arguments() {
        let json = r#"[{"_placeholder":true,"num":0}]"#;
        let args = Body::from_raw(json.into(), vec![Bytes::from_static(b"x")]);
        let event = CustomEvent { name: EventName::from_raw("whoami"), args };
        let ask = Delivery::new(Event::Ask { event, ask: AskId::from_raw(7) });
        let packet = super::event(&ask, &Namespace::new("/shop"), &Limits::default());
        assert_eq!(packet.text, r#"451-/shop,7["whoami",{"_placeholder":true,"num":0}]"#);
    }

    #[test]
    fn invalid_events_are_refused() {
        let limits = Limits::default();
        for text in [r#"[{"toString":"foo"}]"#, r#"[true,"x"]"#, "[null]", "{}", "[]", "7", "[\"a"]
        {
            assert!(
                matches!(request(text, &[], context(&limits)).1, Err(Rejection::BadRequest(_))),
                "{text}"
            );
        }
        for text in [r#"["error"]"#, r#"["ping"]"#, r#"["Connect"]"#] {
            let packet = received(text, None, &[], context(&limits));
            assert_eq!(packet.request.unwrap_err(), Rejection::UnknownEvent);
            assert!(!packet.breaks_protocol, "{text}");
        }
        for text in
            [r#"["connect"]"#, r#"["disconnect","123"]"#, r#"["","\u0063onnect"]"#, "[true]"]
        {
            assert!(received(text, None, &[], context(&limits)).breaks_protocol, "{text}");
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
            let (kind, request) = request(&text, &[], context(&Limits::default()));
            assert_eq!(request.unwrap_err(), Rejection::UnknownEvent, "{text}");
            assert_eq!(kind, RequestKind::Unknown(Some(name.into())));
        }
        let (kind, _) =
            request(r#"["","\u0073end message","x"]"#, &[], context(&Limits::default()));
        assert_eq!(kind, RequestKind::of("send message"));
    }
}
