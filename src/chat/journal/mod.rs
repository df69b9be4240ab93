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

pub use self::writer::Writer;
use super::{
    event::Delivery,
    hub::{Cause, Hub},
    ports::{Change, Changed, Draft, DraftAct, Gone, Outcome, Retention, Seen, Store, Went},
    relay::{Relay, Stale},
};
use crate::domain::{ConnectionId, Limits, Rejection, Space, UserName};

/// What a message counts in the queue beside its body.
const ENTRY_BYTES: usize = 256;

/// Called once the fate of something is known.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T, Rejection>) + Send>;

/// A draft on its way to the store.
pub(crate) struct Submission {
    pub(crate) draft: Draft,
    /// The connection that does not hear of it: it came from there, and is for the others.
    pub(crate) except: Option<ConnectionId>,
    pub(crate) done: Done<Outcome>,
}

/// A change of who is a member on its way to the store.
pub(crate) struct Petition {
    pub(crate) change: Change,
    pub(crate) cause: Cause,
    pub(crate) done: Done<Changed>,
}

/// A user on their way in.
pub(crate) struct Arrival {
    pub(crate) seen: Seen,
    /// Which of those who had the name they are.
    pub(crate) resident: u64,
    /// Where they become members by coming.
    pub(crate) joins: Vec<Change>,
}

/// A user whose memberships another node has changed: they are to be read again.
pub(crate) struct Refresh {
    pub(crate) space: Space,
    pub(crate) user: UserName,
    pub(crate) stale: Stale,
    /// Who waits for it.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// The way into the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    queue: mpsc::Sender<Queued>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

enum Queued {
    Seen(Seen),
    Went(Went),
    Gone(Gone),
    Submission(Submission, OwnedSemaphorePermit),
    Petition(Petition),
    Arrival(Arrival, Done<Standing>),
    Refresh(Refresh),
    Trim(Retention, Done<More>),
}

/// Whether somebody who comes was a member of anything before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
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
    pub(crate) fn new(
        limits: &Limits,
        store: Arc<dyn Store>,
        hub: Arc<Hub>,
        relay: Arc<Relay>,
    ) -> (Self, Writer) {
        let (queue, queued) = mpsc::channel(limits.journal_messages_max.get());
        let bytes_max = limits.journal_bytes_max.get();
        let bytes = Arc::new(Semaphore::new(bytes_max as usize));
        (Self { queue, bytes, bytes_max }, Writer::new(queued, store, hub, relay))
    }

    /// Queues a draft behind all that came before it. Waits while the queue is full.
    pub(crate) async fn append(&self, submission: Submission) {
        let body = match &submission.draft.act {
            DraftAct::Say { body, .. } | DraftAct::Edit { body, .. } => body.bytes(),
            DraftAct::Delete { .. } => 0,
        };
        let bytes = u32::try_from(body + ENTRY_BYTES).unwrap_or(u32::MAX).min(self.bytes_max);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        let permit = permit.expect("the semaphore is never closed");
        self.queue(Queued::Submission(submission, permit)).await;
    }

    /// Queues a change of who is a member.
    pub(crate) async fn petition(&self, petition: Petition) {
        self.queue(Queued::Petition(petition)).await;
    }

    /// Writes down that a user came, and waits until it is known here where they are a member.
    pub(crate) async fn arrive(&self, arrival: Arrival) -> Result<Standing, Rejection> {
        let (done, fate) = answer();
        self.queue(Queued::Arrival(arrival, done)).await;
        fate.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Takes away some of what is not to be kept any more, and says whether there is more.
    pub(crate) async fn trim(&self, retention: Retention) -> Result<More, Rejection> {
        let (done, fate) = answer();
        self.queue(Queued::Trim(retention, done)).await;
        fate.await.unwrap_or(Err(Rejection::Draining))
    }

    /// Notes that a user came once more.
    pub(crate) async fn saw(&self, seen: Seen) {
        self.queue(Queued::Seen(seen)).await;
    }

    /// Notes that a user went, if there is room: it is known when they came.
    pub(crate) fn try_went(&self, went: Went) {
        if self.queue.try_send(Queued::Went(went)).is_err() {
            debug!("that somebody went is not noted: the journal is full or closed");
        }
    }

    /// Notes that a guest will not come back, if there is room: they are swept away later otherwise.
    pub(crate) fn try_gone(&self, gone: Gone) {
        if self.queue.try_send(Queued::Gone(gone)).is_err() {
            debug!("that a guest is gone is not noted: the journal is full or closed");
        }
    }

    /// Has read again where a user is a member, if there is room; if not, the caller may try later.
    pub(crate) fn try_refresh(&self, refresh: Refresh) -> Result<(), Refresh> {
        match self.queue.try_send(Queued::Refresh(refresh)) {
            Err(TrySendError::Full(Queued::Refresh(refresh))) => Err(refresh),
            // What is closed stores nothing any more that somebody could hear of.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Has read again where a user is a member, and waits until that is known here, or cannot be read.
    pub(crate) async fn refresh(&self, space: &Space, user: &UserName) {
        let (done, waiting) = oneshot::channel();
        let (space, user, stale) = (space.clone(), user.clone(), Stale::default());
        self.queue(Queued::Refresh(Refresh { space, user, stale, done: Some(done) })).await;
        waiting.await.ok();
    }

    async fn queue(&self, it: Queued) {
        if let Err(refused) = self.queue.send(it).await {
            refused.0.refuse(Rejection::Draining);
        }
    }
}

impl Queued {
    /// Tells whoever waits for it that it was not taken.
    fn refuse(self, rejection: Rejection) {
        match self {
            Self::Submission(submission, _) => (submission.done)(Err(rejection)),
            Self::Petition(petition) => (petition.done)(Err(rejection)),
            Self::Arrival(_, done) => done(Err(rejection)),
            Self::Trim(_, done) => done(Err(rejection)),
            Self::Seen(_) | Self::Went(_) | Self::Gone(_) | Self::Refresh(_) => (),
        }
    }
}

/// A place for an answer, and who waits for it.
fn answer<T: Send + 'static>() -> (Done<T>, oneshot::Receiver<Result<T, Rejection>>) {
    let (sender, receiver) = oneshot::channel();
    // Whoever asked may be gone by now.
    (Box::new(move |answer| drop(sender.send(answer))), receiver)
}

/// A stored entry on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// A delivery of [`Event::Entry`](super::event::Event::Entry).
    pub(crate) delivery: Arc<Delivery>,
    /// The connection that does not hear it.
    pub(crate) except: Option<ConnectionId>,
}
