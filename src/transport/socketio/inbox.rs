//! The requests of one connection that wait for their turn, in the order of arrival.
//!
//! The session limits how many wait in all of its connections together.

use std::{collections::VecDeque, fmt};

use bytes::Bytes;
use parking_lot::Mutex;
use socketioxide::handler::Value;
use tokio::sync::Notify;

use super::session::UnansweredRequest;

/// An event from the client.
pub(super) struct QueuedRequest {
    /// `["event", data, …]` and the attachments.
    pub(super) value: Value,
    /// The number of the acknowledgement, if the client expects one.
    pub(super) ack: Option<i64>,
    /// Dropped with the answer.
    pub(super) unanswered: UnansweredRequest,
}

impl QueuedRequest {
    /// The memory that the request holds.
    pub(super) fn bytes(&self) -> usize {
        Self::bytes_of(&self.value)
    }

    /// The memory that a request with this value holds.
    pub(super) fn bytes_of(value: &Value) -> usize {
        let payload = match value {
            Value::Str(text, attachments) => {
                text.len() + attachments.iter().flatten().map(Bytes::len).sum::<usize>()
            }
            Value::Bytes(bytes) => bytes.len(),
        };
        payload + size_of::<Self>()
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct ConnectionInbox {
    state: Mutex<ConnectionInboxState>,
    changed: Notify,
}

#[derive(Default)]
struct ConnectionInboxState {
    phase: InboxPhase,
    waiting: VecDeque<QueuedRequest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InboxPhase {
    /// CONNECT is not answered yet.
    #[default]
    Pending,
    /// The connection is open.
    Open,
    /// The connection has ended.
    Closed,
}

impl ConnectionInbox {
    /// Opens the inbox, because CONNECT is answered.
    pub(super) fn open(&self) {
        let mut state = self.state.lock();
        if state.phase == InboxPhase::Pending {
            state.phase = InboxPhase::Open;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Adds a request. Returns it if the inbox is closed.
    pub(super) fn put(&self, queued: QueuedRequest) -> Result<(), QueuedRequest> {
        let mut state = self.state.lock();
        if state.phase == InboxPhase::Closed {
            return Err(queued);
        }
        state.waiting.push_back(queued);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Accepts no more requests. Those that wait are still handled.
    pub(super) fn close(&self) {
        self.state.lock().phase = InboxPhase::Closed;
        self.changed.notify_one();
    }

    /// Whether no more requests are accepted.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().phase == InboxPhase::Closed
    }

    /// Whether CONNECT is not answered yet.
    pub(super) fn is_pending(&self) -> bool {
        self.state.lock().phase == InboxPhase::Pending
    }

    /// Waits until CONNECT is answered. Returns `false` if the inbox closes before.
    pub(super) async fn wait_open(&self) -> bool {
        loop {
            let phase = self.state.lock().phase;
            match phase {
                InboxPhase::Pending => self.changed.notified().await,
                InboxPhase::Open => return true,
                InboxPhase::Closed => return false,
            }
        }
    }

    /// The next request, until the inbox is closed and empty. Only one task waits here.
    pub(super) async fn next(&self) -> Option<QueuedRequest> {
        loop {
            let (next, phase) = self.pop();
            if next.is_some() || phase == InboxPhase::Closed {
                return next;
            }
            self.changed.notified().await;
        }
    }

    fn pop(&self) -> (Option<QueuedRequest>, InboxPhase) {
        let mut state = self.state.lock();
        let next = state.waiting.pop_front();
        // An idle connection holds no memory for later requests.
        if state.waiting.is_empty() {
            state.waiting = VecDeque::new();
        }
        (next, state.phase)
    }
}

impl fmt::Debug for ConnectionInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("ConnectionInbox")
            .field("phase", &state.phase)
            .field("waiting", &state.waiting.len())
            .finish_non_exhaustive()
    }
}
