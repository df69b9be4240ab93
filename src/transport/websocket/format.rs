//! The formats of plain WebSocket clients: how frames are decoded and encoded.
//!
//! A dialect is a format whose frames are translated, not parsed into one request each.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::{decoder::Message, translator::Translator};
use crate::{
    chat::{Reply, RequestContext, event::Delivery},
    domain::{CloseReason, Limits, Rejection},
    transport::{
        deflate::{SharedFrame, WindowBits},
        lanes::frame,
        subprotocol,
    },
    wire::{
        msgpack,
        websocket::{self, RequestFrame, RequestKind},
    },
};

/// The slot of a delivery that holds its text frame.
const JSON_SLOT: usize = 1;
/// The slot of a delivery that holds its binary frame.
const MSGPACK_SLOT: usize = 2;

/// The format of the frames of a connection.
#[derive(Clone, Debug)]
pub(super) enum Format {
    /// JSON in text frames.
    Json,
    /// `MessagePack` in binary frames.
    MsgPack,
    /// Those of a dialect.
    Dialect(Arc<Translator>),
}

impl Format {
    /// The format of a connection for which this subprotocol was chosen.
    pub(super) fn of(chosen: Option<&HeaderValue>) -> Self {
        match chosen {
            Some(name) if name == subprotocol::MSGPACK => Self::MsgPack,
            Some(_) | None => Self::Json,
        }
    }

    /// The translator, if the connection speaks a dialect.
    pub(super) fn translator(&self) -> Option<&Arc<Translator>> {
        match self {
            Self::Json | Self::MsgPack => None,
            Self::Dialect(translator) => Some(translator),
        }
    }

    /// The request in a message. Those of dialects are translated instead.
    pub(super) fn request(&self, message: &Message, context: RequestContext<'_>) -> RequestFrame {
        let refusal = match (self, message) {
            (Self::Json, Message::Text(text)) => return websocket::request(text, context),
            (Self::MsgPack, Message::Binary(bytes)) => return msgpack::request(bytes, context),
            (Self::Json, Message::Binary(_)) => "frames are JSON text here",
            (Self::MsgPack, Message::Text(_)) => "frames are binary MessagePack here",
            (Self::Dialect(_), _) => "frames of dialects are translated",
        };
        RequestFrame::rejected(Rejection::BadRequest(refusal))
    }

    /// Queues the frame of an event, if the client receives one. The frame is made once for all
    /// connections of this format, and once for those of them that have a `window`.
    pub(super) fn queue_event<E>(
        &self,
        delivery: &Arc<Delivery>,
        (limits, window): (&Limits, Option<WindowBits>),
        queue: impl FnOnce(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let frame = match self {
            Self::Dialect(translator) => return translator.queue_event(delivery, window, queue),
            Self::Json => {
                let text = || frame::text(&websocket::event(delivery, limits));
                delivery.encoded(JSON_SLOT, || SharedFrame::new(text(), delivery.timer()))
            }
            Self::MsgPack => {
                let binary = || frame::binary(&msgpack::event(delivery, limits));
                delivery.encoded(MSGPACK_SLOT, || SharedFrame::new(binary(), delivery.timer()))
            }
        };
        queue(frame.for_window(window))
    }

    /// The frame of a reply, if the client receives one.
    pub(super) fn reply(
        &self,
        kind: &RequestKind,
        ack: Option<u64>,
        reply: &Reply,
    ) -> Option<Bytes> {
        match self {
            Self::Json => websocket::reply(kind, ack, reply).map(|it| frame::text(&it)),
            Self::MsgPack => msgpack::reply(kind, ack, reply).map(|it| frame::binary(&it)),
            // Replies are translated where the request was.
            Self::Dialect(_) => None,
        }
    }

    /// The frame of `closing`, if there is one.
    pub(super) fn closing(&self, reason: CloseReason) -> Option<Bytes> {
        match self {
            Self::Json => Some(frame::text(&websocket::closing(reason))),
            Self::MsgPack => Some(frame::binary(&msgpack::closing(reason))),
            Self::Dialect(translator) => translator.closing(reason),
        }
    }

    /// The reason with which a refused connection is closed after the upgrade, because browsers hide
    /// the response of a refused handshake. `None` answers over HTTP.
    pub(super) fn refusal(&self, rejection: &Rejection) -> Option<CloseReason> {
        match self {
            Self::Json | Self::MsgPack => {
                matches!(rejection, Rejection::TokenRequired).then_some(CloseReason::InvalidUser)
            }
            Self::Dialect(translator) => translator.refusal(rejection),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::test_support::message_delivery;
    use crate::domain::{EventRules, Space};

    #[test]
    fn the_format_follows_the_subprotocol_and_defaults_to_json() {
        let of = |name| Format::of(Some(&HeaderValue::from_static(name)));
        assert!(matches!(of("roomcast.msgpack"), Format::MsgPack));
        assert!(matches!(of("roomcast.json"), Format::Json));
        assert!(matches!(of("roomcast.bearer"), Format::Json));
        assert!(matches!(Format::of(None), Format::Json));
    }

    #[test]
    fn a_frame_of_the_other_format_is_refused() {
        let (limits, events, space) = (Limits::default(), EventRules::default(), Space::root());
        let context = RequestContext { limits: &limits, events: &events, space: &space };
        let json = Message::Text(r#"{"event":"GroupList","ack":1}"#.into());
        let packed = b"\x82\xa5event\xa9GroupList\xa3ack\x01";
        let packed = Message::Binary(Bytes::from_static(packed));
        for (format, own, other) in
            [(Format::Json, &json, &packed), (Format::MsgPack, &packed, &json)]
        {
            let request_frame = format.request(own, context);
            assert_eq!(
                (request_frame.ack, request_frame.request.is_ok()),
                (Some(1), true),
                "{format:?}"
            );
            let refused = format.request(other, context);
            assert!(matches!(refused.request, Err(Rejection::BadRequest(_))), "{format:?}");
            assert_eq!((refused.kind, refused.ack), (RequestKind::Unknown(None), None));
        }
    }

    #[test]
    fn each_format_of_an_event_is_framed_once() {
        let (delivery, limits) = (message_delivery("lobby", 1), Limits::default());
        let event = |format: &Format| {
            format.queue_event(&delivery, (&limits, None), Err::<(), _>).unwrap_err()
        };
        let (json, packed) = (event(&Format::Json), event(&Format::MsgPack));
        assert_eq!((json[0], packed[0]), (0x81, 0x82), "text and binary");
        for (format, frame) in [(Format::Json, json), (Format::MsgPack, packed)] {
            let again = event(&format);
            assert_eq!(again.as_ptr(), frame.as_ptr(), "{format:?} is shared");
        }
    }
}
