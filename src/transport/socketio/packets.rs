//! The packets to the client of one namespace connection, as WebSocket frames.
//!
//! The engine writes only its own packets. Events and acknowledgements are framed here, so one frame
//! serves all connections of a namespace, and the answers to polls are built from it, too.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::request::{Parser, Version};
use crate::{
    chat::{Reply, event::Delivery},
    domain::{Body, CloseReason, Limits},
    transport::{deflate::SharedFrame, lanes::frame},
    wire::{
        msgpack, recovery,
        socketio::{self as wire, Namespace, Packet, RequestKind},
    },
};

/// The slot of a delivery that holds its frames for version 4, and for version 3 without attachments.
const SLOT: usize = 0;
/// The slot of a delivery that holds its frames with attachments for version 3.
const SLOT_V3: usize = 3;
/// The slot of a delivery that holds its frames with an offset.
const SLOT_RECOVERABLE: usize = 5;
/// The slots of a delivery that hold both for `socket.io-msgpack-parser`.
const SLOT_PACKED: usize = 6;
const SLOT_RECOVERABLE_PACKED: usize = 7;

/// The type of a message, which precedes byte strings in version 3.
const MESSAGE_V3: &[u8] = &[4];

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct PacketFormat {
    namespace: Namespace,
    encoding: Encoding,
}

/// The form of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// That of the default parser.
    Json(Version),
    /// That of `socket.io-msgpack-parser`.
    MsgPack,
}

/// The frames of an event for the first namespace that it was sent to.
///
/// A delivery stays within its space, whose clients write its name in one way. The few that write it
/// in another way have frames of their own.
struct EventFrames {
    namespace: Namespace,
    has_attachments: bool,
    frames: SharedFrame,
}

/// The same with the offset that they have.
struct RecoverableFrames {
    namespace: Namespace,
    offset: u64,
    frames: SharedFrame,
}

/// The source of offsets: each is drawn once.
#[derive(Debug, Default)]
pub(super) struct Offsets(AtomicU64);

impl PacketFormat {
    /// The format of a connection to the namespace with this name.
    pub(super) fn new(namespace: &str, version: Version, parser: Parser) -> Self {
        let encoding = match parser {
            Parser::Json => Encoding::Json(version),
            Parser::MsgPack => Encoding::MsgPack,
        };
        Self { namespace: Namespace::new(namespace), encoding }
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The frames of an event, made once for all connections of this format.
    pub(super) fn event<'a>(
        &self,
        delivery: &'a Arc<Delivery>,
        limits: &Limits,
    ) -> Cow<'a, SharedFrame> {
        let make = |encoding| {
            move || {
                let packet = wire::event(delivery, &self.namespace, limits);
                EventFrames {
                    namespace: self.namespace.clone(),
                    has_attachments: !packet.attachments.is_empty(),
                    frames: SharedFrame::new(frames(&packet, encoding), delivery.timer()),
                }
            }
        };
        let event = match self.encoding {
            Encoding::MsgPack => delivery.encoded(SLOT_PACKED, make(self.encoding)),
            Encoding::Json(version) => {
                let event = delivery.encoded(SLOT, make(Encoding::Json(Version::V4)));
                if event.has_attachments && version == Version::V3 {
                    delivery.encoded(SLOT_V3, make(self.encoding))
                } else {
                    event
                }
            }
        };
        if event.namespace == self.namespace {
            Cow::Borrowed(&event.frames)
        } else {
            Cow::Owned(make(self.encoding)().frames)
        }
    }

    /// The offset that all connections share for an event, drawn on the first call.
    pub(super) fn offset(
        &self,
        delivery: &Arc<Delivery>,
        offsets: &Offsets,
        limits: &Limits,
    ) -> u64 {
        let encoding = Encoding::Json(Version::V4);
        let make = || self.make_recoverable(delivery, offsets.draw(), encoding, limits);
        delivery.encoded(SLOT_RECOVERABLE, make).offset
    }

    /// The frames of an event with this offset as the last argument. Those with the shared offset are
    /// made once for all connections of this format.
    pub(super) fn recoverable_event<'a>(
        &self,
        delivery: &'a Arc<Delivery>,
        offset: u64,
        limits: &Limits,
    ) -> Cow<'a, SharedFrame> {
        let make = || self.make_recoverable(delivery, offset, self.encoding, limits);
        let slot = match self.encoding {
            Encoding::Json(_) => SLOT_RECOVERABLE,
            Encoding::MsgPack => SLOT_RECOVERABLE_PACKED,
        };
        let shared = delivery.encoded(slot, make);
        if shared.offset == offset && shared.namespace == self.namespace {
            Cow::Borrowed(&shared.frames)
        } else {
            Cow::Owned(make().frames)
        }
    }

    /// The frames of an event that another node has kept, with this offset as the last argument.
    pub(super) fn kept_event(&self, args: &Body, offset: u64) -> SharedFrame {
        let packet = self.namespace.packet_of_args(args);
        SharedFrame::new(frames(&recovery::append_offset(packet, offset), self.encoding), None)
    }

    fn make_recoverable(
        &self,
        delivery: &Arc<Delivery>,
        offset: u64,
        encoding: Encoding,
        limits: &Limits,
    ) -> RecoverableFrames {
        let packet = wire::event(delivery, &self.namespace, limits);
        let frames = frames(&recovery::append_offset(packet, offset), encoding);
        let frames = SharedFrame::new(frames, delivery.timer());
        RecoverableFrames { namespace: self.namespace.clone(), offset, frames }
    }

    /// The frames of the acknowledgement of a request with this number.
    pub(super) fn acknowledgement(&self, kind: &RequestKind, number: i64, reply: &Reply) -> Bytes {
        frames(&wire::acknowledgement(kind, number, reply, &self.namespace), self.encoding)
    }

    /// The frames of the reply to a request without an acknowledgement, if it has one.
    pub(super) fn reply(&self, kind: &RequestKind, reply: &Reply) -> Option<Bytes> {
        wire::reply_event(kind, reply, &self.namespace).map(|it| frames(&it, self.encoding))
    }

    /// The frames of an event, which is given as its array.
    pub(super) fn array(&self, event: &Body) -> Bytes {
        frames(&self.namespace.packet_of_args(event), self.encoding)
    }

    /// The frame of `closing`.
    pub(super) fn closing(&self, reason: CloseReason) -> Bytes {
        frames(&wire::closing(reason, &self.namespace), self.encoding)
    }
}

