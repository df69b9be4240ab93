//! One lane: the list of writers with something to write, and the task that serves it.

use std::{
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

use crate::tasks::Tasks;

/// The most lanes. More than a few only add wake-ups.
const LANES_MAX: usize = 4;
/// Turns between two yields, so that other tasks of the same thread wait at most some 0.5 ms.
const TURNS_PER_POLL: usize = 64;

/// The lanes of a server. Clones are handles to the same lanes.
#[derive(Clone, Debug)]
pub struct Lanes {
    lanes: Arc<[Arc<Lane>]>,
    next: Arc<AtomicUsize>,
}

/// See the module.
pub(super) struct Lane {
    state: Mutex<LaneState>,
    /// Notifies the task: the list is not empty any more, or the last user has left.
    changed: Notify,
    tasks: Tasks,
}

#[derive(Default)]
struct LaneState {
    ready: Vec<Arc<dyn Turn>>,
    users: usize,
    is_running: bool,
}

/// What a lane calls when it is the turn of a writer.
pub(super) trait Turn: Send + Sync {
    /// Writes without blocking.
    fn take_turn(self: Arc<Self>);
}

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

impl Lane {
    pub(super) fn new(tasks: &Tasks) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { state, changed, tasks: tasks.clone() })
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

    /// Puts a writer on the list. Each is on it at most once.
    pub(super) fn list(&self, writer: Arc<dyn Turn>) {
        let mut state = self.state.lock();
        let is_first = state.ready.is_empty();
        state.ready.push(writer);
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    async fn run(self: Arc<Self>) {
        let mut turns = Vec::new();
        while self.take_list(&mut turns).await {
            for (place, writer) in turns.drain(..).enumerate() {
                writer.take_turn();
                if (place + 1) % TURNS_PER_POLL == 0 {
                    yield_now().await;
                }
            }
            yield_now().await;
        }
    }

    /// Waits for a list that is not empty. Returns `false` when the lane ends.
    async fn take_list(&self, turns: &mut Vec<Arc<dyn Turn>>) -> bool {
        loop {
            // Read before the state: a drain that begins between the two is noticed in the wait.
            let is_draining = self.tasks.is_draining();
            if let Some(is_filled) = self.try_take_list(turns) {
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

    /// Whether the list was taken; `None` if it is empty and the lane continues.
    fn try_take_list(&self, turns: &mut Vec<Arc<dyn Turn>>) -> Option<bool> {
        let mut state = self.state.lock();
        if !state.ready.is_empty() {
            mem::swap(turns, &mut state.ready);
            return Some(true);
        }
        state.is_running = state.users > 0 || !self.tasks.is_draining();
        (!state.is_running).then_some(false)
    }
}

impl fmt::Debug for Lane {
    /// Leaves out the list: its writers refer to the lane.
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
        fn take_turn(self: Arc<Self>) {
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
        lanes.next().list(Arc::new(Reporter(turns)));
        reported.recv().await.unwrap();
        assert_eq!(tasks.count(), 1, "the lane is in use");
        drop(user);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_user_starts_the_lane_again() {
        let tasks = Tasks::new();
        let lanes = Lanes::start_some(1, &tasks);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
        let user = lanes.next().join();
        let (turns, mut reported) = mpsc::channel(1);
        lanes.next().list(Arc::new(Reporter(turns)));
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
