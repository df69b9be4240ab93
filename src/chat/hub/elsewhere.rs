//! What other nodes say that concerns the connections of this one.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Hub, Topic, close, end,
    members::{Line, Logged, logged},
    residents::Resident,
    topic::{Presences, TooSlow, Word},
};
use crate::{
    chat::ports::{Act, News, Outbox},
    domain::{Channel, CloseReason, DeviceId, Log, NodeId, Place, Space, UserName},
};

impl Hub {
    /// Takes another node's word for who is in a room there.
    pub(crate) fn hear(&self, node: &NodeId, place: &Place, word: Word<'_>) {
        let topic = self.lock().topics.get(place).cloned();
        if let Some(topic) = topic {
            self.told(&topic, topic.hear(node, word, &self.limits));
        }
    }

    /// A node is no more, and nobody is there.
    pub(crate) fn forget_node(&self, node: &NodeId) {
        for topic in self.topics(|_| true) {
            self.told(&topic, topic.hear(node, Word::Are(&[]), &self.limits));
        }
    }

    /// Sees to those who hear of another user in a room.
    fn told(&self, topic: &Arc<Topic>, (presences, too_slow): (Presences, TooSlow)) {
        close(too_slow);
        if presences == Presences::Changed {
            self.roll.changed(topic.place(), self.now());
        }
    }

    /// Looks after a room whose log stands like this, while the answer is held.
    pub(crate) fn look_out(self: &Arc<Self>, place: &Place, log: Log) -> Lookout {
        let logged = logged(&mut self.lock().topics, place, log, &self.herald);
        let topic = match logged {
            Logged::Topic(topic) => Some(topic),
            Logged::Here(_) => None,
        };
        Lookout { hub: Arc::clone(self), place: place.clone(), topic }
    }

    /// Tells the other nodes who is in a room here.
    pub(crate) fn call_roster(&self, place: &Place) {
        let topic = self.lock().topics.get(place).cloned();
        match topic {
            Some(topic) => topic.call_roster(self.herald.has_lapsed().then(|| self.now())),
            None => self.herald.tell(place, || News::Roster(place.clone(), vec![])),
        }
    }

    /// The rooms here that are spoken of on these channels.
    pub(crate) fn rooms_on(&self, channels: Option<&BTreeSet<Channel>>) -> Vec<Arc<Topic>> {
        self.topics(|place| {
            channels.is_none_or(|it| Channel::of(place).any(|channel| it.contains(&channel)))
        })
    }

    fn topics(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Arc<Topic>> {
        let state = self.lock();
        state.topics.values().filter(|topic| wanted(topic.place())).cloned().collect()
    }

    /// The users here who are spoken of on these channels, with the revisions of which this node knows
    /// where they are members.
    pub(crate) fn users_on(
        &self,
        channels: Option<&BTreeSet<Channel>>,
    ) -> Vec<((Space, UserName), Option<u64>)> {
        self.lock().residents.revisions(|space, user| {
            let channel = Channel::of_user(space, &user.key());
            channels.is_none_or(|it| it.contains(&channel))
        })
    }

    /// Does here what all nodes are to do.
    pub(crate) fn act(&self, act: &Act) {
        match act {
            Act::SignedOut(sign_in) => self.sign_out(sign_in),
            Act::Vouched { space, user } => self.vouched(space, user),
            Act::Came { space, user, device, ticket } => {
                let state = self.lock();
                let resident = state.residents.get(space, user);
                let replaced = resident.map(|it| it.replaced(device.as_ref(), *ticket));
                drop(state);
                end(replaced.unwrap_or_default(), CloseReason::Replaced);
            }
        }
    }

    /// Takes a name that is a user's from the guests here who look alike.
    fn vouched(&self, space: &Space, user: &UserName) {
        let mut state = self.lock();
        let evicted = state.residents.vouch(space, user);
        let mut outboxes = Vec::new();
        for (name, resident) in evicted {
            outboxes.extend(resident.lines.values().map(|line| Arc::clone(&line.outbox)));
            state.let_go(self, space, &name, resident);
        }
        drop(state);
        end(outboxes, CloseReason::NameTaken);
    }

    /// A guest's name is somebody else's since this node was not alive for a while.
    pub(crate) fn lose_name(&self, space: &Space, user: &UserName, stay: &str) {
        let mut state = self.lock();
        let is_theirs = state.residents.get(space, user).is_some_and(|it| it.is_guest(stay));
        let resident = if is_theirs { state.residents.remove(space, user) } else { None };
        let Some(resident) = resident else { return };
        let outboxes = resident.lines.values().map(|line| Arc::clone(&line.outbox)).collect();
        state.let_go(self, space, user, resident);
        drop(state);
        end(outboxes, CloseReason::NameTaken);
    }
}

/// A room that is looked after, though nobody may be in it here.
#[must_use = "the room is let go of when this is dropped"]
pub(crate) struct Lookout {
    hub: Arc<Hub>,
    place: Place,
    topic: Option<Arc<Topic>>,
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.topic = None;
        self.hub.lock().forget_if_empty(&self.place);
    }
}

impl Resident {
    /// The connections of other devices that came before this ticket was drawn.
    fn replaced(&self, device: Option<&DeviceId>, ticket: u64) -> Vec<Arc<dyn Outbox>> {
        let is_other = |line: &Line| line.device.is_none() || line.device.as_ref() != device;
        let lines = self.lines.values().filter(|it| is_other(it) && it.ticket < ticket);
        lines.map(|line| Arc::clone(&line.outbox)).collect()
    }
}
