//! What a conversation is told at most once in a while: the last word of each interval.

use std::{collections::HashMap, time::Duration};

use crate::domain::Place;

/// A conversation is told of presences, and of receipts, at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Conversations that have something to be told, or were told something less than an interval ago.
#[derive(Debug)]
pub(super) struct Coalesced<T> {
    places: HashMap<Place, Told<T>>,
}

/// What a conversation knows.
#[derive(Debug)]
enum Told<T> {
    /// Everything; what is new waits until this moment.
    Until(Duration),
    /// Not this, which is due at this moment.
    Due(Duration, T),
}

impl<T> Default for Coalesced<T> {
    fn default() -> Self {
        Self { places: HashMap::new() }
    }
}

impl<T: Default> Coalesced<T> {
    /// What a conversation is to be told next, for the caller to add to.
    pub(super) fn add(&mut self, place: &Place, now: Duration) -> &mut T {
        let told = self.places.entry(place.clone());
        let told = told.or_insert_with(|| Told::Due(now, T::default()));
        if let Told::Until(moment) = *told {
            *told = Told::Due(moment, T::default());
        }
        match told {
            Told::Due(_, what) => what,
            Told::Until(_) => unreachable!("it was made due above"),
        }
    }

    /// When something is due next, if only that something is forgotten.
    pub(super) fn next(&self) -> Option<Duration> {
        let moments = self.places.values().map(|told| match told {
            Told::Until(moment) | Told::Due(moment, _) => *moment,
        });
        moments.min()
    }

    /// Takes what is to be told at `now`, and lets who is told rest.
    pub(super) fn take(&mut self, now: Duration) -> Vec<(Place, T)> {
        let mut due = Vec::new();
        self.places.retain(|place, told| match told {
            Told::Due(moment, what) if *moment <= now => {
                due.push((place.clone(), std::mem::take(what)));
                *told = Told::Until(now + INTERVAL);
                true
            }
            Told::Until(moment) => *moment > now,
            Told::Due(..) => true,
        });
        due
    }
}
