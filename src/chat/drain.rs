//! The drain: nobody new is accepted, and everybody is asked to return, a few at a time.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::Chat;
use crate::domain::CloseReason;

/// The time between two portions of connections that are closed.
const PORTION_INTERVAL: Duration = Duration::from_millis(50);
/// The fewest connections in a portion: a node with few of them closes all at once.
const PORTION_MIN: usize = 10;

impl Chat {
    /// Rejects new connections from now on. Those that exist go on.
    pub fn drain(&self) {
        self.probes.record_drain();
        self.draining.store(true, Ordering::SeqCst);
        self.hub.asks.end_waits();
    }

    /// Begins to close all connections, evenly over `window` and in random order, so that the clients do
    /// not return to the other nodes at the same moment. Official clients return as soon as they are
    /// closed, so the closes are spread, and not what clients are told.
    pub async fn close_connections(&self, window: Duration) {
        let connections = self.hub.connections.all_in_random_order();
        let portions = (window.as_millis() / PORTION_INTERVAL.as_millis()).max(1);
        let portions = usize::try_from(portions).unwrap_or(usize::MAX);
        let size = connections.len().div_ceil(portions).max(PORTION_MIN);
        let begun_at = Instant::now();
        for (number, portion) in (0..).zip(connections.chunks(size)) {
            sleep_until(begun_at + PORTION_INTERVAL * number).await;
            for outbox in portion {
                outbox.close(CloseReason::Draining);
            }
        }
    }

    /// Waits until all connections are closed. After [`drain`](Self::drain) none is added.
    pub async fn drained(&self) {
        self.hub.connections.wait_until_empty().await;
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