impl Offsets {
    /// An offset that no event has.
    pub(super) fn draw(&self) -> u64 {
        let Self(last) = self;
        last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn frames(packet: &Packet, encoding: Encoding) -> Bytes {
    let prefix = match encoding {
        Encoding::Json(Version::V3) => MESSAGE_V3,
        Encoding::Json(Version::V4) => &[],
        Encoding::MsgPack => {
            let message = msgpack::pack_packet(packet).expect("`wire` writes packets");
            return frame::binary(&message);
        }
    };
    frame::packet(&packet.text, prefix, &packet.attachments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::test_support::message_delivery, domain::Rejection, transport::lanes::frame::Frame,
    };

    fn texts(frames: &[u8]) -> Vec<String> {
        let text = |it| match it {
            Frame::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            other => format!("{other:?}"),
        };
        frame::split(frames).map(text).collect()
    }

    #[test]
    fn a_packet_names_its_namespace_and_its_acknowledgement() {
        let format = |namespace| PacketFormat::new(namespace, Version::V4, Parser::Json);
        let kind = RequestKind::of("send message");
        let refused: Reply = Err(Rejection::NotMember);
        let answer = r#"[{"ok":false,"code":"not_member","message":"join the room first"}]"#;
        for (namespace, prefix) in [("/", ""), ("/shop", "/shop,")] {
            let frames = format(namespace).acknowledgement(&kind, 12, &refused);
            assert_eq!(texts(&frames), [format!("43{prefix}12{answer}")]);
            let event = r#"["error message",{"event":"send message","code":"not_member""#;
            let frames = format(namespace).reply(&kind, &refused).unwrap();
            assert!(texts(&frames)[0].starts_with(&format!("42{prefix}{event}")));
        }
    }

    #[test]
    fn the_connections_of_a_namespace_share_the_frames_of_an_event() {
        let (delivery, limits) = (message_delivery("lobby", 1), Limits::default());
        let of = |namespace, version| {
            PacketFormat::new(namespace, version, Parser::Json)
                .event(&delivery, &limits)
                .for_window(None)
        };
        let first = of("/shop", Version::V4);
        assert!(texts(&first)[0].starts_with(r#"42/shop,["new message",{"room":"lobby","#));
        assert_eq!(of("/shop", Version::V4).as_ptr(), first.as_ptr());
        assert_eq!(of("/shop", Version::V3).as_ptr(), first.as_ptr(), "it has no attachments");
        assert!(texts(&of("/%73hop", Version::V4))[0].starts_with("42/%73hop,["));
    }

    #[test]
    fn an_event_has_one_offset_for_all_connections() {
        let (delivery, limits, offsets) =
            (message_delivery("lobby", 1), Limits::default(), Offsets::default());
        let format = |namespace| PacketFormat::new(namespace, Version::V4, Parser::Json);
        for namespace in ["/shop", "/%73hop"] {
            assert_eq!(format(namespace).offset(&delivery, &offsets, &limits), 1);
        }
        let of = |namespace, offset| {
            format(namespace).recoverable_event(&delivery, offset, &limits).for_window(None)
        };
        let first = of("/shop", 1);
        assert!(texts(&first)[0].ends_with(r#"},"1"]"#), "{:?}", texts(&first));
        assert_eq!(of("/shop", 1).as_ptr(), first.as_ptr());
        let other = of("/%73hop", 1);
        assert!(texts(&other)[0].starts_with("42/%73hop,["));
        assert!(texts(&other)[0].ends_with(r#"},"1"]"#));
        assert!(texts(&of("/shop", 7))[0].ends_with(r#"},"7"]"#), "another one on demand");
    }

    #[test]
    fn a_packed_event_is_one_message_that_is_shared_and_has_the_common_offset() {
        let (delivery, limits, offsets) =
            (message_delivery("lobby", 1), Limits::default(), Offsets::default());
        let packed = PacketFormat::new("/", Version::V4, Parser::MsgPack);
        let frames = || packed.event(&delivery, &limits).for_window(None);
        let event = frames();
        assert_eq!(frames().as_ptr(), event.as_ptr());
        let [Frame::Binary(message)] = frame::split(&event).collect::<Vec<_>>()[..] else {
            panic!("{event:?}");
        };
        assert!(message.starts_with(b"\x83\xa4data\x92\xabnew message"), "{message:?}");
        let json = PacketFormat::new("/", Version::V4, Parser::Json);
        for format in [&packed, &json, &packed] {
            assert_eq!(format.offset(&delivery, &offsets, &limits), 1);
        }
        let of = |format: &PacketFormat| {
            format.recoverable_event(&delivery, 1, &limits).for_window(None)
        };
        let recoverable = of(&packed);
        assert!(recoverable.ends_with(b"\xa11\xa3nsp\xa1/\xa4type\x02"), "{recoverable:?}");
        assert!(texts(&of(&json))[0].ends_with("},\"1\"]"));
    }
}
