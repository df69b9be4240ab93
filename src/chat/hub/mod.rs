//! The connections of this node: who they are, which rooms they are in, and how events reach them.
//!
//! Being somewhere is a guard: [`Registration`], [`Residence`] and [`Attachment`] are leaving when
//! they are dropped, however the task that holds them ends. Fan-out never waits: a full outbox ends
//! that connection.

mod deadlines;
mod missed;
mod residents;
mod ring;
mod roll;
mod sign_ins;
#[cfg(test)]
mod tests;
mod topic;

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::{sync::Notify, time::Instant};
use tracing::debug;

pub(crate) use self::deadlines::Deadline;
pub(crate) use self::missed::{ATTACHMENTS_PER_EVENT_MAX, LastPart, MISSED_BYTES_MAX, missed};
pub(crate) use self::residents::{Presence, Proof, Residence};
pub(crate) use self::topic::{Attached, Attempt, Cursor, Post, Standing, Telling, Topic};
use self::{deadlines::Deadlines, residents::Residents, roll::Roll, topic::TooSlow};
use super::{
    event::Delivery,
    ports::{Outbox, Seen},
};
use crate::domain::{
    Arrival, CloseReason, ConnectionId, Conversation, DeviceId, Limits, Place, SignInId, Space,
    UserName,
};

/// Everything on this node that events are sent to.
pub(crate) struct Hub {
    limits: Limits,
    /// The moment that all durations in here are counted from.
    epoch: Instant,
    connections: AtomicU64,
    state: Mutex<State>,
    roll: Roll,
    deadlines: Deadlines,
    /// The last connection is gone.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    outboxes: HashMap<ConnectionId, Arc<dyn Outbox>>,
    topics: HashMap<Place, Arc<Topic>>,
    residents: Residents,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            epoch: Instant::now(),
            connections: AtomicU64::new(1),
            state: Mutex::default(),
            roll: Roll::default(),
            deadlines: Deadlines::default(),
            emptied: Notify::new(),
        })
    }

    /// Poisoning is ignored, as in [`Topic`].
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this hub has been there: the clock of everything that waits.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Makes a connection known, so that a drain reaches it.
    pub(crate) fn register(self: &Arc<Self>, outbox: Arc<dyn Outbox>) -> Registration {
        let id = ConnectionId::from_raw(self.connections.fetch_add(1, Ordering::Relaxed));
        self.lock().outboxes.insert(id, outbox);
        Registration { hub: Arc::clone(self), id }
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.lock().outboxes.len()
    }

    /// Waits until there is no connection.
    pub(crate) async fn emptied(&self) {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            // Listening begins before looking, so that no wake-up falls in between.
            emptied.as_mut().enable();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Begins the end of every connection.
    pub(crate) fn close_all(&self, reason: CloseReason) {
        let outboxes: Vec<_> = self.lock().outboxes.values().cloned().collect();
        end(outboxes, reason);
    }

    /// Ends a sign-in, and begins the end of its connections.
    pub(crate) fn sign_out(&self, sign_in: &SignInId) {
        let outboxes = self.lock().residents.sign_ins.end(sign_in);
        end(outboxes, CloseReason::SignedOut);
    }

    /// Whether a sign-in was ended here, as far as it is remembered.
    pub(crate) fn has_ended(&self, sign_in: &SignInId) -> bool {
        self.lock().residents.sign_ins.has_ended(sign_in)
    }

    /// The topic of a room, made if there is none. It stays while somebody holds it.
    pub(crate) fn topic(&self, place: &Place) -> Arc<Topic> {
        let mut state = self.lock();
        let topic = state.topics.entry(place.clone()).or_insert_with(|| Topic::new(place.clone()));
        Arc::clone(topic)
    }

    /// Attaches a connection to a room if the room's ring reaches back to the cursor.
    pub(crate) fn attach(
        self: &Arc<Self>,
        topic: &Arc<Topic>,
        attached: &Attached,
        cursor: Cursor,
    ) -> (Attempt, Option<Attachment>) {
        let (attempt, arrival, too_slow) = topic.attach(attached, cursor, &self.limits);
        close(too_slow);
        // Whoever comes home is told who is there, news or not.
        let home = attached.standing == Standing::Home && attempt != Attempt::Behind;
        if arrival == Arrival::First || home {
            self.roll.changed(topic.place(), self.now());
        }
        let attachment = matches!(attempt, Attempt::Attached(_)).then(|| Attachment {
            hub: Arc::clone(self),
            topic: Some(Arc::clone(topic)),
            connection: attached.connection,
            user: attached.user.clone(),
        });
        (attempt, attachment)
    }

    /// Sends a run of stored messages of one place, in order, to whom they concern here.
    pub(crate) fn deliver(&self, place: &Place, run: &[Post]) {
        match &place.conversation {
            Conversation::Room(_) => {
                let topic = self.lock().topics.get(place).cloned();
                if let Some(topic) = topic {
                    close(topic.deliver(run, &self.limits));
                    self.forget_if_empty(topic);
                }
            }
            Conversation::Direct(one, other) => self.deliver_direct(&place.space, one, other, run),
        }
    }

    fn deliver_direct(&self, space: &Space, one: &UserName, other: &UserName, run: &[Post]) {
        let mut outboxes = self.lock().residents.outboxes(space, one);
        if one != other {
            outboxes.extend(self.lock().residents.outboxes(space, other));
        }
        for (connection, outbox) in outboxes {
            let mut wanted = run.iter().filter(|post| post.except != Some(connection));
            if wanted.try_for_each(|post| outbox.push(&post.delivery)).is_err() {
                close(vec![outbox]);
            }
        }
    }

    /// Whether a user has a connection here.
    pub(crate) fn is_online(&self, space: &Space, user: &UserName) -> bool {
        self.lock().residents.is_connected(space, user)
    }

    /// Whether a user is here or was a moment ago.
    pub(crate) fn knows(&self, space: &Space, user: &UserName) -> bool {
        self.lock().residents.has(space, user)
    }

    /// When a user who is here was last seen with a device, as far as it was of late.
    pub(crate) fn last_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Option<OffsetDateTime> {
        self.lock().residents.last_seen(space, user, device)
    }

    /// Notes when a user who is here came or went with a device.
    pub(crate) fn saw(&self, seen: &Seen) {
        self.lock().residents.saw(seen);
    }

    /// Lets go of a topic that nobody is in and nobody else holds.
    pub(crate) fn forget_if_empty(&self, topic: Arc<Topic>) {
        let place = topic.place().clone();
        drop(topic);
        let mut state = self.lock();
        let unused = |it: &Arc<Topic>| Arc::strong_count(it) == 1 && it.is_empty();
        if state.topics.get(&place).is_some_and(unused) {
            state.topics.remove(&place);
        }
    }

    /// Takes a connection out of a room. On purpose or by losing it: only the latter has a grace.
    fn detach(&self, topic: Arc<Topic>, connection: ConnectionId, user: &UserName, how: Leaving) {
        match how {
            Leaving::OnPurpose => {
                let (gone, too_slow) = topic.leave(connection, user, &self.limits);
                close(too_slow);
                if gone.is_some() {
                    self.roll.changed(topic.place(), self.now());
                }
            }
            Leaving::Lost => {
                let until = self.now() + self.limits.presence_grace;
                if topic.lose(connection, user, until) {
                    self.roll.leaving(topic.place(), user, until);
                }
            }
        }
        self.forget_if_empty(topic);
    }
}

