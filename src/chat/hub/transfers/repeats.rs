//! What a session receives on its new node, without what it has received on the one before.
//!
//! For a moment both nodes serve it, so that nothing is lost. An entry is recognised by its place in
//! its log, an event that passes by by its id. What has neither (presence, typing, receipts) is a
//! state, and is recognised by its content among what the node before has sent since.

use std::collections::{HashMap, HashSet};

use crate::{
    chat::{
        event::{Delivery, Event, Tally, Welcome},
        ports::{EventSource, FoundSession, KeptEvent, TakenSession},
    },
    domain::{Body, Conversation, Place, RoomName, Seq, Space, UserName},
};

/// What another node has handed over.
#[derive(Debug)]
pub struct ContinuedSession {
    /// What the session has received since its client was lost, in order.
    pub events: Vec<KeptEvent>,
    /// What is a repeat of that.
    pub repeats: Repeats,
}

/// See the module.
#[derive(Debug)]
pub struct Repeats {
    space: Space,
    /// The rooms that the session was in.
    rooms: HashSet<RoomName>,
    /// The last entry that the session has, by conversation.
    positions: HashMap<Place, Seq>,
    /// The events that have passed by since the session was found.
    passing: HashSet<Box<str>>,
    /// The other events since then.
    others: Vec<Body>,
}

impl ContinuedSession {
    /// A session that was found, and what has changed until it was taken.
    pub(crate) fn new(space: Space, found: FoundSession, taken: TakenSession) -> Self {
        let FoundSession { positions, mut events, .. } = found;
        let TakenSession { rooms, events: later } = taken;
        let mut repeats = Repeats {
            rooms: rooms
                .iter()
                .filter_map(|(place, _)| place.conversation.room())
                .cloned()
                .collect(),
            positions: positions.into_iter().collect(),
            space,
            passing: HashSet::new(),
            others: Vec::new(),
        };
        for (place, seq) in rooms {
            repeats.advance(place, seq);
        }
        for event in &later {
            match &event.source {
                EventSource::Entry(place, seq) => repeats.advance(place.clone(), *seq),
                EventSource::Passing(id) => drop(repeats.passing.insert(id.clone())),
                EventSource::Other => repeats.others.push(event.args.clone()),
            }
        }
        events.extend(later);
        Self { events, repeats }
    }
}

/// What a session was sent on this node before this welcome, and not before it was found on the other
/// one: the other node must send it, because this one does not.
///
/// Entries of rooms are not looked at: this node sends those that follow the position of the other one.
pub(crate) fn required(
    space: &Space,
    found: &FoundSession,
    welcome: &Welcome,
) -> Vec<(Place, Seq)> {
    let has = |(place, head): &(Place, Seq)| {
        *head == Seq::ZERO || found.positions.iter().any(|(it, seq)| it == place && seq >= head)
    };
    heads(space, welcome).into_iter().filter(|it| !has(it)).collect()
}

/// The last entries of the direct conversations and the inbox.
fn heads(space: &Space, welcome: &Welcome) -> Vec<(Place, Seq)> {
    let Welcome { user, directs, inbox, .. } = welcome;
    let place = |conversation| Place { space: space.clone(), conversation };
    let of_direct = |(other, tally): &(UserName, Tally)| {
        (place(Conversation::direct(user.clone(), other.clone())), tally.head)
    };
    let of_inbox = (place(Conversation::Inbox(user.clone())), inbox.head);
    directs.iter().map(of_direct).chain([of_inbox]).collect()
}

impl Repeats {
    /// Whether nothing is missing between what the session has and what it receives from the time of
    /// this welcome on. Otherwise the node before was behind when it was asked.
    ///
    /// Entries of rooms are not looked at: those that are missing are read from the log.
    pub fn are_complete(&self, welcome: &Welcome) -> bool {
        let has = |(place, head): &(Place, Seq)| {
            *head <= self.positions.get(place).copied().unwrap_or_default()
        };
        welcome.rooms.len() == self.rooms.len()
            && welcome.rooms.iter().all(|it| self.rooms.contains(&it.room))
            && heads(&self.space, welcome).iter().all(has)
    }

    /// Whether the session has an entry, or an event that has passed by.
    pub fn is_repeat(&mut self, delivery: &Delivery) -> bool {
        if let Some(entry) = delivery.entry() {
            let last = self.positions.get(&entry.place).copied();
            let is_repeat = last.is_some_and(|last| entry.seq() <= last);
            if last.is_some() && !is_repeat {
                // None of the later ones is.
                self.positions.remove(&entry.place);
            }
            return is_repeat;
        }
        delivery.passing_id().is_some_and(|id| self.passing.remove(id))
    }

    /// Whether the session has another event with this content, which counts once.
    pub fn take_equal(&mut self, delivery: &Delivery, args: impl FnOnce() -> Body) -> bool {
        let is_known = delivery.entry().is_some() || delivery.passing_id().is_some();
        if is_known || self.others.is_empty() || matches!(delivery.event(), Event::Welcome(_)) {
            return false;
        }
        let args = args();
        let equal = self.others.iter().position(|it| *it == args);
        equal.map(|place| self.others.remove(place)).is_some()
    }

    /// Moves on to later repeats only: those of entries and ids.
    pub fn forget_others(&mut self) {
        self.others = Vec::new();
    }

    /// Records an entry that the session has.
    fn advance(&mut self, place: Place, seq: Seq) {
        let last = self.positions.entry(place).or_default();
        *last = seq.max(*last);
    }
}
