//! The connections of a session to namespaces.

use std::sync::{Arc, Weak, atomic::Ordering};

use bytes::Bytes;

use super::EngineSession;
use crate::{
    domain::{CloseReason, ConnectionId},
    transport::{
        lanes::frame,
        socketio::{connect_error, packet_check::JoinedSpaces, request::Parser},
    },
    wire::{msgpack, socketio::Packet},
};

/// A connection of a session to a namespace, as the session needs it.
pub(in crate::transport::socketio) trait AttachedConnection:
    Send + Sync
{
    /// Starts to handle requests if the packet that was sent is the answer to its CONNECT.
    fn open_inbox(&self, packet: &str);

    /// The answer to its CONNECT in place of the one that the engine sends, if that is this packet and
    /// has to have more.
    fn connect_answer(&self, packet: &str) -> Option<String>;

    /// Accepts no more requests. Those that wait are still handled.
    fn close_inbox(&self);

    /// Whether no more requests are accepted.
    fn is_inbox_closed(&self) -> bool;

    /// Whether the connection is to this namespace, and the client has not left it.
    fn is_in(&self, namespace: &str) -> bool;

    /// Whether CONNECT is answered.
    fn is_connected(&self) -> bool;

    /// The connection in the chat, once it is there.
    fn in_chat(&self) -> Option<ConnectionId>;

    /// Sends `closing` to the client.
    fn send_closing(&self, reason: CloseReason);
}

impl JoinedSpaces for EngineSession {
    fn is_joined(&self, namespace: &str) -> bool {
        self.connections().iter().any(|it| it.is_in(namespace))
    }

    fn is_connected(&self, namespace: &str) -> bool {
        self.connections().iter().any(|it| it.is_in(namespace) && it.is_connected())
    }
}

/// The connections to namespaces.
impl EngineSession {
    /// Adds a connection. Its inbox is closed if the session closes.
    pub(in crate::transport::socketio) fn attach<C: AttachedConnection + 'static>(
        &self,
        connection: &Arc<C>,
    ) {
        let attached: Weak<dyn AttachedConnection> = Arc::<C>::downgrade(connection);
        let is_closing = self.state.lock().attach(attached);
        if is_closing {
            connection.close_inbox();
        }
    }

    /// Removes a connection.
    pub(in crate::transport::socketio) fn detach(&self, connection: &dyn AttachedConnection) {
        self.state.lock().detach(connection);
    }

    /// Opens the inbox of the connection whose CONNECT a packet to the client answers. Events that are
    /// sent to the connection from then on follow that packet.
    pub(in crate::transport::socketio) fn on_engine_packet(&self, packet: &str) {
        if packet.starts_with("40") {
            for connection in self.connections() {
                connection.open_inbox(packet);
            }
        }
    }

    /// The frames for the client in place of a packet of the engine, if they are others.
    pub(in crate::transport::socketio) fn replacement(&self, packet: &str) -> Option<Bytes> {
        let replaced = if packet.starts_with("40") {
            self.connections().iter().find_map(|it| it.connect_answer(packet))
        } else {
            connect_error::replacement(packet)
        };
        match self.parser() {
            Parser::Json => replaced.map(|it| frame::text(&it)),
            Parser::MsgPack => {
                let text = replaced.unwrap_or_else(|| packet.to_owned());
                let packet = Packet { text, attachments: Vec::new() };
                msgpack::pack_packet(&packet).map(|it| frame::binary(&it))
            }
        }
    }

    /// Records that the engine is about to send a close packet. It then ends the session, and reports
    /// why.
    pub(in crate::transport::socketio) fn on_engine_close(&self) {
        self.is_closed_by_engine.store(true, Ordering::Release);
    }

    /// Whether the engine ends the session, before anything that the client does about it.
    pub(in crate::transport::socketio) fn is_closed_by_engine(&self) -> bool {
        self.is_closed_by_engine.load(Ordering::Acquire)
    }

    /// The connections of the session.
    pub(in crate::transport::socketio) fn connections(&self) -> Vec<Arc<dyn AttachedConnection>> {
        self.state.lock().connections()
    }
}
