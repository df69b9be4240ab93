//! One queue in front of the store: order is kept by the queue, acks resolve when the disk has it.
//!
//! The journal takes what waits and never waits for more (group commit), so a single message is
//! stored at once and a thousand at a time share one transaction. What could not be stored is
//! refused to its sender and told to nobody.
//!
//! Everything that is kept goes through it: messages, who is a member, who came. So there is one
//! order of all that, and what the hub remembers of it is what the store has.

mod writer;

use std::sync::Arc;

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tracing::debug;

pub use self::writer::JournalWriter;
pub(super) use self::writer::WriterParts;
use super::{
    cluster::{MembershipRefresh, RefreshQueue},
    hub::{Cause, StaleMemberships},
    ports::{
        Change, ChangeResult, Draft, DraftAct, GuestExpired, Outcome, TrimLimits, UserDeparted,
        UserSeen,
    },
};
use crate::domain::{ConnectionId, Limits, Rejection, Space, UserName};

/// What a message counts in the queue beside its body.
const ENTRY_BYTES: usize = 256;

/// Called once the fate of something is known.
pub(crate) type Completion<T> = Box<dyn FnOnce(Result<T, Rejection>) + Send>;

/// A draft on its way to the store.
pub(crate) struct PendingMessage {
    pub(crate) draft: Draft,
    /// The connection that does not hear of it: it came from there, and is for the others.
    pub(crate) except: Option<ConnectionId>,
    pub(crate) done: Completion<Outcome>,
}

/// A change of who is a member on its way to the store.
pub(crate) struct MembershipRequest {
    pub(crate) change: Change,
    pub(crate) cause: Cause,
    pub(crate) done: Completion<ChangeResult>,
}

/// A user on their way in.
pub(crate) struct MembershipLoad {
    pub(crate) seen: UserSeen,
    /// Which of those who had the name they are.
    pub(crate) online_user_id: u64,
    /// Where they become members by coming.
    pub(crate) joins: Vec<Change>,
}

/// The way into the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    queue: mpsc::Sender<JournalCommand>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

enum JournalCommand {
    UserSeen(UserSeen),
    UserDeparted(UserDeparted),
    GuestExpired(GuestExpired),
    PendingMessage(PendingMessage, OwnedSemaphorePermit),
    MembershipRequest(MembershipRequest),
    MembershipLoad(MembershipLoad, Completion<PriorMembership>),
    MembershipRefresh(MembershipRefresh, Option<oneshot::Sender<()>>),
    Trim(TrimLimits, Completion<More>),
}

/// Whether somebody who comes was a member of anything before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriorMembership {
    /// They were.
    Known,
    /// They were not: nobody knows what they want.
    New,
}

/// Whether there is more to take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

impl Journal {
    /// Makes the two ends: where everything goes in, and the task that stores it.
    pub(super) fn new(limits: &Limits, parts: WriterParts) -> (Self, JournalWriter) {
        let (queue, commands) = mpsc::channel(limits.journal_messages_max.get());
        let bytes_max = limits.journal_bytes_max.get();
        let bytes = Arc::new(Semaphore::new(bytes_max as usize));
        (Self { queue, bytes, bytes_max }, JournalWriter::new(commands, parts))
    }

    /// Queues a draft behind all that came before it. Waits while the queue is full.
    pub(crate) async fn append(&self, message: PendingMessage) {
        let body = match &message.draft.act {
            DraftAct::Say { body, .. } | DraftAct::Edit { body, .. } => body.bytes(),
            DraftAct::Delete { .. } => 0,
        };
        let bytes = u32::try_from(body + ENTRY_BYTES).unwrap_or(u32::MAX).min(self.bytes_max);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        let permit = permit.expect("the semaphore is never closed");
        self.queue(JournalCommand::PendingMessage(message, permit)).await;
    }

    /// Queues a change of who is a member.
    pub(crate) async fn request_membership(&self, request: MembershipRequest) {
        self.queue(JournalCommand::MembershipRequest(request)).await;
    }

    /// Writes down that a user came, and waits until it is known here where they are a member.
    pub(crate) async fn load_memberships(
        &self,
        load: MembershipLoad,
    ) -> Result<PriorMembership, Rejection> {
        let (done, outcome) = completion();
        self.queue(JournalCommand::MembershipLoad(load, done)).await;
        outcome.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Takes away some of what is not to be kept any more, and says whether there is more.
    pub(crate) async fn trim(&self, retention: TrimLimits) -> Result<More, Rejection> {
        let (done, outcome) = completion();
        self.queue(JournalCommand::Trim(retention, done)).await;
        outcome.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Notes that a user came once more.
    pub(crate) async fn record_seen(&self, seen: UserSeen) {
        self.queue(JournalCommand::UserSeen(seen)).await;
    }

    /// Notes that a user went, if there is room: it is known when they came.
    pub(crate) fn try_record_departure(&self, departed: UserDeparted) {
        if self.queue.try_send(JournalCommand::UserDeparted(departed)).is_err() {
            debug!("that somebody went is not noted: the journal is full or closed");
        }
    }

    /// Notes that a guest will not come back, if there is room: they are swept away later otherwise.
    pub(crate) fn try_forget_guest(&self, expired: GuestExpired) {
        if self.queue.try_send(JournalCommand::GuestExpired(expired)).is_err() {
            debug!("that a guest is gone is not noted: the journal is full or closed");
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
    /// Tells whoever waits for it that it was not taken.
    fn reject(self, rejection: Rejection) {
        match self {
            Self::PendingMessage(message, _) => (message.done)(Err(rejection)),
            Self::MembershipRequest(request) => (request.done)(Err(rejection)),
            Self::MembershipLoad(_, done) => done(Err(rejection)),
            Self::Trim(_, done) => done(Err(rejection)),
            Self::UserSeen(_)
            | Self::UserDeparted(_)
            | Self::GuestExpired(_)
            | Self::MembershipRefresh(..) => (),
        }
    }
}

/// A place for an answer, and who waits for it.
fn completion<T: Send + 'static>() -> (Completion<T>, oneshot::Receiver<Result<T, Rejection>>) {
    let (sender, receiver) = oneshot::channel();
    // Whoever asked may be gone by now.
    (Box::new(move |answer| drop(sender.send(answer))), receiver)
}
