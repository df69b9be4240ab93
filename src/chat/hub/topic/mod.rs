//! One room on this node: its head, its recent messages, who is attached, and who is here.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    missed::{LastPart, missed},
    ring::Ring,
};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::{Outbox, Overflow},
    },
    domain::{Arrival, ConnectionId, Conversation, Limits, Place, RoomName, Roster, Seq, UserName},
};

/// A room with at least one connection on its way in, inside, or in its grace.
///
/// Attaching, delivering and catching up take the same short lock, so "replay, then live" has no
/// seam.
#[derive(Debug)]
pub(crate) struct Topic {
    place: Place,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last message that was delivered here. `None` until the store was asked.
    head: Option<Seq>,
    ring: Ring,
    attached: HashMap<ConnectionId, Attached>,
    roster: Roster,
}

/// A connection in a room.
#[derive(Clone)]
pub(crate) struct Attached {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserName,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) standing: Standing,
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// What a room is to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its default room: it is told who is here.
    Home,
    /// One that it joined besides.
    Visit,
}

/// Where a connection that is being attached stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last message that it has.
    pub(crate) after: Seq,
    /// How it hears what it has not.
    pub(crate) telling: Telling,
}

/// How a replay is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As `missed`: the client came back and said what it has.
    Missed,
    /// As if live: the client was told the head a moment ago, and these came since.
    Live,
}

/// What came of an attempt to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Attached, everything up to this head is on its way.
    Attached(Seq),
    /// The ring does not reach back to the cursor: read the store and try again.
    Behind,
}

/// A stored message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) seq: Seq,
    /// The connection that does not hear it.
    pub(crate) except: Option<ConnectionId>,
}

/// Connections whose outbox was full; the caller closes them, outside of the lock.
pub(crate) type TooSlow = Vec<Arc<dyn Outbox>>;

impl Topic {
    pub(super) fn new(place: Place) -> Arc<Self> {
        Arc::new(Self { place, state: Mutex::default() })
    }

    /// Poisoning is ignored: every critical section leaves the state consistent at each step, and
    /// a chat that stops because one task panicked helps nobody.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The room's name. Only rooms have topics.
    pub(crate) fn room(&self) -> RoomName {
        match &self.place.conversation {
            Conversation::Room(room) => room.clone(),
            Conversation::Direct(..) => unreachable!("only rooms have topics"),
        }
    }

    /// The last message delivered here, if the store was asked already.
    pub(crate) fn head(&self) -> Option<Seq> {
        self.lock().head
    }

    /// Takes what the store said the head is. What was delivered meanwhile may be further.
    pub(crate) fn learn_head(&self, stored: Seq) -> Seq {
        // A head that is known stays: what the store has beyond it is yet to be delivered to those
        // who are attached.
        *self.lock().head.get_or_insert(stored)
    }

    /// Sends a run of stored messages, in order, to everyone attached.
    pub(super) fn deliver(&self, run: &[Post], limits: &Limits) -> TooSlow {
        self.lock().deliver(run, limits)
    }

    /// Attaches a connection if what it lacks is in the ring, and sends that.
    pub(super) fn attach(
        &self,
        attached: &Attached,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Attempt, Arrival, TooSlow) {
        self.lock().attach(&self.room(), attached, cursor, limits)
    }

    /// Takes a connection off. Answers whether its user is gone, and who could not be told.
    pub(super) fn leave(
        &self,
        connection: ConnectionId,
        user: &UserName,
        limits: &Limits,
    ) -> (Option<Gone>, TooSlow) {
        let mut state = self.lock();
        state.attached.remove(&connection);
        if !state.roster.leave(user) {
            return (None, TooSlow::new());
        }
        let too_slow = state.tell_left(&self.room(), user, limits);
        (Some(Gone), too_slow)
    }

    /// Takes a lost connection off. Answers whether its user's grace begins.
    pub(super) fn lose(&self, connection: ConnectionId, user: &UserName, until: Duration) -> bool {
        let mut state = self.lock();
        state.attached.remove(&connection);
        state.roster.lose(user, until)
    }

    /// Ends the grace of `user` if it is over, and tells the others.
    pub(super) fn expire(
        &self,
        user: &UserName,
        now: Duration,
        limits: &Limits,
    ) -> (Option<Gone>, TooSlow) {
        let mut state = self.lock();
        if !state.roster.expire(user, now) {
            return (None, TooSlow::new());
        }
        let too_slow = state.tell_left(&self.room(), user, limits);
        (Some(Gone), too_slow)
    }

