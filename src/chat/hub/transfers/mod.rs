//! Transfers of sessions between nodes (docs/decisions/0014).
//!
//! A node whose new client names a session that it does not have asks the other nodes for it, twice:
//! what it is, and, once the new connection is attached here, what it has received since. The node
//! that has the session answers for the transport that holds it, and adds how far it was served.
//!
//! The lock of the table is held for single changes only; no other is taken meanwhile.

mod repeats;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

pub(crate) use self::repeats::required;
pub use self::repeats::{ContinuedSession, Repeats};
use super::{
    connections::Connections,
    online_users::{OnlineUsers, UserConnectionId},
};
use crate::{
    chat::{
        ports::{
            ClaimStep, ClusterEvent, FoundSession, KeptEvent, Outbox, SessionClaim, SessionClaimId,
            SessionReply, SessionState, TakenSession,
        },
        publisher::Publisher,
    },
    domain::{Channel, ConnectionId, NodeId, Place, Seq},
};

/// How long the replies of other nodes are awaited.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(1);
/// The most claims of this node at one time. Clients above it begin anew.
const CLAIMS_MAX: usize = 4096;
/// The most bytes of events in a reply. A session with more is not continued on another node.
const REPLY_BYTES_MAX: usize = 4 << 20;

/// The sessions of this node whose clients may come back. A transport implements it.
pub trait WaitingSessions: Send + Sync + 'static {
    /// The session that a claim is for. One that waits and that the client cannot continue ends.
    fn find(&self, claim: &SessionClaim) -> Lookup;

    /// Ends the session that a claim is for. `before` is called once it can be claimed by nobody else,
    /// and before the events are read that follow the offset. `None` if there is no such session.
    fn take(
        &self,
        claim: &SessionClaim,
        before: &mut dyn FnMut(&SessionSnapshot),
    ) -> Option<Vec<KeptEvent>>;
}

/// See [`WaitingSessions::find`].
#[derive(Debug)]
pub enum Lookup {
    /// There is no such session, or the client must not continue it.
    Unknown,
    /// The end of its connection was not seen yet.
    Connected,
    /// It waits for its client.
    Waiting(FoundWaiting),
}

/// A session that waits for its client.
#[derive(Debug)]
pub struct FoundWaiting {
    /// The id that the client has for its connection.
    pub sid: Box<str>,
    /// The session.
    pub snapshot: Arc<SessionSnapshot>,
    /// The events after the offset of the claim.
    pub events: Vec<KeptEvent>,
    /// The offset of the last one.
    pub last_offset: u64,
}

/// A session at the time when its connection was lost: until it is continued it does not change.
#[derive(Debug)]
pub struct SessionSnapshot {
    pub(crate) state: SessionState,
    pub(crate) connection: ConnectionId,
    /// Of an identified session.
    pub(crate) user_connection: Option<UserConnectionId>,
}

/// See the module.
pub(crate) struct Transfers {
    connections: Arc<Connections>,
    users: Arc<OnlineUsers>,
    publisher: Arc<Publisher>,
    /// The sessions of this node.
    sessions: OnceLock<Arc<dyn WaitingSessions>>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// The number of the last claim.
    last: u64,
    claims: HashMap<SessionClaimId, PendingClaim>,
}

struct PendingClaim {
    /// The nodes that have not replied.
    waiting: BTreeSet<NodeId>,
    reply: SessionReply,
    /// Notified when nothing more is to come.
    done: Arc<Notify>,
}

/// A claim of this node. Dropping it ends the wait for replies.
struct ClaimGuard<'a> {
    transfers: &'a Transfers,
    id: SessionClaimId,
}

impl Transfers {
    pub(super) fn new(
        connections: &Arc<Connections>,
        users: &Arc<OnlineUsers>,
        publisher: &Arc<Publisher>,
    ) -> Self {
        Self {
            connections: Arc::clone(connections),
            users: Arc::clone(users),
            publisher: Arc::clone(publisher),
            sessions: OnceLock::new(),
            table: Mutex::default(),
        }
    }

    /// Answers claims with these sessions from now on.
    pub(crate) fn serve(&self, sessions: Arc<dyn WaitingSessions>) {
        // A second transport has no sessions that could be continued.
        self.sessions.set(sessions).ok();
    }

    /// Asks `peers`, the other nodes. Waits for the node that has the session, or until no node has it,
    /// for [`REPLY_WAIT_MAX`] at most. Dropping the future ends the wait.
    pub(crate) async fn claim(&self, claim: SessionClaim, peers: Vec<NodeId>) -> SessionReply {
        if peers.is_empty() {
            return SessionReply::Unknown;
        }
        let (waiting, done) = (peers.into_iter().collect(), Arc::new(Notify::new()));
        let pending =
            PendingClaim { waiting, reply: SessionReply::Unknown, done: Arc::clone(&done) };
        let Some(guard) = self.begin(pending) else { return SessionReply::Unknown };
        self.publisher.publish(Channel::BROADCAST, ClusterEvent::SessionClaim(guard.id, claim));
        timeout(REPLY_WAIT_MAX, done.notified()).await.ok();
        guard.finish()
    }

    /// Replies to the claim of another node.
    pub(crate) fn reply(&self, to: &NodeId, claim_id: SessionClaimId, claim: &SessionClaim) {
        let reply = match claim.step {
            ClaimStep::Find => self.find(claim),
            ClaimStep::Take => self.take(claim),
        };
        self.send_reply(to, claim_id, reply.unwrap_or(SessionReply::Unknown));
    }

