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
        ports::News,
    },
    domain::{ConnectionId, Conversation, Place, Tell, Typing, Typist, UserName},
};

/// Stands for all connections on other nodes: none here has this number.
const ELSEWHERE: ConnectionId = ConnectionId::NONE;

/// Those who type, or did a moment ago.
#[derive(Debug, Default)]
pub(super) struct Board {
    typists: Mutex<Typists>,
}

type Typists = HashMap<Who, (Typist, ConnectionId)>;

/// Somebody in a conversation.
type Who = (Place, UserName);

impl Board {
    /// Poisoning is ignored: whoever is on the board goes off it by and by.
    fn lock(&self) -> MutexGuard<'_, Typists> {
        self.typists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody said what they typed.
    pub(super) fn said(&self, place: &Place, user: &UserName) {
        let mut typists = self.lock();
        if typists.is_empty() {
            return;
        }
        if let Some((typist, _)) = typists.get_mut(&(place.clone(), user.clone())) {
            typist.say();
        }
    }

    /// When somebody is due next.
    pub(super) fn next(&self) -> Option<Duration> {
        self.lock().values().map(|(typist, _)| typist.due()).min()
    }

    /// Ends what nothing was heard of for too long. Answers whose end is to be told.
    fn expire(&self, now: Duration) -> Vec<Who> {
        let mut ended = Vec::new();
        self.lock().retain(|key, (typist, _)| {
            if typist.expire(now) == Tell::Yes {
                ended.push(key.clone());
            }
            typist.due() > now
        });
        ended
    }

    /// Ends what came from a connection. Answers whose end is to be told.
    fn gone(&self, connection: ConnectionId) -> Vec<Who> {
        let mut typists = self.lock();
        let theirs = typists.iter_mut().filter(|(_, (_, it))| *it == connection);
        let ended = theirs
            .filter_map(|(key, (typist, _))| (typist.stop() == Tell::Yes).then(|| key.clone()));
        ended.collect()
    }
}

impl Hub {
    /// Somebody types on a connection.
    pub(crate) fn types(&self, place: Place, user: &UserName, connection: ConnectionId) {
        let who = (place, user.clone());
        if self.begin(&who, connection) == Tell::Yes {
            self.say_typing(&who, Typing::Yes);
        }
    }

    /// Somebody types no more.
    pub(crate) fn stops_typing(&self, place: Place, user: &UserName) {
        let who = (place, user.clone());
        if self.end(&who) == Tell::Yes {
            self.say_typing(&who, Typing::No);
        }
    }

    /// Somebody types on another node, or stopped. That they stopped may be lost on the way: it ends
    /// here, too, after a while.
    pub(crate) fn types_elsewhere(&self, place: Place, user: &UserName, typing: Typing) {
        let who = (place, user.clone());
        match typing {
            Typing::Yes => drop(self.begin(&who, ELSEWHERE)),
            Typing::No => drop(self.end(&who)),
        }
    }

    fn begin(&self, who: &Who, connection: ConnectionId) -> Tell {
        let mut typists = self.typing.lock();
        let typist = typists.entry(who.clone()).or_insert((Typist::default(), connection));
        typist.1 = connection;
        let tell = typist.0.start(self.now());
        drop(typists);
        if tell == Tell::Yes {
            self.tell_typing(who, Typing::Yes);
        }
        self.roll.wake();
        tell
    }

    fn end(&self, who: &Who) -> Tell {
        let tell = self.typing.lock().get_mut(who).map(|(typist, _)| typist.stop());
        let tell = tell.unwrap_or(Tell::No);
        if tell == Tell::Yes {
            self.tell_typing(who, Typing::No);
        }
        tell
    }

    /// Tells the other nodes.
    fn say_typing(&self, (place, user): &Who, typing: Typing) {
        self.herald.tell(place, || News::Typing {
            place: place.clone(),
            user: user.clone(),
            typing,
        });
    }

    /// Ends what is due at `now`.
    pub(super) fn expire_typing(&self, now: Duration) {
        for who in self.typing.expire(now) {
            self.tell_typing(&who, Typing::No);
        }
    }

    /// A connection is gone, and with it what it typed.
    pub(super) fn end_typing(&self, connection: ConnectionId) {
        for who in self.typing.gone(connection) {
            self.tell_typing(&who, Typing::No);
            self.say_typing(&who, Typing::No);
        }
    }

    fn tell_typing(&self, (place, user): &Who, typing: Typing) {
        let delivery = |hearer: &UserName| {
            let view = place.conversation.seen_by(hearer);
            Delivery::new(Event::Typing { view, user: user.clone(), typing })
        };
        match &place.conversation {
            Conversation::Room(_) => {
                let topic = self.lock().topics.get(place).cloned();
                if let Some(topic) = topic {
                    topic.offer_others(user, &delivery(user), &self.limits);
                }
            }
            Conversation::Direct(one, other) if one != other => {
                let hearer = if one == user { other } else { one };
                let outboxes = self.lock().residents.outboxes(&place.space, hearer);
                let told: Arc<_> = delivery(hearer);
                for (_, outbox) in outboxes {
                    outbox.offer(&told);
                }
            }
            Conversation::Direct(..) | Conversation::Inbox(_) => (),
        }
    }
}
