//! The state that only sessions that began with polling have: which transport carries them, and
//! which requests are in progress.
//!
//! It changes under the lock of the session. The current time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// The delay before the pending poll of a client that upgrades is answered with a noop. The client
/// waits for the answer before it upgrades. Each further delay is twice as long.
const NOOP_DELAY: Duration = Duration::from_millis(50);

/// The number of times that the delay doubles at most.
const NOOP_DOUBLINGS_MAX: u32 = 10;

/// The time without requests, beyond the heartbeat, after which the engine has forgotten a polling
/// session without a report.
const ABANDONED_AFTER: Duration = Duration::from_secs(15);

/// The longest time between two polls of the engine, of a client whose polls are answered with events.
/// The pings of the engine are on time with it.
const ENGINE_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct PollingState {
    upgrade: UpgradeState,
    /// Noops that were sent in the current upgrade.
    noops_sent: u32,
    /// The number of polls that wait for packets. It is one, unless the client violates the protocol.
    waiting_polls: usize,
    posts: PostPhase,
    requests_in_progress: usize,
    end: EndState,
    /// The begin of the session, or the end of its last request.
    last_request_at: Instant,
    /// The last time at which a poll that was answered with events also polled the engine.
    engine_polled_at: Instant,
    /// Until when packets of the engine are expected.
    engine_awaited_until: Instant,
}

/// The end of a session that polls.
#[derive(Debug, Default)]
struct EndState {
    report: EngineReport,
    /// Whether the client has been told.
    is_told: bool,
}

/// The report of the engine that it has ended the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EngineReport {
    #[default]
    Missing,
    Received,
}

/// The POST that is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PostPhase {
    /// None has begun.
    Awaited,
    /// The first one.
    First,
    /// None, after the first one.
    Idle,
    /// A further one.
    Further,
}

/// The transport that carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpgradeState {
    /// Polling.
    Polling,
    /// Polling. A WebSocket is open and has not yet proved that it works.
    Probing,
    /// Polling. The client has received the answer to its probe and may switch.
    Switching,
    /// A WebSocket.
    WebSocket,
}

