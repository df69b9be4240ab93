//! One queue in front of the store. The queue fixes the order of writes, and a write is
//! acknowledged once it is on disk.
//!
//! Each transaction takes the queued commands and never waits for more (group commit): a single
//! message is stored at once, and up to 512 commands share one transaction. A message that cannot
//! be stored is rejected to its sender and is not delivered.
//!
//! All writes go through the journal: messages, memberships and users' visits. They have one order,
//! and what the hub caches equals what the store has.

mod pending_change;
mod writer;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tracing::debug;

pub(crate) use self::pending_change::{ChangeReply, PendingChange, joined};
pub use self::writer::JournalWriter;
pub(super) use self::writer::WriterParts;
use super::{
    cluster::{MembershipRefresh, RefreshQueue},
    hub::{Cause, OnlineUserId, StaleMemberships},
    ports::{Change, Draft, DraftAct, GuestExpired, TrimLimits, UserDeparted, UserSeen},
    request::PendingReply,
};
use crate::domain::{ConnectionId, Limits, Place, Rejection, RoomTopic, Seq, Space, UserName};

/// The bytes that a message counts in the queue in addition to its body.
const ENTRY_BYTES: usize = 256;

/// Receives the result of a command. The receiver may be dropped.
type Completion<T> = oneshot::Sender<Result<T, Rejection>>;

/// A draft on its way to the store.
pub(crate) struct PendingDraft {
    pub(crate) draft: Draft,
    /// The sending connection.
    pub(crate) origin: ConnectionId,
    /// The sending connection, where the message is not delivered to it.
    pub(crate) except: Option<ConnectionId>,
    pub(crate) reply: PendingReply,
}

/// A membership change on its way to the store.
pub(crate) struct MembershipRequest {
    pub(crate) change: Change,
    pub(crate) cause: Cause,
    pub(crate) reply: PendingChange,
}

/// The load of the memberships of a connecting user.
pub(crate) struct MembershipLoad {
    pub(crate) seen: UserSeen,
    /// Tells successive online users of one name apart.
    pub(crate) online_user: OnlineUserId,
    /// The rooms that the user joins by connecting.
    pub(crate) joins: Vec<Change>,
}

/// The sending end of the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    queue: mpsc::Sender<JournalCommand>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    store_state: Arc<StoreState>,
}

/// What the writer does with the store.
#[derive(Debug)]
struct StoreState {
    /// Whether the last transaction succeeded.
    is_up: AtomicBool,
    /// Whether a transaction runs.
    is_busy: AtomicBool,
}

/// What waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalUsage {
    pub(crate) commands: usize,
    /// The size of the messages among them, and of those that are being stored.
    pub(crate) bytes: usize,
    /// Whether the last transaction succeeded.
    pub(crate) is_store_up: bool,
}

enum JournalCommand {
    UserSeen(UserSeen),
    UserDeparted(UserDeparted),
    GuestExpired(GuestExpired),
    PendingDraft(PendingDraft, OwnedSemaphorePermit),
    MembershipRequest(MembershipRequest),
    MembershipLoad(MembershipLoad, Completion<PriorMembership>),
    MembershipRefresh(MembershipRefresh, Option<oneshot::Sender<()>>),
    Trim(TrimLimits, Completion<More>),
    Erase(Place, Seq, Completion<More>),
    Probe(u64, Completion<()>),
}

/// Whether a connecting user had any membership before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriorMembership {
    /// The user had one.
    Known,
    /// The user had none: the rooms that the client remembers are joined.
    New,
}

/// Whether more entries are due for removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

impl Journal {
    /// Creates the queue and the task that stores what is queued.
    pub(super) fn new(limits: &Limits, parts: WriterParts) -> (Self, JournalWriter) {
        let (queue, commands) = mpsc::channel(limits.journal_messages_max.get());
        let bytes_max = limits.journal_bytes_max.get();
        let bytes = Arc::new(Semaphore::new(bytes_max as usize));
        let (is_up, is_busy) = (AtomicBool::new(true), AtomicBool::new(false));
        let store_state = Arc::new(StoreState { is_up, is_busy });
        let writer = JournalWriter::new(commands, parts, Arc::clone(&store_state));
        (Self { queue, bytes, bytes_max, store_state }, writer)
    }

    /// What waits now.
    pub(crate) fn usage(&self) -> JournalUsage {
        JournalUsage {
            commands: self.queue.max_capacity() - self.queue.capacity(),
            bytes: (self.bytes_max as usize).saturating_sub(self.bytes.available_permits()),
            is_store_up: self.store_state.is_up.load(Ordering::Relaxed),
        }
    }

    /// Whether the writer waits for the store.
    pub(crate) fn is_store_busy(&self) -> bool {
        self.store_state.is_busy.load(Ordering::Relaxed)
    }

