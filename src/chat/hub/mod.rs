//! The connections of this node: who they are, which rooms they are in, and how events reach them.
//!
//! Being somewhere is a guard: dropping a [`Registration`], [`Residence`] or [`Deadline`] is leaving,
//! however the task that holds it ends. Fan-out never waits: a full outbox ends that connection.

mod coalesced;
mod deadlines;
mod members;
mod missed;
mod receipts;
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
    collections::HashMap,
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
pub(crate) use self::members::{Cause, Scope};
pub(crate) use self::missed::{ATTACHMENTS_PER_EVENT_MAX, LastPart, MISSED_BYTES_MAX, missed};
pub(crate) use self::residence::{Belongings, Coming, Found, LineId, Residence, Settled};
pub(crate) use self::residents::{Presence, Proof};
pub(crate) use self::topic::{Cursor, Reach, Telling, Topic};
use self::{
    deadlines::Deadlines,
    residents::{Resident, Residents},
    roll::Roll,
    topic::TooSlow,
    typing::Board,
};
use super::{
    event::{Delivery, Event},
    journal::Post,
    ports::{Gone, Outbox, Seen, Voucher},
};
use crate::domain::{
    CloseReason, ConnectionId, Conversation, DeviceId, Entry, Limits, Place, Position, SignInId,
    Space, UserName,
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
    typing: Board,
    /// The last connection is gone.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    outboxes: HashMap<ConnectionId, Arc<dyn Outbox>>,
    topics: HashMap<Place, Arc<Topic>>,
    residents: Residents,
    /// Guests who will not come back, of whom nobody has taken note yet.
    gone: Vec<Gone>,
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
            typing: Board::default(),
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

    /// Sends a run of stored entries of one place, in order, to whom they concern here.
    pub(crate) fn deliver(&self, place: &Place, run: &[Post]) {
        let too_slow = match &place.conversation {
            Conversation::Room(_) => self.deliver_to_room(place, run),
            Conversation::Direct(one, other) => {
                let mut too_slow = self.deliver_to_user(place, one, run);
                if one != other {
                    too_slow.extend(self.deliver_to_user(place, other, run));
                }
                too_slow
            }
            Conversation::Inbox(user) => self.deliver_to_inbox(place, user, run),
        };
        close(too_slow);
        for entry in entries(run).filter(|entry| entry.is_message()) {
            self.typing.said(place, &entry.author);
        }
    }

    fn deliver_to_room(&self, place: &Place, run: &[Post]) -> TooSlow {
        let mut state = self.lock();
        for entry in entries(run).filter(|entry| entry.is_message()) {
            state.note(place, &entry.author, entry.position, Some(&entry.author));
        }
        let topic = state.topics.get(place).cloned();
        drop(state);
        topic.map_or_else(TooSlow::new, |topic| topic.deliver(run, &self.limits))
    }

    fn deliver_to_user(&self, place: &Place, user: &UserName, run: &[Post]) -> TooSlow {
        let mut state = self.lock();
        for entry in entries(run) {
            // An edit moves the head, too, though nobody has to read it.
            let author = if entry.is_message() { Some(&entry.author) } else { None };
            state.note(place, user, entry.position, author);
        }
        let outboxes = state.residents.outboxes(&place.space, user);
        drop(state);
        let mut too_slow = TooSlow::new();
        for (connection, outbox) in outboxes {
            let mut wanted = run.iter().filter(|post| post.except != Some(connection));
            if wanted.try_for_each(|post| outbox.push(&post.delivery)).is_err() {
                too_slow.push(outbox);
            }
        }
        too_slow
    }

    /// What stands in an inbox goes out with what is unread.
    fn deliver_to_inbox(&self, place: &Place, user: &UserName, run: &[Post]) -> TooSlow {
        let mut state = self.lock();
        let mut deliveries = Vec::with_capacity(run.len());
        for entry in entries(run) {
            state.note(place, user, entry.position, None);
            let unread = state.residents.get(&place.space, user).and_then(|it| it.unread(place));
            let unread = unread.unwrap_or_default();
            deliveries.push(Delivery::new(Event::Notified { entry: entry.clone(), unread }));
        }
        let outboxes = state.residents.outboxes(&place.space, user);
        drop(state);
        let is_full = |outbox: &Arc<dyn Outbox>| {
            deliveries.iter().try_for_each(|delivery| outbox.push(delivery)).is_err()
        };
        outboxes.into_iter().map(|(_, outbox)| outbox).filter(is_full).collect()
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

    /// On how many devices a user is here.
    pub(crate) fn devices(&self, space: &Space, user: &UserName) -> usize {
        self.lock().residents.get(space, user).map_or(0, Resident::devices)
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
    pub(crate) fn take_gone(&self) -> Vec<Gone> {
        mem::take(&mut self.lock().gone)
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
            self.gone.extend(resident.gone(space, user));
            self.let_go(hub, user, resident);
        }
    }

    /// Lets go of everything that somebody had here who is no resident any more.
    fn let_go(&mut self, hub: &Hub, user: &UserName, resident: Resident) {
        let Resident { lines, kept, .. } = resident;
        let mut places: Vec<_> =
            lines.into_iter().flat_map(|(id, line)| line.lose(hub, id, user)).collect();
        let kept = kept.into_iter().flatten();
        places.extend(kept.filter_map(|(_, kept)| kept.place()));
        for place in places {
            self.forget_if_empty(&place);
        }
    }
}

/// The entries of a run.
fn entries(run: &[Post]) -> impl Iterator<Item = &Entry> {
    run.iter().filter_map(|post| post.delivery.entry())
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
