//! Connections to one server, and whose turn it is to use one.
//!
//! A connection comes back only after all went well. Whatever else happens, a fault, a commit of
//! which nobody knows whether it went through, a caller who stops waiting, it is thrown away with
//! its transaction, and the next turn opens another one. So there is no state to repair, and what a
//! server leaves behind that went away is gone with the first one who notices.

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

use super::{failure::PostgresFailure, session};

/// How long a connection is believed to be as it was when it was looked at last. Past it, it is asked
/// whether its server still takes writes: behind a proxy that may be another one by now.
const RECHECK_AFTER: Duration = Duration::from_secs(5);
/// Which part of the time that there is for everything a resting connection may take to answer that.
const CHECK_WAIT_DIVISOR: u32 = 4;

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
    /// How many turns it had.
    uses: u64,
}

/// The connection of whoever has the turn.
#[must_use = "the connection is closed unless the turn is finished"]
#[derive(Debug)]
pub(super) struct PooledConnection<'a> {
    // Dropped in this order: the next one's turn comes when this connection is gone.
    idle: IdleConnection,
    is_new: bool,
    _permit: SemaphorePermit<'a>,
    pool: &'a Pool,
}

impl Pool {
    /// Connections are opened when they are needed first, and are so many at most.
    pub(super) fn new(options: PgConnectOptions, wait_max: Duration, count: u32) -> Self {
        let permits = Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS));
        Self { options, wait_max, permits, count, idle: Mutex::default() }
    }

    /// Gives up after the time that there is for everything.
    pub(super) async fn with_timeout<T>(
        &self,
        work: impl Future<Output = Result<T, PostgresFailure>>,
    ) -> Result<T, PostgresFailure> {
        let Ok(outcome) = timeout(self.wait_max, work).await else {
            // Those that rest may be connections to the same nowhere.
            self.discard_idle();
            return Err(PostgresFailure::TimedOut(self.wait_max));
        };
        outcome
    }

    /// Waits until there is a connection to be had. Turns come in the order in which they were asked
    /// for.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, PostgresFailure> {
        let permit = self.permits.acquire().await.map_err(|_closed| PostgresFailure::Closed)?;
        let reused = self.take_usable().await;
        let is_new = reused.is_none();
        let idle = match reused {
            Some(idle) => idle,
            None => IdleConnection {
                connection: session::connect(&self.options, self.wait_max).await?,
                checked: Instant::now(),
                uses: 0,
            },
        };
        Ok(PooledConnection { idle, is_new, _permit: permit, pool: self })
    }

    /// A connection that rested, to a server that takes writes. Where one is of no more use, nobody
    /// waits for the others to say the same.
    async fn take_usable(&self) -> Option<IdleConnection> {
        let mut idle = self.idle.lock().pop()?;
        let answer = timeout(self.wait_max / CHECK_WAIT_DIVISOR, idle.refresh()).await;
        if !matches!(answer, Ok(Ok(()))) {
            self.discard_idle();
            return None;
        }
        Some(idle)
    }

    /// Throws away what rests.
    pub(super) fn discard_idle(&self) {
        drop(std::mem::take(&mut *self.idle.lock()));
    }

    /// Waits until nobody has a turn, and closes.
    pub(super) async fn close(&self) {
        let all = timeout(self.wait_max, self.permits.acquire_many(self.count)).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(all);
        for IdleConnection { connection, .. } in idle {
            if let Ok(Err(error)) = timeout(self.wait_max, connection.close()).await {
                tracing::debug!(%error, "a connection to PostgreSQL did not close as it should");
            }
        }
    }
}

impl IdleConnection {
    /// Looks whether it is still of use, when it is time to.
    async fn refresh(&mut self) -> Result<(), PostgresFailure> {
        if self.checked.elapsed() > RECHECK_AFTER {
            session::check_writable(&mut self.connection).await?;
            self.checked = Instant::now();
        }
        // What was planned for small tables is of no use for large ones: the more they grow, the more
        // turns there were.
        if self.uses.is_power_of_two() {
            session::replan(&mut self.connection).await?;
        }
        Ok(())
    }
}

/// Does something with a connection of a lane, within the time that there is. Where one that rested
/// turns out to be broken, all that rest are, and it is done again: what is done must change nothing,
/// or nothing more when it comes twice. (A closure that borrows a connection would not be `Send`.)
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
    /// Ends the turn, unless what broke was a connection that had rested: then it is to be done again.
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

    /// Whether the connection was opened for this turn.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Gives back the connection, on which everything went well.
    pub(super) fn release(self) {
        let Self { mut idle, is_new: _, _permit, pool } = self;
        idle.uses += 1;
        pool.idle.lock().push(idle);
    }
}
