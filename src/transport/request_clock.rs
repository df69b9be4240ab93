//! The deadlines of an HTTP connection between two requests.
//!
//! hyper has one timeout for both the head of a request and the idle time before it. They differ
//! here: a balancer keeps idle connections for 60 s and more, and a request that it sends over one
//! that is just being closed is lost.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::accept_pause::Unanswered;

/// What a connection is doing, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has arrived.
    Idle(Instant),
    /// The head of a request arrives.
    Head(Instant),
    /// A request is being handled. The body of a request and the handler have limits of their own.
    Busy,
}

/// What the parts of a connection share.
#[derive(Debug)]
struct State {
    phase: Phase,
    /// Until the first answer.
    unanswered: Option<Unanswered>,
}

/// The deadlines of one connection. The socket, the handler and the connection's task share it.
#[derive(Clone, Debug)]
pub(super) struct RequestClock {
    state: Arc<Mutex<State>>,
    head_wait_max: Duration,
    keep_alive_max: Duration,
}

impl RequestClock {
    /// The clock of a connection that was just accepted: its first request is due.
    pub(super) fn start(head_wait_max: Duration, keep_alive_max: Duration) -> Self {
        let phase = Phase::Head(Instant::now() + head_wait_max);
        let state = Arc::new(Mutex::new(State { phase, unanswered: None }));
        Self { state, head_wait_max, keep_alive_max }
    }

    /// Counts the connection as one without an answer until it has one.
    pub(super) fn with_unanswered(self, unanswered: Option<Unanswered>) -> Self {
        self.state.lock().unanswered = unanswered;
        self
    }

    /// A request has its answer, whose body may follow.
    pub(super) fn on_answer(&self) {
        drop(self.state.lock().unanswered.take());
    }

    /// Bytes arrived. The first ones after an idle time begin the head of a request.
    pub(super) fn on_bytes(&self) {
        let mut state = self.state.lock();
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Head(Instant::now() + self.head_wait_max);
        }
    }

    /// The head of a request is complete. The response ends the request.
    pub(super) fn begin_request(&self) {
        self.state.lock().phase = Phase::Busy;
    }

    /// Wraps the body of the response: the idle time begins when hyper drops it.
    pub(super) fn time_body(&self, body: Body) -> TimedBody {
        TimedBody { body, _end: RequestEnd(self.clone()) }
    }

    /// Waits until a deadline has passed.
    ///
    /// A request does not wake this: the phase is looked at when the deadline of an earlier phase
    /// has passed, and at least once per `head_wait_max`. So the head of a request has up to twice
    /// that time.
    pub(super) async fn expired(&self) {
        loop {
            let (now, phase) = (Instant::now(), self.state.lock().phase);
            let next = match phase {
                Phase::Idle(deadline) | Phase::Head(deadline) if deadline <= now => return,
                Phase::Idle(deadline) | Phase::Head(deadline) => {
                    deadline.min(now + self.head_wait_max)
                }
                Phase::Busy => now + self.head_wait_max,
            };
            sleep_until(next).await;
        }
    }
}

/// Begins the idle time when it is dropped.
#[derive(Debug)]
struct RequestEnd(RequestClock);

impl Drop for RequestEnd {
    fn drop(&mut self) {
        self.0.state.lock().phase = Phase::Idle(Instant::now() + self.0.keep_alive_max);
    }
}

/// The body of a response.
#[derive(Debug)]
pub(super) struct TimedBody {
    body: Body,
    _end: RequestEnd,
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const HEAD: Duration = Duration::from_secs(30);
    const ALMOST_HEAD: Duration = Duration::from_secs(29);
    const IDLE: Duration = Duration::from_secs(75);
    const ALMOST_IDLE: Duration = Duration::from_secs(74);
    const SECOND: Duration = Duration::from_secs(1);

    async fn expires_within(clock: &RequestClock, wait: Duration) -> bool {
        timeout(wait, clock.expired()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_has_the_time_of_a_head() {
        let clock = RequestClock::start(HEAD, IDLE);
        clock.on_bytes();
        assert!(!expires_within(&clock, ALMOST_HEAD).await);
        assert!(expires_within(&clock, 2 * SECOND).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_has_its_own_time() {
        let clock = RequestClock::start(HEAD, IDLE);
        clock.begin_request();
        let body = clock.time_body(Body::empty());
        assert!(!expires_within(&clock, 10 * HEAD).await, "a request is being handled");
        drop(body);
        assert!(!expires_within(&clock, ALMOST_IDLE).await);
        assert!(expires_within(&clock, 2 * SECOND).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_after_an_idle_time_begins_a_head() {
        let clock = RequestClock::start(HEAD, IDLE);
        clock.begin_request();
        drop(clock.time_body(Body::empty()));
        advance(ALMOST_IDLE).await;
        clock.on_bytes();
        assert!(!expires_within(&clock, ALMOST_HEAD).await);
        clock.on_bytes();
        assert!(expires_within(&clock, 2 * SECOND).await, "more bytes give no more time");
    }
}
