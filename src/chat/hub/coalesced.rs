//! What a conversation is told at most once in a while: the last word of each interval.

use std::{collections::HashMap, time::Duration};

use crate::domain::Place;

/// A conversation is told of presences, and of receipts, at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Conversations that have something to be told, or were told something less than an interval ago.
#[derive(Debug)]
pub(super) struct Coalesced<T> {
    places: HashMap<Place, CoalesceState<T>>,
}

/// What a conversation knows.
#[derive(Debug)]
enum CoalesceState<T> {
    /// Everything; what is new waits until this moment.
    CoolingDown(Duration),
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
        let state = self.places.entry(place.clone());
        let state = state.or_insert_with(|| CoalesceState::Due(now, T::default()));
        if let CoalesceState::CoolingDown(moment) = *state {
            *state = CoalesceState::Due(moment, T::default());
        }
        match state {
            CoalesceState::Due(_, what) => what,
            CoalesceState::CoolingDown(_) => unreachable!("it was made due above"),
        }
    }

    /// When something is due next, if only that something is forgotten.
    pub(super) fn next(&self) -> Option<Duration> {
        let moments = self.places.values().map(|state| match state {
            CoalesceState::CoolingDown(moment) | CoalesceState::Due(moment, _) => *moment,
        });
        moments.min()
    }

    /// Takes what is to be told at `now`, and lets who is told rest.
    pub(super) fn take(&mut self, now: Duration) -> Vec<(Place, T)> {
        let mut due = Vec::new();
        self.places.retain(|place, state| match state {
            CoalesceState::Due(moment, what) if *moment <= now => {
                due.push((place.clone(), std::mem::take(what)));
                *state = CoalesceState::CoolingDown(now + INTERVAL);
                true
            }
            CoalesceState::CoolingDown(moment) => *moment > now,
            CoalesceState::Due(..) => true,
        });
        due
    }
}
