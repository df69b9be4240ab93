//! The connections of this node: who they are, which rooms they are in, and how events reach them.
//!
//! Being somewhere is a guard: dropping a [`Registration`], [`Residence`] or [`Deadline`] is leaving,
//! however the task that holds it ends. Fan-out never waits: a full outbox ends that connection.

mod coalesced;
mod deadlines;
mod deliver;
mod elsewhere;
mod members;
mod missed;
mod receipts;
mod refresh;
mod residence;
mod residents;
mod ring;
mod roll;
mod sign_ins;
#[cfg(test)]
mod tests;
mod topic;
mod typing;

use std::{
    collections::{BTreeSet, HashMap},
    mem,
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
pub(crate) use self::deliver::Lag;
pub(crate) use self::elsewhere::Lookout;
pub(crate) use self::members::{Cause, Scope};
pub(crate) use self::missed::{ATTACHMENTS_PER_EVENT_MAX, LastPart, MISSED_BYTES_MAX, missed};
pub(crate) use self::residence::{Belongings, Coming, Found, LineId, Residence, Settled};
pub(crate) use self::residents::{Presence, Proof};
pub(crate) use self::topic::{Cursor, Reach, Sent, Telling, Topic, Word};
use self::{
    deadlines::Deadlines,
    members::Line,
    residents::{Resident, Residents},
    roll::Roll,
    topic::TooSlow,
    typing::Board,
};
use super::{
    event::Delivery,
    ports::{GuestName, Online, Outbox, Seen, Voucher},
    relay::Herald,
};
use crate::domain::{
    CloseReason, ConnectionId, DeviceId, DeviceSet, Limits, Place, Position, SignInId, Space,
    UserName,
};

/// Everything on this node that events are sent to.
pub(crate) struct Hub {
    limits: Limits,
    herald: Arc<Herald>,
    /// The moment that all durations in here are counted from.
    epoch: Instant,
    connections: AtomicU64,
    state: Mutex<State>,
    roll: Roll,
    deadlines: Deadlines,
    typing: Board,
    /// The last connection is gone.
    emptied: Notify,
    /// Users came or went, of whom the other nodes are to know.
    moved: Notify,
}

#[derive(Default)]
struct State {
    outboxes: HashMap<ConnectionId, Arc<dyn Outbox>>,
    topics: HashMap<Place, Arc<Topic>>,
    residents: Residents,
    /// Guests who will not come back, of whom nobody has taken note yet.
    gone: Vec<GuestName>,
    /// Their names, which are still to be given back.
    freed: Vec<GuestName>,
    /// Users who are on other devices than the other nodes know.
    moved: BTreeSet<(Space, UserName)>,
    /// Users whose grace in a room is over, while it is not known whether they are on another node.
    doubtful: Vec<(Place, UserName)>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(limits: Limits, herald: Arc<Herald>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            herald,
            epoch: Instant::now(),
            connections: AtomicU64::new(1),
            state: Mutex::default(),
            roll: Roll::default(),
            deadlines: Deadlines::default(),
            typing: Board::default(),
            emptied: Notify::new(),
            moved: Notify::new(),
        })
    }

    /// Through which this node speaks to the others.
    pub(crate) fn herald(&self) -> &Arc<Herald> {
        &self.herald
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

    /// Forgets what is not kept any more.
    pub(crate) fn trimmed(&self, floors: &[(Place, Position)]) {
        let mut state = self.lock();
        for (place, floor) in floors {
            if let Some(topic) = state.topics.get(place) {
                topic.trimmed(*floor);
            }
            state.residents.trimmed(place, *floor);
        }
    }

    /// On which devices a user is here.
    pub(crate) fn devices(&self, space: &Space, user: &UserName) -> DeviceSet {
        self.lock().residents.get(space, user).map(Resident::devices).unwrap_or_default()
    }

    /// Whether a user is here or was a moment ago.
    pub(crate) fn knows(&self, space: &Space, user: &UserName) -> bool {
        self.lock().residents.get(space, user).is_some()
    }

    /// Whether this is still the one who has the name.
    pub(crate) fn is_resident(&self, space: &Space, user: &UserName, number: u64) -> bool {
        self.lock().residents.get(space, user).is_some_and(|it| it.number == number)
    }

    /// Whether who came is not a guest who lost the name meanwhile.
    pub(crate) fn is_still(&self, seen: &Seen) -> bool {
        let Voucher::Guest(stay) = &seen.voucher else { return true };
        let state = self.lock();
        state.residents.get(&seen.space, &seen.user).is_some_and(|it| it.is_guest(stay))
    }

    /// When a user who is here was last seen with a device, as far as it was of late.
    pub(crate) fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Option<OffsetDateTime> {
        self.lock().residents.get(space, user)?.device_seen(device)
    }

    /// Notes when a user who is here came or went with a device.
    pub(crate) fn saw(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
        at: OffsetDateTime,
    ) {
        if let Some(resident) = self.lock().residents.get_mut(space, user) {
            resident.saw(device, at);
        }
    }

    /// Takes the guests who will not come back.
    pub(crate) fn take_gone(&self) -> Vec<GuestName> {
        mem::take(&mut self.lock().gone)
    }

    /// Takes the names that nobody has here any more.
    pub(crate) fn take_freed(&self) -> Vec<GuestName> {
        mem::take(&mut self.lock().freed)
    }

    /// Takes who is on other devices than before.
    pub(crate) fn take_moved(&self) -> Vec<Online> {
        let mut state = self.lock();
        let moved = mem::take(&mut state.moved).into_iter();
        let online = |(space, user)| {
            let resident = state.residents.get(&space, &user);
            let devices = resident.map(Resident::devices).unwrap_or_default();
            Online { space, user, devices }
        };
        moved.map(online).collect()
    }

    /// Puts back who could not be told of.
    pub(crate) fn keep_moved(&self, moved: Vec<Online>) {
        self.lock().moved.extend(moved.into_iter().map(|it| (it.space, it.user)));
    }

    /// Waits until somebody is on other devices than before, or a guest is gone. Cancel-safe.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }
}

