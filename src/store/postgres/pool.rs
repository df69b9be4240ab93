//! A pool of connections to one server.
//!
//! A connection returns to the pool only after success. After an error, a commit with unknown
//! outcome or a cancelled caller, it is closed together with its transaction, and the next caller
//! opens another one. So no state needs repair, and the first failure discards all idle connections
//! to a server that is gone.

use std::{ops::ControlFlow, time::Duration};

use parking_lot::Mutex;
use sqlx::{
    Connection as _,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use super::{connect, failure::PostgresFailure};

/// How long a connection counts as checked. After that, it is asked whether its server still
/// accepts writes: behind a proxy it may be another server by now.
const RECHECK_AFTER: Duration = Duration::from_secs(5);
/// The share of the timeout that this check of an idle connection may take.
const CHECK_WAIT_DIVISOR: u32 = 4;

/// Uses of a connection after which its statements are planned anew.
const REPLAN_INTERVAL_USES: u64 = 1024;

#[derive(Debug)]
pub(super) struct Pool {
    options: PgConnectOptions,
    wait_max: Duration,
    permits: Semaphore,
    count: u32,
    idle: Mutex<Vec<IdleConnection>>,
}

#[derive(Debug)]
struct IdleConnection {
    connection: PgConnection,
    checked: Instant,
    /// The number of times that it was acquired.
    uses: u64,
}

/// An acquired connection.
#[must_use = "the connection is closed unless the turn is finished"]
#[derive(Debug)]
pub(super) struct PooledConnection<'a> {
    // Dropped in this order: the permit is released after the connection is closed.
    idle: IdleConnection,
    is_new: bool,
    _permit: SemaphorePermit<'a>,
    pool: &'a Pool,
}

impl Pool {
    /// Opens connections on demand, up to `count`.
    pub(super) fn new(options: PgConnectOptions, wait_max: Duration, count: u32) -> Self {
        let permits = Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS));
        Self { options, wait_max, permits, count, idle: Mutex::default() }
    }

    /// Fails when `work` takes longer than the timeout.
    pub(super) async fn with_timeout<T>(
        &self,
        work: impl Future<Output = Result<T, PostgresFailure>>,
    ) -> Result<T, PostgresFailure> {
        let Ok(outcome) = timeout(self.wait_max, work).await else {
            // The idle connections may lead to the same unreachable server.
            self.discard_idle();
            return Err(PostgresFailure::TimedOut(self.wait_max));
        };
        outcome
    }

    /// Waits for a connection. Callers are served in order.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, PostgresFailure> {
        let permit = self.permits.acquire().await.map_err(|_closed| PostgresFailure::Closed)?;
        let reused = self.take_usable().await;
        let is_new = reused.is_none();
        let idle = match reused {
            Some(idle) => idle,
            None => IdleConnection {
                connection: connect::connect(&self.options, self.wait_max).await?,
                checked: Instant::now(),
                uses: 0,
            },
        };
        Ok(PooledConnection { idle, is_new, _permit: permit, pool: self })
    }

    /// An idle connection to a server that accepts writes. When one is unusable, all idle ones are
    /// discarded without a check of each.
    async fn take_usable(&self) -> Option<IdleConnection> {
        let mut idle = self.idle.lock().pop()?;
        let answer = timeout(self.wait_max / CHECK_WAIT_DIVISOR, idle.refresh()).await;
        if !matches!(answer, Ok(Ok(()))) {
            self.discard_idle();
            return None;
        }
        Some(idle)
    }

    /// Closes all idle connections.
    pub(super) fn discard_idle(&self) {
        drop(std::mem::take(&mut *self.idle.lock()));
    }

    /// Waits until all connections are released, and closes them.
    pub(super) async fn close(&self) {
        let all = timeout(self.wait_max, self.permits.acquire_many(self.count)).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(all);
        for IdleConnection { connection, .. } in idle {
            if let Ok(Err(error)) = timeout(self.wait_max, connection.close()).await {
                tracing::debug!(%error, "postgres connection close failed");
            }
        }
    }
}

impl IdleConnection {
    /// Checks the connection when that is due.
    async fn refresh(&mut self) -> Result<(), PostgresFailure> {
        if self.checked.elapsed() > RECHECK_AFTER {
            connect::check_writable(&mut self.connection).await?;
            self.checked = Instant::now();
        }
        // Plans made for small tables are slow for large ones. New tables grow with the number of
        // uses; others shrink and grow again.
        if self.uses.is_power_of_two() || self.uses.is_multiple_of(REPLAN_INTERVAL_USES) {
            connect::replan(&mut self.connection).await?;
        }
        Ok(())
    }
}

/// Runs `$work` with a pooled connection, within the timeout. When an idle connection turns out to
/// be broken, all idle ones are discarded and the work runs again: it must be idempotent. (A
/// closure that borrows a connection would not be `Send`.)
macro_rules! with_connection {
    ($pool:expr, |$connection:ident| $work:expr) => {{
        let pool = &$pool;
        let work = async {
            loop {
                let mut pooled = pool.acquire().await?;
                let $connection = pooled.connection();
                let outcome = $work.await;
                if let std::ops::ControlFlow::Break(answer) = pooled.finish_or_retry(outcome) {
                    return answer;
                }
            }
        };
        pool.with_timeout(work).await
    }};
}

pub(super) use with_connection;

impl PooledConnection<'_> {
    /// Releases the connection. When one that had been idle is broken, the work has to run again.
    pub(super) fn finish_or_retry<T>(
        self,
        outcome: Result<T, PostgresFailure>,
    ) -> ControlFlow<Result<T, PostgresFailure>> {
        match outcome {
            Ok(_) => self.release(),
            Err(failure) if failure.is_broken_connection() && !self.is_new => {
                self.pool.discard_idle();
                return ControlFlow::Continue(());
            }
            Err(_) => (),
        }
        ControlFlow::Break(outcome)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.idle.connection
    }

    /// Whether the connection was opened by this acquisition.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns the connection to the pool after success.
    pub(super) fn release(self) {
        let Self { mut idle, is_new: _, _permit, pool } = self;
        idle.uses += 1;
        pool.idle.lock().push(idle);
    }
}