/// How a connection goes out of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    OnPurpose,
    Lost,
}

/// Ends the connections whose outboxes were full.
fn close(too_slow: TooSlow) {
    for outbox in too_slow {
        debug!("an outbox is full");
        outbox.close(CloseReason::SlowReader);
    }
}

/// Begins the end of connections, outside of every lock.
pub(crate) fn end(outboxes: Vec<Arc<dyn Outbox>>, reason: CloseReason) {
    for outbox in outboxes {
        outbox.close(reason);
    }
}

/// Sends one connection something that is not in a log.
pub(crate) fn send(outbox: &Arc<dyn Outbox>, delivery: &Arc<Delivery>) {
    if outbox.push(delivery).is_err() {
        close(vec![Arc::clone(outbox)]);
    }
}

/// A connection that a drain reaches.
#[must_use = "the hub forgets the connection when this is dropped"]
#[derive(Debug)]
pub(crate) struct Registration {
    hub: Arc<Hub>,
    id: ConnectionId,
}

impl Registration {
    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let outbox = state.outboxes.remove(&self.id);
        let last = state.outboxes.is_empty();
        drop(state);
        drop(outbox);
        if last {
            self.hub.emptied.notify_waiters();
        }
    }
}

/// A connection in a room.
#[must_use = "the connection leaves the room when this is dropped"]
#[derive(Debug)]
pub(crate) struct Attachment {
    hub: Arc<Hub>,
    topic: Option<Arc<Topic>>,
    connection: ConnectionId,
    user: UserName,
}

impl Attachment {
    /// The room.
    pub(crate) fn topic(&self) -> &Arc<Topic> {
        self.topic.as_ref().expect("only `leave` and `drop` take it, and they consume the guard")
    }

    /// Leaves on purpose: the others hear of it at once.
    pub(crate) fn leave(mut self) {
        self.end(Leaving::OnPurpose);
    }

    fn end(&mut self, how: Leaving) {
        if let Some(topic) = self.topic.take() {
            self.hub.detach(topic, self.connection, &self.user, how);
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.end(Leaving::Lost);
    }
}
