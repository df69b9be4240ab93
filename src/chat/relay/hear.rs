//! What the other nodes say, taken one after the other.

use std::{collections::BTreeSet, mem, ops::RangeInclusive, sync::Arc};

use super::{Relay, Stale, State, streams::Hearing};
use crate::{
    chat::{
        hub::Word,
        journal::Post,
        ports::{Announcement, Heard, News},
    },
    domain::{Channel, NodeId, Place},
};

impl Relay {
    /// Hears the other nodes until there is nothing more to be heard.
    pub(crate) async fn hear(&self) {
        while let Some(heard) = self.bus.next().await {
            match heard {
                Heard::News(channel, announcement) => self.take(channel, announcement),
                Heard::Opened(channels) => self.open(&channels),
            }
        }
    }

    /// These channels are heard from here on: what was said before is in the store, and who is in which
    /// room the others say when they are asked.
    fn open(&self, channels: &BTreeSet<Channel>) {
        self.suspect(channels, None);
        let mut state = self.lock();
        state.open.extend(channels);
        state.asks_anew = true;
        drop(state);
        self.herald.wake();
        self.told.notify_waiters();
    }

    /// Something may have been missed on these channels, of one node or of all.
    fn suspect(&self, channels: &BTreeSet<Channel>, of: Option<&NodeId>) {
        let rooms = self.hub.rooms_on(Some(channels));
        let rooms = rooms.iter().map(|topic| topic.place().clone()).collect();
        let mut state = self.lock();
        state.suspects.channels.extend(channels);
        state.ask(rooms, of);
        drop(state);
        self.herald.wake();
    }

    fn take(&self, channel: Channel, announcement: Announcement) {
        let Announcement { from, number, news } = announcement;
        if from == *self.herald.node() {
            return;
        }
        let mut state = self.lock();
        let is_new = state.neighbours.hear(&from, self.hub.now());
        let hearing = state.streams.hear(&from, channel, number);
        drop(state);
        if is_new {
            self.meet(&from);
        }
        if hearing != Hearing::Known {
            self.mind(&from, channel, hearing);
            self.believe(&from, channel, news);
        }
    }

    /// There is another node: it has yet to say who is there.
    pub(super) fn meet(&self, node: &NodeId) {
        self.herald.count_others(1);
        let rooms = self.hub.rooms_on(None);
        let rooms = rooms.iter().map(|topic| topic.place().clone()).collect();
        let mut state = self.lock();
        state.suspects.everywhere = true;
        state.ask(rooms, Some(node));
        state.asks_anew = true;
        drop(state);
        self.herald.wake();
    }

    /// Sees to what was not heard. Nobody is asked at once: on a bus that loses much, nodes would talk of
    /// nothing but what they missed.
    fn mind(&self, from: &NodeId, channel: Channel, hearing: Hearing) {
        let Hearing::Missed(numbers) = hearing else { return };
        let mut state = self.lock();
        let missed = state.missed.entry((from.clone(), channel)).or_insert(numbers.clone());
        *missed = *missed.start()..=*numbers.end();
        drop(state);
        self.suspect(&BTreeSet::from([channel]), Some(from));
    }

    fn believe(&self, from: &NodeId, channel: Channel, news: News) {
        match news {
            News::Entry(delivery) => {
                let Some(place) = delivery.entry().map(|entry| entry.place.clone()) else { return };
                let post = Post { delivery: Arc::clone(&delivery), except: None };
                self.arrive(&place, &[post], Vec::new());
            }
            News::Cut(place, floor) => self.hub.trimmed(&[(place, floor)]),
            News::Changed { place, user, by } => {
                if self.hub.knows(&place.space, &user) {
                    let space = place.space.clone();
                    let by = by.map(|by| (place, by)).into_iter().collect();
                    self.is_stale(&space, &user, Stale { by, revision: None });
                }
            }
            News::Read { place, user, seq } => self.hub.receipt_elsewhere(&place, &user, seq),
            News::Typing { place, user, typing } => self.hub.types_elsewhere(place, &user, typing),
            News::Here(place, user) => self.hub.hear(from, &place, Word::Came(&user)),
            News::Gone(place, user) => self.hub.hear(from, &place, Word::Went(&user)),
            News::Roster(place, users) => {
                self.hub.hear(from, &place, Word::Are(&users));
                self.lock().has_answered(from, &place);
                self.told.notify_waiters();
            }
            News::Ask(places) => places.iter().for_each(|place| self.hub.call_roster(place)),
            News::Missed { of, from, to } if of == *self.herald.node() => {
                self.herald.repeat(channel, &RangeInclusive::new(from, to));
            }
            News::Missed { .. } => (),
            News::Act(act) => self.hub.act(&act),
            News::Again(number, act) => {
                if self.lock().streams.has_missed(from, channel, number) {
                    self.hub.act(&act);
                }
            }
            News::Beat(numbers) => self.count(from, numbers),
            // Whatever it was, the store has it.
            News::Unknown => self.suspect(&BTreeSet::from([channel]), Some(from)),
        }
    }

    /// Compares how much a node has said with how much was heard.
    fn count(&self, from: &NodeId, numbers: Vec<(Channel, u64)>) {
        for (channel, number) in numbers {
            let mut state = self.lock();
            if state.open.contains(&channel) {
                let hearing = state.streams.beat(from, channel, number);
                drop(state);
                self.mind(from, channel, hearing);
            }
        }
    }
}

impl State {
    /// Has one node, or all, say who is in these rooms.
    pub(super) fn ask(&mut self, places: Vec<Place>, of: Option<&NodeId>) {
        let of =
            of.map_or_else(|| self.neighbours.names().cloned().collect(), |it| vec![it.clone()]);
        for place in places.into_iter().filter(|_| !of.is_empty()) {
            self.asked.entry(place).or_default().extend(of.iter().cloned());
        }
    }

    fn has_answered(&mut self, node: &NodeId, place: &Place) {
        if let Some(nodes) = self.asked.get_mut(place) {
            nodes.remove(node);
            if nodes.is_empty() {
                self.asked.remove(place);
            }
        }
    }

    /// Nobody waits for a node any more that is gone.
    pub(super) fn ask_no_more(&mut self, node: &NodeId) {
        let asked = mem::take(&mut self.asked).into_iter().filter_map(|(place, mut nodes)| {
            nodes.remove(node);
            (!nodes.is_empty()).then_some((place, nodes))
        });
        self.asked = asked.collect();
    }
}