    /// Tells who is here: names to those at home, or a count to everyone where names are too many.
    pub(super) fn tell_presence(&self, limits: &Limits) -> TooSlow {
        let state = self.lock();
        let count = state.roster.count();
        if count > limits.presence_list_max {
            let presence = Delivery::new(Event::Presence { room: self.room(), count });
            return state.tell(&presence, |_| true);
        }
        let users = Delivery::new(Event::Users(state.roster.users()));
        state.tell(&users, |it| it.standing == Standing::Home)
    }

    /// Who is here, by name where they are few enough, and how many.
    pub(crate) fn users(&self, limits: &Limits) -> (Vec<UserName>, usize) {
        let state = self.lock();
        let count = state.roster.count();
        let listed = count <= limits.presence_list_max;
        (if listed { state.roster.users() } else { Vec::new() }, count)
    }

    /// How many users are here.
    pub(crate) fn count(&self) -> usize {
        self.lock().roster.count()
    }

    /// Whether nobody is here and nobody is expected back.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.attached.is_empty() && state.roster.is_empty()
    }
}

/// A user who was here is not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl State {
    fn deliver(&mut self, run: &[Post], limits: &Limits) -> TooSlow {
        let head = self.head.unwrap_or_default();
        let fresh = run.partition_point(|post| post.seq <= head);
        let run = run.get(fresh..).unwrap_or_default();
        let Some(last) = run.last() else { return TooSlow::new() };
        if run.first().is_some_and(|first| first.seq != head.next()) {
            self.ring.clear();
        }
        self.head = Some(last.seq);
        for post in run {
            self.ring.push(Arc::clone(&post.delivery), limits);
        }
        let mut too_slow = TooSlow::new();
        self.attached.retain(|connection, it| {
            let mut wanted = run.iter().filter(|post| post.except != Some(*connection));
            let kept = wanted.try_for_each(|post| it.outbox.push(&post.delivery));
            if kept == Err(Overflow) {
                too_slow.push(Arc::clone(&it.outbox));
            }
            kept.is_ok()
        });
        too_slow
    }

    fn attach(
        &mut self,
        room: &RoomName,
        attached: &Attached,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Attempt, Arrival, TooSlow) {
        let head = self.head.unwrap_or_default();
        let Some(run) = self.ring.run(cursor.after, head) else {
            return (Attempt::Behind, Arrival::Again, TooSlow::new());
        };
        let mut too_slow = TooSlow::new();
        if replay(room, attached, cursor.telling, run).is_err() {
            too_slow.push(Arc::clone(&attached.outbox));
        }
        let arrival = self.roster.arrive(&attached.user);
        if arrival == Arrival::First && self.roster.count() <= limits.presence_list_max {
            let joined = Event::Joined { room: room.clone(), user: attached.user.clone() };
            too_slow.extend(self.tell(&Delivery::new(joined), |_| true));
        }
        self.attached.insert(attached.connection, attached.clone());
        (Attempt::Attached(head), arrival, too_slow)
    }

    /// Tells everyone attached that a user left, where names are told at all.
    fn tell_left(&self, room: &RoomName, user: &UserName, limits: &Limits) -> TooSlow {
        if self.roster.count() >= limits.presence_list_max {
            return TooSlow::new();
        }
        let left = Event::Left { room: room.clone(), user: user.clone() };
        self.tell(&Delivery::new(left), |_| true)
    }

    /// Sends an event that is not in the log to those attached who are meant.
    fn tell(&self, delivery: &Arc<Delivery>, meant: impl Fn(&Attached) -> bool) -> TooSlow {
        let meant = self.attached.values().filter(|it| meant(it));
        meant
            .filter(|it| it.outbox.push(delivery) == Err(Overflow))
            .map(|it| Arc::clone(&it.outbox))
            .collect()
    }
}

/// Sends what a connection lacks. It is not attached yet, so nothing overtakes this.
fn replay(
    room: &RoomName,
    attached: &Attached,
    telling: Telling,
    run: Vec<Arc<Delivery>>,
) -> Result<(), Overflow> {
    match telling {
        Telling::Live => run.iter().try_for_each(|delivery| attached.outbox.push(delivery)),
        Telling::Missed => missed(room, run, LastPart::Yes)
            .iter()
            .try_for_each(|delivery| attached.outbox.push(delivery)),
    }
}
