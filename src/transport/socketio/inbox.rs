//! What a client has said and nobody has taken yet: ordered and bounded.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use socketioxide::{
    adapter::LocalAdapter,
    handler::{DisconnectHandler, MessageHandler, Value},
    socket::DisconnectReason,
};
use tokio::sync::Notify;

use super::{engine::Socket, seat::Seat};
use crate::domain::CloseReason;

/// What a client said.
pub(super) struct Arrival {
    /// `["event", data, …]` and what is attached.
    pub(super) value: Value,
    /// Where the answer goes, when one is wanted.
    pub(super) ack: Option<i64>,
}

impl Arrival {
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
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    phase: Phase,
    waiting: VecDeque<Arrival>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// CONNECT is not answered yet.
    #[default]
    Before,
    /// The seat is on.
    On,
    /// It is over.
    Over,
}

impl Inbox {
    /// CONNECT is answered.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Before {
            state.phase = Phase::On;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Puts a request in. Gives it back when nobody will take it.
    fn put(&self, arrival: Arrival) -> Result<(), Arrival> {
        let mut state = self.lock();
        if state.phase == Phase::Over {
            return Err(arrival);
        }
        state.waiting.push_back(arrival);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Nothing more goes in. What waits was said before the end and is still taken.
    pub(super) fn end(&self) {
        self.lock().phase = Phase::Over;
        self.changed.notify_one();
    }

    /// Whether nothing more goes in.
    pub(super) fn is_over(&self) -> bool {
        self.lock().phase == Phase::Over
    }

    /// Waits until CONNECT is answered. `false` when it never will be.
    pub(super) async fn begun(&self) -> bool {
        loop {
            let phase = self.lock().phase;
            match phase {
                Phase::Before => self.changed.notified().await,
                Phase::On => return true,
                Phase::Over => return false,
            }
        }
    }

    /// The next request, until the seat is over and none is left. There is one who waits.
    pub(super) async fn next(&self) -> Option<Arrival> {
        loop {
            let (next, phase) = self.pop();
            if next.is_some() || phase == Phase::Over {
                return next;
            }
            self.changed.notified().await;
        }
    }

    fn pop(&self) -> (Option<Arrival>, Phase) {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        // Most connections are silent most of the time, and keep no room for what they might say.
        if state.waiting.is_empty() {
            state.waiting = VecDeque::new();
        }
        (next, state.phase)
    }

    /// Poisoning is ignored: every critical section leaves the queue whole at each step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Inbox")
            .field("phase", &state.phase)
            .field("waiting", &state.waiting.len())
            .finish()
    }
}

/// Puts whatever a client says into the inbox, whichever event it is.
///
/// The engine's own handlers run in tasks of their own, and so in any order. This one is called in
/// the order of arrival by the task that reads. It must neither wait nor panic.
pub(super) struct Listen(pub(super) Arc<Seat>);

impl MessageHandler<LocalAdapter, Self> for Listen {
    fn call(&self, _socket: Arc<Socket>, value: Value, ack: Option<i64>) {
        let Self(seat) = self;
        let link = seat.link();
        let arrival = Arrival { value, ack };
        let bytes = arrival.bytes();
        if link.incoming().take(bytes).is_err() {
            link.close(CloseReason::Flood);
        } else if seat.inbox().put(arrival).is_err() {
            link.taken(1, bytes);
        }
    }
}

/// Ends the seat when the engine says so, or when it drops the socket without a word.
pub(super) struct Leave(pub(super) Arc<Seat>);

impl DisconnectHandler<LocalAdapter, Self> for Leave {
    fn call_with_defer(
        &self,
        socket: Arc<Socket>,
        _reason: DisconnectReason,
        defer: fn(Arc<Socket>),
    ) {
        self.0.end();
        defer(socket);
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.end();
    }
}
