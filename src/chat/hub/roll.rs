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
    Hub, close,
    coalesced::Coalesced,
    receipts::{self, Receipts},
    topic::Presences,
};
use crate::domain::{Place, Seq, Space, UserName};

/// The roll that a task of the hub calls.
#[derive(Debug, Default)]
pub(super) struct Roll {
    state: Mutex<State>,
    /// Something may be due earlier than the task knows.
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Graces that end. All are equally long, so they stand in the order of their ends.
    leaving: VecDeque<(Duration, Absent)>,
    presences: Coalesced<()>,
    receipts: Coalesced<Receipts>,
}

/// Who may be gone.
#[derive(Debug)]
enum Absent {
    FromRoom(Place, UserName),
    FromSpace(Space, UserName),
}

impl Roll {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is due earlier than the task knows.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Somebody came to or went from a room.
    pub(super) fn changed(&self, place: &Place, now: Duration) {
        self.lock().presences.add(place, now);
        self.wake();
    }

    /// Somebody has read something.
    pub(super) fn read(&self, place: &Place, user: &UserName, seq: Seq, now: Duration) {
        receipts::add(self.lock().receipts.add(place, now), user, seq);
        self.wake();
    }

    /// The grace of a user in a room begins.
    pub(super) fn leaving(&self, place: &Place, user: &UserName, until: Duration) {
        let absent = Absent::FromRoom(place.clone(), user.clone());
        self.lock().leaving.push_back((until, absent));
        self.wake();
    }

    /// The grace of a name in a space begins.
    pub(super) fn name_leaving(&self, space: &Space, user: &UserName, until: Duration) {
        let absent = Absent::FromSpace(space.clone(), user.clone());
        self.lock().leaving.push_back((until, absent));
        self.wake();
    }
}

impl State {
    /// When something is due next.
    fn next(&self) -> Option<Duration> {
        let leaving = self.leaving.front().map(|(until, _)| *until);
        leaving.into_iter().chain(self.presences.next()).chain(self.receipts.next()).min()
    }

    /// Takes who may be gone at `now`.
    fn take_leaving(&mut self, now: Duration) -> VecDeque<(Duration, Absent)> {
        let due = self.leaving.partition_point(|(until, _)| *until <= now);
        let later = self.leaving.split_off(due);
        mem::replace(&mut self.leaving, later)
    }
}

impl Hub {
    /// Calls the roll for ever: a task of its own. `freed` is called when names are free, before anybody
    /// is told that their users left.
    pub(crate) async fn call_roll(self: Arc<Self>, freed: impl Fn()) {
        loop {
            self.call_roll_once(&freed);
            let next = self.roll.lock().next();
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
                () = self.roll.wake.notified() => (),
            }
        }
    }

    fn call_roll_once(&self, freed: impl Fn()) {
        let now = self.now();
        self.deadlines.call(now);
        self.expire_typing(now);
        let leaving = self.roll.lock().take_leaving(now).into_iter();
        let mut left = Vec::new();
        for (_, absent) in leaving {
            match absent {
                Absent::FromSpace(space, user) => self.lock().expire(self, &space, &user, now),
                Absent::FromRoom(place, user) => left.push((place, user)),
            }
        }
        freed();
        if self.herald.hears_all() {
            for (place, user) in &left {
                self.expire_in_room(place, user);
            }
        } else {
            self.doubt(left);
        }
        let presences = self.roll.lock().presences.take(now);
        for (place, ()) in presences {
            let topic = self.lock().topics.get(&place).cloned();
            if let Some(topic) = topic {
                close(topic.tell_presence(&self.limits));
            }
            self.lock().forget_if_empty(&place);
        }
        let receipts = self.roll.lock().receipts.take(now);
        for (place, receipts) in receipts {
            self.tell_receipts(&place, receipts);
        }
    }

    /// Ends the grace of a user in a room, if nobody came back.
    pub(crate) fn expire_in_room(&self, place: &Place, user: &UserName) {
        let now = self.now();
        let topic = self.lock().topics.get(place).cloned();
        let Some(topic) = topic else { return };
        let (presences, too_slow) = topic.expire(user, now, &self.limits);
        drop(topic);
        close(too_slow);
        if presences == Presences::Changed {
            self.roll.changed(place, now);
        }
        self.lock().forget_if_empty(place);
    }

    /// Keeps those of whom it is not known whether they are on another node.
    pub(crate) fn doubt(&self, users: Vec<(Place, UserName)>) {
        self.lock().doubtful.extend(users);
    }

    /// Takes them.
    pub(crate) fn take_doubtful(&self) -> Vec<(Place, UserName)> {
        mem::take(&mut self.lock().doubtful)
    }
}