impl PollingState {
    /// The state of a session that begins at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            upgrade: UpgradeState::Polling,
            noops_sent: 0,
            waiting_polls: 0,
            posts: PostPhase::Awaited,
            requests_in_progress: 0,
            end: EndState::default(),
            last_request_at: now,
            engine_polled_at: now,
            engine_awaited_until: now + ENGINE_POLL_INTERVAL,
        }
    }

    /// The engine has received packets, or has to send some. Polls also poll the engine for a while.
    pub(super) fn await_engine(&mut self, now: Instant) {
        self.engine_awaited_until = now + ENGINE_POLL_INTERVAL;
    }

    /// When a poll has to poll the engine, too. That time may be over.
    pub(super) fn engine_poll_due(&self, now: Instant) -> Instant {
        if now < self.engine_awaited_until {
            now
        } else {
            self.engine_polled_at + ENGINE_POLL_INTERVAL
        }
    }

    /// Whether a poll that is answered with events also polls the engine.
    pub(super) fn take_engine_poll(&mut self, now: Instant) -> bool {
        let is_due = self.engine_poll_due(now) <= now;
        if is_due {
            self.engine_polled_at = now;
        }
        is_due
    }

    /// Whether polling carries the session, also while an upgrade is in progress.
    pub(super) fn is_polling(&self) -> bool {
        self.upgrade != UpgradeState::WebSocket
    }

    /// Whether the client is about to switch to the WebSocket.
    pub(super) fn is_switching(&self) -> bool {
        self.upgrade == UpgradeState::Switching
    }

    /// Changes the state of the upgrade if it is `from`. Returns whether it was.
    pub(super) fn change(&mut self, from: UpgradeState, to: UpgradeState) -> bool {
        let changes = self.upgrade == from;
        if changes {
            self.upgrade = to;
            self.noops_sent = 0;
        }
        changes
    }

    /// The delay before the next noop.
    pub(super) fn noop_delay(&self) -> Duration {
        NOOP_DELAY * (1 << self.noops_sent.min(NOOP_DOUBLINGS_MAX))
    }

    /// Counts a noop, if the client still has to switch. Returns whether it has to be sent.
    pub(super) fn take_noop(&mut self) -> bool {
        let is_needed = self.is_switching();
        self.noops_sent += u32::from(is_needed);
        is_needed
    }

    /// Counts a request that begins.
    pub(super) fn begin_request(&mut self) {
        self.requests_in_progress += 1;
    }

    /// Counts the end of a request, however it ended.
    pub(super) fn end_request(&mut self, now: Instant) {
        self.requests_in_progress -= 1;
        self.last_request_at = now;
    }

    /// Counts a poll that begins to wait, as a request, too.
    pub(super) fn begin_poll(&mut self) {
        self.begin_request();
        self.waiting_polls += 1;
    }

    /// Counts the end of the wait of a poll, before it is answered.
    pub(super) fn end_poll(&mut self) {
        self.waiting_polls -= 1;
    }

    /// Whether a poll waits. The client has then received the answer to the poll before.
    pub(super) fn is_poll_waiting(&self) -> bool {
        self.waiting_polls > 0
    }

    /// Begins a POST. Returns whether it may continue: only one is in progress at a time.
    pub(super) fn begin_post(&mut self) -> bool {
        self.posts = match self.posts {
            PostPhase::Awaited => PostPhase::First,
            PostPhase::Idle => PostPhase::Further,
            PostPhase::First | PostPhase::Further => return false,
        };
        true
    }

    /// Ends the POST that is in progress.
    pub(super) fn end_post(&mut self) {
        self.posts = PostPhase::Idle;
    }

    /// Whether the POST that is in progress is the first one.
    pub(super) fn is_first_post(&self) -> bool {
        self.posts == PostPhase::First
    }

    /// The engine reports that it has ended the session.
    pub(super) fn report_end(&mut self) {
        self.end.report = EngineReport::Received;
    }

    /// Whether the engine has reported that it ended the session.
    pub(super) fn is_ended(&self) -> bool {
        self.end.report == EngineReport::Received
    }

    /// The client is told that the session has ended.
    pub(super) fn tell_end(&mut self) {
        self.end.is_told = true;
    }

    /// Whether the client has been told that the session has ended.
    pub(super) fn is_end_told(&self) -> bool {
        self.end.is_told
    }

    /// Whether the session polls and had no request for this time.
    pub(super) fn is_idle(&self, now: Instant, time: Duration) -> bool {
        let idle = now.saturating_duration_since(self.last_request_at);
        self.is_polling() && self.requests_in_progress == 0 && idle > time
    }

    /// Whether the session had no request for so long that it cannot exist in the engine any more.
    /// `heartbeat_max` is the time in which the client has to answer a ping.
    pub(super) fn is_abandoned(&self, now: Instant, heartbeat_max: Duration) -> bool {
        self.is_idle(now, heartbeat_max + ABANDONED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_has_one_attempt_at_a_time() {
        let mut state = PollingState::new(Instant::now());
        assert!(state.change(UpgradeState::Polling, UpgradeState::Probing));
        assert!(!state.change(UpgradeState::Polling, UpgradeState::Probing));
        assert!(state.change(UpgradeState::Probing, UpgradeState::Switching));
        assert!(state.is_polling() && state.is_switching());
        assert!(state.change(UpgradeState::Switching, UpgradeState::WebSocket));
        assert!(!state.is_polling() && !state.is_switching());
    }

    #[test]
    fn noops_are_sent_only_while_switching_and_their_delay_doubles() {
        let mut state = PollingState::new(Instant::now());
        assert!(!state.take_noop());
        state.change(UpgradeState::Polling, UpgradeState::Switching);
        assert_eq!(state.noop_delay(), NOOP_DELAY);
        assert!(state.take_noop());
        assert!(state.take_noop());
        assert_eq!(state.noop_delay(), NOOP_DELAY * 4);
        for _ in 0..100 {
            state.take_noop();
        }
        assert_eq!(state.noop_delay(), NOOP_DELAY * 1024);
        state.change(UpgradeState::Switching, UpgradeState::Polling);
        assert_eq!(state.noop_delay(), NOOP_DELAY);
    }

    #[test]
    fn one_post_is_in_progress_at_a_time() {
        let mut state = PollingState::new(Instant::now());
        assert!(state.begin_post());
        assert!(!state.begin_post());
        assert!(state.is_first_post());
        state.end_post();
        assert!(state.begin_post());
        assert!(!state.is_first_post());
    }

    #[test]
    fn the_engine_is_polled_once_a_second() {
        let begin = Instant::now();
        let mut state = PollingState::new(begin);
        let after = |millis| begin + Duration::from_millis(millis);
        let polls = [999, 1000, 1001, 1999, 2500].map(|it| state.take_engine_poll(after(it)));
        assert_eq!(polls, [true, false, false, true, false]);
        assert_eq!(state.engine_poll_due(after(2500)), after(2999));
    }

    #[test]
    fn each_poll_polls_the_engine_while_its_packets_are_expected() {
        let begin = Instant::now();
        let mut state = PollingState::new(begin);
        let after = |millis| begin + Duration::from_millis(millis);
        let polls = [1, 2, 999].map(|it| state.take_engine_poll(after(it)));
        assert_eq!(polls, [true; 3], "the session is new");
        assert!(!state.take_engine_poll(after(1001)));
        state.await_engine(after(1002));
        assert_eq!([1003, 2001].map(|it| state.take_engine_poll(after(it))), [true; 2]);
        assert!(!state.take_engine_poll(after(2002)));
    }

    #[test]
    fn only_an_idle_polling_session_is_abandoned() {
        let (begin, heartbeat) = (Instant::now(), Duration::from_secs(45));
        let last = begin + heartbeat + ABANDONED_AFTER;
        let late = last + Duration::from_millis(1);
        let mut state = PollingState::new(begin);
        assert!(!state.is_abandoned(last, heartbeat));
        assert!(state.is_abandoned(late, heartbeat));
        state.begin_request();
        assert!(!state.is_abandoned(late, heartbeat), "a request is in progress");
        state.end_request(late);
        assert!(!state.is_abandoned(late, heartbeat), "a request has just ended");
        state = PollingState::new(begin);
        state.change(UpgradeState::Polling, UpgradeState::WebSocket);
        assert!(!state.is_abandoned(late, heartbeat), "a WebSocket carries it");
    }
}
