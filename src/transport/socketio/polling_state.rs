//! What a session holds only while requests carry it.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::Limits;

/// A polling session of which nothing was seen for this long after its heartbeat ran out is one that
/// the engine has forgotten without telling.
const ABANDONED_AFTER: Duration = Duration::from_secs(15);

/// What only sessions that began with polling have.
pub(super) struct PollingState {
    pub(super) upgrade_state: AtomicU8,
    pub(super) noops_sent: AtomicU8,
    pub(super) posting: AtomicBool,
    pub(super) requests_in_flight: AtomicUsize,
    pub(super) created_at: Instant,
    /// Milliseconds from birth to the end of the last request.
    pub(super) last_request: AtomicU64,
}

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum UpgradeState {
    /// Polling.
    Polling,
    /// Polling, and a WebSocket has opened that has not proved yet that it works.
    Probing,
    /// Polling, and the client was told that its WebSocket works.
    Switching,
    /// A WebSocket.
    WebSocket,
}

impl PollingState {
    /// A session that has just begun.
    pub(super) fn new() -> Self {
        Self {
            upgrade_state: AtomicU8::new(UpgradeState::Polling as u8),
            noops_sent: AtomicU8::new(0),
            posting: AtomicBool::new(false),
            requests_in_flight: AtomicUsize::new(0),
            created_at: Instant::now(),
            last_request: AtomicU64::new(0),
        }
    }

    /// Whether requests carry it, or still carry it.
    pub(super) fn is_polling(&self) -> bool {
        self.upgrade_state.load(Ordering::SeqCst) != UpgradeState::WebSocket as u8
    }

    /// Moves from one carrier to another, if it is at the first. Answers whether it was.
    pub(super) fn change(&self, from: UpgradeState, to: UpgradeState) -> bool {
        let (before, after, order) = (from as u8, to as u8, Ordering::SeqCst);
        let changed = self.upgrade_state.compare_exchange(before, after, order, order).is_ok();
        if changed {
            self.noops_sent.store(0, order);
        }
        changed
    }

    pub(super) fn is_switching(&self) -> bool {
        self.upgrade_state.load(Ordering::SeqCst) == UpgradeState::Switching as u8
    }

    /// Whether nobody has used the session for so long that it cannot live.
    pub(super) fn is_abandoned(&self, limits: &Limits) -> bool {
        let last_request = Duration::from_millis(self.last_request.load(Ordering::SeqCst));
        let idle_max = limits.ping_interval + limits.ping_timeout + ABANDONED_AFTER;
        let idle = self.requests_in_flight.load(Ordering::SeqCst) == 0;
        self.is_polling() && idle && self.created_at.elapsed() > last_request + idle_max
    }
}

impl fmt::Debug for PollingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollingState")
            .field("upgrade_state", &self.upgrade_state)
            .finish_non_exhaustive()
    }
}
