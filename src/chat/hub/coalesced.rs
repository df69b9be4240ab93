//! Events of a conversation that are sent at most once per interval, merged in between.
//!
//! The interval is a second, or longer where an event has many receivers.

use std::{collections::HashMap, mem, time::Duration};

use super::due_queue::DueQueue;
use crate::domain::Place;

/// Presence lists and receipts of a conversation are each sent at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Receivers of one conversation's events per second. Past it the interval grows, so that the share of
/// one arrival hardly grows with the number of connections.
const RECEIVERS_PER_SECOND: u32 = 2000;

/// The longest interval: a count that is older is of no use.
const INTERVAL_MAX: Duration = Duration::from_secs(5);

/// The conversations with something to send, and those that sent something within the last interval.
#[derive(Debug)]
pub(super) struct Coalesced<T> {
    places: HashMap<Place, CoalesceState<T>>,
    /// Each conversation in `places`, once.
    due: DueQueue<Place>,
}

/// Whether a conversation has something to send.
#[derive(Debug)]
enum CoalesceState<T> {
    /// It has not. What is added now waits for the end of the interval.
    CoolingDown,
    /// It has.
    Due(T),
}

impl<T> Default for Coalesced<T> {
    fn default() -> Self {
        Self { places: HashMap::new(), due: DueQueue::default() }
    }
}

impl<T: Default> Coalesced<T> {
    /// The value that a conversation sends next, for the caller to add to.
    pub(super) fn add(&mut self, place: &Place, now: Duration) -> &mut T {
        let due = &mut self.due;
        let state = self.places.entry(place.clone()).or_insert_with(|| {
            due.insert(now, place.clone());
            CoalesceState::Due(T::default())
        });
        if let CoalesceState::CoolingDown = *state {
            // The end of the interval is already in the queue.
            *state = CoalesceState::Due(T::default());
        }
        match state {
            CoalesceState::Due(value) => value,
            CoalesceState::CoolingDown => unreachable!("it was made due above"),
        }
    }

    /// The next moment at which a conversation sends something or its interval ends.
    pub(super) fn next(&self) -> Option<Duration> {
        self.due.next()
    }

    /// Takes what is to be sent at `now`, and begins the interval of its conversations.
    pub(super) fn take(&mut self, now: Duration) -> Vec<(Place, T)> {
        let mut taken = Vec::new();
        for place in self.due.take(now) {
            let Some(state) = self.places.get_mut(&place) else { continue };
            let until = now + INTERVAL;
            match mem::replace(state, CoalesceState::CoolingDown) {
                CoalesceState::Due(value) => {
                    self.due.insert(until, place.clone());
                    taken.push((place, value));
                }
                CoalesceState::CoolingDown => drop(self.places.remove(&place)),
            }
        }
        taken
    }

    /// Prolongs the interval that a conversation began at `now`, by the number of receivers of what
    /// it sent.
    pub(super) fn prolong(&mut self, place: &Place, now: Duration, receivers: usize) {
        let interval = interval_for(receivers);
        if interval > INTERVAL && self.places.contains_key(place) {
            self.due.reschedule(now + INTERVAL, now + interval, place.clone());
        }
    }
}

/// The interval between events that have this many receivers.
fn interval_for(receivers: usize) -> Duration {
    let seconds = f64::from(u32::try_from(receivers).unwrap_or(u32::MAX));
    let interval = Duration::from_secs_f64(seconds / f64::from(RECEIVERS_PER_SECOND));
    interval.clamp(INTERVAL, INTERVAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RoomName, Space};

    #[test]
    fn values_are_merged_within_an_interval_and_places_are_forgotten_after_it() {
        let place = Place::room(&Space::root(), &RoomName::lobby());
        let at = Duration::from_millis;
        let mut coalesced = Coalesced::<u32>::default();
        *coalesced.add(&place, at(0)) += 1;
        assert_eq!(coalesced.take(at(0)), [(place.clone(), 1)]);
        *coalesced.add(&place, at(100)) += 1;
        *coalesced.add(&place, at(200)) += 1;
        assert!(coalesced.take(at(999)).is_empty());
        assert_eq!(coalesced.next(), Some(at(1000)));
        assert_eq!(coalesced.take(at(1000)), [(place, 2)]);
        assert!(coalesced.take(at(2000)).is_empty());
        assert!(coalesced.places.is_empty() && coalesced.next().is_none());
    }

    #[test]
    fn the_interval_grows_with_the_receivers() {
        let place = Place::room(&Space::root(), &RoomName::lobby());
        let at = Duration::from_millis;
        let mut coalesced = Coalesced::<u32>::default();
        coalesced.prolong(&place, at(0), 10_000);
        assert_eq!(coalesced.next(), None, "nothing was sent");
        for (receivers, interval) in [(0, 1000), (2000, 1000), (3000, 1500), (20_000, 5000)] {
            let mut coalesced = Coalesced::<u32>::default();
            *coalesced.add(&place, at(0)) += 1;
            assert_eq!(coalesced.take(at(0)), [(place.clone(), 1)]);
            coalesced.prolong(&place, at(0), receivers);
            *coalesced.add(&place, at(1)) += 1;
            assert!(coalesced.take(at(interval - 1)).is_empty(), "{receivers}");
            assert_eq!(coalesced.take(at(interval)), [(place.clone(), 1)], "{receivers}");
        }
    }
}
