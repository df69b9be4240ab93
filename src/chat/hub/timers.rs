//! Work of the hub that is due later: grace periods that end, presence lists and receipts that are
//! sent at most once per second, tokens that expire, typing that times out.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::sleep_until};

use super::{
    Hub, close_slow_readers,
    coalesced::Coalesced,
    live_room::PresenceChange,
    receipts::{self, Receipts},
};
use crate::domain::{Place, Seq, Space, UserName};

/// What the timer task of the hub waits for. A wake looks only at what is due.
#[derive(Debug, Default)]
pub(super) struct Timers {
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

/// A grace period after which a user counts as gone.
#[derive(Debug)]
enum GracePeriod {
    Room(Place, UserName),
    Name(Space, UserName),
}

impl Timers {
    /// Wakes the task: something is due earlier than it waits for.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Schedules the presence list of a room.
    pub(super) fn schedule_presence(&self, place: &Place, now: Duration) {
        self.state.lock().presences.add(place, now);
        self.wake();
    }

    /// Schedules the receipt of a user in a conversation.
    pub(super) fn schedule_receipt(&self, place: &Place, user: &UserName, seq: Seq, now: Duration) {
        receipts::add(self.state.lock().receipts.add(place, now), user, seq);
        self.wake();
    }

    /// Begins the grace period of a user in a room.
    pub(super) fn schedule_room_expiry(&self, place: &Place, user: &UserName, until: Duration) {
        let grace_period = GracePeriod::Room(place.clone(), user.clone());
        self.state.lock().grace_periods.push_back((until, grace_period));
        self.wake();
    }

    /// Begins the grace period of a name in a space.
    pub(super) fn schedule_name_expiry(&self, space: &Space, user: &UserName, until: Duration) {
        let grace_period = GracePeriod::Name(space.clone(), user.clone());
        self.state.lock().grace_periods.push_back((until, grace_period));
        self.wake();
    }
}

impl TimersState {
    /// The next moment at which something is due.
    fn next(&self) -> Option<Duration> {
        let grace_periods = self.grace_periods.front().map(|(until, _)| *until);
        grace_periods.into_iter().chain(self.presences.next()).chain(self.receipts.next()).min()
    }

    /// Takes the grace periods that are over at `now`.
    fn take_expired(&mut self, now: Duration) -> VecDeque<(Duration, GracePeriod)> {
        let due = self.grace_periods.partition_point(|(until, _)| *until <= now);
        self.grace_periods.drain(..due).collect()
    }
}

impl Hub {
    /// Runs the timers, in a task of its own, without end. `on_names_freed` is called after names are
    /// freed and before the departures of their users are sent.
    pub(crate) async fn run_timers(self: Arc<Self>, on_names_freed: impl Fn()) {
        loop {
            self.run_due_timers(&on_names_freed);
            let next = self.timers.state.lock().next();
            let next =
                [next, self.deadlines.next(), self.typing.next()].into_iter().flatten().min();
            let due = async {
                match next {
                    Some(moment) => sleep_until(self.epoch + moment).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => (),
                () = self.timers.wake.notified() => (),
            }
        }
    }

    fn run_due_timers(&self, on_names_freed: impl Fn()) {
        let now = self.now();
        self.deadlines.run_due(now);
        self.expire_typing(now);
        let grace_periods = self.timers.state.lock().take_expired(now).into_iter();
        let mut left = Vec::new();
        for (_, grace_period) in grace_periods {
            match grace_period {
                GracePeriod::Name(space, user) => self.lock().expire(self, &space, &user, now),
                GracePeriod::Room(place, user) => left.push((place, user)),
            }
        }
        on_names_freed();
        if self.publisher.is_synchronized() {
            for (place, user) in &left {
                self.expire_in_room(place, user);
            }
        } else {
            self.mark_doubtful(left);
        }
        let presences = self.timers.state.lock().presences.take(now);
        for (place, ()) in presences {
            let live_room = self.lock().live_rooms.get(&place).cloned();
            if let Some(live_room) = live_room {
                close_slow_readers(live_room.broadcast_presence(&self.limits));
            }
            self.lock().forget_if_empty(&place);
        }
        let receipts = self.timers.state.lock().receipts.take(now);
        for (place, receipts) in receipts {
            self.deliver_receipts(&place, receipts);
        }
    }

    /// Ends the grace period of a user in a room, if the user did not reconnect.
    pub(crate) fn expire_in_room(&self, place: &Place, user: &UserName) {
        let now = self.now();
        let live_room = self.lock().live_rooms.get(place).cloned();
        let Some(live_room) = live_room else { return };
        let (presence_change, full_outboxes) = live_room.expire(user, now, &self.limits);
        drop(live_room);
        close_slow_readers(full_outboxes);
        if presence_change == PresenceChange::Changed {
            self.timers.schedule_presence(place, now);
        }
        self.lock().forget_if_empty(place);
    }

    /// Keeps users whose presence on other nodes is not known yet.
    pub(crate) fn mark_doubtful(&self, users: Vec<(Place, UserName)>) {
        self.lock().doubtful.extend(users);
    }

    /// Takes the users that [`Self::mark_doubtful`] kept.
    pub(crate) fn take_doubtful(&self) -> Vec<(Place, UserName)> {
        mem::take(&mut self.lock().doubtful)
    }
}
