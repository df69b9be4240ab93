//! The task that commits queued commands and delivers the results.

mod probe;
mod removal;
mod single_reads;
mod spans;

use std::{
    collections::HashMap,
    mem,
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{
    Completion, JournalCommand, MembershipLoad, MembershipRequest, PendingChange, PendingDraft,
    PriorMembership, StoreState,
};
use crate::{
    chat::{
        cluster::{Cluster, MembershipRefresh},
        event::{Delivery, Event, Post},
        hub::{Cause, Hub, OnlineUserId, StaleMemberships},
        ports::{
            Batch, Change, Clock, Committed, Draft, DraftAct, Fault, MemberChange, MetricEvent,
            Metrics, Outcome, Recording, Store, UserSeen,
        },
        request::{PendingReply, ReadyReply},
        webhooks::Webhooks,
    },
    domain::{Act, ConnectionId, Content, Entry, Place, Position, Rejection, Seq, Space, UserName},
};

/// Commands per transaction: large enough that many share one disk flush, small enough that the
/// readers of a busy room are served in between.
const BATCH_MAX: usize = 512;

/// See the module.
pub struct JournalWriter {
    commands: mpsc::Receiver<JournalCommand>,
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    cluster: Arc<Cluster>,
    metrics: Arc<dyn Metrics>,
    webhooks: Option<Arc<Webhooks>>,
    clock: Arc<dyn Clock>,
    /// Visits whose transaction failed: the next one stores them.
    seen: Vec<UserSeen>,
    /// Only the first failure and the recovery are logged.
    store_state: Arc<StoreState>,
}

/// What the writer works on.
pub(in crate::chat) struct WriterParts {
    pub(in crate::chat) store: Arc<dyn Store>,
    pub(in crate::chat) hub: Arc<Hub>,
    pub(in crate::chat) cluster: Arc<Cluster>,
    pub(in crate::chat) metrics: Arc<dyn Metrics>,
    pub(in crate::chat) webhooks: Option<Arc<Webhooks>>,
    pub(in crate::chat) clock: Arc<dyn Clock>,
}

/// The stored entries of one conversation, and the replies that follow their delivery.
#[derive(Default)]
struct StoredRun {
    posts: Vec<Post>,
    replies: Vec<(Seq, ReadyReply)>,
}

/// The sending connection of a draft, the connection that it is not delivered to, its reply, and
/// its share of the queue.
type MessageWaiter = (ConnectionId, Option<ConnectionId>, PendingReply, OwnedSemaphorePermit);

/// The waiters for the results of a batch, in the order of its parts.
#[derive(Default)]
struct BatchWaiters {
    /// Joins of a connecting user have no reply.
    changes: Vec<(Cause, Option<PendingChange>)>,
    messages: Vec<MessageWaiter>,
    waiters: Vec<Waiter>,
}

/// A waiter for a user's memberships.
enum Waiter {
    /// A connecting user: the online user's id, and the range of the batch's changes that are its
    /// joins.
    Load(OnlineUserId, Range<usize>, Completion<PriorMembership>),
    /// A refresh after another node changed the memberships, and the range of the batch's changes
    /// that read memberships in single conversations.
    MembershipRefresh(StaleMemberships, Range<usize>, Option<oneshot::Sender<()>>),
}

impl std::fmt::Debug for JournalWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalWriter")
            .field("store_state", &self.store_state)
            .finish_non_exhaustive()
    }
}

impl JournalWriter {
    pub(super) fn new(
        commands: mpsc::Receiver<JournalCommand>,
        parts: WriterParts,
        store_state: Arc<StoreState>,
    ) -> Self {
        let WriterParts { store, hub, cluster, metrics, webhooks, clock } = parts;
        let seen = Vec::new();
        Self { commands, store, hub, cluster, metrics, webhooks, clock, seen, store_state }
    }

