//! One room on this node: its head, its recent entries, who is attached, and who is here.

mod state;
#[cfg(test)]
mod tests;
mod types;

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

use self::state::LiveRoomState;
pub(super) use self::types::contiguous_run;
pub(crate) use self::types::{
    AttachedConnection, FullOutboxes, PresenceChange, RemotePresence, ReplayCursor, ReplayMode,
    ReplayStatus, RoomKind, RunDelivery,
};
use crate::{
    chat::{
        event::{Delivery, Event, Post},
        ports::ClusterEvent,
        publisher::{Publisher, Subscription},
    },
    domain::{
        Channel, ConnectionId, Entry, Limits, Log, NodeId, Place, Position, RoomName,
        RosterArrival, RosterDeparture, Seq, UserName,
    },
};

/// A room with at least one user on their way in, inside, or in their grace.
///
/// Attaching, delivering and catching up take the same short lock, so "replay, then live" has no
/// seam.
#[derive(Debug)]
pub(crate) struct LiveRoom {
    place: Place,
    state: Mutex<LiveRoomState>,
    /// Whether the ring was filled from the store, as one does once when somebody lacks what it had
    /// no chance to hold: a thousand who come back after a restart cost one page.
    warm: OnceCell<()>,
    /// Where the other nodes speak of the room, and this one of who is here: under the room's lock, so
    /// that they hear it in the order in which it happened.
    subscription: Subscription,
}

impl LiveRoom {
    /// The room at a place whose log stands like this.
    pub(super) fn new(place: Place, log: Log, publisher: &Arc<Publisher>) -> Arc<Self> {
        let room = place.conversation.room().expect("only rooms are live rooms");
        let subscription = publisher.subscribe(Channel::of_room(&place.space, room));
        let (state, warm) = (Mutex::new(LiveRoomState::new(log)), OnceCell::new());
        Arc::new(Self { place, state, warm, subscription })
    }

    fn lock(&self) -> MutexGuard<'_, LiveRoomState> {
        self.state.lock()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The room's name. Only rooms have topics.
    pub(crate) fn room(&self) -> RoomName {
        self.place.conversation.room().expect("only rooms are live rooms").clone()
    }

    /// How the room's log stands here.
    pub(crate) fn log(&self) -> Log {
        self.lock().log
    }

    /// Takes how many members there are now.
    pub(crate) fn set_member_count(&self, members: u64) {
        self.lock().log.members = members;
    }

    /// Forgets what is not kept any more.
    pub(super) fn trim(&self, floor: Position) {
        self.lock().trim(floor);
    }

    /// Sends a run of stored entries, in order, to everyone who is up to date, as far as it goes on
    /// from the head.
    pub(super) fn deliver(&self, run: &[Post], limits: &Limits) -> (RunDelivery, FullOutboxes) {
        self.lock().deliver(run, limits)
    }

    /// Goes on after `to`: what lies before it is not kept any more, and whoever is here is told so.
    pub(super) fn skip(&self, to: Position) -> FullOutboxes {
        self.lock().skip(&self.room(), to)
    }

    /// Lets a connection in: from now on it hears who comes and goes, and what is said as soon as
    /// it is [`ReplayStatus::Live`].
    pub(super) fn enter(
        &self,
        attached: AttachedConnection,
        cursor: ReplayCursor,
        limits: &Limits,
    ) -> (ReplayStatus, PresenceChange, FullOutboxes) {
        let user = attached.user.clone();
        let mut state = self.lock();
        let (status, arrival, full_outboxes) = state.enter(&self.room(), attached, cursor, limits);
        if arrival != RosterArrival::AlreadyLocal {
            self.subscription.publish(ClusterEvent::Joined(self.place.clone(), user));
        }
        (status, PresenceChange::from(arrival == RosterArrival::FirstJoined), full_outboxes)
    }

    /// Sends a connection what it lacks, if the ring has it.
    pub(crate) fn catch_up(
        &self,
        connection: ConnectionId,
        cursor: ReplayCursor,
        limits: &Limits,
    ) -> (ReplayStatus, FullOutboxes) {
        self.lock().catch_up(&self.room(), connection, cursor, limits)
    }

