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
        ports::{News, Outbox},
        relay::{Herald, Subscription},
    },
    domain::{
        Arrival, Channel, ConnectionId, Departure, Entry, Limits, Log, NodeId, Place, Position,
        RoomName, Seq, UserName,
    },
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
    /// Where the other nodes speak of the room, and this one of who is here: under the room's lock, so
    /// that they hear it in the order in which it happened.
    subscription: Subscription,
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
    /// It has more than was delivered on this node: the store may have it, too.
    Ahead,
    /// It is not in the room.
    Away,
}

/// Whether the users of a room are others than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presences {
    Changed,
    Same,
}

/// Whether all of a run was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was, or was before.
    All,
    /// Something before the rest of it was never seen here: the store has it.
    Part,
}

/// The posts of a run, which is in order, that come right after `head`; and whether others come after a
/// hole.
pub(super) fn next_in_line(run: &[Post], head: Seq) -> (&[Post], Sent) {
    let seq = |post: &Post| post.delivery.entry().map_or(Seq::ZERO, Entry::seq);
    let run = run.get(run.partition_point(|post| seq(post) <= head)..).unwrap_or_default();
    let mut next = head;
    let follows = |post: &&Post| {
        next = next.next();
        seq(post) == next
    };
    let count = run.iter().take_while(follows).count();
    let sent = if count == run.len() { Sent::All } else { Sent::Part };
    (run.get(..count).unwrap_or_default(), sent)
}

/// Connections whose outbox was full; the caller closes them, outside of the lock.
pub(crate) type TooSlow = Vec<Arc<dyn Outbox>>;

/// What another node says of who is in a room there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word<'a> {
    Came(&'a UserName),
    Went(&'a UserName),
    /// These, and nobody else.
    Are(&'a [UserName]),
}

impl From<bool> for Presences {
    fn from(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Same }
    }
}

impl Topic {
    /// The room at a place whose log stands like this.
    pub(super) fn new(place: Place, log: Log, herald: &Arc<Herald>) -> Arc<Self> {
        let room = place.conversation.room().expect("only rooms have topics");
        let subscription = herald.subscribe(Channel::of_room(&place.space, room));
        let (state, warm) = (Mutex::new(State::new(log)), OnceCell::new());
        Arc::new(Self { place, state, warm, subscription })
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
    pub(crate) fn count_members(&self, members: u64) {
        self.lock().log.members = members;
    }

    /// Forgets what is not kept any more.
    pub(super) fn trimmed(&self, floor: Position) {
        self.lock().trimmed(floor);
    }

    /// Sends a run of stored entries, in order, to everyone who is up to date, as far as it goes on
    /// from the head.
    pub(super) fn deliver(&self, run: &[Post], limits: &Limits) -> (Sent, TooSlow) {
        self.lock().deliver(run, limits)
    }

    /// Goes on after `to`: what lies before it is not kept any more, and whoever is here is told so.
    pub(super) fn skip(&self, to: Position) -> TooSlow {
        self.lock().skip(&self.room(), to)
    }

    /// Lets a connection in: from now on it hears who comes and goes, and what is said as soon as
    /// it is [`Reach::Live`].
    pub(super) fn enter(
        &self,
        attached: Attached,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Reach, Presences, TooSlow) {
        let user = attached.user.clone();
        let mut state = self.lock();
        let (reach, arrival, too_slow) = state.enter(&self.room(), attached, cursor, limits);
        if arrival != Arrival::Again {
            self.subscription.say(News::Here(self.place.clone(), user));
        }
        (reach, Presences::from(arrival == Arrival::First), too_slow)
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
        if !state.remove(connection) {
            return (Presences::Same, TooSlow::new());
        }
        let departure = state.roster.leave(user);
        self.part(&state, departure, user, limits)
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
        let departure = state.roster.expire(user, now);
        self.part(&state, departure, user, limits)
    }

    /// Ends the grace of `user`, who is a member no more, and tells the others.
    pub(super) fn dismiss(&self, user: &UserName, limits: &Limits) -> (Presences, TooSlow) {
        let mut state = self.lock();
        let departure = state.roster.dismiss(user);
        self.part(&state, departure, user, limits)
    }

    /// Tells whom it concerns that `user` is not here any more.
    fn part(
        &self,
        state: &State,
        departure: Departure,
        user: &UserName,
        limits: &Limits,
    ) -> (Presences, TooSlow) {
        if departure != Departure::Stays {
            self.subscription.say(News::Gone(self.place.clone(), user.clone()));
        }
        let is_gone = departure == Departure::Gone;
        let too_slow = if is_gone { state.tell_left(&self.room(), user, limits) } else { vec![] };
        (Presences::from(is_gone), too_slow)
    }

    /// Tells the other nodes who is here; but for those whose grace was over at `overdue`, if the others
    /// have forgotten everybody anyway.
    pub(super) fn call_roster(&self, overdue: Option<Duration>) {
        let state = self.lock();
        let here = match overdue {
            Some(now) => state.roster.expected(now),
            None => state.roster.here(),
        };
        self.subscription.say(News::Roster(self.place.clone(), here));
    }

    /// Takes another node's word for who is there.
    pub(super) fn hear(
        &self,
        node: &NodeId,
        word: Word<'_>,
        limits: &Limits,
    ) -> (Presences, TooSlow) {
        let mut state = self.lock();
        let (came, gone) = match word {
            Word::Came(user) if state.roster.came_to(node, user) => (vec![user.clone()], vec![]),
            Word::Went(user) if state.roster.went_from(node, user) => (vec![], vec![user.clone()]),
            Word::Came(_) | Word::Went(_) => (vec![], vec![]),
            Word::Are(users) => state.roster.are_on(node, users),
        };
        let room = self.room();
        let mut too_slow = TooSlow::new();
        for user in &came {
            too_slow.extend(state.tell_joined(&room, user, limits));
        }
        for user in &gone {
            too_slow.extend(state.tell_left(&room, user, limits));
        }
        (Presences::from(!came.is_empty() || !gone.is_empty()), too_slow)
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

    /// How many there are but for one who has just left: another node of theirs may still say otherwise.
    pub(crate) fn count_without(&self, user: &UserName) -> usize {
        let state = self.lock();
        state.roster.count() - usize::from(state.roster.has(user))
    }

    /// Whether nobody is on this node and nobody is expected back.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
