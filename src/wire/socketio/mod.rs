//! Socket.IO packets: JSON text with byte strings beside it.

mod received;
mod refused;

use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Serialize;

pub use self::received::{Received, ReceivedPacket, received};
pub use self::refused::{REFUSED_BYTES_MAX, REFUSED_NAME, refuse};
pub use super::request::{ANSWER_NAME, RequestKind};
use super::{
    answer,
    body::AttachmentEncoding,
    code,
    event::{self, EventData},
    hello::{hello_from_auth, query_parameters},
    json,
    payload::{self, Payload},
    rejection::{self, RejectionData},
    request::ReplyForm,
};
use crate::{
    chat::{Answer, Hello, Reply, event::Delivery},
    domain::{AskId, Body, CloseReason, Limits, Rejection, Space, Token},
};

/// The first element of an event packet whose name the engine could not read. The name follows.
pub const NAME_MARKER: &str = "\"\",";

/// A packet: its text, and the byte strings that follow it. The text is an Engine.IO message
/// (`4`); it is the same in both versions of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Whether this is the namespace with this name.
    pub fn is(&self, name: &str) -> bool {
        if name == "/" { self.0.is_empty() } else { self.0.strip_suffix(',') == Some(name) }
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

    /// The packet of an event with this name and these arguments, in one array.
    pub fn packet_of_args(&self, args: &Body) -> Packet {
        let attachments = args.attachments().to_vec();
        let Self(prefix) = self;
        let text = match attachments.len() {
            0 => format!("42{prefix}{}", args.json()),
            count => format!("45{count}-{prefix}{}", args.json()),
        };
        Packet { text, attachments }
    }

    fn event_packet(&self, name: &str, payload: Payload<impl Serialize>) -> Packet {
        self.packet(PacketKind::Event, payload.map(|data| (name, data)))
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

/// CONNECT to a namespace, with the parameters of a query as its `auth`.
pub fn connect_with_query(namespace: &str, query: &str) -> String {
    let auth = payload::json(&query_parameters(query));
    format!("40{namespace},{auth}")
}

/// What a refused client before 3.x receives, as JSON text: the data of a back end, or the message.
pub fn connect_error_before_v4(refused: &Rejection) -> String {
    let of_back_end = if let Rejection::Refused(refusal) = refused { Some(refusal) } else { None };
    let data = of_back_end.and_then(|it| it.data.as_deref());
    data.map_or_else(|| payload::json(&connect_error_message(refused)), str::to_owned)
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
    };

    #[test]
    fn an_ask_has_its_number_before_its_arguments() {
        let json = r#"[{"_placeholder":true,"num":0}]"#;
        let args = Body::from_raw(json.into(), vec![Bytes::from_static(b"x")]);
        let event = CustomEvent { name: EventName::from_raw("whoami"), args };
        let ask = Delivery::new(Event::Ask { event, ask: AskId::from_raw(7) });
        let packet = super::event(&ask, &Namespace::new("/shop"), &Limits::default());
        assert_eq!(packet.text, r#"451-/shop,7["whoami",{"_placeholder":true,"num":0}]"#);
    }
}
