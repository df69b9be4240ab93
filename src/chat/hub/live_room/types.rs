//! What callers of a live room pass in and get back.

use std::sync::Arc;

use crate::{
    chat::{event::Post, ports::Outbox},
    domain::{ConnectionId, Entry, Seq, UserName},
};

/// A connection in a room.
#[derive(Clone)]
pub(crate) struct AttachedConnection {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserName,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) room_kind: RoomKind,
}

impl std::fmt::Debug for AttachedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttachedConnection")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// What a room is to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomKind {
    /// Its default room: it is told who is here.
    Default,
    /// Any other.
    Other,
}

/// Where a connection that is being attached stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplayCursor {
    /// The last entry that it has.
    pub(crate) after: Seq,
    /// How it hears what it has not.
    pub(crate) mode: ReplayMode,
}

/// How a replay is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayMode {
    /// As `missed`: the client came back and said what it has.
    Missed,
    /// As if live: the client was told the head a moment ago, and these came since.
    Live,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayStatus {
    /// Everything up to the head is on its way, and what comes follows.
    Live,
    /// The ring does not reach back to the cursor: read the store and try again.
    Behind,
    /// It has more than was delivered on this node: the store may have it, too.
    Ahead,
    /// It is not in the room.
    NotAttached,
}

/// Whether the users of a room are others than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PresenceChange {
    Changed,
    Unchanged,
}

/// Whether all of a run was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunDelivery {
    /// It was, or was before.
    Complete,
    /// Something before the rest of it was never seen here: the store has it.
    Partial,
}

/// The posts of a run, which is in order, that come right after `head`; and whether others come after a
/// hole.
pub(in crate::chat::hub) fn contiguous_run(run: &[Post], head: Seq) -> (&[Post], RunDelivery) {
    let seq = |post: &Post| post.delivery.entry().map_or(Seq::ZERO, Entry::seq);
    let run = run.get(run.partition_point(|post| seq(post) <= head)..).unwrap_or_default();
    let mut next = head;
    let follows = |post: &&Post| {
        next = next.next();
        seq(post) == next
    };
    let count = run.iter().take_while(follows).count();
    let sent = if count == run.len() { RunDelivery::Complete } else { RunDelivery::Partial };
    (run.get(..count).unwrap_or_default(), sent)
}

/// Connections whose outbox was full; the caller closes them, outside of the lock.
pub(crate) type FullOutboxes = Vec<Arc<dyn Outbox>>;

/// What another node says of who is in a room there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RemotePresence<'a> {
    Joined(&'a UserName),
    Left(&'a UserName),
    /// These, and nobody else.
    Snapshot(&'a [UserName]),
}

impl From<bool> for PresenceChange {
    fn from(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Unchanged }
    }
}
