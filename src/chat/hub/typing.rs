//! Typing notifications: offered to connections whose outboxes have room, once per state.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{Hub, due_queue::DueQueue};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::ClusterEvent,
    },
    domain::{Broadcast, ConnectionId, Conversation, Place, Typing, TypingState, UserName},
};

/// Stands for all connections on other nodes: no connection of this node has this number.
const REMOTE: ConnectionId = ConnectionId::NONE;

/// Users who type, or did until a moment ago.
#[derive(Debug, Default)]
pub(super) struct TypingTracker {
    states: Mutex<TypingStates>,
}

#[derive(Debug, Default)]
struct TypingStates {
    users: HashMap<TypingKey, (TypingState, ConnectionId)>,
    /// Each key of `users`, at [`TypingState::due`].
    due: DueQueue<TypingKey>,
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
        *on = connection;
        let before = state.due();
        let broadcast = state.start(now);
        self.due.reschedule(before, state.due(), key.clone());
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
}

impl TypingTracker {
    /// Ends typing without an event: the message that was typed is the sign.
    pub(super) fn record_message(&self, place: &Place, user: &UserName) {
        let mut states = self.states.lock();
        if !states.users.is_empty() {
            states.update(&(place.clone(), user.clone()), TypingState::record_message);
        }
    }

    /// The next moment at which a state is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.states.lock().due.next()
    }

    /// Ends typing that timed out at `now`. Returns the users whose end is to be sent.
    fn expire(&self, now: Duration) -> Vec<TypingKey> {
        let mut states = self.states.lock();
        let TypingStates { users, due } = &mut *states;
        let mut ended = Vec::new();
        for key in due.take(now) {
            let Some((state, _)) = users.get_mut(&key) else { continue };
            if state.expire(now) == Broadcast::Yes {
                ended.push(key.clone());
            }
            if state.due() > now {
                due.insert(state.due(), key);
            } else {
                users.remove(&key);
            }
        }
        ended
    }

    /// Ends typing on a connection. Returns the users whose end is to be sent.
    fn stop_on(&self, connection: ConnectionId) -> Vec<TypingKey> {
        let mut states = self.states.lock();
        let theirs = states.users.iter().filter(|(_, (_, it))| *it == connection);
        let theirs: Vec<_> = theirs.map(|(key, _)| key.clone()).collect();
        let stop = |key: &TypingKey| states.update(key, TypingState::stop) == Some(Broadcast::Yes);
        theirs.into_iter().filter(stop).collect()
    }
}

impl Hub {
    /// A user types on a connection.
    pub(crate) fn start_typing(&self, place: Place, user: &UserName, connection: ConnectionId) {
        let key = (place, user.clone());
        if self.record_start(&key, connection) == Broadcast::Yes {
            self.publish_typing(&key, Typing::Yes);
        }
    }

    /// A user stopped typing.
    pub(crate) fn stop_typing(&self, place: Place, user: &UserName) {
        let key = (place, user.clone());
        if self.record_stop(&key) == Broadcast::Yes {
            self.publish_typing(&key, Typing::No);
        }
    }

    /// A user types on another node, or stopped. The event of the end may be lost: the state times out
    /// on this node, too.
    pub(crate) fn apply_remote_typing(&self, place: Place, user: &UserName, typing: Typing) {
        let key = (place, user.clone());
        match typing {
            Typing::Yes => drop(self.record_start(&key, REMOTE)),
            Typing::No => drop(self.record_stop(&key)),
        }
    }

    fn record_start(&self, key: &TypingKey, connection: ConnectionId) -> Broadcast {
        let broadcast = self.typing.states.lock().start(key, connection, self.now());
        if broadcast == Broadcast::Yes {
            self.deliver_typing(key, Typing::Yes);
        }
        self.timers.wake();
        broadcast
    }

    fn record_stop(&self, key: &TypingKey) -> Broadcast {
        let broadcast = self.typing.states.lock().update(key, TypingState::stop);
        let broadcast = broadcast.unwrap_or(Broadcast::No);
        if broadcast == Broadcast::Yes {
            self.deliver_typing(key, Typing::No);
        }
        broadcast
    }

    /// Publishes typing to the other nodes.
    fn publish_typing(&self, (place, user): &TypingKey, typing: Typing) {
        self.publisher.publish_to_place(place, || ClusterEvent::Typing {
            place: place.clone(),
            user: user.clone(),
            typing,
        });
    }

    /// Ends typing that timed out at `now`.
    pub(super) fn expire_typing(&self, now: Duration) {
        for key in self.typing.expire(now) {
            self.deliver_typing(&key, Typing::No);
        }
    }

    /// Ends typing on a connection that closed.
    pub(super) fn stop_typing_on(&self, connection: ConnectionId) {
        for key in self.typing.stop_on(connection) {
            self.deliver_typing(&key, Typing::No);
            self.publish_typing(&key, Typing::No);
        }
    }

    fn deliver_typing(&self, (place, user): &TypingKey, typing: Typing) {
        let delivery = |recipient: &UserName| {
            let view = place.conversation.view_for(recipient);
            Delivery::new(Event::Typing { view, user: user.clone(), typing })
        };
        match &place.conversation {
            Conversation::Room(_) => {
                let live_room = self.lock().live_rooms.get(place).cloned();
                if let Some(live_room) = live_room {
                    live_room.offer_to_others(user, &delivery(user), &self.limits);
                }
            }
            Conversation::Direct(one, other) if one != other => {
                let recipient = if one == user { other } else { one };
                let outboxes = self.lock().online_users.outboxes(&place.space, recipient);
                let event: Arc<_> = delivery(recipient);
                for (_, outbox) in outboxes {
                    outbox.offer(&event);
                }
            }
            Conversation::Direct(..) | Conversation::Inbox(_) => (),
        }
    }
}
