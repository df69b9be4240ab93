//! What a seat tells its client.
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

use super::{engine::Socket, link::Fate, seat::Seat};
use crate::{
    chat::{
        Reply,
        event::Delivery,
        ports::{Outbox, Overflow},
    },
    domain::CloseReason,
    wire::{
        code::{self, Reconnect},
        socketio::{self as wire, Acknowledgement, Asked, Packet},
    },
};

#[async_trait]
impl Outbox for Seat {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let (event, packet) = wire::event(delivery, self.link().limits());
        self.send(event, packet)
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        if self.link().is_relieved() {
            self.push(delivery).ok();
        }
    }

    async fn relieved(&self) {
        self.link().relieved().await;
    }

    fn close(&self, reason: CloseReason) {
        if reason.is_prompt() {
            self.revoked.store(true, Ordering::SeqCst);
        }
        match code::close(reason).reconnect {
            Reconnect::Yes => self.link().close(reason),
            Reconnect::No => self.sign_off(reason),
        }
    }

    fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}

impl Seat {
    /// Answers a request, as an acknowledgement or, where none was asked for, as an event.
    pub(super) fn answer(&self, ack: Option<i64>, asked: Asked, reply: &Reply) {
        let sent = match ack {
            Some(_) => self.acknowledge(ack, wire::acknowledgement(asked, reply)),
            None => match wire::unasked(asked, reply) {
                Some((event, packet)) => self.send(event, &packet),
                None => Ok(()),
            },
        };
        if sent.is_err() {
            self.link().close(CloseReason::SlowReader);
        }
    }

    /// Tells the client why its connection ends. The only thing that goes out after an overflow.
    pub(super) fn say_closing(&self, reason: CloseReason) {
        if let Some(socket) = self.socket() {
            let packet = wire::closing(reason);
            // Where it cannot be said, it is not said.
            self.link().charge(packet.bytes()).ok();
            socket.emit("closing", &packet).ok();
        }
    }

    /// Takes the client out of the space, which official clients understand as "stay away", and ends
    /// the session with its last space. Its other spaces are other users' business.
    fn sign_off(&self, reason: CloseReason) {
        if self.inbox().is_over() {
            return;
        }
        self.say_closing(reason);
        let told = self.socket().map_or(Ok(()), Socket::disconnect);
        self.end();
        if told.is_err() {
            self.link().cut();
        } else if self.link().seats().iter().all(|it| it.inbox().is_over()) {
            self.link().finish(reason);
        }
    }

    fn send(&self, event: &str, packet: &Packet) -> Result<(), Overflow> {
        let Some(socket) = self.socket() else { return Ok(()) };
        self.charge(packet.bytes(), || socket.emit(event, packet))
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
    fn charge(
        &self,
        bytes: usize,
        send: impl FnOnce() -> Result<(), SendError>,
    ) -> Result<(), Overflow> {
        let link = self.link();
        match link.fate() {
            Fate::Open => {}
            Fate::Overflowed => return Err(Overflow),
            Fate::Telling | Fate::Closing | Fate::Cut => return Ok(()),
        }
        link.charge(bytes).map_err(|_full| Overflow)?;
        match send() {
            Ok(()) => Ok(()),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                link.overflow();
                Err(Overflow)
            }
            Err(SendError::Socket(SocketError::Closed)) => {
                link.relieve(bytes);
                Ok(())
            }
            Err(SendError::Serialize(error)) => {
                error!(error = %error, "a packet of ours cannot be encoded");
                link.close(CloseReason::Fault);
                Ok(())
            }
        }
    }
}

fn send_ack(
    seat: &Seat,
    sender: AckSender,
    bytes: usize,
    answer: &impl Serialize,
) -> Result<(), Overflow> {
    seat.charge(bytes, || sender.send(answer))
}
