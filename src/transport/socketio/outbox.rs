//! The outbox of a namespace connection: events, acknowledgements and `closing`.
//!
//! Nothing here waits, and every error of the engine is handled. A full queue ends the connection,
//! because no event may follow a lost one.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use serde::Serialize;
use socketioxide::{
    SendError, SocketError,
    extract::AckSender,
    handler::{FromMessageParts as _, Value},
};
use tracing::error;

use super::{connection::NamespaceConnection, engine::NamespaceSocket, session::Reservation};
use crate::{
    chat::{
        Reply,
        event::Delivery,
        ports::{Outbox, Overflow},
    },
    domain::CloseReason,
    wire::{
        code::{self, Reconnect},
        socketio::{self as wire, Acknowledgement, Packet, RequestKind},
    },
};

#[async_trait]
impl Outbox for NamespaceConnection {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let (event, packet) = wire::event(delivery, self.session().limits());
        self.send(event, packet)
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        if self.session().has_capacity() {
            self.push(delivery).ok();
        }
    }

    async fn wait_for_capacity(&self) {
        self.session().wait_for_capacity().await;
    }

    fn close(&self, reason: CloseReason) {
        if reason == CloseReason::SlowReader {
            self.metrics.slow_reader();
        }
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
}

impl NamespaceConnection {
    /// Answers a request with an acknowledgement or, if the client expects none, with an event.
    pub(super) fn answer(&self, ack: Option<i64>, kind: &RequestKind, reply: &Reply) {
        if let Err(rejection) = reply {
            self.metrics.request_rejected(rejection);
        }
        let sent = match ack {
            Some(_) => self.acknowledge(ack, wire::acknowledgement(kind, reply)),
            None => match wire::reply_event(kind, reply) {
                Some((event, packet)) => self.send(event, &packet),
                None => Ok(()),
            },
        };
        if sent.is_err() {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Sends `closing` with the reason. No other event is sent after an overflow.
    pub(super) fn emit_closing(&self, reason: CloseReason) {
        if let Some(socket) = self.socket() {
            let packet = wire::closing(reason);
            // It is sent without budget, too. If the queue of the engine is full, it is lost.
            self.session().reserve_bytes(packet.bytes()).ok();
            socket.emit("closing", &packet).ok();
        }
    }

    /// Disconnects the client from the namespace, after which official clients do not reconnect. The
    /// session ends with its last connection: connections to other spaces belong to other users.
    fn disconnect(&self, reason: CloseReason) {
        if self.inbox().is_closed() {
            return;
        }
        self.emit_closing(reason);
        let disconnected = self.socket().map_or(Ok(()), NamespaceSocket::disconnect);
        self.inbox().close();
        if disconnected.is_err() {
            self.session().abort();
        } else if self.session().connections().iter().all(|it| it.is_inbox_closed()) {
            self.session().finish(reason);
        }
    }

    fn send(&self, event: &str, packet: &Packet) -> Result<(), Overflow> {
        let Some(socket) = self.socket() else { return Ok(()) };
        self.reserve_and_send(packet.bytes(), || socket.emit(event, packet))
    }

    fn acknowledge(&self, ack: Option<i64>, answer: Acknowledgement) -> Result<(), Overflow> {
        let Some(socket) = self.socket() else { return Ok(()) };
        let mut unused = Value::Bytes(bytes::Bytes::new());
        let sender = AckSender::from_message_parts(&socket, &mut unused, &ack);
        let sender = sender.unwrap_or_else(|never| match never {});
        match answer {
            Acknowledgement::One(packet) => send_ack(self, sender, packet.bytes(), &packet),
            Acknowledgement::Two(first, packet) => {
                send_ack(self, sender, packet.bytes(), &(first, packet))
            }
        }
    }

    /// Reserves budget for `bytes` and sends. A session that closes accepts every event and sends none.
    fn reserve_and_send(
        &self,
        bytes: usize,
        send: impl FnOnce() -> Result<(), SendError>,
    ) -> Result<(), Overflow> {
        let session = self.session();
        match session.reserve_event(bytes) {
            Reservation::Granted => {}
            Reservation::Overflowed => return Err(Overflow),
            Reservation::Closing => return Ok(()),
        }
        match send() {
            Ok(()) => Ok(()),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                session.overflow();
                Err(Overflow)
            }
            Err(SendError::Socket(SocketError::Closed)) => {
                session.release_bytes(bytes);
                Ok(())
            }
            Err(SendError::Serialize(error)) => {
                error!(error = %error, "packet encoding failed");
                session.close(CloseReason::Fault);
                Ok(())
            }
        }
    }
}

fn send_ack(
    connection: &NamespaceConnection,
    sender: AckSender,
    bytes: usize,
    answer: &impl Serialize,
) -> Result<(), Overflow> {
    connection.reserve_and_send(bytes, || sender.send(answer))
}
