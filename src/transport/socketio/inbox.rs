//! What a client has said and nobody has taken yet: ordered and bounded.

use std::{collections::VecDeque, fmt};

use bytes::Bytes;
use parking_lot::Mutex;
use socketioxide::handler::Value;
use tokio::sync::Notify;

/// What a client said.
pub(super) struct QueuedRequest {
    /// `["event", data, …]` and what is attached.
    pub(super) value: Value,
    /// Where the answer goes, when one is wanted.
    pub(super) ack: Option<i64>,
}

impl QueuedRequest {
    /// The memory that it pins.
    pub(super) fn bytes(&self) -> usize {
        let payload = match &self.value {
            Value::Str(text, attachments) => {
                text.len() + attachments.iter().flatten().map(Bytes::len).sum::<usize>()
            }
            Value::Bytes(bytes) => bytes.len(),
        };
        payload + size_of::<Self>()
    }
}

/// See the module. How much may wait in it is the link's to say.
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
    /// The connection is on.
    Open,
    /// It is over.
    Closed,
}

impl ConnectionInbox {
    /// CONNECT is answered.
    pub(super) fn open(&self) {
        let mut state = self.state.lock();
        if state.phase == InboxPhase::Pending {
            state.phase = InboxPhase::Open;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Puts a request in. Gives it back when nobody will take it.
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

    /// Nothing more goes in. What waits was said before the end and is still taken.
    pub(super) fn close(&self) {
        self.state.lock().phase = InboxPhase::Closed;
        self.changed.notify_one();
    }

    /// Whether nothing more goes in.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().phase == InboxPhase::Closed
    }

    /// Waits until CONNECT is answered. `false` when it never will be.
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

    /// The next request, until the connection is over and none is left. There is one who waits.
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
        // Most connections are silent most of the time, and keep no room for what they might say.
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
