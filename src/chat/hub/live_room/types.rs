//! The parameters and results of a live room.

use std::sync::Arc;

use crate::{
    chat::{event::Post, ports::Outbox},
    domain::{ConnectionId, DisplayNames, Entry, NamedUser, Seq, UserName},
};

/// A connection in a room.
#[derive(Clone)]
pub(crate) struct AttachedConnection {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserName,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) room_kind: RoomKind,
}

impl AttachedConnection {
    /// Whether the connection receives presence lists: in its default room it does.
    pub(in crate::chat::hub) fn wants_presence_list(&self) -> bool {
        self.room_kind == RoomKind::Default
    }
}

impl std::fmt::Debug for AttachedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttachedConnection")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// Whether a room is the default room of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomKind {
    /// It is: the connection receives presence lists.
    Default,
    /// It is not.
    Other,
}

/// Where the replay for a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplayCursor {
    /// The last entry that the client has.
    pub(crate) after: Seq,
    /// How the replay is sent.
    pub(crate) mode: ReplayMode,
}

/// How a replay is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayMode {
    /// As `missed`: the client reconnected with `since`.
    Missed,
    /// As live entries: the client received the head a moment ago.
    Live,
}

/// The state of the replay for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayStatus {
    /// Entries up to the head are in the outbox, and new entries follow.
    Live,
    /// The cursor is older than the ring: the caller reads the store and tries again.
    Behind,
    /// The cursor is after the head of this node: the store may be ahead.
    Ahead,
    /// The connection is not attached.
    NotAttached,
}

/// Whether the present users of a room changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PresenceChange {
    Changed,
    Unchanged,
}

/// Whether all entries of a run were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunDelivery {
    /// They were, now or before.
    Complete,
    /// Entries before the rest are missing on this node: the store has them.
    Partial,
}

/// The posts of an ordered run that directly follow `head`, and whether others follow after a gap.
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

/// Connections whose outbox was full. The caller closes them without holding a lock.
pub(crate) type FullOutboxes = Vec<Arc<dyn Outbox>>;

/// The presence of users in a room on another node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RemotePresence<'a> {
    Joined(&'a NamedUser),
    Left(&'a UserName),
    /// All users of the room on that node, and the display names of those who have one.
    Snapshot(&'a [UserName], &'a DisplayNames),
}

impl From<bool> for PresenceChange {
    fn from(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Unchanged }
    }
}
