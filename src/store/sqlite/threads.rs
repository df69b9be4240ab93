//! Named threads that own connections, and the bounded queue in front of them.
//!
//! SQLite blocks, so it runs on threads of its own. A job is everything that a caller wants of one
//! connection, for example a whole batch: it crosses to a thread once, and its result back once.
//!
//! A connection is kept only after success. After an error, a commit with unknown outcome or a
//! panic it is closed together with its transaction, and the next job opens another one and reads
//! the state anew. So no state needs repair. A job runs to its end also when its caller is
//! cancelled.

use std::{
    collections::VecDeque,
    io, mem,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread::{self, JoinHandle},
};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::{
    sync::{Semaphore, oneshot},
    task::spawn_blocking,
};

use super::{connect::Connector, failure::SqliteFailure};

/// Jobs that are queued or run. Further callers wait for one of them to end.
const JOBS_MAX: usize = 64;

/// What a caller wants of a connection.
type Job = Box<dyn FnOnce(&mut ConnectionSlot) + Send>;

/// Threads with one queue. They end when this is closed or dropped.
#[derive(Debug)]
pub(super) struct ConnectionThreads {
    queue: Arc<JobQueue>,
    permits: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl ConnectionThreads {
    /// Starts `count` threads. The first one begins with `connection`, the others open theirs for
    /// their first job.
    pub(super) fn start(
        name: &str,
        count: usize,
        connector: &Connector,
        connection: Connection,
    ) -> io::Result<Self> {
        let started = Self {
            queue: Arc::default(),
            permits: Arc::new(Semaphore::new(JOBS_MAX)),
            threads: Mutex::default(),
        };
        let mut connection = Some(connection);
        for _ in 0..count {
            let slot = ConnectionSlot { connector: connector.clone(), idle: connection.take() };
            let queue = Arc::clone(&started.queue);
            let thread = thread::Builder::new().name(name.to_owned());
            started.threads.lock().push(thread.spawn(move || serve(&queue, slot))?);
        }
        Ok(started)
    }

    /// Runs a job on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> Result<T, SqliteFailure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_closed| SqliteFailure::Closed)?;
        let (done, result) = oneshot::channel();
        self.queue.push(Box::new(move |slot| {
            let result = slot.run(job);
            drop(permit);
            // The caller may have been cancelled.
            done.send(result).ok();
        }));
        result.await.unwrap_or(Err(SqliteFailure::Closed))
    }

    /// Waits for the queued jobs, and closes the connections.
    pub(super) async fn close(&self) {
        self.permits.close();
        self.queue.close();
        let threads = mem::take(&mut *self.threads.lock());
        let joined = spawn_blocking(|| threads.into_iter().try_for_each(JoinHandle::join));
        if !matches!(joined.await, Ok(Ok(()))) {
            tracing::warn!("sqlite thread panicked");
        }
    }
}

impl Drop for ConnectionThreads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The jobs that no thread has taken.
#[derive(Default)]
struct JobQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl std::fmt::Debug for JobQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobQueue").finish_non_exhaustive()
    }
}

impl JobQueue {
    fn push(&self, job: Job) {
        self.state.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for a job. `None` when the queue is closed and empty.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }
}

/// The connection of a thread.
struct ConnectionSlot {
    connector: Connector,
    idle: Option<Connection>,
}

impl ConnectionSlot {
    fn run<T>(
        &mut self,
        job: impl FnOnce(&Connection) -> Result<T, SqliteFailure>,
    ) -> Result<T, SqliteFailure> {
        let connection = match self.idle.take() {
            Some(connection) => connection,
            None => self.connector.connect()?,
        };
        let result = panic::catch_unwind(AssertUnwindSafe(|| job(&connection)));
        let result = result.unwrap_or(Err(SqliteFailure::Panicked));
        if result.is_ok() {
            self.idle = Some(connection);
        }
        result
    }
}

/// Runs jobs until the queue is closed.
fn serve(queue: &JobQueue, mut slot: ConnectionSlot) {
    while let Some(job) = queue.next() {
        job(&mut slot);
    }
    if let Some(Err((_, error))) = slot.idle.map(Connection::close) {
        tracing::warn!(%error, "sqlite close failed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    fn start(count: usize) -> ConnectionThreads {
        let connector = Connector::in_memory();
        let connection = connector.connect().unwrap();
        ConnectionThreads::start("sqlite-test", count, &connector, connection).unwrap()
    }

    #[tokio::test]
    async fn jobs_run_on_named_threads_in_their_order() {
        let threads = start(1);
        let count = Arc::new(AtomicUsize::new(0));
        // Callers that wait for a place in the queue have no order.
        let jobs = (0..JOBS_MAX).map(|_| {
            let count = Arc::clone(&count);
            threads.run(move |_| {
                assert_eq!(thread::current().name(), Some("sqlite-test"));
                Ok(count.fetch_add(1, Ordering::Relaxed))
            })
        });
        let numbers: Vec<_> = join_all(jobs).await.into_iter().map(Result::unwrap).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }

    #[tokio::test]
    async fn callers_wait_while_the_queue_is_full() {
        let threads = start(2);
        let jobs = (0..3 * JOBS_MAX).map(|n| threads.run(move |_| Ok(n)));
        let numbers: Vec<_> = join_all(jobs).await.into_iter().map(Result::unwrap).collect();
        assert!(numbers.into_iter().eq(0..3 * JOBS_MAX));
        assert_eq!(threads.permits.available_permits(), JOBS_MAX);
    }

    #[tokio::test]
    async fn a_panic_fails_the_job_and_replaces_the_connection() {
        let threads = start(1);
        let make = |connection: &Connection| Ok(connection.execute_batch("CREATE TABLE t (x)")?);
        threads.run(make).await.unwrap();
        let failed = threads.run::<()>(|_| panic!("a bug")).await.unwrap_err();
        assert!(matches!(failed, SqliteFailure::Panicked), "{failed:?}");
        threads.run(make).await.expect("another database in memory has no table");
    }

    #[tokio::test]
    async fn a_failed_job_replaces_the_connection() {
        let threads = start(1);
        let broken = |connection: &Connection| Ok(connection.execute_batch("BEGIN; broken")?);
        let begin = |connection: &Connection| Ok(connection.execute_batch("BEGIN")?);
        for _ in 0..2 {
            threads.run(broken).await.unwrap_err();
            threads.run(begin).await.expect("no transaction is open");
        }
    }

    #[tokio::test]
    async fn close_runs_what_is_queued_and_ends_the_threads() {
        let threads = start(2);
        let count = Arc::new(AtomicUsize::new(0));
        let jobs = (0..10).map(|_| {
            let count = Arc::clone(&count);
            threads.run(move |_| Ok(count.fetch_add(1, Ordering::Relaxed)))
        });
        let close = async {
            tokio::task::yield_now().await;
            threads.close().await;
        };
        let (results, ()) = futures_util::join!(join_all(jobs), close);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(count.load(Ordering::Relaxed), 10);
        let late = threads.run(|_| Ok(())).await.unwrap_err();
        assert!(matches!(late, SqliteFailure::Closed), "{late:?}");
        assert_eq!(Arc::strong_count(&threads.queue), 1, "no thread holds the queue");
    }
}
