//! The task that stores what is queued and sends it on.

use std::{collections::HashMap, mem, ops::Range, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{Arrival, Done, More, Petition, Post, Queued, Refresh, Standing, Submission};
use crate::{
    chat::{
        event::{Delivery, Event},
        hub::{Cause, Hub},
        ports::{
            Batch, Change, Changed, Committed, Draft, DraftAct, Fault, MemberChange, News, Outcome,
            Retention, Seen, Store, Trimmed,
        },
        relay::{Answered, Relay, Stale, answer_all},
    },
    domain::{Act, ConnectionId, Content, Entry, Place, Position, Rejection, Seq, Space, UserName},
};

/// What is in one transaction: large enough that the disk's flush is shared by many, small enough
/// that the readers of a busy room are served in between.
const BATCH_MAX: usize = 512;

/// See the module.
pub struct Writer {
    queued: mpsc::Receiver<Queued>,
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    relay: Arc<Relay>,
    /// Users that are to go with the next transaction.
    seen: Vec<Seen>,
    /// Whether the last transaction failed: the log says when that begins and ends, not each time.
    broken: bool,
}

/// What was stored of one conversation, and who is to be answered once it was sent on.
#[derive(Default)]
struct Run {
    posts: Vec<Post>,
    answers: Vec<(Seq, Answered)>,
}

/// Who does not hear of a draft, who waits for its fate, and its room in the queue.
type Sender = (Option<ConnectionId>, Done<Outcome>, OwnedSemaphorePermit);

/// Who waits for what came of a batch, in the order of its parts.
#[derive(Default)]
struct Waiting {
    changes: Vec<(Cause, Option<Done<Changed>>)>,
    submissions: Vec<Sender>,
    arrivals: Vec<Asker>,
}

/// Who wants to know where a user is a member.
enum Asker {
    /// The user, who comes in: which of those who had the name, and with which of the changes theirs.
    Coming(u64, Range<usize>, Done<Standing>),
    /// This node, which knows that another one changed it.
    Refresh(Stale, Option<oneshot::Sender<()>>),
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(
        queued: mpsc::Receiver<Queued>,
        store: Arc<dyn Store>,
        hub: Arc<Hub>,
        relay: Arc<Relay>,
    ) -> Self {
        Self { queued, store, hub, relay, seen: Vec::new(), broken: false }
    }

    /// Stores until `finish`, then what is still queued, and ends.
    pub async fn run(mut self, finish: CancellationToken) {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        loop {
            // Both are cancel-safe: `recv_many` takes nothing when it does not return.
            let taken = tokio::select! {
                taken = self.queued.recv_many(&mut waiting, BATCH_MAX) => taken,
                () = finish.cancelled(), if !self.queued.is_closed() => {
                    self.queued.close();
                    continue;
                }
            };
            if taken == 0 {
                return;
            }
            self.take(mem::take(&mut waiting)).await;
        }
    }

    async fn take(&mut self, queued: Vec<Queued>) {
        let mut batch = Batch { seen: mem::take(&mut self.seen), ..Batch::default() };
        let (mut waiting, mut trims) = (Waiting::default(), Vec::new());
        for it in queued {
            match it {
                Queued::Seen(seen) if self.hub.is_still(&seen) => batch.seen.push(seen),
                Queued::Seen(_) => (),
                Queued::Went(went) => batch.went.push(went),
                Queued::Gone(gone) => batch.gone.push(gone),
                Queued::Submission(Submission { draft, except, done }, permit) => {
                    batch.drafts.push(draft);
                    waiting.submissions.push((except, done, permit));
                }
                Queued::Petition(Petition { change, cause, done }) => {
                    if batch.drafts.iter().any(|draft| bereaves(&change, draft)) {
                        self.store(mem::take(&mut batch), mem::take(&mut waiting)).await;
                        batch.seen = mem::take(&mut self.seen);
                    }
                    batch.changes.push(change);
                    waiting.changes.push((cause, Some(done)));
                }
                Queued::Arrival(arrival, done) => {
                    self.take_arrival(arrival, done, &mut batch, &mut waiting);
                }
                Queued::Refresh(Refresh { space, user, stale, done }) => {
                    batch.arrivals.push((space, user));
                    waiting.arrivals.push(Asker::Refresh(stale, done));
                }
                Queued::Trim(retention, done) => trims.push((retention, done)),
            }
        }
        if !batch.is_empty() {
            self.store(batch, waiting).await;
        }
        for (retention, done) in trims {
            done(self.trim(&retention).await);
        }
    }

    /// A guest who lost the name meanwhile does not come in any more.
    fn take_arrival(
        &self,
        arrival: Arrival,
        done: Done<Standing>,
        batch: &mut Batch,
        waiting: &mut Waiting,
    ) {
        let Arrival { seen, resident, joins } = arrival;
        if !self.hub.is_resident(&seen.space, &seen.user, resident) {
            return done(Err(Rejection::NameTaken));
        }
        batch.arrivals.push((seen.space.clone(), seen.user.clone()));
        let first = batch.changes.len();
        let theirs = first..first + joins.len();
        waiting.arrivals.push(Asker::Coming(resident, theirs, done));
        waiting.changes.extend(joins.iter().map(|_| (Cause::default(), None)));
        batch.changes.extend(joins);
        batch.seen.push(seen);
    }

    async fn store(&mut self, batch: Batch, waiting: Waiting) {
        let relay = Arc::clone(&self.relay);
        // Whoever reads what was stored knows when it was handed over.
        let turn = relay.turn().await;
        let stored = self.store.commit(&batch).await;
        match stored {
            Ok(committed) => {
                self.heal();
                self.send_on(batch, waiting, committed);
            }
            Err(fault) => {
                self.complain(&fault);
                waiting.refuse(&Rejection::Unavailable, &batch.arrivals, &relay);
                self.seen = batch.seen;
                self.seen.truncate(BATCH_MAX);
            }
        }
        drop(turn);
    }

    /// Answers whoever waits, and tells the other nodes and this node's connections, in the order in
    /// which the store took it.
    fn send_on(&self, batch: Batch, waiting: Waiting, committed: Committed) {
        let Committed { changed, outcomes, memberships } = committed;
        let Batch { changes, drafts, arrivals, .. } = batch;
        debug_assert_eq!(changes.len(), changed.len(), "one answer per change");
        debug_assert_eq!(drafts.len(), outcomes.len(), "one outcome per draft");
        debug_assert_eq!(arrivals.len(), memberships.len(), "one answer per arrival");
        for ((change, changed), (cause, done)) in changes.iter().zip(&changed).zip(waiting.changes)
        {
            self.hub.changed(change, changed, &cause);
            if let Some(done) = done {
                done(Ok(*changed));
            }
        }
        self.deliver(drafts, waiting.submissions, outcomes);
        for (((space, user), memberships), asker) in
            arrivals.iter().zip(memberships).zip(waiting.arrivals)
        {
            match asker {
                Asker::Coming(resident, joins, done) => {
                    let joined = changed.get(joins).unwrap_or_default().iter();
                    let new = joined.filter(|it| it.before.is_none() && it.after.is_some()).count();
                    let is_known = memberships.len() > new;
                    self.hub.learn(space, user, resident, memberships);
                    done(Ok(if is_known { Standing::Known } else { Standing::New }));
                }
                Asker::Refresh(stale, done) => {
                    let behind = self.hub.refresh((space, user), memberships, &stale);
                    self.relay.is_behind(behind);
                    // Whoever waited may be gone.
                    done.map(|done| done.send(()).ok());
                }
            }
        }
    }

    fn deliver(&self, drafts: Vec<Draft>, senders: Vec<Sender>, outcomes: Vec<Outcome>) {
        let mut runs: HashMap<Place, Run> = HashMap::new();
        let mut others = Vec::new();
        for ((draft, (except, done, permit)), outcome) in
            drafts.into_iter().zip(senders).zip(outcomes)
        {
            let answer: Answered = Box::new(move || {
                done(Ok(outcome));
                drop(permit);
            });
            if matches!(outcome, Outcome::Unfit(_)) {
                // The hub thought otherwise.
                self.relay.is_stale(&draft.place.space, &draft.author, Stale::default());
            }
            if let Outcome::Stored(position) = outcome {
                let entry = place(draft, position);
                let run = runs.entry(entry.place.clone()).or_default();
                run.posts.push(Post { delivery: Delivery::new(Event::Entry(entry)), except });
                run.answers.push((position.seq, answer));
            } else {
                others.push(answer);
            }
        }
        for (place, Run { posts, answers }) in runs {
            self.relay.post(&place, &posts, answers);
        }
        answer_all(others);
    }

    async fn trim(&self, retention: &Retention) -> Result<More, Rejection> {
        match self.store.trim(retention).await {
            Ok(Trimmed { floors, more }) => {
                self.hub.trimmed(&floors);
                for (place, floor) in &floors {
                    self.hub.herald().tell(place, || News::Cut(place.clone(), *floor));
                }
                Ok(if more { More::Yes } else { More::No })
            }
            Err(fault) => {
                error!(error = fault.chain(), "what is not to be kept cannot be taken away");
                Err(Rejection::Unavailable)
            }
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

impl Waiting {
    fn refuse(self, rejection: &Rejection, arrived: &[(Space, UserName)], relay: &Relay) {
        let Self { changes, submissions, arrivals } = self;
        for done in changes.into_iter().filter_map(|(_, done)| done) {
            done(Err(rejection.clone()));
        }
        for (_, done, _) in submissions {
            done(Err(rejection.clone()));
        }
        for (asker, (space, user)) in arrivals.into_iter().zip(arrived) {
            match asker {
                Asker::Coming(_, _, done) => done(Err(rejection.clone())),
                Asker::Refresh(stale, _) => relay.is_stale(space, user, stale),
            }
        }
    }
}

/// Whether a change may take from a draft what it needs. Changes go first in a batch: what was said
/// before somebody left is not to be in one with it.
fn bereaves(change: &Change, draft: &Draft) -> bool {
    let may_be_less = match change.what {
        MemberChange::Assign(_) | MemberChange::Leave => true,
        MemberChange::Join(_) | MemberChange::Read(_) | MemberChange::Mute(_) => false,
    };
    let is_theirs = draft.author == change.user && draft.place == change.place;
    may_be_less && is_theirs && draft.needs.is_some()
}

/// A draft with its place.
fn place(draft: Draft, position: Position) -> Entry {
    let Draft { place, id, author, needs: _, at, act } = draft;
    let act = match act {
        DraftAct::Say { kind, body } => {
            Act::Said { kind, content: Content::Body { body, edited_at: None } }
        }
        DraftAct::Edit { of, body } => Act::Edited { of, body: Some(body) },
        DraftAct::Delete { of } => Act::Deleted { of },
    };
    Entry { place, position, id, author, at, act }
}