    /// Stores commands until `finish`, then the rest of the queue, and returns.
    pub async fn run(mut self, finish: CancellationToken) {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        loop {
            // Both are cancel-safe: `recv_many` takes nothing when it does not return.
            let taken = tokio::select! {
                taken = self.commands.recv_many(&mut waiting, BATCH_MAX) => taken,
                () = finish.cancelled(), if !self.commands.is_closed() => {
                    self.commands.close();
                    continue;
                }
            };
            if taken == 0 {
                return;
            }
            self.process(mem::take(&mut waiting)).await;
        }
    }

    async fn process(&mut self, commands: Vec<JournalCommand>) {
        let mut batch = Batch { seen: mem::take(&mut self.seen), ..Batch::default() };
        let (mut waiting, mut trims) = (BatchWaiters::default(), Vec::new());
        let (mut erasures, mut probes) = (Vec::new(), Vec::new());
        for it in commands {
            match it {
                JournalCommand::UserSeen(seen) if self.hub.users.is_current(&seen) => {
                    batch.seen.push(seen);
                }
                JournalCommand::UserSeen(_) => (),
                JournalCommand::UserDeparted(departed) => batch.departed.push(departed),
                JournalCommand::GuestExpired(expired) => batch.expired.push(expired),
                JournalCommand::PendingDraft(message, permit) => {
                    let PendingDraft { draft, origin, except, reply } = message;
                    batch.drafts.push(draft);
                    waiting.messages.push((origin, except, reply, permit));
                }
                JournalCommand::MembershipRequest(MembershipRequest { change, cause, reply }) => {
                    if batch.drafts.iter().any(|draft| revokes_right_of(&change, draft)) {
                        self.store(mem::take(&mut batch), mem::take(&mut waiting)).await;
                        batch.seen = mem::take(&mut self.seen);
                    }
                    batch.changes.push(change);
                    waiting.changes.push((cause, Some(reply)));
                }
                JournalCommand::MembershipLoad(load, done) => {
                    self.queue_load(load, done, &mut batch, &mut waiting);
                }
                JournalCommand::MembershipRefresh(refresh, done) => {
                    let MembershipRefresh { space, user, stale } = refresh;
                    let reads = single_reads::reads(&user, &stale.directs);
                    let own_changes = batch.changes.len()..batch.changes.len() + reads.len();
                    waiting.changes.extend(reads.map(|read| {
                        batch.changes.push(read);
                        (Cause::default(), None)
                    }));
                    batch.membership_queries.push((space, user));
                    waiting.waiters.push(Waiter::MembershipRefresh(stale, own_changes, done));
                }
                JournalCommand::Trim(retention, done) => trims.push((retention, done)),
                JournalCommand::Erase(place, up_to, done) => erasures.push((place, up_to, done)),
                JournalCommand::Probe(number, done) => probes.push((number, done)),
            }
        }
        if !batch.is_empty() {
            self.store(batch, waiting).await;
        }
        for (retention, done) in trims {
            // The receiver may have been dropped.
            done.send(self.trim(&retention).await).ok();
        }
        for (place, up_to, done) in erasures {
            done.send(self.erase(place, up_to).await).ok();
        }
        self.probe(probes).await;
    }

    /// Rejects a guest that has lost the name in the meantime.
    fn queue_load(
        &self,
        load: MembershipLoad,
        done: Completion<PriorMembership>,
        batch: &mut Batch,
        waiting: &mut BatchWaiters,
    ) {
        let MembershipLoad { seen, online_user, joins } = load;
        if !self.hub.users.holds_name(&online_user) {
            return drop(done.send(Err(Rejection::NameTaken)));
        }
        batch.membership_queries.push((seen.space.clone(), seen.user.clone()));
        let first = batch.changes.len();
        let own_changes = first..first + joins.len();
        waiting.waiters.push(Waiter::Load(online_user, own_changes, done));
        waiting.changes.extend(joins.iter().map(|_| (Cause::default(), None)));
        batch.changes.extend(joins);
        batch.seen.push(seen);
    }

