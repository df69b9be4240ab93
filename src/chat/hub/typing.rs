//! Typing notifications: offered to connections whose outboxes have room, once per state.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use super::{due_queue::DueQueue, fanout::Fanout, timers::Timers};
use crate::{
    chat::{event::Event, ports::ClusterEvent, publisher::Publisher},
    domain::{
        Broadcast, ConnectionId, DisplayName, NamedUser, Place, Typing, TypingState, UserName,
    },
};

/// Stands for all connections on other nodes: no connection of this node has this number.
const REMOTE: ConnectionId = ConnectionId::NONE;

/// The users who type, and those who did until a moment ago.
pub(crate) struct TypingTracker {
    fanout: Arc<Fanout>,
    timers: Arc<Timers>,
    publisher: Arc<Publisher>,
    /// Locked for changes of the states only: events are sent without the lock.
    states: Mutex<TypingStates>,
}

#[derive(Debug, Default)]
struct TypingStates {
    users: HashMap<TypingKey, TypingUser>,
    /// Each key of `users`, at [`TypingState::due`].
    due: DueQueue<TypingKey>,
    /// Each key of `users`, by its connection.
    by_connection: HashMap<ConnectionId, HashSet<TypingKey>>,
}

/// A user who types, or did until a moment ago.
#[derive(Debug)]
struct TypingUser {
    state: TypingState,
    /// The connection on which the user types.
    on: ConnectionId,
    name: Option<DisplayName>,
}

/// A user in a conversation.
type TypingKey = (Place, UserName);

/// A user who does not type any more, and the display name.
type EndedTyping = (TypingKey, Option<DisplayName>);

impl TypingStates {
    /// Begins or continues typing on a connection.
    fn start(
        &mut self,
        key: &TypingKey,
        (connection, name): (ConnectionId, Option<DisplayName>),
        now: Duration,
    ) -> Broadcast {
        let due = &mut self.due;
        let typing = self.users.entry(key.clone()).or_insert_with(|| {
            let state = TypingState::default();
            due.insert(state.due(), key.clone());
            TypingUser { state, on: connection, name: None }
        });
        typing.name = name;
        let earlier = std::mem::replace(&mut typing.on, connection);
        let before = typing.state.due();
        let broadcast = typing.state.start(now);
        self.due.reschedule(before, typing.state.due(), key.clone());
        if earlier != connection {
            self.unlink(earlier, key);
        }
        self.by_connection.entry(connection).or_default().insert(key.clone());
        broadcast
    }

    /// Changes the state of a user who types, and when it is due.
    fn update<R>(
        &mut self,
        key: &TypingKey,
        change: impl FnOnce(&mut TypingState) -> R,
    ) -> Option<R> {
        let TypingUser { state, .. } = self.users.get_mut(key)?;
        let before = state.due();
        let changed = change(state);
        self.due.reschedule(before, state.due(), key.clone());
        Some(changed)
    }

    /// Ends typing that timed out at `now`. Returns the users whose end is to be sent.
    fn expire(&mut self, now: Duration) -> Vec<EndedTyping> {
        let mut ended = Vec::new();
        for key in self.due.take(now) {
            let Some(TypingUser { state, on, name }) = self.users.get_mut(&key) else { continue };
            let (broadcast, next, connection) = (state.expire(now), state.due(), *on);
            if broadcast == Broadcast::Yes {
                ended.push((key.clone(), name.clone()));
            }
            if next > now {
                self.due.insert(next, key);
            } else {
                self.users.remove(&key);
                self.unlink(connection, &key);
            }
        }
        ended
    }

    /// Ends typing on a connection. Returns the users whose end is to be sent.
    fn stop_on(&mut self, connection: ConnectionId) -> Vec<EndedTyping> {
        let keys = self.by_connection.get(&connection).into_iter().flatten().cloned();
        let keys: Vec<_> = keys.collect();
        keys.iter().filter_map(|key| self.stop(key)).collect()
    }

    /// Ends typing of a user. Returns who it is if the end is to be sent.
    fn stop(&mut self, key: &TypingKey) -> Option<EndedTyping> {
        let broadcast = self.update(key, TypingState::stop)?;
        let typing = self.users.get(key).filter(|_| broadcast == Broadcast::Yes)?;
        Some((key.clone(), typing.name.clone()))
    }

    /// Whether a user types, or did until a moment ago, on this connection.
    fn is_on(&self, key: &TypingKey, connection: ConnectionId) -> bool {
        self.users.get(key).is_some_and(|it| it.on == connection)
    }

    fn unlink(&mut self, connection: ConnectionId, key: &TypingKey) {
        if let Some(keys) = self.by_connection.get_mut(&connection) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }
}

