//! One queue in front of the store: order is kept by the queue, acks resolve when the disk has it.
//!
//! The journal takes what waits and never waits for more (group commit), so a single message is
//! stored at once and a thousand at a time share one transaction. What could not be stored is
//! refused to its sender and told to nobody.

use std::{collections::HashMap, mem, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::{
    event::{Delivery, Event},
    hub::{Hub, Post},
    ports::{Announcement, Batch, Bus, Draft, Fault, Outcome, Seen, Store},
    request::Receipt,
};
use crate::domain::{ConnectionId, Kind, Limits, Message, Place, Rejection, Seq};

/// Messages in one transaction: large enough that the disk's flush is shared by many, small enough
/// that the readers of a busy room are served in between.
const BATCH_MESSAGES_MAX: usize = 512;
/// What a message counts in the queue beside its body.
const ENTRY_BYTES: usize = 256;

/// Called once the draft's fate is known.
pub(crate) type Done = Box<dyn FnOnce(Result<Receipt, Rejection>) + Send>;

/// A draft on its way to the store.
pub(crate) struct Entry {
    pub(crate) draft: Draft,
    /// The connection that it came from.
    pub(crate) origin: ConnectionId,
    pub(crate) done: Done,
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
    Entry(Entry, OwnedSemaphorePermit),
}

impl Journal {
    /// Makes the two ends: where drafts go in, and the task that stores them.
    pub(crate) fn new(
        limits: &Limits,
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        hub: Arc<Hub>,
    ) -> (Self, Writer) {
        let (queue, queued) = mpsc::channel(limits.journal_messages_max.get());
        let bytes_max = limits.journal_bytes_max.get();
        let bytes = Arc::new(Semaphore::new(bytes_max as usize));
        let writer = Writer { queued, store, bus, hub, seen: Vec::new(), broken: false };
        (Self { queue, bytes, bytes_max }, writer)
    }

    /// Queues a draft behind all that came before it. Waits while the queue is full.
    pub(crate) async fn append(&self, entry: Entry) {
        let bytes = entry.draft.body.bytes() + ENTRY_BYTES;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        let permit = permit.expect("the semaphore is never closed");
        if let Err(refused) = self.queue.send(Queued::Entry(entry, permit)).await {
            refuse(refused.0, Rejection::Draining);
        }
    }

    /// Notes that a user came, so that direct messages to them have a receiver.
    pub(crate) async fn saw(&self, seen: Seen) {
        if let Err(refused) = self.queue.send(Queued::Seen(seen)).await {
            refuse(refused.0, Rejection::Draining);
        }
    }

    /// Notes that a user went, if there is room: it is known when they came.
    pub(crate) fn try_saw(&self, seen: Seen) {
        if self.queue.try_send(Queued::Seen(seen)).is_err() {
            debug!("that somebody went is not noted: the journal is full or closed");
        }
    }
}

/// Tells the sender of a draft that it was not taken.
fn refuse(queued: Queued, rejection: Rejection) {
    match queued {
        Queued::Entry(entry, _) => (entry.done)(Err(rejection)),
        Queued::Seen(_) => (),
    }
}

/// The task that stores what is queued and sends it on.
pub struct Writer {
    queued: mpsc::Receiver<Queued>,
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    hub: Arc<Hub>,
    /// Users that are to go with the next transaction.
    seen: Vec<Seen>,
    /// Whether the last transaction failed: the log says when that begins and ends, not each time.
    broken: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Writer {
    /// Stores until `finish`, then what is still queued, and ends.
    pub async fn run(mut self, finish: CancellationToken) {
        let mut waiting = Vec::with_capacity(BATCH_MESSAGES_MAX);
        loop {
            // Both are cancel-safe: `recv_many` takes nothing when it does not return.
            let taken = tokio::select! {
                taken = self.queued.recv_many(&mut waiting, BATCH_MESSAGES_MAX) => taken,
                () = finish.cancelled(), if !self.queued.is_closed() => {
                    self.queued.close();
                    continue;
                }
            };
            if taken == 0 {
                return;
            }
            self.store(mem::take(&mut waiting)).await;
        }
    }

    async fn store(&mut self, queued: Vec<Queued>) {
        let mut batch = Batch { seen: mem::take(&mut self.seen), drafts: Vec::new() };
        let mut senders = Vec::with_capacity(queued.len());
        for it in queued {
            match it {
                Queued::Seen(seen) => batch.seen.push(seen),
                Queued::Entry(entry, permit) => {
                    batch.drafts.push(entry.draft);
                    senders.push((entry.origin, entry.done, permit));
                }
            }
        }
        match self.store.commit(&batch).await {
            Ok(outcomes) => {
                self.heal();
                self.send_on(batch.drafts, senders, outcomes);
            }
            Err(fault) => {
                self.complain(&fault);
                self.seen = batch.seen;
                self.seen.truncate(BATCH_MESSAGES_MAX);
                for (_, done, _) in senders {
                    done(Err(Rejection::Unavailable));
                }
            }
        }
    }

    /// Answers the senders, then tells the other nodes and this node's connections.
    fn send_on(
        &self,
        drafts: Vec<Draft>,
        senders: Vec<(ConnectionId, Done, OwnedSemaphorePermit)>,
        outcomes: Vec<Outcome>,
    ) {
        debug_assert_eq!(drafts.len(), outcomes.len(), "one outcome per draft");
        let mut runs: HashMap<Place, Vec<Post>> = HashMap::new();
        for ((draft, (origin, done, _permit)), outcome) in
            drafts.into_iter().zip(senders).zip(outcomes)
        {
            let (id, at) = (draft.id.clone(), draft.at);
            match outcome {
                Outcome::Stored(seq) => {
                    done(Ok(Receipt { id, seq, at, duplicate: false }));
                    let message = place(draft, seq);
                    let run = runs.entry(message.place.clone()).or_default();
                    run.push(post(message, origin));
                }
                Outcome::Duplicate { seq, at } => {
                    done(Ok(Receipt { id, seq, at, duplicate: true }));
                }
                Outcome::Conflict => done(Err(Rejection::Conflict)),
            }
        }
        for (place, run) in runs {
            for post in &run {
                self.bus.publish(Announcement { delivery: Arc::clone(&post.delivery) });
            }
            self.hub.deliver(&place, &run);
        }
    }

    fn complain(&mut self, fault: &Fault) {
        if !mem::replace(&mut self.broken, true) {
            error!(error = fault.chain(), "messages cannot be stored");
        }
    }

    fn heal(&mut self) {
        if mem::replace(&mut self.broken, false) {
            info!("messages are stored again");
        }
    }
}

/// A draft with its place.
fn place(draft: Draft, seq: Seq) -> Message {
    let Draft { place, id, kind, author, body, at } = draft;
    Message { place, seq, id, kind, author, body, at }
}

/// A message on its way out. Who said it to the others does not hear it again.
fn post(message: Message, origin: ConnectionId) -> Post {
    let except = match message.kind {
        Kind::Message => None,
        Kind::GroupChat | Kind::SingleChat => Some(origin),
    };
    let seq = message.seq;
    Post { delivery: Delivery::new(Event::Message(message)), seq, except }
}