    async fn store(&mut self, batch: Batch, mut waiting: BatchWaiters) {
        let cluster = Arc::clone(&self.cluster);
        // A reader of the store that waits for this lock finds the entries delivered.
        let commit_lock = cluster.commit_lock().await;
        let begun_at = Instant::now();
        waiting.begin_commit(batch.drafts.len());
        let recording = self.recording(&batch, &waiting);
        let changed_at = (!batch.changes.is_empty()).then(|| self.clock.now());
        let batch = Arc::new(Batch { changed_at, recording, ..batch });
        let stored = self.store_state.track(self.store.commit(Arc::clone(&batch))).await;
        waiting.end_commit();
        // The store has dropped its reference, so nothing is copied.
        let batch = Arc::unwrap_or_clone(batch);
        match stored {
            Ok(committed) => {
                let committed_at = Instant::now();
                let (messages, elapsed) = (batch.drafts.len(), committed_at - begun_at);
                self.metrics.record(MetricEvent::BatchCommitted { messages, elapsed });
                self.log_recovery();
                if let Some(webhooks) = self.webhooks.as_ref().filter(|_| batch.recording.is_some())
                {
                    webhooks.wake();
                }
                self.deliver_committed(batch, waiting, (committed, committed_at));
            }
            Err(fault) => {
                self.metrics.record(MetricEvent::CommitFailed);
                self.log_failure(&fault);
                waiting.reject(&Rejection::Unavailable, &batch.membership_queries, &cluster);
                self.seen = batch.seen;
                self.seen.truncate(BATCH_MAX);
            }
        }
        drop(commit_lock);
    }

    /// The recording for webhooks of a batch that may change something that they are told of.
    fn recording(&self, batch: &Batch, waiting: &BatchWaiters) -> Option<Recording> {
        let Batch { seen, expired, changes, drafts, .. } = batch;
        let is_told =
            !seen.is_empty() || !expired.is_empty() || !changes.is_empty() || !drafts.is_empty();
        let webhooks = self.webhooks.as_ref().filter(|_| is_told)?;
        waiting.keep_traces(drafts, &webhooks.traces);
        let by = |cause: &Cause| cause.by.as_ref().map(|it| it.user.clone());
        webhooks.recording(waiting.changes.iter().map(|(cause, _)| by(cause)).collect())
    }

    /// Completes the waiters and delivers to the other nodes and this node's connections, in the
    /// order of the store.
    fn deliver_committed(
        &self,
        batch: Batch,
        waiting: BatchWaiters,
        (committed, committed_at): (Committed, Instant),
    ) {
        let Committed { changed, outcomes, memberships } = committed;
        let Batch { changes, drafts, membership_queries, .. } = batch;
        debug_assert_eq!(changes.len(), changed.len(), "one answer per change");
        debug_assert_eq!(drafts.len(), outcomes.len(), "one outcome per draft");
        debug_assert_eq!(membership_queries.len(), memberships.len(), "one answer per query");
        for ((change, changed), (cause, reply)) in changes.iter().zip(&changed).zip(waiting.changes)
        {
            self.hub.apply_change(change, changed, &cause);
            if let Some(reply) = reply {
                reply.complete(&self.hub, changed);
            }
        }
        self.deliver(drafts, waiting.messages, (outcomes, committed_at));
        for (((space, user), memberships), waiter) in
            membership_queries.iter().zip(memberships).zip(waiting.waiters)
        {
            match waiter {
                Waiter::Load(online_user, joins, done) => {
                    let joined = changed.get(joins).unwrap_or_default().iter();
                    let new = joined.filter(|it| it.before.is_none() && it.after.is_some()).count();
                    let is_known = memberships.len() > new;
                    self.hub.users.cache_memberships(&online_user, memberships);
                    let prior =
                        if is_known { PriorMembership::Known } else { PriorMembership::New };
                    done.send(Ok(prior)).ok();
                }
                Waiter::MembershipRefresh(stale, reads, done) => {
                    let mut memberships = memberships;
                    let reads = reads.filter_map(|it| Some((changes.get(it)?, changed.get(it)?)));
                    single_reads::add(&mut memberships, reads);
                    let behind = self.hub.refresh((space, user), memberships, &stale);
                    self.cluster.mark_behind(behind);
                    // The receiver may have been dropped.
                    done.map(|done| done.send(()).ok());
                }
            }
        }
    }

