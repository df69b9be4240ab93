//! The outbox of a namespace connection: events, acknowledgements and `closing`.
//!
//! They go to the queue of the session, past the engine. Nothing here waits. A full queue ends the
//! session, because no event may follow a lost one.

use std::{
    ptr,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{connection::NamespaceConnection, engine::NamespaceSocket, session::EngineSession};
use crate::{
    chat::{
        Reply,
        event::Delivery,
        ports::{Carrier, ConnectionEnd, Outbox, Overflow, Peer},
    },
    domain::CloseReason,
    transport::{
        deflate::{self, SharedFrame},
        lanes::{LaneWriter, QueueFull},
    },
    wire::{
        code::{self, Reconnect},
        socketio::RequestKind,
    },
};

/// Queues frames in a writer.
pub(super) type Push = fn(&Arc<LaneWriter>, Bytes) -> Result<(), QueueFull>;

#[async_trait]
impl Outbox for NamespaceConnection {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        self.send_event(&self.format.event(delivery, self.session().limits()), LaneWriter::push)
    }

    fn push_to_many(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let frames = self.format.event(delivery, self.session().limits());
        self.send_event(&frames, LaneWriter::push_later)
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        if self.session().writer().has_capacity() {
            // If the queue is full now, this delivery is dropped: it may be lost.
            self.push_to_many(delivery).ok();
        }
    }

    async fn wait_for_capacity(&self) {
        self.session().writer().wait_for_capacity().await;
    }

    fn close(&self, reason: CloseReason) {
        self.close_reason.get_or_init(|| reason);
        if reason.is_prompt() {
            self.revoked.store(true, Ordering::SeqCst);
        }
        match code::close(reason).reconnect {
            Reconnect::Yes => self.session().close(reason),
            Reconnect::No => self.disconnect(reason),
        }
    }

    fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }

    fn peer(&self) -> Peer {
        self.session().peer()
    }

    fn carrier(&self) -> Carrier {
        self.session().carrier()
    }

    fn waiting_bytes(&self) -> usize {
        let first = self.session().connections().into_iter().next();
        let is_first = first.is_some_and(|it| ptr::addr_eq(Arc::as_ptr(&it), self));
        if is_first { self.session().writer().waiting_bytes() } else { 0 }
    }

    fn end(&self) -> ConnectionEnd {
        if self.session().is_protocol_broken() {
            return ConnectionEnd::ProtocolError;
        }
        let reason = self.close_reason.get().copied().or_else(|| self.session().close_reason());
        let by_server = reason.map(ConnectionEnd::ByServer);
        let reported = || self.reported_end.get().copied();
        by_server.or_else(reported).unwrap_or(ConnectionEnd::TransportClosed)
    }
}

impl EngineSession {
    /// The client, and how it is connected at the moment.
    pub(super) fn peer(&self) -> Peer {
        Peer { carrier: self.carrier(), address: self.handshake().address.text() }
    }

    fn carrier(&self) -> Carrier {
        if self.is_polling() { Carrier::SocketIoPolling } else { Carrier::SocketIoWebSocket }
    }
}

impl NamespaceConnection {
    /// Answers a request that was read at `begun_at` with an acknowledgement or, if the client expects
    /// none, with an event.
    pub(super) fn answer(
        &self,
        ack: Option<i64>,
        (kind, begun_at): (&RequestKind, Instant),
        reply: &Reply,
    ) {
        self.metrics.answered(kind.name(), begun_at, reply);
        let frames = match ack {
            Some(number) => Some(self.format.acknowledgement(kind, number, reply)),
            None => self.format.reply(kind, reply),
        };
        if let Some(frames) = frames
            && self
                .send(deflate::compress_for(self.session().window(), frames), LaneWriter::push)
                .is_err()
        {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Sends `closing` with the reason, also when the queue is full.
    pub(super) fn emit_closing(&self, reason: CloseReason) {
        if !self.is_disconnected.load(Ordering::Relaxed) {
            self.session().writer().push_beyond(self.format.closing(reason));
        }
    }

    /// Disconnects the client from the namespace, after which official clients do not reconnect. The
    /// session ends with its last connection: connections to other spaces belong to other users.
    fn disconnect(&self, reason: CloseReason) {
        if self.inbox().is_closed() {
            return;
        }
        self.emit_closing(reason);
        self.is_disconnected.store(true, Ordering::Relaxed);
        let disconnected = self.socket().map_or(Ok(()), NamespaceSocket::disconnect);
        self.session().await_engine();
        self.inbox().close();
        if disconnected.is_err() {
            self.session().abort();
        } else if self.session().connections().iter().all(|it| it.is_inbox_closed()) {
            self.session().finish(reason);
        }
    }

    /// Queues the frames of an event, compressed if they are large and the client agreed to that.
    pub(super) fn send_event(&self, frames: &SharedFrame, push: Push) -> Result<(), Overflow> {
        self.send(frames.for_window(self.session().window()), push)
    }

    fn send(&self, frames: Bytes, push: Push) -> Result<(), Overflow> {
        if self.is_disconnected.load(Ordering::Relaxed) {
            return Ok(());
        }
        push(self.session().writer(), frames).map_err(|QueueFull| Overflow)
    }
}
