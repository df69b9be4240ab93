//! What a connection tells its client.
//!
//! Nothing here waits, and no error of the engine is passed over: a queue that is full ends the
//! connection, because what comes after a gap must not go out.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use serde::Serialize;
use socketioxide::{
    SendError, SocketError,
    extract::AckSender,
    handler::{FromMessageParts as _, Value},
};
use tracing::error;

use super::{connection::NamespaceConnection, engine::NamespaceSocket, session::ClosePhase};
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
    /// Answers a request, as an acknowledgement or, where none was asked for, as an event.
    pub(super) fn answer(&self, ack: Option<i64>, kind: RequestKind, reply: &Reply) {
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

    /// Tells the client why its connection ends. The only thing that goes out after an overflow.
    pub(super) fn emit_closing(&self, reason: CloseReason) {
        if let Some(socket) = self.socket() {
            let packet = wire::closing(reason);
            // Where it cannot be said, it is not said.
            self.session().reserve_bytes(packet.bytes()).ok();
            socket.emit("closing", &packet).ok();
        }
    }

    /// Takes the client out of the space, which official clients understand as "stay away", and ends
    /// the session with its last space. Its other spaces are other users' business.
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

    /// Takes room for `bytes` and sends. A connection that is about to end takes anything and sends
    /// nothing.
    fn reserve_and_send(
        &self,
        bytes: usize,
        send: impl FnOnce() -> Result<(), SendError>,
    ) -> Result<(), Overflow> {
        let session = self.session();
        match session.close_phase() {
            ClosePhase::Open => {}
            ClosePhase::Overflowed => return Err(Overflow),
            ClosePhase::Notifying | ClosePhase::Closing | ClosePhase::Aborted => return Ok(()),
        }
        session.reserve_bytes(bytes).map_err(|_full| Overflow)?;
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
                error!(error = %error, "a packet of ours cannot be encoded");
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
