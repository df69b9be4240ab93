//! Who types where. Told to those who keep up, and to nobody twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::Hub;
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::ClusterEvent,
    },
    domain::{Broadcast, ConnectionId, Conversation, Place, Typing, TypingState, UserName},
};

/// Stands for all connections on other nodes: none here has this number.
const REMOTE: ConnectionId = ConnectionId::NONE;

/// Those who type, or did a moment ago.
#[derive(Debug, Default)]
pub(super) struct TypingTracker {
    states: Mutex<TypingStates>,
}

type TypingStates = HashMap<TypingKey, (TypingState, ConnectionId)>;

/// Somebody in a conversation.
type TypingKey = (Place, UserName);

impl TypingTracker {
    /// Poisoning is ignored: whoever is on the board goes off it by and by.
    fn lock(&self) -> MutexGuard<'_, TypingStates> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody said what they typed.
    pub(super) fn record_message(&self, place: &Place, user: &UserName) {
        let mut states = self.lock();
        if states.is_empty() {
            return;
        }
        if let Some((state, _)) = states.get_mut(&(place.clone(), user.clone())) {
            state.record_message();
        }
    }

    /// When somebody is due next.
    pub(super) fn next(&self) -> Option<Duration> {
        self.lock().values().map(|(state, _)| state.due()).min()
    }

    /// Ends what nothing was heard of for too long. Answers whose end is to be told.
    fn expire(&self, now: Duration) -> Vec<TypingKey> {
        let mut ended = Vec::new();
        self.lock().retain(|key, (state, _)| {
            if state.expire(now) == Broadcast::Yes {
                ended.push(key.clone());
            }
            state.due() > now
        });
        ended
    }

    /// Ends what came from a connection. Answers whose end is to be told.
    fn stop_on(&self, connection: ConnectionId) -> Vec<TypingKey> {
        let mut states = self.lock();
        let theirs = states.iter_mut().filter(|(_, (_, it))| *it == connection);
        let ended = theirs
            .filter_map(|(key, (state, _))| (state.stop() == Broadcast::Yes).then(|| key.clone()));
        ended.collect()
    }
}

impl Hub {
    /// Somebody types on a connection.
    pub(crate) fn start_typing(&self, place: Place, user: &UserName, connection: ConnectionId) {
        let key = (place, user.clone());
        if self.record_start(&key, connection) == Broadcast::Yes {
            self.publish_typing(&key, Typing::Yes);
        }
    }

    /// Somebody types no more.
    pub(crate) fn stop_typing(&self, place: Place, user: &UserName) {
        let key = (place, user.clone());
        if self.record_stop(&key) == Broadcast::Yes {
            self.publish_typing(&key, Typing::No);
        }
    }

    /// Somebody types on another node, or stopped. That they stopped may be lost on the way: it ends
    /// here, too, after a while.
    pub(crate) fn apply_remote_typing(&self, place: Place, user: &UserName, typing: Typing) {
        let key = (place, user.clone());
        match typing {
            Typing::Yes => drop(self.record_start(&key, REMOTE)),
            Typing::No => drop(self.record_stop(&key)),
        }
    }

    fn record_start(&self, key: &TypingKey, connection: ConnectionId) -> Broadcast {
        let mut states = self.typing.lock();
        let state = states.entry(key.clone()).or_insert((TypingState::default(), connection));
        state.1 = connection;
        let broadcast = state.0.start(self.now());
        drop(states);
        if broadcast == Broadcast::Yes {
            self.deliver_typing(key, Typing::Yes);
        }
        self.timers.wake();
        broadcast
    }

    fn record_stop(&self, key: &TypingKey) -> Broadcast {
        let broadcast = self.typing.lock().get_mut(key).map(|(state, _)| state.stop());
        let broadcast = broadcast.unwrap_or(Broadcast::No);
        if broadcast == Broadcast::Yes {
            self.deliver_typing(key, Typing::No);
        }
        broadcast
    }

    /// Tells the other nodes.
    fn publish_typing(&self, (place, user): &TypingKey, typing: Typing) {
        self.publisher.publish_to_place(place, || ClusterEvent::Typing {
            place: place.clone(),
            user: user.clone(),
            typing,
        });
    }

    /// Ends what is due at `now`.
    pub(super) fn expire_typing(&self, now: Duration) {
        for key in self.typing.expire(now) {
            self.deliver_typing(&key, Typing::No);
        }
    }

    /// A connection is gone, and with it what it typed.
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
