//! What is told later: users whose grace ends, conversations in which somebody came, went or read,
//! tokens that end, typing that nobody ended.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep_until};

use super::{
    Hub, close_slow_readers,
    coalesced::Coalesced,
    live_room::PresenceChange,
    receipts::{self, Receipts},
};
use crate::domain::{Place, Seq, Space, UserName};

/// The roll that a task of the hub calls.
#[derive(Debug, Default)]
pub(super) struct Timers {
    state: Mutex<TimersState>,
    /// Something may be due earlier than the task knows.
    wake: Notify,
}

#[derive(Debug, Default)]
struct TimersState {
    /// Graces that end. All are equally long, so they stand in the order of their ends.
    grace_periods: VecDeque<(Duration, GracePeriod)>,
    presences: Coalesced<()>,
    receipts: Coalesced<Receipts>,
}

/// Who may be gone.
#[derive(Debug)]
enum GracePeriod {
    Room(Place, UserName),
    Name(Space, UserName),
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, TimersState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is due earlier than the task knows.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Somebody came to or went from a room.
    pub(super) fn schedule_presence(&self, place: &Place, now: Duration) {
        self.lock().presences.add(place, now);
        self.wake();
    }

    /// Somebody has read something.
    pub(super) fn schedule_receipt(&self, place: &Place, user: &UserName, seq: Seq, now: Duration) {
        receipts::add(self.lock().receipts.add(place, now), user, seq);
        self.wake();
    }

    /// The grace of a user in a room begins.
    pub(super) fn schedule_room_expiry(&self, place: &Place, user: &UserName, until: Duration) {
        let grace_period = GracePeriod::Room(place.clone(), user.clone());
        self.lock().grace_periods.push_back((until, grace_period));
        self.wake();
    }

    /// The grace of a name in a space begins.
    pub(super) fn schedule_name_expiry(&self, space: &Space, user: &UserName, until: Duration) {
        let grace_period = GracePeriod::Name(space.clone(), user.clone());
        self.lock().grace_periods.push_back((until, grace_period));
        self.wake();
    }
}

impl TimersState {
    /// When something is due next.
    fn next(&self) -> Option<Duration> {
        let grace_periods = self.grace_periods.front().map(|(until, _)| *until);
        grace_periods.into_iter().chain(self.presences.next()).chain(self.receipts.next()).min()
    }

    /// Takes who may be gone at `now`.
    fn take_expired(&mut self, now: Duration) -> VecDeque<(Duration, GracePeriod)> {
        let due = self.grace_periods.partition_point(|(until, _)| *until <= now);
        let later = self.grace_periods.split_off(due);
        mem::replace(&mut self.grace_periods, later)
    }
}

impl Hub {
    /// Calls the roll for ever: a task of its own. `on_names_freed` is called when names are free, before anybody
    /// is told that their users left.
    pub(crate) async fn run_timers(self: Arc<Self>, on_names_freed: impl Fn()) {
        loop {
            self.run_due_timers(&on_names_freed);
            let next = self.timers.lock().next();
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
        let grace_periods = self.timers.lock().take_expired(now).into_iter();
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
        let presences = self.timers.lock().presences.take(now);
        for (place, ()) in presences {
            let live_room = self.lock().live_rooms.get(&place).cloned();
            if let Some(live_room) = live_room {
                close_slow_readers(live_room.broadcast_presence(&self.limits));
            }
            self.lock().forget_if_empty(&place);
        }
        let receipts = self.timers.lock().receipts.take(now);
        for (place, receipts) in receipts {
            self.deliver_receipts(&place, receipts);
        }
    }

    /// Ends the grace of a user in a room, if nobody came back.
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

    /// Keeps those of whom it is not known whether they are on another node.
    pub(crate) fn mark_doubtful(&self, users: Vec<(Place, UserName)>) {
        self.lock().doubtful.extend(users);
    }

    /// Takes them.
    pub(crate) fn take_doubtful(&self) -> Vec<(Place, UserName)> {
        mem::take(&mut self.lock().doubtful)
    }
}
