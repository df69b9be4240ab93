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
    domain::{Broadcast, ConnectionId, Place, Typing, TypingState, UserName},
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
    users: HashMap<TypingKey, (TypingState, ConnectionId)>,
    /// Each key of `users`, at [`TypingState::due`].
    due: DueQueue<TypingKey>,
    /// Each key of `users`, by its connection.
    by_connection: HashMap<ConnectionId, HashSet<TypingKey>>,
}

/// A user in a conversation.
type TypingKey = (Place, UserName);

impl TypingStates {
    /// Begins or continues typing on a connection.
    fn start(&mut self, key: &TypingKey, connection: ConnectionId, now: Duration) -> Broadcast {
        let due = &mut self.due;
        let (state, on) = self.users.entry(key.clone()).or_insert_with(|| {
            let state = TypingState::default();
            due.insert(state.due(), key.clone());
            (state, connection)
        });
        let earlier = std::mem::replace(on, connection);
        let before = state.due();
        let broadcast = state.start(now);
        self.due.reschedule(before, state.due(), key.clone());
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
        let (state, _) = self.users.get_mut(key)?;
        let before = state.due();
        let changed = change(state);
        self.due.reschedule(before, state.due(), key.clone());
        Some(changed)
    }

    /// Ends typing that timed out at `now`. Returns the users whose end is to be sent.
    fn expire(&mut self, now: Duration) -> Vec<TypingKey> {
        let mut ended = Vec::new();
        for key in self.due.take(now) {
            let Some((state, connection)) = self.users.get_mut(&key) else { continue };
            let (broadcast, next, connection) = (state.expire(now), state.due(), *connection);
            if broadcast == Broadcast::Yes {
                ended.push(key.clone());
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
    fn stop_on(&mut self, connection: ConnectionId) -> Vec<TypingKey> {
        let keys = self.by_connection.get(&connection).into_iter().flatten().cloned();
        let keys: Vec<_> = keys.collect();
        let stop = |key: &TypingKey| self.update(key, TypingState::stop) == Some(Broadcast::Yes);
        keys.into_iter().filter(stop).collect()
    }

    /// Whether a user types, or did until a moment ago, on this connection.
    fn is_on(&self, key: &TypingKey, connection: ConnectionId) -> bool {
        self.users.get(key).is_some_and(|(_, on)| *on == connection)
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
    pub(crate) fn start(&self, place: Place, user: &UserName, connection: ConnectionId) {
        let key = (place, user.clone());
        if self.start_on(&key, connection) == Broadcast::Yes {
            self.publish(&key, Typing::Yes);
        }
    }

    /// A user stopped typing.
    pub(crate) fn stop(&self, place: Place, user: &UserName) {
        let key = (place, user.clone());
        if self.stop_user(&key) == Broadcast::Yes {
            self.publish(&key, Typing::No);
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
    pub(crate) fn apply_remote(&self, place: Place, user: &UserName, typing: Typing) {
        let key = (place, user.clone());
        match typing {
            Typing::Yes => drop(self.start_on(&key, REMOTE)),
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
        for key in ended {
            self.offer(&key, Typing::No);
            self.publish(&key, Typing::No);
        }
    }

    /// The next moment at which a state is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.states.lock().due.next()
    }

    /// Ends typing that timed out at `now`. Every node does so by itself.
    pub(super) fn expire(&self, now: Duration) {
        let ended = self.states.lock().expire(now);
        for key in ended {
            self.offer(&key, Typing::No);
        }
    }

    fn start_on(&self, key: &TypingKey, connection: ConnectionId) -> Broadcast {
        let broadcast = self.states.lock().start(key, connection, self.timers.now());
        if broadcast == Broadcast::Yes {
            self.offer(key, Typing::Yes);
        }
        self.timers.wake();
        broadcast
    }

    fn stop_user(&self, key: &TypingKey) -> Broadcast {
        let broadcast = self.states.lock().update(key, TypingState::stop);
        let broadcast = broadcast.unwrap_or(Broadcast::No);
        if broadcast == Broadcast::Yes {
            self.offer(key, Typing::No);
        }
        broadcast
    }

    fn offer(&self, (place, user): &TypingKey, typing: Typing) {
        let event = |view| Event::Typing { view, user: user.clone(), typing };
        self.fanout.offer_to_others(place, user, event);
    }

    fn publish(&self, (place, user): &TypingKey, typing: Typing) {
        self.publisher.publish_to_place(place, || ClusterEvent::Typing {
            place: place.clone(),
            user: user.clone(),
            typing,
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
        assert_eq!(states.start(&key, one, at(1)), Broadcast::Yes);
        assert_eq!(states.start(&key, two, at(1)), Broadcast::No);
        assert!(states.stop_on(one).is_empty());
        assert_eq!(states.stop_on(two), [key]);
        assert!(states.expire(at(60)).is_empty());
        assert!(states.users.is_empty() && states.by_connection.is_empty());
        assert_eq!(states.due.next(), None);
    }
}
