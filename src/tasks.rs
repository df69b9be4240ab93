//! The tasks of the process: each has a name, an owner and an end.
//!
//! A task without an owner is not awaited, and what it was about to write is lost when the process
//! ends. So this is the only file that may call `tokio::spawn`, and a stop has two phases: *drain*
//! asks all tasks to finish, and after a timeout *overdue* makes tasks with slow peers close their
//! connections. A task that still runs after that is a fault, reported by name.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, error, info_span};

/// How long tasks may run after [`Tasks::overdue`].
const OVERDUE_WAIT_MAX: Duration = Duration::from_millis(500);

/// A handle to the tasks of one server. Clones are handles to the same tasks.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    drain: CancellationToken,
    overdue: CancellationToken,
    running: RunningTasks,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, Box::pin(task));
    }

    /// Runs a task that the server needs: when it ends, by return or by panic, the server drains.
    /// Otherwise a server without the task would look healthy.
    pub fn spawn_vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start_vital(name, Box::pin(task));
    }

    /// Asks every task to finish. Does not wait.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Whether the tasks have been asked to finish.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Ends when the tasks are asked to finish. Cancel-safe.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Ends after the drain timeout: a task that still serves a peer closes the connection.
    /// Cancel-safe.
    pub async fn overdue(&self) {
        self.overdue.cancelled().await;
    }

    /// The number of tasks.
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Drains, waits up to `wait_max`, marks the remaining tasks as overdue, and returns.
    ///
    /// # Guarantees
    /// - Returns within `wait_max` and half a second.
    /// - `Ok` means that every task has ended, including those that other tasks started meanwhile.
    pub async fn finish(&self, wait_max: Duration) -> Result<(), StillRunning> {
        self.drain();
        self.tracker.close();
        if timeout(wait_max, self.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        self.overdue.cancel();
        if timeout(OVERDUE_WAIT_MAX, self.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let left = StillRunning(self.running.0.lock().clone());
        error!(tasks.count = self.count(), "drain timed out: {left}");
        Err(left)
    }

    fn start_vital(&self, name: &'static str, task: Task) {
        let end_of_task = self.drain.clone().drop_guard();
        let task = async move {
            let _end_of_task = end_of_task;
            task.await;
        };
        self.start(name, Box::pin(task.instrument(info_span!("task", name))));
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "all other tasks are spawned through this function"
    )]
    fn start(&self, name: &'static str, task: Task) {
        let entry = self.running.add(name);
        drop(tokio::spawn(self.tracker.track_future(task.map(move |()| drop(entry)))));
    }
}

/// All tasks have one type: the runtime's code is compiled for each type of task, twice.
type Task = BoxFuture<'static, ()>;

/// Tasks that did not end in time, with their number by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct StillRunning(BTreeMap<&'static str, usize>);

impl StillRunning {
    /// The names of the tasks.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("still running")?;
        for (place, (name, count)) in self.0.iter().enumerate() {
            let comma = if place == 0 { ": " } else { ", " };
            write!(f, "{comma}{name}")?;
            if *count > 1 {
                write!(f, " ({count} times)")?;
            }
        }
        Ok(())
    }
}

/// The number of running tasks by name.
#[derive(Clone, Debug, Default)]
struct RunningTasks(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl RunningTasks {
    fn add(&self, name: &'static str) -> RunningTask {
        *self.0.lock().entry(name).or_insert(0) += 1;
        RunningTask { running: self.clone(), name }
    }
}

/// The entry of one task. Dropping it removes the entry, however the task ends.
struct RunningTask {
    running: RunningTasks,
    name: &'static str,
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        let mut running = self.running.0.lock();
        if let Some(count) = running.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(8);

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_on_drain_is_no_fault() {
        let tasks = Tasks::new();
        let handle = tasks.clone();
        tasks.spawn("polite", async move { handle.draining().await });
        assert_eq!(tasks.finish(WAIT_MAX).await, Ok(()));
        assert_eq!(tasks.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_task_does_not_block_shutdown_and_is_named() {
        let tasks = Tasks::new();
        tasks.spawn("stuck", pending());
        tasks.spawn("stuck", pending());
        tasks.spawn("quick", async {});
        let begin = Instant::now();
        let left = tasks.finish(WAIT_MAX).await.unwrap_err();
        assert_eq!(left.to_string(), "still running: stuck (2 times)");
        assert!(begin.elapsed() <= WAIT_MAX + OVERDUE_WAIT_MAX + Duration::from_millis(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_when_overdue_is_no_fault() {
        let tasks = Tasks::new();
        let handle = tasks.clone();
        tasks.spawn("slow peer", async move { handle.overdue().await });
        assert_eq!(tasks.finish(WAIT_MAX).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_early_end_of_a_vital_task_starts_the_drain() {
        let tasks = Tasks::new();
        tasks.spawn("other", async {});
        tokio::task::yield_now().await;
        assert!(!tasks.is_draining());
        tasks.spawn_vital("heart", async {});
        tasks.draining().await;
        assert_eq!(tasks.finish(WAIT_MAX).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_panic_of_a_vital_task_starts_the_drain() {
        let tasks = Tasks::new();
        tasks.spawn_vital("heart", async { panic!("on purpose") });
        tasks.draining().await;
        assert_eq!(tasks.finish(WAIT_MAX).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_started_during_the_drain_is_waited_for() {
        let tasks = Tasks::new();
        let parent = tasks.clone();
        tasks.spawn("parent", async move {
            parent.draining().await;
            parent.spawn("child", tokio::time::sleep(Duration::from_secs(1)));
        });
        let begin = Instant::now();
        assert_eq!(tasks.finish(WAIT_MAX).await, Ok(()));
        assert!(begin.elapsed() >= Duration::from_secs(1));
    }
}
