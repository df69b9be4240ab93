//! Connections to one server, and whose turn it is to use one.
//!
//! A connection comes back only after all went well. Whatever else happens, a fault, a commit of
//! which nobody knows whether it went through, a caller who stops waiting, it is thrown away with
//! its transaction, and the next turn opens another one. So there is no state to repair, and what a
//! server leaves behind that went away is gone with the first one who notices.

use std::{
    ops::ControlFlow,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{
    Connection as _,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use super::{failure::Failure, session};

/// How long a connection is believed to be as it was when it was looked at last. Past it, it is asked
/// whether its server still takes writes: behind a proxy that may be another one by now.
const BELIEVED: Duration = Duration::from_secs(5);
/// Which part of the time that there is for everything a resting connection may take to answer that.
const ANSWER_PART: u32 = 4;

#[derive(Debug)]
pub(super) struct Lane {
    options: PgConnectOptions,
    wait_max: Duration,
    turns: Semaphore,
    count: u32,
    resting: Mutex<Vec<Resting>>,
}

#[derive(Debug)]
struct Resting {
    connection: PgConnection,
    checked: Instant,
    /// How many turns it had.
    turns: u64,
}

/// The connection of whoever has the turn.
#[must_use = "the connection is closed unless the turn is finished"]
#[derive(Debug)]
pub(super) struct Turn<'a> {
    // Dropped in this order: the next one's turn comes when this connection is gone.
    resting: Resting,
    is_new: bool,
    _permit: SemaphorePermit<'a>,
    lane: &'a Lane,
}

impl Lane {
    /// Connections are opened when they are needed first, and are so many at most.
    pub(super) fn new(options: PgConnectOptions, wait_max: Duration, count: u32) -> Self {
        let turns = Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS));
        Self { options, wait_max, turns, count, resting: Mutex::default() }
    }

    /// Gives up after the time that there is for everything.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Ok(outcome) = timeout(self.wait_max, work).await else {
            // Those that rest may be connections to the same nowhere.
            self.forget();
            return Err(Failure::TimedOut(self.wait_max));
        };
        outcome
    }

    /// Waits until there is a connection to be had. Turns come in the order in which they were asked
    /// for.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Failure> {
        let permit = self.turns.acquire().await.map_err(|_closed| Failure::Closed)?;
        let rested = self.take_good().await;
        let is_new = rested.is_none();
        let resting = match rested {
            Some(resting) => resting,
            None => Resting {
                connection: session::connect(&self.options, self.wait_max).await?,
                checked: Instant::now(),
                turns: 0,
            },
        };
        Ok(Turn { resting, is_new, _permit: permit, lane: self })
    }

    /// A connection that rested, to a server that takes writes. Where one is of no more use, nobody
    /// waits for the others to say the same.
    async fn take_good(&self) -> Option<Resting> {
        let mut resting = self.resting().pop()?;
        let answer = timeout(self.wait_max / ANSWER_PART, resting.refresh()).await;
        if !matches!(answer, Ok(Ok(()))) {
            self.forget();
            return None;
        }
        Some(resting)
    }

    /// Throws away what rests.
    pub(super) fn forget(&self) {
        drop(std::mem::take(&mut *self.resting()));
    }

    /// Waits until nobody has a turn, and closes.
    pub(super) async fn close(&self) {
        let all = timeout(self.wait_max, self.turns.acquire_many(self.count)).await;
        self.turns.close();
        let resting = std::mem::take(&mut *self.resting());
        drop(all);
        for Resting { connection, .. } in resting {
            if let Ok(Err(error)) = timeout(self.wait_max, connection.close()).await {
                tracing::debug!(%error, "a connection to PostgreSQL did not close as it should");
            }
        }
    }

    /// Poisoning is ignored: a connection is there or it is not.
    fn resting(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resting {
    /// Looks whether it is still of use, when it is time to.
    async fn refresh(&mut self) -> Result<(), Failure> {
        if self.checked.elapsed() > BELIEVED {
            session::check_writable(&mut self.connection).await?;
            self.checked = Instant::now();
        }
        // What was planned for small tables is of no use for large ones: the more they grow, the more
        // turns there were.
        if self.turns.is_power_of_two() {
            session::replan(&mut self.connection).await?;
        }
        Ok(())
    }
}

/// Does something with a connection of a lane, within the time that there is. Where one that rested
/// turns out to be broken, all that rest are, and it is done again: what is done must change nothing,
/// or nothing more when it comes twice. (A closure that borrows a connection would not be `Send`.)
macro_rules! ask {
    ($lane:expr, |$connection:ident| $work:expr) => {{
        let lane = &$lane;
        let work = async {
            loop {
                let mut turn = lane.turn().await?;
                let $connection = turn.connection();
                let outcome = $work.await;
                if let std::ops::ControlFlow::Break(answer) = turn.done(outcome) {
                    return answer;
                }
            }
        };
        lane.within(work).await
    }};
}

pub(super) use ask;

impl Turn<'_> {
    /// Ends the turn, unless what broke was a connection that had rested: then it is to be done again.
    pub(super) fn done<T>(self, outcome: Result<T, Failure>) -> ControlFlow<Result<T, Failure>> {
        match outcome {
            Ok(_) => self.finish(),
            Err(failure) if failure.is_broken_connection() && !self.is_new => {
                self.lane.forget();
                return ControlFlow::Continue(());
            }
            Err(_) => (),
        }
        ControlFlow::Break(outcome)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.resting.connection
    }

    /// Whether the connection was opened for this turn.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Gives back the connection, on which everything went well.
    pub(super) fn finish(self) {
        let Self { mut resting, is_new: _, _permit, lane } = self;
        resting.turns += 1;
        lane.resting().push(resting);
    }
}
