//! One room on this node: its head, its recent entries, who is attached, and who is here.

mod state;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::OnceCell;

use self::state::State;
use crate::{
    chat::{
        event::{Delivery, Event},
        journal::Post,
        ports::Outbox,
    },
    domain::{ConnectionId, Entry, Limits, Log, Place, Position, RoomName, Seq, UserName},
};

/// A room with at least one user on their way in, inside, or in their grace.
///
/// Attaching, delivering and catching up take the same short lock, so "replay, then live" has no
/// seam.
#[derive(Debug)]
pub(crate) struct Topic {
    place: Place,
    state: Mutex<State>,
    /// Whether the ring was filled from the store, as one does once when somebody lacks what it had
    /// no chance to hold: a thousand who come back after a restart cost one page.
    warm: OnceCell<()>,
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
    /// Any other.
    Visit,
}

/// Where a connection that is being attached stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last entry that it has.
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

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everything up to the head is on its way, and what comes follows.
    Live,
    /// The ring does not reach back to the cursor: read the store and try again.
    Behind,
    /// It is not in the room.
    Away,
}

/// Whether the users of a room are others than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presences {
    Changed,
    Same,
}

/// Connections whose outbox was full; the caller closes them, outside of the lock.
pub(crate) type TooSlow = Vec<Arc<dyn Outbox>>;

impl Topic {
    /// The room at a place whose log stands like this.
    pub(super) fn new(place: Place, log: Log) -> Arc<Self> {
        Arc::new(Self { place, state: Mutex::new(State::new(log)), warm: OnceCell::new() })
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
        self.place.conversation.room().expect("only rooms have topics").clone()
    }

    /// How the room's log stands here.
    pub(crate) fn log(&self) -> Log {
        self.lock().log
    }

    /// Takes how many members there are now.
    pub(super) fn count_members(&self, members: u64) {
        self.lock().log.members = members;
    }

    /// Forgets what is not kept any more.
    pub(super) fn trimmed(&self, floor: Position) {
        self.lock().trimmed(floor);
    }

    /// Sends a run of stored entries, in order, to everyone who is up to date.
    pub(super) fn deliver(&self, run: &[Post], limits: &Limits) -> TooSlow {
        self.lock().deliver(run, limits)
    }

    /// Lets a connection in: from now on it hears who comes and goes, and what is said as soon as
    /// it is [`Reach::Live`].
    pub(super) fn enter(
        &self,
        attached: Attached,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Reach, Presences, TooSlow) {
        self.lock().enter(&self.room(), attached, cursor, limits)
    }

    /// Sends a connection what it lacks, if the ring has it.
    pub(crate) fn catch_up(
        &self,
        connection: ConnectionId,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Reach, TooSlow) {
        self.lock().catch_up(&self.room(), connection, cursor, limits)
    }

    /// How far a connection has come.
    pub(crate) fn reach(&self, connection: ConnectionId) -> Reach {
        self.lock().reach(connection)
    }

    /// Sends a connection nothing of what is said until it has caught up again. Answers what it has
    /// been sent by now, if it was up to date.
    pub(crate) fn pause(&self, connection: ConnectionId) -> Option<Seq> {
        self.lock().pause(connection)
    }

    /// Fills the ring with what the store has, once, by whoever comes first. Answers whether that
    /// was still to be done.
    pub(crate) async fn warm<E>(
        &self,
        limits: &Limits,
        read: impl AsyncFnOnce() -> Result<Vec<Entry>, E>,
    ) -> Result<bool, E> {
        let fill = async || {
            let entries = read().await?;
            self.lock().fill(entries, limits);
            Ok(())
        };
        let was_cold = !self.warm.initialized();
        self.warm.get_or_try_init(fill).await?;
        Ok(was_cold)
    }

    /// Takes a connection off. Answers whether its user is gone, and who could not be told.
    pub(super) fn leave(
        &self,
        connection: ConnectionId,
        user: &UserName,
        limits: &Limits,
    ) -> (Presences, TooSlow) {
        let mut state = self.lock();
        if !state.remove(connection) || !state.roster.leave(user) {
            return (Presences::Same, TooSlow::new());
        }
        (Presences::Changed, state.tell_left(&self.room(), user, limits))
    }

    /// Takes a lost connection off. Answers whether its user's grace begins.
    pub(super) fn lose(&self, connection: ConnectionId, user: &UserName, until: Duration) -> bool {
        let mut state = self.lock();
        state.remove(connection) && state.roster.lose(user, until)
    }

    /// Ends the grace of `user` if it is over, and tells the others.
    pub(super) fn expire(
        &self,
        user: &UserName,
        now: Duration,
        limits: &Limits,
    ) -> (Presences, TooSlow) {
        let mut state = self.lock();
        if !state.roster.expire(user, now) {
            return (Presences::Same, TooSlow::new());
        }
        (Presences::Changed, state.tell_left(&self.room(), user, limits))
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

    /// Tells everyone but a user's own connections.
    pub(super) fn tell_others(&self, user: &UserName, delivery: &Arc<Delivery>) -> TooSlow {
        self.lock().tell(delivery, |it| it.user != *user)
    }

    /// Offers everyone but a user's own connections what nobody misses, where names are told at all.
    pub(super) fn offer_others(&self, user: &UserName, delivery: &Arc<Delivery>, limits: &Limits) {
        let state = self.lock();
        if state.roster.count() <= limits.presence_list_max {
            state.offer(delivery, |it| it.user != *user);
        }
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
        self.lock().is_empty()
    }
}
