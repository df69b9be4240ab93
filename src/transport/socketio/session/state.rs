//! The state of one Engine.IO session: synchronous, without I/O and without waiting.
//!
//! Every method runs under the lock of the session. A method that makes progress possible for a
//! task returns a [`Wake`], because the lock is released before anything is woken. A replaced waker
//! is returned, too: dropping it may drop a task, and the task may hold the session.

use std::{
    ptr,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use super::{
    AttachedConnection,
    permits::{ClosePhase, ReadPermit, Unaccepted},
};
use tokio::time::Instant;

use crate::{
    domain::{CloseReason, Limits},
    transport::socketio::{
        backpressure::{Full, IncomingRequests},
        polling_state::PollingState,
    },
    wire::code::{self, Reconnect},
};

/// The longest time between the begin of the close and the abort, in which queued events go out.
pub(in crate::transport::socketio) const FLUSH_WAIT_MAX: Duration = Duration::from_secs(2);
/// The same for a close reason that is prompt: the client is disconnected within a second.
const PROMPT_FLUSH_WAIT_MAX: Duration = Duration::from_millis(700);

/// The bodies of the largest size that may wait in inboxes before reading pauses. A frame is several
/// times as large, and most of it may be escapes.
const WAITING_BODIES: usize = 2;

/// See the module.
pub(super) struct State {
    phase: ClosePhase,
    /// The reason of the close, once the session closes. The first reason is kept.
    reason: Option<CloseReason>,
    incoming: IncomingRequests,
    /// The number of requests without an answer: those that wait, and those that are being handled.
    unanswered: usize,
    /// The task that reads the WebSocket.
    reader: Option<Waker>,
    connections: Vec<Weak<dyn AttachedConnection>>,
    /// Only for sessions that began with polling.
    polling: Option<Box<PollingState>>,
}

/// The next step of a close.
#[must_use = "the session does not close otherwise"]
pub(super) enum CloseStep {
    /// Close the inboxes of these connections and wait for the answers.
    Answer(Vec<Arc<dyn AttachedConnection>>),
    /// Send `closing` on these connections.
    Notify(Vec<Arc<dyn AttachedConnection>>),
    /// None: the close has begun before.
    Begun,
}

/// What has to be woken once the lock is released.
#[derive(Default)]
#[must_use = "tasks wait for this"]
pub(super) struct Wake {
    pub(super) reader: Option<Waker>,
    /// Whether the condition of a waiting task may hold now.
    pub(super) waiters: bool,
}

/// What follows from a phase in which the session closes.
#[must_use = "a session that closes has to be taken apart"]
pub(super) struct Transition {
    pub(super) wake: Wake,
    /// The connections whose inboxes have to be closed.
    pub(super) connections: Vec<Arc<dyn AttachedConnection>>,
    /// Whether the session has to be closed in the engine, because no stream ends it.
    pub(super) close_in_engine: bool,
}

impl State {
    /// The state of a new session.
    pub(super) fn new(limits: &Limits, polling: Option<Box<PollingState>>) -> Self {
        Self {
            phase: ClosePhase::Open,
            reason: None,
            incoming: IncomingRequests::new(
                limits.inbox_requests_max.get(),
                limits.body_bytes_max.get().saturating_mul(WAITING_BODIES),
            ),
            unanswered: 0,
            reader: None,
            connections: Vec::new(),
            polling,
        }
    }

    /// The phase of the close.
    pub(super) fn phase(&self) -> ClosePhase {
        self.phase
    }

    /// The polling state of a session that began with polling.
    pub(super) fn polling(&self) -> Option<&PollingState> {
        self.polling.as_deref()
    }

    /// The same, to change it.
    pub(super) fn polling_mut(&mut self) -> Option<&mut PollingState> {
        self.polling.as_deref_mut()
    }

    /// When a poll has to poll the engine, too. `None` if it has to wait for more than that: the session
    /// closes or upgrades.
    pub(super) fn engine_poll_due(&self, now: Instant) -> Option<Instant> {
        let polling = self.polling().filter(|_| self.phase == ClosePhase::Open)?;
        (!polling.is_switching()).then(|| polling.engine_poll_due(now))
    }

    /// Moves the phase forward, never back. Returns the phase before.
    fn advance(&mut self, phase: ClosePhase) -> ClosePhase {
        let before = self.phase;
        self.phase = before.max(phase);
        before
    }
}

/// Incoming requests.
impl State {
    /// Reserves a place for a request of `bytes`.
    pub(super) fn reserve_request(&mut self, bytes: usize) -> Result<(), Unaccepted> {
        if self.accepts_no_requests() {
            return Err(Unaccepted::Closing);
        }
        self.incoming.reserve(bytes).map_err(|Full| Unaccepted::Full)?;
        self.unanswered += 1;
        Ok(())
    }

    /// Counts the answer to a request.
    pub(super) fn count_answer(&mut self) -> Wake {
        self.unanswered -= 1;
        let waiters = self.unanswered == 0 && self.phase == ClosePhase::Answering;
        Wake { waiters, ..Wake::default() }
    }

    /// Whether all requests are answered, or their answers are not sent any more.
    pub(super) fn is_answered(&self) -> bool {
        self.unanswered == 0 || self.phase > ClosePhase::Answering
    }

    /// Releases the places of requests that left an inbox.
    pub(super) fn release_requests(&mut self, requests: usize, bytes: usize) -> Wake {
        if self.incoming.release(requests, bytes) {
            Wake { reader: self.reader.take(), waiters: true }
        } else {
            Wake::default()
        }
    }

    /// Whether `requests` more can be taken at once, or the session closes.
    pub(super) fn has_capacity_for(&self, requests: usize) -> bool {
        self.incoming.has_capacity_for(requests) || self.accepts_no_requests()
    }

    /// Whether the inboxes are closed, because the session closes.
    pub(super) fn accepts_no_requests(&self) -> bool {
        self.phase == ClosePhase::Answering || self.phase >= ClosePhase::Notifying
    }

    /// Whether the stream may read.
    pub(super) fn read_permit(&self) -> ReadPermit {
        let closing = self.phase == ClosePhase::Closing && !self.is_closed_by_client();
        if closing || self.phase == ClosePhase::Aborted {
            ReadPermit::Closed
        } else if self.incoming.is_paused() {
            ReadPermit::Paused
        } else {
            ReadPermit::Open
        }
    }

    /// The task that reads has something to do.
    pub(super) fn wake_reader(&mut self) -> Wake {
        Wake { reader: self.reader.take(), waiters: false }
    }

    /// Registers the task to wake when reading resumes or ends. Returns the waker registered before.
    #[must_use = "it is dropped after the lock is released"]
    pub(super) fn register_reader(&mut self, waker: &Waker) -> Option<Waker> {
        register(&mut self.reader, waker)
    }
}

/// The close.
impl State {
    /// Begins the close for `reason`, unless it has begun.
    pub(super) fn begin_close(&mut self, reason: CloseReason) -> CloseStep {
        match self.phase {
            ClosePhase::Open if reason.answers_first() && self.unanswered > 0 => {
                self.advance(ClosePhase::Answering);
                CloseStep::Answer(self.connections())
            }
            ClosePhase::Answering if reason.answers_first() => CloseStep::Begun,
            _ => self.begin_notifying(),
        }
    }

    /// Ends the wait for answers, unless it has ended.
    pub(super) fn begin_notifying(&mut self) -> CloseStep {
        if self.advance(ClosePhase::Notifying) < ClosePhase::Notifying {
            CloseStep::Notify(self.connections())
        } else {
            CloseStep::Begun
        }
    }

    /// Closes the session after `closing` was sent.
    pub(super) fn finish(&mut self, reason: CloseReason) -> Option<Transition> {
        self.reason.get_or_insert(reason);
        self.enter(ClosePhase::Closing)
    }

    /// Aborts the session.
    pub(super) fn abort(&mut self) -> Option<Transition> {
        self.enter(ClosePhase::Aborted)
    }

    fn enter(&mut self, phase: ClosePhase) -> Option<Transition> {
        let before = self.advance(phase);
        if before >= phase {
            return None;
        }
        let is_polling = self.polling().is_some_and(PollingState::is_polling);
        Some(Transition {
            wake: Wake { reader: self.reader.take(), waiters: true },
            connections: self.connections(),
            close_in_engine: before < ClosePhase::Closing
                && (is_polling || self.is_closed_by_client()),
        })
    }

    /// Whether the client has received `closing`, once it left the queue. The next poll of a client
    /// proves that it received the answer to the one before.
    pub(super) fn is_close_received(&self) -> bool {
        let is_received =
            |polling: &PollingState| !polling.is_polling() || polling.is_poll_waiting();
        self.phase == ClosePhase::Aborted
            || (self.polling().is_none_or(is_received) && !self.is_closed_by_client())
    }

    /// The reason of the close, once the session closes.
    pub(super) fn reason(&self) -> Option<CloseReason> {
        self.reason
    }

    /// Whether the session closes for a reason that revokes the rights of its client.
    pub(super) fn is_prompt(&self) -> bool {
        self.reason.is_some_and(CloseReason::is_prompt)
    }

    /// The longest time for queued events once the close has begun.
    pub(super) fn flush_wait(&self) -> Duration {
        if self.is_prompt() { PROMPT_FLUSH_WAIT_MAX } else { FLUSH_WAIT_MAX }
    }

    /// Whether only the client's close proves delivery: for a reason that forbids a reconnect, the
    /// engine writes the last packet, outside of the queue.
    fn is_closed_by_client(&self) -> bool {
        let forbids_reconnect = |reason| code::close(reason).reconnect == Reconnect::No;
        self.reason.is_some_and(forbids_reconnect)
    }
}

/// The connections to namespaces.
impl State {
    /// Adds a connection. Returns whether the session closes already.
    #[must_use = "the inbox of the connection has to be closed then"]
    pub(super) fn attach(&mut self, connection: Weak<dyn AttachedConnection>) -> bool {
        self.connections.push(connection);
        self.accepts_no_requests()
    }

    /// Removes a connection.
    pub(super) fn detach(&mut self, connection: &dyn AttachedConnection) {
        self.connections.retain(|it| !ptr::addr_eq(it.as_ptr(), connection));
        if self.connections.is_empty() {
            self.connections.shrink_to_fit();
        }
    }

    /// The connections of the session.
    pub(super) fn connections(&self) -> Vec<Arc<dyn AttachedConnection>> {
        self.connections.iter().filter_map(Weak::upgrade).collect()
    }
}

fn register(slot: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    if slot.as_ref().is_some_and(|it| it.will_wake(waker)) {
        return None;
    }
    slot.replace(waker.clone())
}
