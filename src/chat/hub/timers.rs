//! Work of the hub that is due later: grace periods that end, presence lists and receipts that are
//! sent at most once per second.

use std::{
    collections::{HashMap, VecDeque},
    future,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::coalesced::Coalesced;
use crate::domain::{DisplayName, NamedUser, Place, Seq, Space, UserName};

/// What the timer task of the hub waits for, and the clock of the hub. A wake looks only at what is
/// due. The lock is the innermost one: no other is taken while it is held.
#[derive(Debug)]
pub(crate) struct Timers {
    /// The moment that all durations of the hub are counted from.
    epoch: Instant,
    state: Mutex<TimersState>,
    /// Wakes the task: something may be due earlier than it waits for.
    wake: Notify,
}

#[derive(Debug, Default)]
struct TimersState {
    /// Grace periods. All are equally long, so the queue is in the order of their ends.
    grace_periods: VecDeque<(Duration, GracePeriod)>,
    presences: Coalesced<()>,
    receipts: Coalesced<Receipts>,
}

/// How far users have read in a conversation. A later receipt of a user replaces an earlier one.
pub(super) type Receipts = HashMap<UserName, Receipt>;

/// How far a user has read, and the display name at that moment.
#[derive(Debug, Default)]
pub(super) struct Receipt {
    pub(super) seq: Seq,
    pub(super) name: Option<DisplayName>,
}

/// A grace period after which a user counts as offline.
#[derive(Debug)]
pub(super) enum GracePeriod {
    Room(Place, UserName),
    Name(Space, UserName),
}

impl Timers {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), state: Mutex::default(), wake: Notify::new() }
    }

    /// The time since the hub was made.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Wakes the task: something is due earlier than it waits for.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Schedules the presence list of a room.
    pub(super) fn schedule_presence(&self, place: &Place) {
        self.state.lock().presences.add(place, self.now());
        self.wake();
    }

    /// Schedules the receipt of a user in a conversation.
    pub(super) fn schedule_receipt(&self, place: &Place, who: NamedUser, seq: Seq) {
        let (NamedUser { user, name }, now) = (who, self.now());
        let mut state = self.state.lock();
        let furthest = state.receipts.add(place, now).entry(user).or_default();
        *furthest = Receipt { seq: seq.max(furthest.seq), name };
        drop(state);
        self.wake();
    }

    /// Begins a grace period. `until` is not before the end of any that began earlier.
    pub(super) fn schedule_expiry(&self, grace_period: GracePeriod, until: Duration) {
        self.state.lock().grace_periods.push_back((until, grace_period));
        self.wake();
    }

    /// Takes the grace periods that are over at `now`.
    pub(super) fn take_expired(&self, now: Duration) -> Vec<GracePeriod> {
        let mut state = self.state.lock();
        let due = state.grace_periods.partition_point(|(until, _)| *until <= now);
        state.grace_periods.drain(..due).map(|(_, it)| it).collect()
    }

    /// Takes the rooms whose presence lists are due at `now`.
    pub(super) fn take_presences(&self, now: Duration) -> Vec<Place> {
        self.state.lock().presences.take(now).into_iter().map(|(place, ())| place).collect()
    }

    /// Prolongs the interval of a room whose presence list was taken at `now` and sent to this number
    /// of connections.
    pub(super) fn prolong_presence(&self, place: &Place, now: Duration, receivers: usize) {
        self.state.lock().presences.prolong(place, now, receivers);
    }

    /// Takes the receipts that are due at `now`.
    pub(super) fn take_receipts(&self, now: Duration) -> Vec<(Place, Receipts)> {
        self.state.lock().receipts.take(now)
    }

    /// Waits until something is due here or at `others_next`, or [`Self::wake`] is called.
    pub(super) async fn wait(&self, others_next: Option<Duration>) {
        let next = self.state.lock().next().into_iter().chain(others_next).min();
        let due = async {
            match next {
                Some(moment) => sleep_until(self.epoch + moment).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = due => (),
            () = self.wake.notified() => (),
        }
    }
}

impl TimersState {
    /// The next moment at which something is due.
    fn next(&self) -> Option<Duration> {
        let grace_periods = self.grace_periods.front().map(|(until, _)| *until);
        grace_periods.into_iter().chain(self.presences.next()).chain(self.receipts.next()).min()
    }
}
