//! The outbox of a chat session whose client may come back: it outlives its connections.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::sent::{Sent, SentEvents};
use crate::{
    chat::{
        ContinuedSession, Repeats,
        event::{Delivery, Event},
        ports::{ConnectionEnd, KeptEvent, Outbox, Overflow, Peer},
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
    wire::recovery,
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

/// Whether a client that this node sends away finds another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum OtherNodes {
    None,
    Some,
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
    /// What another node has sent already, if the session began there.
    repeats: Option<Box<Repeats>>,
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
        let sent = SentEvents::new(identity.stale_offset);
        let link = Link::Connected(Arc::clone(connection));
        let format = connection.format.clone();
        Self::with_state(identity, format, (offsets, limits), State::new(link, sent))
    }

    /// The connection of a client that comes from another node: it keeps all events until it is
    /// continued.
    pub(in crate::transport::socketio) fn away(
        identity: RecoveryIdentity,
        format: PacketFormat,
        (peer, received): (Peer, u64),
        shared: (Arc<Offsets>, Arc<Limits>),
    ) -> Arc<Self> {
        let link = Link::Lost { peer, end: ConnectionEnd::TransportClosed };
        let state = State::new(link, SentEvents::after_received(received));
        Self::with_state(identity, format, shared, state)
    }

    fn with_state(
        identity: RecoveryIdentity,
        format: PacketFormat,
        (offsets, limits): (Arc<Offsets>, Arc<Limits>),
        state: State,
    ) -> Arc<Self> {
        let (state, closed) = (Mutex::new(state), Notify::new());
        Arc::new(Self { identity, format, offsets, limits, state, closed })
    }

    /// Who may continue it.
    pub(in crate::transport::socketio) fn identity(&self) -> &RecoveryIdentity {
        &self.identity
    }

    /// Whether all events after the one with this offset are known, and nothing closed the connection.
    pub(super) fn is_recoverable(&self, offset: u64) -> bool {
        let state = self.state.lock();
        state.close_reason.is_none() && state.sent.has(offset)
    }

    /// The events after the one with this offset, for another node, and the offset of the last one.
    /// `None` if not all are known, or something but a drain closed the connection.
    pub(super) fn kept_after(&self, offset: u64) -> Option<(Vec<KeptEvent>, u64)> {
        let state = self.state.lock();
        if !state.may_move() {
            return None;
        }
        state.sent.kept_after(offset, &self.limits)
    }

    /// The welcome of a session that is begun for a client of another node.
    pub(in crate::transport::socketio) fn welcome(&self) -> Option<Arc<Delivery>> {
        self.state.lock().sent.find(|it| matches!(it.event(), Event::Welcome(_)))
    }

    /// Puts what another node has handed over before what was received here meanwhile, and drops what
    /// is in both. Returns `false` if something is missing.
    pub(in crate::transport::socketio) fn continue_with(
        &self,
        continued: ContinuedSession,
        offset: u64,
    ) -> bool {
        let ContinuedSession { events, mut repeats } = continued;
        let mut state = self.state.lock();
        if state.close_reason.is_some() || !state.sent.has(offset) {
            return false;
        }
        let mut sent = SentEvents::after_received(offset);
        for event in events {
            let offset = self.draw(&sent);
            let bytes = self.format.kept_event(&event.args, offset).plain_bytes();
            sent.add(offset, Sent::Kept(Arc::new(event)), bytes, &self.limits);
        }
        for (offset, event) in state.sent.after(offset) {
            let Sent::Delivery(delivery) = event else { continue };
            if let Event::Welcome(welcome) = delivery.event() {
                if !repeats.are_complete(welcome) {
                    return false;
                }
                continue;
            }
            let args = || recovery::args(&delivery, &self.limits);
            if repeats.is_repeat(&delivery) || repeats.take_equal(&delivery, args) {
                continue;
            }
            let offset = if sent.is_ambiguous(offset) { self.draw(&sent) } else { offset };
            let bytes =
                self.format.recoverable_event(&delivery, offset, &self.limits).plain_bytes();
            sent.add(offset, Sent::Delivery(delivery), bytes, &self.limits);
        }
        repeats.forget_others();
        let is_whole = sent.has(offset);
        (state.sent, state.repeats) = (sent, Some(Box::new(repeats)));
        is_whole
    }

    /// Keeps the events from now on, if the transport was lost, or if this node drains and there are
    /// others. Returns `false` if the connection has ended for another reason.
    pub(in crate::transport::socketio) fn lose(
        &self,
        connection: &NamespaceConnection,
        others: OtherNodes,
    ) -> bool {
        let (end, peer) = (connection.end(), connection.peer());
        let is_lost = matches!(
            end,
            ConnectionEnd::TransportClosed | ConnectionEnd::ByServer(CloseReason::PingTimeout)
        );
        let is_drained = matches!(end, ConnectionEnd::ByServer(CloseReason::Draining { .. }));
        let mut state = self.state.lock();
        let is_recoverable = (is_lost && state.close_reason.is_none())
            || (others == OtherNodes::Some && (is_lost || is_drained) && state.may_move());
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
        for (offset, event) in state.sent.after(offset) {
            let frames = match &event {
                Sent::Delivery(delivery) => {
                    connection.format.recoverable_event(delivery, offset, &self.limits)
                }
                Sent::Kept(event) => Cow::Owned(connection.format.kept_event(&event.args, offset)),
                Sent::Received => continue,
            };
            sent = sent.and_then(|()| connection.send_event(&frames, LaneWriter::push));
        }
        let reason = state.close_reason.or(sent.err().map(|Overflow| CloseReason::SlowReader));
        drop(state);
        if let Some(reason) = reason {
            self.close(reason);
        }
    }

    /// Waits until the server closes the connection. When this node drains, its client may go to
    /// another one.
    pub(super) async fn wait_closed(&self, others: OtherNodes) {
        let is_closed = |state: &State| {
            state.close_reason.is_some() && !(others == OtherNodes::Some && state.may_move())
        };
        while !is_closed(&self.state.lock()) {
            self.closed.notified().await;
        }
    }

    fn deliver(&self, delivery: &Arc<Delivery>, push: Push) -> Result<(), Overflow> {
        let mut state = self.state.lock();
        let State { link, sent, repeats, .. } = &mut *state;
        if repeats.as_mut().is_some_and(|it| it.is_repeat(delivery)) {
            return Ok(());
        }
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
                offset = self.draw(sent);
            }
            let frames = format.recoverable_event(delivery, offset, &self.limits);
            let event = Sent::Delivery(Arc::clone(delivery.untimed()));
            sent.add(offset, event, frames.plain_bytes(), &self.limits);
            frames
        };
        match link {
            Link::Connected(connection) => connection.send_event(&frames, push),
            Link::Lost { .. } => Ok(()),
        }
    }

    /// An offset that no event has, nor the client from another node.
    fn draw(&self, sent: &SentEvents) -> u64 {
        loop {
            let offset = self.offsets.draw();
            if !sent.is_ambiguous(offset) {
                return offset;
            }
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

impl State {
    fn new(link: Link, sent: SentEvents) -> Self {
        Self { link, sent, repeats: None, close_reason: None, is_revoked: false }
    }

    /// Whether another node may continue the session.
    fn may_move(&self) -> bool {
        self.close_reason.is_none_or(|it| matches!(it, CloseReason::Draining { .. }))
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
