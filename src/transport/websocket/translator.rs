//! The translator of a connection that speaks a dialect, with the frames that it makes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;

use super::decoder::Message;
use crate::{
    chat::{Reply, RequestContext, event::Delivery},
    domain::{CloseReason, Rejection},
    transport::{
        deflate::{SharedFrame, WindowBits},
        lanes::frame,
    },
    wire::dialect::{
        ClientFrame, DIALECT_COUNT, Dialect, DialectId, Effect, EventFrame, Frame, Handshake,
        InitialUser, Purpose, Step,
    },
};

/// The slot of a delivery that holds its frames in all dialects.
const SLOT: usize = 4;

/// The frames of an event, by dialect. `None` in a cell: the dialect has no frame for the event.
#[derive(Debug, Default)]
struct SharedFrames([OnceLock<Option<SharedFrame>>; DIALECT_COUNT]);

/// The translator of one connection.
pub(super) struct Translator {
    id: DialectId,
    /// Locked while frames are queued, so that their order is that of the calls.
    dialect: Mutex<Box<dyn Dialect>>,
}

impl std::fmt::Debug for Translator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Translator").field(&self.id.name()).finish()
    }
}

impl Translator {
    /// The translator of a connection with this handshake.
    pub(super) fn start(id: DialectId, handshake: &Handshake<'_>) -> Result<Self, Rejection> {
        Ok(Self { id, dialect: Mutex::new(id.start(handshake)?) })
    }

    /// The steps that open the connection.
    pub(super) fn open(&self, user: InitialUser) -> Vec<Step> {
        self.dialect.lock().open(user)
    }

    /// The steps that a message asks for.
    pub(super) fn frame(&self, message: &Message, context: RequestContext<'_>) -> Vec<Step> {
        let frame = match message {
            Message::Text(text) => ClientFrame::Text(text),
            Message::Binary(bytes) => ClientFrame::Binary(bytes),
        };
        self.dialect.lock().frame(frame, context)
    }

    /// Queues the frame of an event, if the client receives one.
    pub(super) fn queue_event<E>(
        &self,
        delivery: &Arc<Delivery>,
        window: Option<WindowBits>,
        queue: impl FnOnce(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut dialect = self.dialect.lock();
        let shared = |it: &Frame| SharedFrame::new(encode(it), delivery.timer());
        let encoded = match dialect.event(delivery.event()) {
            None => None,
            Some(EventFrame::Own(frame)) => Some(shared(&frame).for_window(window)),
            Some(EventFrame::Shared(make)) => {
                let SharedFrames(frames) = delivery.encoded(SLOT, SharedFrames::default);
                let cell = frames.get(self.id.index()).expect("there is a cell for each dialect");
                let frame = || make(delivery.event()).as_ref().map(shared);
                cell.get_or_init(frame).as_ref().map(|it| it.for_window(window))
            }
        };
        encoded.map_or(Ok(()), queue)
    }

    /// The frame before the close frame.
    pub(super) fn closing(&self, reason: CloseReason) -> Option<Bytes> {
        self.dialect.lock().closing(reason).as_ref().map(encode)
    }

    /// The reason with which a refused connection is closed after the upgrade.
    pub(super) fn refusal(&self, rejection: &Rejection) -> Option<CloseReason> {
        self.dialect.lock().refusal(rejection)
    }

    /// Queues the frames that a reply causes. Returns the reason of a close that it causes.
    pub(super) fn queue_reply(
        &self,
        purpose: &Purpose,
        reply: &Reply,
        mut queue: impl FnMut(Bytes),
    ) -> Option<CloseReason> {
        let mut dialect = self.dialect.lock();
        let mut reason = None;
        for effect in dialect.reply(purpose, reply) {
            match effect {
                Effect::Send(frame) => queue(encode(&frame)),
                Effect::Close(it) => reason = Some(it),
            }
        }
        reason
    }
}

/// A frame with its header.
pub(super) fn encode(frame: &Frame) -> Bytes {
    match frame {
        Frame::Text(text) => frame::text(text),
        Frame::Binary(bytes) => frame::binary(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chat::test_support::message_delivery, domain::RoomName};

    fn translator(name: &str, room: &str) -> Translator {
        let room = RoomName::parse(room).unwrap();
        let id = DialectId::named(name).unwrap();
        Translator::start(id, &Handshake { room, query: "" }).unwrap()
    }

    fn queued(translator: &Translator, delivery: &Arc<Delivery>) -> Option<Bytes> {
        let mut queued = None;
        let queue = |frame| {
            queued = Some(frame);
            Ok::<_, ()>(())
        };
        translator.queue_event(delivery, None, queue).unwrap();
        queued
    }

    #[test]
    fn the_frame_of_an_event_is_made_once_per_dialect() {
        let delivery = message_delivery("lobby", 1);
        let echo = queued(&translator("echo-protocol", "lobby"), &delivery).unwrap();
        assert_eq!(echo, frame::text("hi"));
        let again = queued(&translator("echo-protocol", "lobby"), &delivery).unwrap();
        assert_eq!(again.as_ptr(), echo.as_ptr(), "it is shared");
        let json = queued(&translator("json", "lobby"), &delivery).unwrap();
        assert_ne!(json, echo);
        assert_eq!(queued(&translator("echo-protocol", "news"), &delivery), None);
        assert_eq!(queued(&translator("hello", "lobby"), &delivery), None);
    }
}