    fn deliver(
        &self,
        drafts: Vec<Draft>,
        message_waiters: Vec<MessageWaiter>,
        (outcomes, committed_at): (Vec<Outcome>, Instant),
    ) {
        let mut runs: HashMap<Place, StoredRun> = HashMap::new();
        let mut others = Vec::new();
        for ((draft, (origin, except, reply, permit)), outcome) in
            drafts.into_iter().zip(message_waiters).zip(outcomes)
        {
            let mut reply = reply.complete(outcome, permit);
            if matches!(outcome, Outcome::NotPermitted(_)) {
                // The hub's cached membership is stale.
                let (space, user) = (&draft.place.space, &draft.author);
                self.cluster.mark_stale(space, user, StaleMemberships::default());
            }
            if let Outcome::Stored(position) = outcome {
                let trace = reply.span.as_mut().map(|span| spans::begin_publication(span, &draft));
                let entry = entry_of(draft, position);
                let run = runs.entry(entry.place.clone()).or_default();
                let timer = self.hub.delivery_timers.start(committed_at);
                let delivery = Delivery::traced(Event::Entry(entry), trace).timed(timer);
                run.posts.push(Post { delivery, origin: Some(origin), except });
                run.replies.push((position.seq, reply));
            } else {
                others.push(reply);
            }
        }
        for (place, StoredRun { posts, replies }) in runs {
            self.cluster.publish_entries(&place, &posts, replies);
        }
        ReadyReply::send_all(others);
    }

    fn log_failure(&mut self, fault: &Fault) {
        if self.store_state.is_up.swap(false, Ordering::Relaxed) {
            error!(error = fault.chain(), "store commit failed");
        }
    }

    fn log_recovery(&mut self) {
        if !self.store_state.is_up.swap(true, Ordering::Relaxed) {
            info!("store commit restored");
        }
    }
}

impl BatchWaiters {
    fn reject(self, rejection: &Rejection, arrived: &[(Space, UserName)], cluster: &Cluster) {
        let Self { changes, messages, waiters } = self;
        for reply in changes.into_iter().filter_map(|(_, reply)| reply) {
            reply.reject(rejection.clone());
        }
        for (_, _, reply, _) in messages {
            reply.reject(rejection.clone());
        }
        for (waiter, (space, user)) in waiters.into_iter().zip(arrived) {
            match waiter {
                Waiter::Load(_, _, done) => drop(done.send(Err(rejection.clone()))),
                Waiter::MembershipRefresh(stale, ..) => cluster.mark_stale(space, user, stale),
            }
        }
    }
}

/// Whether a change may revoke the right that a draft needs. The store applies a batch's changes
/// before its drafts, so a draft queued before such a change needs an earlier batch.
fn revokes_right_of(change: &Change, draft: &Draft) -> bool {
    let may_be_less = match change.what {
        MemberChange::Assign(_) | MemberChange::Leave => true,
        MemberChange::Join(_) | MemberChange::Read(_) | MemberChange::Mute(_) => false,
    };
    let is_same_member = draft.author == change.user && draft.place == change.place;
    may_be_less && is_same_member && draft.needs.is_some()
}

/// The stored entry of a draft.
fn entry_of(draft: Draft, position: Position) -> Entry {
    let Draft { place, id, author, author_name, guest_session: _, needs: _, at, act } = draft;
    let act = match act {
        DraftAct::Say { kind, body } => {
            Act::Said { kind, content: Content::Body { body, edited_at: None } }
        }
        DraftAct::Edit { of, body } => Act::Edited { of, body: Some(body) },
        DraftAct::Delete { of } => Act::Deleted { of },
        DraftAct::Topic(topic) => Act::Topic(topic),
    };
    Entry { place, position, id, author, author_name, at, act }
}
