//! Why connections of this node ended, for the Admin UI.
//!
//! All ends are counted. Which connections they were is kept for as long as a page takes to ask again,
//! and only while one asks.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{chat::ports::DisconnectCause, domain::ConnectionId};

/// How long an end is kept. An open page asks every two seconds.
const KEPT: Duration = Duration::from_secs(10);
/// The most ends that are kept: a page shows as many connections.
const ENDS_MAX: usize = 1000;

/// See the module.
#[derive(Default)]
pub(super) struct EndLog(Mutex<State>);

#[derive(Default)]
struct State {
    counts: BTreeMap<DisconnectCause, u64>,
    /// When a page last asked.
    asked_at: Option<Instant>,
    /// The oldest first.
    ends: VecDeque<(Instant, ConnectionId, DisconnectCause)>,
}

/// What was recorded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RecordedEnds {
    /// How many connections ended since the start.
    pub(super) counts: Vec<(DisconnectCause, u64)>,
    /// Those that ended lately.
    pub(super) ends: Vec<(ConnectionId, DisconnectCause)>,
}

impl EndLog {
    /// Records the end of a connection.
    pub(super) fn record(&self, connection: ConnectionId, cause: DisconnectCause) {
        let mut state = self.0.lock();
        *state.counts.entry(cause).or_default() += 1;
        let Some(asked_at) = state.asked_at else { return };
        let now = Instant::now();
        if now > asked_at + KEPT {
            (state.asked_at, state.ends) = (None, VecDeque::new());
            return;
        }
        if state.ends.len() >= ENDS_MAX {
            state.ends.pop_front();
        }
        state.ends.push_back((now, connection, cause));
    }

    /// What was recorded. Ends are kept from now on.
    pub(super) fn read(&self) -> RecordedEnds {
        let now = Instant::now();
        let mut state = self.0.lock();
        state.asked_at = Some(now);
        state.ends.retain(|(at, _, _)| now <= *at + KEPT);
        RecordedEnds {
            counts: state.counts.iter().map(|(cause, count)| (*cause, *count)).collect(),
            ends: state.ends.iter().map(|(_, connection, cause)| (*connection, *cause)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const CAUSE: DisconnectCause = DisconnectCause::PingTimeout;

    fn id(number: u64) -> ConnectionId {
        ConnectionId::from_raw(number)
    }

    #[tokio::test(start_paused = true)]
    async fn ends_are_kept_while_a_page_asks() {
        let log = EndLog::default();
        log.record(id(1), CAUSE);
        let nobody_asked = RecordedEnds { counts: vec![(CAUSE, 1)], ends: vec![] };
        assert_eq!(log.read(), nobody_asked);
        log.record(id(2), DisconnectCause::ByClient);
        advance(KEPT / 2).await;
        log.record(id(3), CAUSE);
        let counts = vec![(CAUSE, 2), (DisconnectCause::ByClient, 1)];
        let ends = vec![(id(2), DisconnectCause::ByClient), (id(3), CAUSE)];
        assert_eq!(log.read(), RecordedEnds { counts, ends });
        advance(KEPT / 2 + Duration::from_millis(1)).await;
        assert_eq!(log.read().ends, [(id(3), CAUSE)], "the other one is too old");
        advance(KEPT + Duration::from_millis(1)).await;
        log.record(id(4), CAUSE);
        assert!(log.0.lock().ends.is_empty(), "the page was closed");
        assert_eq!(log.read().counts, [(CAUSE, 3), (DisconnectCause::ByClient, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_ends_are_kept_within_a_bound() {
        let log = EndLog::default();
        log.read();
        for number in 0..=ENDS_MAX as u64 {
            log.record(id(number), CAUSE);
        }
        let RecordedEnds { counts, ends } = log.read();
        assert_eq!((ends.len(), ends.first()), (ENDS_MAX, Some(&(id(1), CAUSE))));
        assert_eq!(counts, [(CAUSE, ENDS_MAX as u64 + 1)]);
    }
}
