//! One lane: the lists of writers with something to write, and the task that serves them.

use std::{
    collections::VecDeque,
    fmt, mem,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, task::yield_now};

use super::traffic::TrafficCounters;
use crate::{
    chat::ports::{Traffic, TrafficMeter},
    tasks::Tasks,
};

/// The most lanes. More than a few only add wake-ups.
const LANES_MAX: usize = 4;
/// The most turns of a round on the list of high priority. With the others they take some 0.5 ms, in
/// which other tasks of the same thread wait.
const HIGH_TURNS: usize = 64;
/// The most turns of a round on the list of low priority: as long as a writer of high priority waits
/// for one of low priority, and the share of these however many the others are.
const LOW_TURNS: usize = 32;

/// The lanes of a server. Clones are handles to the same lanes.
#[derive(Clone, Debug)]
pub struct Lanes {
    lanes: Arc<[Arc<Lane>]>,
    next: Arc<AtomicUsize>,
}

/// See the module.
pub(super) struct Lane {
    state: Mutex<LaneState>,
    /// Notifies the task: a list is not empty any more, or the last user has left.
    changed: Notify,
    tasks: Tasks,
    traffic: TrafficCounters,
}

#[derive(Default)]
struct LaneState {
    high: VecDeque<Arc<dyn Turn>>,
    low: VecDeque<Arc<dyn Turn>>,
    users: usize,
    is_running: bool,
}

/// Which list of a lane a writer waits on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Priority {
    /// The one that is served first.
    High,
    /// The one for events with very many receivers: a room of 10,000 fills it for 0.1 s.
    #[default]
    Low,
}

/// What a lane calls when it is the turn of a writer.
pub(super) trait Turn: Send + Sync {
    /// Writes without blocking. The writer has left `list`.
    fn take_turn(self: Arc<Self>, list: Priority);
}

/// The turns that a lane serves at once, in order.
pub(super) type Round = Vec<(Arc<dyn Turn>, Priority)>;

/// A user of a lane. The lane runs until it is dropped.
#[derive(Debug)]
pub(super) struct LaneUser(Arc<Lane>);

impl Lanes {
    /// Starts one lane per core, within a limit. They end at the drain, when nothing uses them any
    /// more.
    pub fn start(tasks: &Tasks) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::start_some(cores.min(LANES_MAX), tasks)
    }

    /// Starts this number of lanes.
    pub(super) fn start_some(count: usize, tasks: &Tasks) -> Self {
        let lanes: Arc<[_]> = (0..count).map(|_| Lane::new(tasks)).collect();
        for lane in lanes.iter() {
            drop(lane.join());
        }
        Self { lanes, next: Arc::default() }
    }

    /// The lane of the next connection.
    pub(super) fn next(&self) -> &Arc<Lane> {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        self.lanes.get(place).expect("the remainder is less than the length")
    }
}

impl TrafficMeter for Lanes {
    fn traffic(&self) -> Traffic {
        let mut sum = Traffic::default();
        self.lanes.iter().for_each(|lane| lane.traffic.add_to(&mut sum));
        sum
    }
}

