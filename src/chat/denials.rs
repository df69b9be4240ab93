//! Changes of who is refused: stored, applied on this node, announced to the others.
//!
//! One task makes them, one after the other. So a request that is cancelled halfway leaves no
//! change that is stored and unknown, and what a change is merged with does not change meanwhile.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    Chat,
    fault::unavailable,
    hub::DenialRoom,
    ports::{ClusterCommand, DenialChange},
};
use crate::domain::{Channel, Denial, DenialSubject, Rejection};

/// Changes that wait. Further callers wait for a place.
const QUEUE_MAX: usize = 256;

/// A change, and where its result goes.
type QueuedChange = (DenialChange, oneshot::Sender<Result<(), Rejection>>);

/// The queue of [`Chat::run_denials`].
pub(super) struct DenialQueue {
    sender: mpsc::Sender<QueuedChange>,
    /// Taken by the task.
    receiver: Mutex<Option<mpsc::Receiver<QueuedChange>>>,
}

impl Default for DenialQueue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl fmt::Debug for DenialQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenialQueue").finish_non_exhaustive()
    }
}

impl Chat {
    /// Makes the changes of the list of denials. Runs for ever; a second call returns at once.
    pub async fn run_denials(self: Arc<Self>) {
        let Some(mut receiver) = self.denial_queue.receiver.lock().take() else { return };
        while let Some((change, done)) = receiver.recv().await {
            // The caller may have been cancelled.
            done.send(self.change_denials(change).await).ok();
        }
    }

    /// Refuses a subject from now on. Stored and applied on this node when this returns.
    pub(super) async fn deny(&self, denial: Denial) -> Result<(), Rejection> {
        self.enqueue_denial_change(DenialChange::Deny(denial)).await
    }

    /// Ends the denial of a subject.
    pub(super) async fn allow(&self, subject: DenialSubject) -> Result<(), Rejection> {
        self.enqueue_denial_change(DenialChange::Allow(subject)).await
    }

    async fn enqueue_denial_change(&self, change: DenialChange) -> Result<(), Rejection> {
        let (done, result) = oneshot::channel();
        let queued = self.denial_queue.sender.send((change, done)).await;
        queued.map_err(|_closed| Rejection::Draining)?;
        result.await.unwrap_or(Err(Rejection::Draining))
    }

    async fn change_denials(&self, change: DenialChange) -> Result<(), Rejection> {
        let DenialChange::Deny(denial) = change else { return self.store_denial(change).await };
        match self.hub.denials.room_for(&denial.subject, self.clock.now()) {
            DenialRoom::Free => (),
            DenialRoom::FreeWithout(first) => {
                self.store_denial(DenialChange::Allow(first)).await?;
            }
            DenialRoom::Full => return Err(Rejection::TooManyDenials),
        }
        self.store_denial(DenialChange::Deny(self.merged(denial))).await
    }

    async fn store_denial(&self, change: DenialChange) -> Result<(), Rejection> {
        let now = self.clock.now();
        let number = self.store.change_denials(&change, now).await.map_err(|fault| {
            // It may be stored nevertheless.
            self.cluster.check_denials_soon();
            unavailable(&fault)
        })?;
        self.hub.change_denials(number, &change, now);
        let command = ClusterCommand::ChangeDenials { number, change };
        self.hub.publisher.publish_command(Channel::BROADCAST, command);
        Ok(())
    }

    /// The denial, and not less than that of the same tokens before: a revoked token does not
    /// become valid because others are revoked.
    fn merged(&self, denial: Denial) -> Denial {
        let is_ban = matches!(denial.subject, DenialSubject::User(..));
        match self.hub.denials.get(&denial.subject) {
            Some(before) if !is_ban => Denial {
                at: denial.at.max(before.at),
                until: denial.until.zip(before.until).map(|(one, other)| one.max(other)),
                ..denial
            },
            _ => denial,
        }
    }
}
