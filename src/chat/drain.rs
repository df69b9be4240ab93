//! The drain: nobody new is accepted, and everybody is asked to return, a few at a time.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::Chat;
use crate::domain::CloseReason;

/// The time between two portions of connections that are closed.
const PORTION_INTERVAL: Duration = Duration::from_millis(50);
/// The fewest connections in a portion: a node with few of them closes all at once.
const PORTION_MIN: u32 = 10;

/// When the clients of a node that drains leave and return.
#[derive(Clone, Copy, Debug)]
pub struct DrainPace {
    /// The longest time over which connections are closed.
    pub closes_within: Duration,
    /// The longest time, from the same moment, until the last client returns that obeys `afterMs`.
    pub returns_within: Duration,
}

impl Chat {
    /// Begins the drain: a new connection is asked to return as soon as it is there, and those that
    /// exist go on.
    pub fn drain(&self) {
        self.probes.record_drain();
        self.draining.store(true, Ordering::SeqCst);
        self.drain_begun.cancel();
        self.hub.asks.end_waits();
    }

    /// Rejects new connections, sign-ins and requests of back ends from now on.
    pub fn refuse(&self) {
        self.refusing.store(true, Ordering::SeqCst);
    }

    /// Begins to close all connections, evenly and in random order, so that the clients do not
    /// return at the same moment. Official clients return as soon as they are closed; for those that
    /// wait for `afterMs`, that differs, too.
    pub async fn close_connections(&self, pace: DrainPace) {
        let connections = self.hub.connections.all_in_random_order();
        let portions = (pace.closes_within.as_millis() / PORTION_INTERVAL.as_millis()).max(1);
        let portions = usize::try_from(portions).unwrap_or(usize::MAX);
        let size = connections.len().div_ceil(portions).max(PORTION_MIN as usize);
        let spread_max = spread_max(connections.len(), pace);
        let begun_at = Instant::now();
        for (number, portion) in (0..).zip(connections.chunks(size)) {
            sleep_until(begun_at + PORTION_INTERVAL * number).await;
            let step = spread_max / u32::try_from(portion.len()).unwrap_or(u32::MAX);
            for (place, outbox) in (0..).zip(portion) {
                let after = CloseReason::RETURN_AFTER + step * place;
                outbox.close(CloseReason::Draining { after });
            }
        }
    }

    /// Waits until all connections are closed. After [`refuse`](Self::refuse) none is added.
    pub async fn drained(&self) {
        self.hub.connections.wait_until_empty().await;
    }

    /// Waits for the begin of the drain. Cancel-safe.
    pub async fn draining(&self) {
        self.drain_begun.cancelled().await;
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Whether [`refuse`](Self::refuse) was called.
    pub fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::SeqCst)
    }

    /// Whether this node drains without refusing anything: new sockets reach another process.
    pub fn is_handing_over(&self) -> bool {
        self.is_draining() && !self.is_refusing()
    }
}

/// How much later than the first the last client of a portion returns: few clients need not wait,
/// and many have all the time that is left.
fn spread_max(connections: usize, pace: DrainPace) -> Duration {
    let count = u32::try_from(connections).unwrap_or(u32::MAX);
    let left = pace.returns_within.saturating_sub(pace.closes_within + CloseReason::RETURN_AFTER);
    (PORTION_INTERVAL / PORTION_MIN).saturating_mul(count).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_clients_leave_the_later_the_last_one_returns() {
        let pace = |secs| DrainPace {
            closes_within: Duration::from_secs(4),
            returns_within: Duration::from_secs(secs),
        };
        assert_eq!(spread_max(0, pace(8)), Duration::ZERO);
        assert_eq!(spread_max(10, pace(8)), Duration::from_millis(50));
        assert_eq!(spread_max(400, pace(8)), Duration::from_secs(2));
        assert_eq!(spread_max(10_000, pace(8)), Duration::from_secs(3));
        assert_eq!(spread_max(10_000, pace(5)), Duration::ZERO);
        assert_eq!(spread_max(10_000, pace(4)), Duration::ZERO);
    }
}