impl Lane {
    pub(super) fn new(tasks: &Tasks) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Notify::new());
        let (tasks, traffic) = (tasks.clone(), TrafficCounters::default());
        Arc::new(Self { state, changed, tasks, traffic })
    }

    /// Adds a user. The task runs until the drain; an upgrade that completes later starts it again.
    pub(super) fn join(self: &Arc<Self>) -> LaneUser {
        let mut state = self.state.lock();
        state.users += 1;
        let was_running = mem::replace(&mut state.is_running, true);
        drop(state);
        if !was_running {
            self.tasks.spawn_vital("lane", Arc::clone(self).run());
        }
        LaneUser(Arc::clone(self))
    }

    /// Puts a writer on a list. Each is at most once on each.
    pub(super) fn list(&self, writer: Arc<dyn Turn>, priority: Priority) {
        let mut state = self.state.lock();
        let is_first = state.high.is_empty() && state.low.is_empty();
        match priority {
            Priority::High => state.high.push_back(writer),
            Priority::Low => state.low.push_back(writer),
        }
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// What its connections send and receive.
    pub(super) fn traffic(&self) -> &TrafficCounters {
        &self.traffic
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The lengths of the lists.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> [usize; 2] {
        let state = self.state.lock();
        [state.high.len(), state.low.len()]
    }

    async fn run(self: Arc<Self>) {
        let mut round = Round::with_capacity(HIGH_TURNS + LOW_TURNS);
        while self.take_round(&mut round).await {
            for (writer, list) in round.drain(..) {
                writer.take_turn(list);
            }
            yield_now().await;
        }
    }

    /// Waits for turns. Returns `false` when the lane ends.
    async fn take_round(&self, round: &mut Round) -> bool {
        loop {
            // Read before the state: a drain that begins between the two is noticed in the wait.
            let is_draining = self.tasks.is_draining();
            if let Some(is_filled) = self.try_take_round(round) {
                return is_filled;
            }
            tokio::select! {
                // The task that fills the list may continue first: frames that fall together are
                // written together.
                () = self.changed.notified() => yield_now().await,
                () = self.tasks.draining(), if !is_draining => (),
            }
        }
    }

    /// Whether there are turns; `None` if there are none and the lane continues.
    pub(super) fn try_take_round(&self, round: &mut Round) -> Option<bool> {
        let mut state = self.state.lock();
        let (high, low) = (state.high.len().min(HIGH_TURNS), state.low.len().min(LOW_TURNS));
        round.extend(state.high.drain(..high).map(|it| (it, Priority::High)));
        round.extend(state.low.drain(..low).map(|it| (it, Priority::Low)));
        if !round.is_empty() {
            return Some(true);
        }
        state.is_running = state.users > 0 || !self.tasks.is_draining();
        (!state.is_running).then_some(false)
    }
}

impl fmt::Debug for Lane {
    /// Leaves out the lists: their writers refer to the lane.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lane")
    }
}

impl Drop for LaneUser {
    fn drop(&mut self) {
        let Self(lane) = self;
        let mut state = lane.state.lock();
        state.users -= 1;
        let was_last = state.users == 0;
        drop(state);
        if was_last {
            lane.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    /// Reports its turns.
    struct Reporter(mpsc::Sender<()>);

    impl Turn for Reporter {
        fn take_turn(self: Arc<Self>, _list: Priority) {
            self.0.try_send(()).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_serves_its_users_during_the_drain() {
        let tasks = Tasks::new();
        let lanes = Lanes::start_some(1, &tasks);
        let user = lanes.next().join();
        tasks.drain();
        let (turns, mut reported) = mpsc::channel(1);
        lanes.next().list(Arc::new(Reporter(turns)), Priority::High);
        reported.recv().await.unwrap();
        assert_eq!(tasks.count(), 1, "the lane is in use");
        drop(user);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
    }

    /// Lists itself again in each of its turns.
    struct Relisted(Arc<Lane>);

    impl Turn for Relisted {
        fn take_turn(self: Arc<Self>, list: Priority) {
            let lane = Arc::clone(&self.0);
            lane.list(self, list);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_list_is_served_however_long_the_other_is() {
        let lanes = Lanes::start_some(1, &Tasks::new());
        let lane = lanes.next();
        for [busy, other] in [[Priority::High, Priority::Low], [Priority::Low, Priority::High]] {
            for _ in 0..10 * HIGH_TURNS {
                lane.list(Arc::new(Relisted(Arc::clone(lane))), busy);
            }
            let (turns, mut reported) = mpsc::channel(1);
            lane.list(Arc::new(Reporter(turns)), other);
            reported.recv().await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_user_starts_the_lane_again() {
        let tasks = Tasks::new();
        let lanes = Lanes::start_some(1, &tasks);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
        let user = lanes.next().join();
        let (turns, mut reported) = mpsc::channel(1);
        lanes.next().list(Arc::new(Reporter(turns)), Priority::High);
        reported.recv().await.unwrap();
        drop(user);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_connection_does_not_end_its_lane() {
        let tasks = Tasks::new();
        let lanes = Lanes::start_some(1, &tasks);
        drop(lanes.next().join());
        yield_now().await;
        assert!(!tasks.is_draining());
        assert_eq!(tasks.count(), 1);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
    }
}
