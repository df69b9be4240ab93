//! The state of a session, without a runtime.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use super::{
    AttachedConnection, ClosePhase,
    state::{CloseStep, State},
};
use crate::{
    domain::{CloseReason, ConnectionId, Limits},
    transport::socketio::{
        polling_state::{PollingState, UpgradeState},
        session::{ReadPermit, state::FLUSH_WAIT_MAX},
    },
};

/// A state with small budgets: 8 requests or 1,000 bytes in.
fn state(polling: Option<PollingState>) -> State {
    let size = |it| NonZeroUsize::new(it).unwrap();
    let limits =
        Limits { inbox_requests_max: size(8), body_bytes_max: size(500), ..Limits::default() };
    State::new(&limits, polling.map(Box::new))
}

fn polling() -> PollingState {
    PollingState::new(tokio::time::Instant::now())
}

/// A waker that counts.
#[derive(Default)]
struct Counter(AtomicUsize);

impl std::task::Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn waker() -> (Arc<Counter>, Waker) {
    let counter = Arc::new(Counter::default());
    (Arc::clone(&counter), Waker::from(counter))
}

/// A connection that is only compared.
struct Connection;

impl AttachedConnection for Connection {
    fn open_inbox(&self, _packet: &str) {}

    fn connect_answer(&self, _packet: &str) -> Option<String> {
        None
    }

    fn close_inbox(&self) {}

    fn is_inbox_closed(&self) -> bool {
        false
    }

    fn is_in(&self, _namespace: &str) -> bool {
        true
    }

    fn is_connected(&self) -> bool {
        true
    }

    fn in_chat(&self) -> Option<ConnectionId> {
        None
    }

    fn send_closing(&self, _reason: CloseReason) {}
}

fn attach(state: &mut State) -> (Arc<dyn AttachedConnection>, bool) {
    let connection: Arc<dyn AttachedConnection> = Arc::new(Connection);
    let weak: Weak<dyn AttachedConnection> = Arc::downgrade(&connection);
    let is_closing = state.attach(weak);
    (connection, is_closing)
}

fn notifies(step: &CloseStep) -> bool {
    matches!(step, CloseStep::Notify(_))
}

#[test]
fn a_close_waits_for_the_answers_if_the_reason_permits_it() {
    let mut state = state(None);
    let (_connection, _) = attach(&mut state);
    state.reserve_request(1).unwrap();
    state.reserve_request(1).unwrap();
    let step = state.begin_close(CloseReason::DRAINING);
    assert!(matches!(step, CloseStep::Answer(connections) if connections.len() == 1));
    assert_eq!(state.phase(), ClosePhase::Answering);
    assert!(matches!(state.begin_close(CloseReason::Flood), CloseStep::Begun));
    assert!(attach(&mut state).1, "no more requests are accepted");
    assert!(!state.count_answer().waiters);
    assert!(!state.is_answered());
    assert!(state.count_answer().waiters);
    assert!(state.is_answered());
    assert!(notifies(&state.begin_notifying()));
    assert!(matches!(state.begin_notifying(), CloseStep::Begun));
}

#[test]
fn a_close_without_requests_or_with_an_urgent_reason_does_not_wait() {
    let mut idle = state(None);
    assert!(notifies(&idle.begin_close(CloseReason::DRAINING)));
    for reason in [CloseReason::SlowReader, CloseReason::TokenExpired, CloseReason::Fault] {
        let mut state = state(None);
        state.reserve_request(1).unwrap();
        assert!(notifies(&state.begin_close(reason)), "{reason:?}");
    }
    let mut late = state(None);
    late.reserve_request(1).unwrap();
    assert!(matches!(late.begin_close(CloseReason::DRAINING), CloseStep::Answer(_)));
    assert!(notifies(&late.begin_close(CloseReason::SlowReader)), "the answers cannot be sent");
}

#[test]
fn the_phase_moves_only_forward() {
    let mut state = state(None);
    assert_eq!(state.phase(), ClosePhase::Open);
    assert!(notifies(&state.begin_close(CloseReason::DRAINING)));
    assert_eq!(state.phase(), ClosePhase::Notifying);
    assert!(state.finish(CloseReason::DRAINING).is_some());
    assert!(!notifies(&state.begin_close(CloseReason::DRAINING)));
    assert!(state.finish(CloseReason::DRAINING).is_none());
    assert_eq!(state.phase(), ClosePhase::Closing);
    assert!(state.abort().is_some());
    assert!(state.abort().is_none());
    assert!(state.finish(CloseReason::DRAINING).is_none());
    assert_eq!(state.phase(), ClosePhase::Aborted);
}