    /// Sends a probe the way that messages take, and waits until the store has committed a transaction
    /// and the bus has the probe.
    pub(crate) async fn probe(&self, number: u64) -> Result<(), Rejection> {
        let (done, outcome) = oneshot::channel();
        self.queue(JournalCommand::Probe(number, done)).await;
        outcome.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Queues a draft. Waits while the queue is full.
    pub(crate) async fn append(&self, message: PendingDraft) {
        let body = match &message.draft.act {
            DraftAct::Say { body, .. } | DraftAct::Edit { body, .. } => body.bytes(),
            DraftAct::Topic(topic) => RoomTopic::text(topic.as_ref()).len(),
            DraftAct::Delete { .. } => 0,
        };
        let bytes = u32::try_from(body + ENTRY_BYTES).unwrap_or(u32::MAX).min(self.bytes_max);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        let permit = permit.expect("the semaphore is never closed");
        self.queue(JournalCommand::PendingDraft(message, permit)).await;
    }

    /// Queues a membership change.
    pub(crate) async fn request_membership(&self, request: MembershipRequest) {
        self.queue(JournalCommand::MembershipRequest(request)).await;
    }

    /// Stores a user's visit and waits until the user's memberships are cached.
    pub(crate) async fn load_memberships(
        &self,
        load: MembershipLoad,
    ) -> Result<PriorMembership, Rejection> {
        let (done, outcome) = oneshot::channel();
        self.queue(JournalCommand::MembershipLoad(load, done)).await;
        outcome.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Removes one portion of what retention does not keep. Returns whether more is due.
    pub(crate) async fn trim(&self, retention: TrimLimits) -> Result<More, Rejection> {
        let (done, outcome) = oneshot::channel();
        self.queue(JournalCommand::Trim(retention, done)).await;
        outcome.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Removes one portion of the entries of a place up to a seq. Returns whether there are more.
    pub(crate) async fn erase(&self, place: Place, up_to: Seq) -> Result<More, Rejection> {
        let (done, outcome) = oneshot::channel();
        self.queue(JournalCommand::Erase(place, up_to, done)).await;
        outcome.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Queues that a user with cached memberships connected again.
    pub(crate) async fn record_seen(&self, seen: UserSeen) {
        self.queue(JournalCommand::UserSeen(seen)).await;
    }

    /// Queues that a user disconnected, unless the queue is full: the store still has the time of
    /// the user's connect.
    pub(crate) fn try_record_departure(&self, departed: UserDeparted) {
        if self.queue.try_send(JournalCommand::UserDeparted(departed)).is_err() {
            debug!("user departure not recorded: the journal is full or closed");
        }
    }

    /// Queues that a guest has expired, unless the queue is full: a later sweep removes the guest
    /// then.
    pub(crate) fn try_forget_guest(&self, expired: GuestExpired) {
        if self.queue.try_send(JournalCommand::GuestExpired(expired)).is_err() {
            debug!("guest expiry not recorded: the journal is full or closed");
        }
    }

    /// Reads a user's memberships again and waits until they are cached or the read has failed.
    pub(crate) async fn refresh(&self, space: &Space, user: &UserName) {
        let (done, waiting) = oneshot::channel();
        let (space, user, stale) = (space.clone(), user.clone(), StaleMemberships::default());
        let refresh = MembershipRefresh { space, user, stale };
        self.queue(JournalCommand::MembershipRefresh(refresh, Some(done))).await;
        waiting.await.ok();
    }

    async fn queue(&self, it: JournalCommand) {
        if let Err(rejected) = self.queue.send(it).await {
            rejected.0.reject(Rejection::Draining);
        }
    }
}

impl RefreshQueue for Journal {
    fn try_refresh(&self, refresh: MembershipRefresh) -> Result<(), MembershipRefresh> {
        match self.queue.try_send(JournalCommand::MembershipRefresh(refresh, None)) {
            Err(TrySendError::Full(JournalCommand::MembershipRefresh(refresh, _))) => Err(refresh),
            // A closed journal stores nothing more: there is nothing to refresh.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl JournalCommand {
    /// Rejects a command that was not queued.
    fn reject(self, rejection: Rejection) {
        match self {
            Self::PendingDraft(message, _) => message.reply.reject(rejection),
            Self::MembershipRequest(request) => request.reply.reject(rejection),
            Self::MembershipLoad(_, done) => drop(done.send(Err(rejection))),
            Self::Trim(_, done) | Self::Erase(_, _, done) => drop(done.send(Err(rejection))),
            Self::Probe(_, done) => drop(done.send(Err(rejection))),
            Self::UserSeen(_)
            | Self::UserDeparted(_)
            | Self::GuestExpired(_)
            | Self::MembershipRefresh(..) => (),
        }
    }
}