    /// Replies that a session, if it is here, is to be claimed again.
    pub(crate) fn reply_not_yet(
        &self,
        to: &NodeId,
        claim_id: SessionClaimId,
        claim: &SessionClaim,
    ) {
        let is_here =
            self.sessions.get().is_some_and(|it| matches!(it.find(claim), Lookup::Waiting(_)));
        let reply = if is_here { SessionReply::NotYet } else { SessionReply::Unknown };
        self.send_reply(to, claim_id, reply);
    }

    fn send_reply(&self, to: &NodeId, claim_id: SessionClaimId, reply: SessionReply) {
        let event = ClusterEvent::SessionReply { to: to.clone(), claim: claim_id, reply };
        self.publisher.publish(Channel::BROADCAST, event);
    }

    /// Records what another node replies.
    pub(crate) fn record(
        &self,
        from: &NodeId,
        (to, claim): (&NodeId, SessionClaimId),
        reply: SessionReply,
    ) {
        if to == self.publisher.node()
            && let Some(pending) = self.table.lock().claims.get_mut(&claim)
        {
            pending.record(from, reply);
        }
    }

    /// Another node has left, with its sessions: no reply of it is to come.
    pub(super) fn forget_node(&self, node: &NodeId) {
        for pending in self.table.lock().claims.values_mut() {
            pending.record(node, SessionReply::Unknown);
        }
    }

    /// Puts a connection into the rooms that an emitter put it in before.
    pub(crate) fn enter_emitter_rooms(
        &self,
        connection: ConnectionId,
        outbox: &Arc<dyn Outbox>,
        rooms: &[Place],
    ) {
        for place in rooms {
            let connection = [(connection, Arc::clone(outbox))].into_iter().collect();
            self.connections.join_emitter_room(place, &connection);
        }
    }

    fn find(&self, claim: &SessionClaim) -> Option<SessionReply> {
        let FoundWaiting { sid, snapshot, events, last_offset } =
            match self.sessions.get()?.find(claim) {
                Lookup::Waiting(found) => found,
                Lookup::Connected => return Some(SessionReply::NotYet),
                Lookup::Unknown => return None,
            };
        if !fit(&events) {
            return None;
        }
        let positions = match &snapshot.user_connection {
            Some(user_connection) => self.users.positions(user_connection)?,
            None => Vec::new(),
        };
        let emitter_rooms = self.connections.emitter_rooms_of(snapshot.connection);
        let state = snapshot.state.clone();
        let found = FoundSession { sid, state, emitter_rooms, positions, events, last_offset };
        Some(SessionReply::Found(Box::new(found)))
    }

    fn take(&self, claim: &SessionClaim) -> Option<SessionReply> {
        if !claim.required.is_empty() && !self.has_sent(claim)? {
            return Some(SessionReply::NotYet);
        }
        let mut rooms = None;
        let mut pause = |snapshot: &SessionSnapshot| {
            rooms = match &snapshot.user_connection {
                Some(user_connection) => self.users.pause(user_connection),
                None => Some(Vec::new()),
            };
        };
        let events = self.sessions.get()?.take(claim, &mut pause)?;
        let taken = TakenSession { rooms: rooms?, events };
        fit(&taken.events).then_some(SessionReply::Taken(taken))
    }

    /// Whether a session was sent what a claim requires.
    fn has_sent(&self, claim: &SessionClaim) -> Option<bool> {
        let Lookup::Waiting(found) = self.sessions.get()?.find(claim) else { return None };
        let positions: HashMap<_, _> =
            self.users.positions(found.snapshot.user_connection.as_ref()?)?.into_iter().collect();
        let has = |(place, seq): &(Place, Seq)| positions.get(place).is_some_and(|it| it >= seq);
        Some(claim.required.iter().all(has))
    }

    fn begin(&self, pending: PendingClaim) -> Option<ClaimGuard<'_>> {
        let mut table = self.table.lock();
        if table.claims.len() >= CLAIMS_MAX {
            return None;
        }
        table.last += 1;
        let id = SessionClaimId::from_raw(table.last);
        table.claims.insert(id, pending);
        Some(ClaimGuard { transfers: self, id })
    }
}

/// Whether events are carried in one reply.
fn fit(events: &[KeptEvent]) -> bool {
    events.iter().map(|it| it.args.bytes()).sum::<usize>() <= REPLY_BYTES_MAX
}

impl PendingClaim {
    /// Records a reply, unless it arrives again.
    fn record(&mut self, from: &NodeId, reply: SessionReply) {
        if !self.waiting.remove(from) {
            return;
        }
        let has_session = reply != SessionReply::Unknown;
        if has_session {
            self.reply = reply;
        }
        if has_session || self.waiting.is_empty() {
            self.done.notify_one();
        }
    }
}

impl ClaimGuard<'_> {
    fn finish(self) -> SessionReply {
        let claim = self.transfers.table.lock().claims.remove(&self.id);
        claim.map_or(SessionReply::Unknown, |it| it.reply)
    }
}

impl Drop for ClaimGuard<'_> {
    fn drop(&mut self) {
        self.transfers.table.lock().claims.remove(&self.id);
    }
}