#[test]
fn the_first_close_reason_is_kept() {
    let mut state = state(None);
    let flush_wait = |state: &State| state.flush_wait();
    assert!(state.finish(CloseReason::DRAINING).is_some());
    assert!(state.finish(CloseReason::Replaced).is_none());
    assert_eq!(flush_wait(&state), FLUSH_WAIT_MAX);
}

#[test]
fn reading_pauses_above_half_and_resumes_at_a_quarter() {
    let mut state = state(None);
    let (counter, waker) = waker();
    for _ in 0..5 {
        assert_eq!(state.read_permit(), ReadPermit::Open);
        state.reserve_request(1).unwrap();
    }
    assert_eq!(state.read_permit(), ReadPermit::Paused);
    assert!(state.register_reader(&waker).is_none());
    assert!(state.release_requests(2, 2).reader.is_none(), "three wait");
    assert_eq!(state.read_permit(), ReadPermit::Paused);
    let wake = state.release_requests(1, 1);
    assert!(wake.waiters);
    wake.reader.unwrap().wake();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    assert_eq!(state.read_permit(), ReadPermit::Open);
    assert!(state.has_capacity_for(6) && !state.has_capacity_for(7));
}

#[test]
fn a_transition_wakes_all_tasks_and_returns_the_connections() {
    let mut state = state(None);
    let (_, reader) = waker();
    let (connection, is_closing) = attach(&mut state);
    assert!(!is_closing);
    assert!(state.register_reader(&reader).is_none());
    let transition = state.abort().unwrap();
    assert!(transition.wake.reader.unwrap().will_wake(&reader));
    assert!(transition.wake.waiters && !transition.close_in_engine);
    assert_eq!(transition.connections.len(), 1);
    state.detach(&*connection);
    assert!(state.connections().is_empty());
    assert!(attach(&mut state).1, "a connection of an aborted session is closed at once");
}

#[test]
fn a_replaced_waker_is_returned() {
    let mut state = state(None);
    let ((_, one), (_, two)) = (waker(), waker());
    assert!(state.register_reader(&one).is_none());
    assert!(state.register_reader(&one).is_none(), "the same waker stays");
    assert!(state.register_reader(&two).unwrap().will_wake(&one));
}

#[test]
fn nothing_is_read_once_closing_was_sent() {
    let mut state = state(None);
    assert_eq!(state.read_permit(), ReadPermit::Open);
    assert!(notifies(&state.begin_close(CloseReason::DRAINING)));
    assert_eq!(state.read_permit(), ReadPermit::Open);
    assert!(state.finish(CloseReason::DRAINING).is_some());
    assert_eq!(state.read_permit(), ReadPermit::Closed);
    assert!(state.abort().is_some());
    assert_eq!(state.read_permit(), ReadPermit::Closed);
}

#[test]
fn the_next_poll_proves_that_the_close_was_received() {
    let mut state = state(Some(polling()));
    assert!(state.finish(CloseReason::DRAINING).is_some());
    assert!(!state.is_close_received());
    state.polling_mut().unwrap().begin_poll();
    assert!(state.is_close_received());
}

#[test]
fn a_client_that_may_not_return_closes_the_stream_itself() {
    let mut state = state(None);
    assert!(state.finish(CloseReason::Replaced).unwrap().close_in_engine);
    assert_eq!(state.read_permit(), ReadPermit::Open);
    assert!(!state.is_close_received(), "the last packet of the engine is not in the queue");
    assert!(!state.abort().unwrap().close_in_engine, "the close in the engine has begun");
    assert!(state.is_close_received());
}

#[test]
fn a_session_that_polls_is_closed_in_the_engine() {
    let mut polls = state(Some(polling()));
    assert!(polls.finish(CloseReason::DRAINING).unwrap().close_in_engine);
    assert!(!polls.abort().unwrap().close_in_engine);
    let mut upgraded = state(Some(polling()));
    upgraded.polling_mut().unwrap().change(UpgradeState::Polling, UpgradeState::WebSocket);
    assert!(!upgraded.finish(CloseReason::DRAINING).unwrap().close_in_engine);
    let mut aborted = state(Some(polling()));
    assert!(aborted.abort().unwrap().close_in_engine);
}