    /// How far a connection has come.
    pub(crate) fn replay_status(&self, connection: ConnectionId) -> ReplayStatus {
        self.lock().replay_status(connection)
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
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        if !state.remove(connection) {
            return (PresenceChange::Unchanged, FullOutboxes::new());
        }
        let departure = state.roster.leave(user);
        self.announce_departure(&state, departure, user, limits)
    }

    /// Takes a lost connection off. Answers whether its user's grace begins.
    pub(super) fn disconnect(
        &self,
        connection: ConnectionId,
        user: &UserName,
        until: Duration,
    ) -> bool {
        let mut state = self.lock();
        state.remove(connection) && state.roster.disconnect(user, until)
    }

    /// Ends the grace of `user` if it is over, and tells the others.
    pub(super) fn expire(
        &self,
        user: &UserName,
        now: Duration,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        let departure = state.roster.expire(user, now);
        self.announce_departure(&state, departure, user, limits)
    }

    /// Ends the grace of `user`, who is a member no more, and tells the others.
    pub(super) fn end_grace(
        &self,
        user: &UserName,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        let departure = state.roster.end_grace(user);
        self.announce_departure(&state, departure, user, limits)
    }

    /// Tells whom it concerns that `user` is not here any more.
    fn announce_departure(
        &self,
        state: &LiveRoomState,
        departure: RosterDeparture,
        user: &UserName,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        if departure != RosterDeparture::StillLocal {
            self.subscription.publish(ClusterEvent::Left(self.place.clone(), user.clone()));
        }
        let is_gone = departure == RosterDeparture::LastLeft;
        let full_outboxes =
            if is_gone { state.broadcast_left(&self.room(), user, limits) } else { vec![] };
        (PresenceChange::from(is_gone), full_outboxes)
    }

    /// Tells the other nodes who is here; but for those whose grace was over at `overdue`, if the others
    /// have forgotten everybody anyway.
    pub(super) fn publish_roster(&self, overdue: Option<Duration>) {
        let state = self.lock();
        let local_users = match overdue {
            Some(now) => state.roster.unexpired_local_users(now),
            None => state.roster.local_users(),
        };
        self.subscription.publish(ClusterEvent::Roster(self.place.clone(), local_users));
    }

    /// Takes another node's word for who is there.
    pub(super) fn apply_remote_presence(
        &self,
        node: &NodeId,
        remote_presence: RemotePresence<'_>,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        let (joined, left) = match remote_presence {
            RemotePresence::Joined(user) if state.roster.add_remote(node, user) => {
                (vec![user.clone()], vec![])
            }
            RemotePresence::Left(user) if state.roster.remove_remote(node, user) => {
                (vec![], vec![user.clone()])
            }
            RemotePresence::Joined(_) | RemotePresence::Left(_) => (vec![], vec![]),
            RemotePresence::Snapshot(users) => state.roster.set_remote(node, users),
        };
        let room = self.room();
        let mut full_outboxes = FullOutboxes::new();
        for user in &joined {
            full_outboxes.extend(state.broadcast_joined(&room, user, limits));
        }
        for user in &left {
            full_outboxes.extend(state.broadcast_left(&room, user, limits));
        }
        (PresenceChange::from(!joined.is_empty() || !left.is_empty()), full_outboxes)
    }

    /// Tells who is here: names to those at home, or a count to everyone where names are too many.
    pub(super) fn broadcast_presence(&self, limits: &Limits) -> FullOutboxes {
        let state = self.lock();
        let count = state.roster.count();
        if count > limits.presence_list_max {
            let presence = Delivery::new(Event::Presence { room: self.room(), count });
            return state.broadcast(&presence, |_| true);
        }
        let users = Delivery::new(Event::Users(state.roster.users()));
        state.broadcast(&users, |it| it.room_kind == RoomKind::Default)
    }

    /// Tells everyone but a user's own connections.
    pub(super) fn broadcast_to_others(
        &self,
        user: &UserName,
        delivery: &Arc<Delivery>,
    ) -> FullOutboxes {
        self.lock().broadcast(delivery, |it| it.user != *user)
    }

    /// Offers everyone but a user's own connections what nobody misses, where names are told at all.
    pub(super) fn offer_to_others(
        &self,
        user: &UserName,
        delivery: &Arc<Delivery>,
        limits: &Limits,
    ) {
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
        state.roster.count() - usize::from(state.roster.contains(user))
    }

    /// Whether nobody is on this node and nobody is expected back.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