impl State {
    /// Lets go of a topic that nobody is in and nobody is a member of here.
    fn forget_if_empty(&mut self, place: &Place) {
        let unused = |it: &Arc<Topic>| Arc::strong_count(it) == 1 && it.is_empty();
        if self.topics.get(place).is_some_and(unused) {
            self.topics.remove(place);
        }
    }

    /// Frees a name whose grace is over, if nobody came back.
    fn expire(&mut self, hub: &Hub, space: &Space, user: &UserName, now: Duration) {
        if let Some(resident) = self.residents.expire(space, user, now) {
            self.let_go(hub, space, user, resident);
        }
    }

    /// Lets go of everything that somebody had here who is no resident any more.
    fn let_go(&mut self, hub: &Hub, space: &Space, user: &UserName, resident: Resident) {
        let gone = resident.gone(space, user);
        self.freed.extend(gone.clone());
        self.gone.extend(gone);
        if !resident.devices().is_empty() {
            self.moved.insert((space.clone(), user.clone()));
        }
        hub.moved.notify_one();
        let Resident { lines, kept, .. } = resident;
        let until = hub.now() + hub.limits.presence_grace;
        let lose = |(id, line): (_, Line)| line.lose(hub, (id, user), until);
        let mut places: Vec<_> = lines.into_iter().flat_map(lose).collect();
        let kept = kept.into_iter().flatten();
        places.extend(kept.filter_map(|(_, kept)| kept.place()));
        for place in places {
            self.forget_if_empty(&place);
        }
    }
}

/// Ends the connections whose outboxes were full.
pub(crate) fn close(too_slow: TooSlow) {
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
