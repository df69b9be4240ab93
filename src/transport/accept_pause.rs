//! The drain of a listener whose sockets outlive the process.
//!
//! Another process accepts on the same sockets, at once or when this one has ended. So this one stops
//! to accept, and connections wait in the backlog, where none is refused. It serves those that it has,
//! and closes each after its next answer: what follows it arrives at the other process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{HeaderValue, Response, StatusCode, header};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Ends the accepting of a listener. Clones are handles.
#[derive(Clone, Debug, Default)]
pub struct AcceptPause(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The same as `begun`, without a lock.
    has_begun: AtomicBool,
    begun: CancellationToken,
    /// Connections without an answer, and the listener while it accepts.
    unanswered: TaskTracker,
}

/// A connection that was accepted and has had no answer.
#[derive(Debug)]
pub(super) struct Unanswered(#[expect(dead_code, reason = "counts")] TaskTrackerToken);

impl AcceptPause {
    /// No connection is accepted from now on. Each answer is the last one of its connection.
    pub fn begin(&self) {
        self.0.has_begun.store(true, Ordering::SeqCst);
        self.0.begun.cancel();
        self.0.unanswered.close();
    }

    /// Waits until each accepted connection has had an answer, or has ended. Cancel-safe.
    pub async fn answered(&self) {
        self.0.unanswered.wait().await;
    }

    /// Waits for the begin. Cancel-safe.
    pub(super) async fn begun(&self) {
        self.0.begun.cancelled().await;
    }

    /// Counts a connection until it has an answer.
    pub(super) fn count(&self) -> Unanswered {
        Unanswered(self.0.unanswered.token())
    }

    /// Makes an answer the last one of its connection, if the pause has begun.
    pub(super) fn limit<B>(&self, response: &mut Response<B>) {
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if self.0.has_begun.load(Ordering::SeqCst) && !is_upgrade {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
