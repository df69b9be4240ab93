//! What is told later: users whose grace ends, rooms whose presence changed, tokens that end.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep_until};

use super::{Hub, close};
use crate::domain::{Place, Space, UserName};

/// A room is told who is in it at most this often.
const PRESENCE_INTERVAL: Duration = Duration::from_secs(1);

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
    /// Rooms whose presence is to be told, or was told less than an interval ago.
    rooms: HashMap<Place, Told>,
}

/// Who may be gone.
#[derive(Debug)]
enum Absent {
    FromRoom(Place, UserName),
    FromSpace(Space, UserName),
}

/// What a room knows of its presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Everything; the next change waits until this moment.
    Until(Duration),
    /// Not the newest change, which is due at this moment.
    Due(Duration),
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
        let mut state = self.lock();
        let told = state.rooms.entry(place.clone()).or_insert(Told::Due(now));
        if let Told::Until(moment) = *told {
            *told = Told::Due(moment);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The grace of a user in a room begins.
    pub(super) fn leaving(&self, place: &Place, user: &UserName, until: Duration) {
        let absent = Absent::FromRoom(place.clone(), user.clone());
        self.lock().leaving.push_back((until, absent));
        self.wake.notify_one();
    }

    /// The grace of a name in a space begins.
    pub(super) fn name_leaving(&self, space: &Space, user: &UserName, until: Duration) {
        let absent = Absent::FromSpace(space.clone(), user.clone());
        self.lock().leaving.push_back((until, absent));
        self.wake.notify_one();
    }
}

impl State {
    /// When something is due next.
    fn next(&self) -> Option<Duration> {
        let rooms = self.rooms.values().map(|told| match told {
            Told::Until(moment) | Told::Due(moment) => *moment,
        });
        rooms.chain(self.leaving.front().map(|(until, _)| *until)).min()
    }

    /// Takes who may be gone at `now`.
    fn take_leaving(&mut self, now: Duration) -> VecDeque<(Duration, Absent)> {
        let due = self.leaving.partition_point(|(until, _)| *until <= now);
        let later = self.leaving.split_off(due);
        mem::replace(&mut self.leaving, later)
    }

    /// Takes the rooms that are to be told at `now`, and lets them rest.
    fn take_rooms(&mut self, now: Duration) -> Vec<Place> {
        let mut due = Vec::new();
        self.rooms.retain(|place, told| match *told {
            Told::Due(moment) if moment <= now => {
                due.push(place.clone());
                *told = Told::Until(now + PRESENCE_INTERVAL);
                true
            }
            Told::Until(moment) => moment > now,
            Told::Due(_) => true,
        });
        due
    }
}

impl Hub {
    /// Calls the roll for ever: a task of its own.
    pub(crate) async fn call_roll(self: Arc<Self>) {
        loop {
            self.call_roll_once();
            let next = self.roll.lock().next().into_iter().chain(self.deadlines.next()).min();
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

    fn call_roll_once(&self) {
        let now = self.now();
        self.deadlines.call(now);
        let leaving = self.roll.lock().take_leaving(now);
        for (_, absent) in leaving {
            self.expire(absent, now);
        }
        let rooms = self.roll.lock().take_rooms(now);
        for place in rooms {
            let topic = self.lock().topics.get(&place).cloned();
            if let Some(topic) = topic {
                close(topic.tell_presence(&self.limits));
                self.forget_if_empty(topic);
            }
        }
    }

    fn expire(&self, absent: Absent, now: Duration) {
        match absent {
            Absent::FromSpace(space, user) => self.lock().residents.expire(&space, &user, now),
            Absent::FromRoom(place, user) => {
                let topic = self.lock().topics.get(&place).cloned();
                let Some(topic) = topic else { return };
                let (gone, too_slow) = topic.expire(&user, now, &self.limits);
                close(too_slow);
                if gone.is_some() {
                    self.roll.changed(&place, now);
                }
                self.forget_if_empty(topic);
            }
        }
    }
}