impl TypingTracker {
    pub(super) fn new(fanout: Arc<Fanout>, timers: Arc<Timers>, publisher: Arc<Publisher>) -> Self {
        Self { fanout, timers, publisher, states: Mutex::default() }
    }

    /// A user types on a connection.
    pub(crate) fn start(&self, place: Place, who: NamedUser, connection: ConnectionId) {
        let NamedUser { user, name } = who;
        let key = (place, user);
        if self.start_on(&key, (connection, name.clone())) == Broadcast::Yes {
            self.publish(&key, name.as_ref(), Typing::Yes);
        }
    }

    /// A user stopped typing.
    pub(crate) fn stop(&self, place: Place, user: &UserName) {
        let key = (place, user.clone());
        if let Some((key, name)) = self.stop_user(&key) {
            self.publish(&key, name.as_ref(), Typing::No);
        }
    }

    /// A user may not type any more on a connection.
    pub(super) fn stop_on_connection(
        &self,
        place: Place,
        user: &UserName,
        connection: ConnectionId,
    ) {
        let key = (place, user.clone());
        if self.states.lock().is_on(&key, connection) {
            self.stop(key.0, user);
        }
    }

    /// A user types on another node, or stopped. The event of the end may be lost: the state times out
    /// on this node, too.
    pub(crate) fn apply_remote(&self, place: Place, who: NamedUser, typing: Typing) {
        let NamedUser { user, name } = who;
        let key = (place, user);
        match typing {
            Typing::Yes => drop(self.start_on(&key, (REMOTE, name))),
            Typing::No => drop(self.stop_user(&key)),
        }
    }

    /// Ends typing without an event: a message implies it.
    pub(super) fn end_silently(&self, place: &Place, user: &UserName) {
        let mut states = self.states.lock();
        if !states.users.is_empty() {
            states.update(&(place.clone(), user.clone()), TypingState::record_message);
        }
    }

    /// Ends typing on a connection that closed.
    pub(super) fn stop_on(&self, connection: ConnectionId) {
        let ended = self.states.lock().stop_on(connection);
        for (key, name) in ended {
            self.offer(&key, name.clone(), Typing::No);
            self.publish(&key, name.as_ref(), Typing::No);
        }
    }

    /// The next moment at which a state is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.states.lock().due.next()
    }

    /// Ends typing that timed out at `now`. Every node does so by itself.
    pub(super) fn expire(&self, now: Duration) {
        let ended = self.states.lock().expire(now);
        for (key, name) in ended {
            self.offer(&key, name, Typing::No);
        }
    }

    fn start_on(
        &self,
        key: &TypingKey,
        (connection, name): (ConnectionId, Option<DisplayName>),
    ) -> Broadcast {
        let now = self.timers.now();
        let broadcast = self.states.lock().start(key, (connection, name.clone()), now);
        if broadcast == Broadcast::Yes {
            self.offer(key, name, Typing::Yes);
        }
        self.timers.wake();
        broadcast
    }

    /// Ends typing of a user. Returns who it is if the end was sent.
    fn stop_user(&self, key: &TypingKey) -> Option<EndedTyping> {
        let (key, name) = self.states.lock().stop(key)?;
        self.offer(&key, name.clone(), Typing::No);
        Some((key, name))
    }

    fn offer(&self, (place, user): &TypingKey, name: Option<DisplayName>, typing: Typing) {
        let who = NamedUser { user: user.clone(), name };
        self.fanout.offer_to_others(place, user, |view| Event::Typing { view, who, typing });
    }

    fn publish(&self, (place, user): &TypingKey, name: Option<&DisplayName>, typing: Typing) {
        self.publisher.publish_to_place(place, || {
            let who = NamedUser { user: user.clone(), name: name.cloned() };
            ClusterEvent::Typing { place: place.clone(), who, typing }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RoomName, Space};

    #[test]
    fn a_state_belongs_to_the_last_connection_and_is_forgotten() {
        let mut states = TypingStates::default();
        let place = Place::room(&Space::root(), &RoomName::lobby());
        let key = (place, UserName::from_raw("ann"));
        let [one, two] = [1, 2].map(ConnectionId::from_raw);
        let at = Duration::from_secs;
        assert_eq!(states.start(&key, (one, None), at(1)), Broadcast::Yes);
        let name = Some(DisplayName::from_raw("Ann"));
        assert_eq!(states.start(&key, (two, name.clone()), at(1)), Broadcast::No);
        assert!(states.stop_on(one).is_empty());
        assert_eq!(states.stop_on(two), [(key, name)]);
        assert!(states.expire(at(60)).is_empty());
        assert!(states.users.is_empty() && states.by_connection.is_empty());
        assert_eq!(states.due.next(), None);
    }
}
