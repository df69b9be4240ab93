//! The outbox of a chat session whose client may come back: it outlives its connections.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::sent::SentEvents;
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::{ConnectionEnd, Outbox, Overflow, Peer},
    },
    domain::{CloseReason, Limits, Space, UserName},
    transport::{
        lanes::LaneWriter,
        socketio::{
            connection::{NamespaceConnection, RecoveryIds},
            outbox::Push,
            packets::{Offsets, PacketFormat},
        },
    },
};

/// Who may continue a connection, and with what.
pub(in crate::transport::socketio) struct RecoveryIdentity {
    pub(in crate::transport::socketio) ids: RecoveryIds,
    pub(in crate::transport::socketio) space: Space,
    /// The user of the handshake. One that proved its identity there has to do it again.
    pub(in crate::transport::socketio) user: Option<UserName>,
    /// The offset that the client has from an earlier connection.
    pub(in crate::transport::socketio) stale_offset: Option<u64>,
}

/// See the module.
///
/// Events are added and sent under one lock, so what a client that comes back receives has no gap
/// and no repeat.
pub(in crate::transport::socketio) struct RecoverableConnection {
    identity: RecoveryIdentity,
    format: PacketFormat,
    offsets: Arc<Offsets>,
    limits: Arc<Limits>,
    state: Mutex<State>,
    /// Notifies the task of the session of a close while the client is away.
    closed: Notify,
}

struct State {
    link: Link,
    sent: SentEvents,
    /// Why the server closes the connection. The first reason is kept.
    close_reason: Option<CloseReason>,
    is_revoked: bool,
}

enum Link {
    Connected(Arc<NamespaceConnection>),
    /// The transport was lost.
    Lost {
        peer: Peer,
        end: ConnectionEnd,
    },
}

impl RecoverableConnection {
    /// An open connection.
    pub(super) fn new(
        identity: RecoveryIdentity,
        connection: &Arc<NamespaceConnection>,
        offsets: Arc<Offsets>,
        limits: Arc<Limits>,
    ) -> Arc<Self> {
        let (link, sent) =
            (Link::Connected(Arc::clone(connection)), SentEvents::new(identity.stale_offset));
        let state = State { link, sent, close_reason: None, is_revoked: false };
        Arc::new(Self {
            identity,
            format: connection.format.clone(),
            offsets,
            limits,
            state: Mutex::new(state),
            closed: Notify::new(),
        })
    }

    /// Who may continue it.
    pub(super) fn identity(&self) -> &RecoveryIdentity {
        &self.identity
    }

    /// Whether all events after the one with this offset are known, and nothing closed the connection.
    pub(super) fn is_recoverable(&self, offset: u64) -> bool {
        let state = self.state.lock();
        state.close_reason.is_none() && state.sent.has(offset)
    }

    /// Keeps the events from now on, if the transport was lost. Returns `false` if the connection has
    /// ended for another reason.
    pub(in crate::transport::socketio) fn lose(&self, connection: &NamespaceConnection) -> bool {
        let (end, peer) = (connection.end(), connection.peer());
        let is_lost = matches!(
            end,
            ConnectionEnd::TransportClosed | ConnectionEnd::ByServer(CloseReason::PingTimeout)
        );
        let mut state = self.state.lock();
        let is_recoverable = is_lost && state.close_reason.is_none();
        let before =
            is_recoverable.then(|| std::mem::replace(&mut state.link, Link::Lost { peer, end }));
        drop(state);
        drop(before);
        is_recoverable
    }

    /// Sends what follows the event with this offset on a new connection, and all later events.
    pub(in crate::transport::socketio) fn resume(
        &self,
        connection: &Arc<NamespaceConnection>,
        offset: u64,
    ) {
        let mut state = self.state.lock();
        state.link = Link::Connected(Arc::clone(connection));
        let mut sent = Ok(());
        for (offset, delivery) in state.sent.after(offset) {
            let frames = connection.format.recoverable_event(&delivery, offset, &self.limits);
            sent = sent.and_then(|()| connection.send_event(&frames, LaneWriter::push));
        }
        let reason = state.close_reason.or(sent.err().map(|Overflow| CloseReason::SlowReader));
        drop(state);
        if let Some(reason) = reason {
            self.close(reason);
        }
    }

    /// Waits until the server closes the connection.
    pub(super) async fn wait_closed(&self) {
        while self.state.lock().close_reason.is_none() {
            self.closed.notified().await;
        }
    }

    fn deliver(&self, delivery: &Arc<Delivery>, push: Push) -> Result<(), Overflow> {
        let mut state = self.state.lock();
        let State { link, sent, .. } = &mut *state;
        let format = match link {
            Link::Connected(connection) => &connection.format,
            Link::Lost { .. } => &self.format,
        };
        // As with the official server: what is acknowledged cannot be recovered.
        let frames = if matches!(delivery.event(), Event::Ask { .. }) {
            format.event(delivery, &self.limits)
        } else {
            let mut offset = format.offset(delivery, &self.offsets, &self.limits);
            if sent.is_ambiguous(offset) {
                offset = self.offsets.draw();
            }
            let frames = format.recoverable_event(delivery, offset, &self.limits);
            sent.add(offset, delivery, frames.plain_bytes(), &self.limits);
            frames
        };
        match link {
            Link::Connected(connection) => connection.send_event(&frames, push),
            Link::Lost { .. } => Ok(()),
        }
    }

    /// The connection, unless the client is away.
    fn connected(&self) -> Option<Arc<NamespaceConnection>> {
        let state = self.state.lock();
        match &state.link {
            Link::Connected(connection) => Some(Arc::clone(connection)),
            Link::Lost { .. } => None,
        }
    }
}

#[async_trait]
impl Outbox for RecoverableConnection {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        self.deliver(delivery, LaneWriter::push)
    }

    fn push_to_many(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        self.deliver(delivery, LaneWriter::push_later)
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        if self.connected().is_some_and(|it| it.session().writer().has_capacity()) {
            // If the queue is full now, this delivery is dropped: it may be lost.
            self.push_to_many(delivery).ok();
        }
    }

    async fn wait_for_capacity(&self) {
        if let Some(connection) = self.connected() {
            connection.wait_for_capacity().await;
        }
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        state.close_reason.get_or_insert(reason);
        state.is_revoked |= reason.is_prompt();
        drop(state);
        match self.connected() {
            Some(connection) => connection.close(reason),
            None => self.closed.notify_one(),
        }
    }

    fn is_revoked(&self) -> bool {
        let is_revoked = self.state.lock().is_revoked;
        is_revoked || self.connected().is_some_and(|it| it.revoked.load(Ordering::SeqCst))
    }

    fn peer(&self) -> Peer {
        let state = self.state.lock();
        match &state.link {
            Link::Connected(connection) => connection.peer(),
            Link::Lost { peer, .. } => peer.clone(),
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.connected().map_or(0, |it| it.waiting_bytes())
    }

    fn end(&self) -> ConnectionEnd {
        let state = self.state.lock();
        match (&state.link, state.close_reason) {
            (Link::Connected(connection), _) => connection.end(),
            (Link::Lost { .. }, Some(reason)) => ConnectionEnd::ByServer(reason),
            (Link::Lost { end, .. }, None) => *end,
        }
    }
}
