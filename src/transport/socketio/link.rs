//! One Engine.IO session as it looks from under the engine: what waits in it, and how it ends.
//!
//! The engine has no handle to end a session whose writer is stuck, does not say how much waits in
//! its queue, and never stops reading. So every session has a link: the guarded stream or the
//! polling requests under the engine and the seats above it all hold the same one.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{
    FLUSH_WAIT_MAX, PROMPT_FLUSH_WAIT_MAX,
    engine::Socket,
    gate::Version,
    gauge::{Full, Incoming, Outgoing},
    links::Registration,
    polling::Polled,
    seat::Seat,
};
use crate::{
    domain::{CloseReason, Limits, Rejection, Token},
    tasks::Tasks,
    wire::code::{self, Reconnect},
};

/// How far the end of a session has come. It only ever goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Fate {
    /// It lives.
    Open,
    /// Its queue ran over: nothing more goes in, and whoever noticed is about to close it.
    Overflowed,
    /// Its client is being told.
    Telling,
    /// Its client was told. What is queued may still go out; nothing more comes in.
    Closing,
    /// Neither reads nor writes succeed.
    Cut,
}

impl Fate {
    fn from_raw(raw: u8) -> Self {
        match raw {
            0 => Self::Open,
            1 => Self::Overflowed,
            2 => Self::Telling,
            3 => Self::Closing,
            _ => Self::Cut,
        }
    }
}

/// What the first request of a session said.
pub(super) struct Words {
    /// The protocol that the client speaks.
    pub(super) version: Version,
    /// Its query, without what the engine understands.
    pub(super) query: Box<str>,
    /// Its token, or why it cannot be read.
    pub(super) carried: Result<Option<Token>, Rejection>,
}

/// See the module.
pub(super) struct Link {
    words: Words,
    limits: Arc<Limits>,
    tasks: Tasks,
    fate: AtomicU8,
    /// Why it ends, once it does.
    reason: OnceLock<CloseReason>,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Who reads the WebSocket.
    reader: AtomicWaker,
    /// Who waits to write to it.
    writer: AtomicWaker,
    /// Everything else that one may wait for here.
    changed: Notify,
    seats: Mutex<Vec<Weak<Seat>>>,
    /// What only sessions that began with polling have.
    polled: Option<Box<Polled>>,
    registration: Registration,
}

impl Link {
    /// A link that nothing uses yet.
    pub(super) fn new(
        words: Words,
        (limits, tasks): (Arc<Limits>, Tasks),
        polled: Option<Box<Polled>>,
        registration: Registration,
    ) -> Self {
        Self {
            words,
            fate: AtomicU8::new(Fate::Open as u8),
            reason: OnceLock::new(),
            outgoing: Outgoing::new(limits.outbox_bytes_max.get()),
            incoming: Incoming::new(limits.inbox_requests_max.get(), limits.frame_bytes_max.get()),
            limits,
            tasks,
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            changed: Notify::new(),
            seats: Mutex::default(),
            polled,
            registration,
        }
    }

    /// The link under a socket. Every request that reaches the engine carries one.
    pub(super) fn of(socket: &Socket) -> Option<&Arc<Self>> {
        socket.req_parts().extensions.get()
    }

    /// The protocol that the client speaks.
    pub(super) fn version(&self) -> Version {
        self.words.version
    }

    /// What the client said in its first request.
    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// How far everything may grow.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Who owns the tasks.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// What only sessions that began with polling have.
    pub(super) fn polled(&self) -> Option<&Polled> {
        self.polled.as_deref()
    }

    /// The place in the registry.
    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// How far the end has come.
    pub(super) fn fate(&self) -> Fate {
        Fate::from_raw(self.fate.load(Ordering::SeqCst))
    }

    /// Moves the end on to `fate`. Answers how far it had come before.
    fn advance(&self, fate: Fate) -> Fate {
        Fate::from_raw(self.fate.fetch_max(fate as u8, Ordering::SeqCst))
    }
}

// What the client said is nothing for a log.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("fate", &self.fate()).finish_non_exhaustive()
    }
}

/// The way out.
impl Link {
    /// Takes room in the outbox. Without room the session is beyond help: what comes after a gap
    /// must not go out either.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Full> {
        self.outgoing.take(bytes).inspect_err(|_| self.overflow())
    }

    /// The engine's queue is full.
    pub(super) fn overflow(&self) {
        self.advance(Fate::Overflowed);
    }

    /// `bytes` have left the process.
    pub(super) fn relieve(&self, bytes: usize) {
        if self.outgoing.give(bytes) {
            self.changed.notify_waiters();
        }
    }

    /// Whether less than half of the queue is taken.
    pub(super) fn is_relieved(&self) -> bool {
        self.outgoing.is_relieved()
    }

    /// Waits until less than half of the outbox is taken, or until the session ends.
    pub(super) async fn relieved(&self) {
        self.wait_until(|it| it.outgoing.is_relieved() || it.fate() != Fate::Open).await;
    }

    /// Waits until everything has left the process, or the session is cut.
    pub(super) async fn flushed(&self) {
        self.wait_until(|it| it.outgoing.is_empty() || it.fate() == Fate::Cut).await;
    }
}

/// The way in.
impl Link {
    /// What waits for its turn.
    pub(super) fn incoming(&self) -> &Incoming {
        &self.incoming
    }

    /// Requests have been taken out of an inbox.
    pub(super) fn taken(&self, requests: usize, bytes: usize) {
        if self.incoming.give(requests, bytes) {
            self.reader.wake();
            self.changed.notify_waiters();
        }
    }

    /// Waits until `requests` more find room, or until the session ends.
    pub(super) async fn room_for(&self, requests: usize) {
        let open = |it: &Self| it.fate() < Fate::Telling;
        self.wait_until(|it| it.incoming.has_room_for(requests) || !open(it)).await;
    }

    /// Who is to be woken when reading goes on or ends.
    pub(super) fn reader(&self) -> &AtomicWaker {
        &self.reader
    }

    /// Who is to be woken when writing ends.
    pub(super) fn writer(&self) -> &AtomicWaker {
        &self.writer
    }
}

/// The end.
impl Link {
    /// Ends the session, telling the client why. The second call does nothing.
    pub(super) fn close(self: &Arc<Self>, reason: CloseReason) {
        if self.advance(Fate::Telling) >= Fate::Telling {
            return;
        }
        for seat in self.seats() {
            seat.say_closing(reason);
        }
        self.finish(reason);
    }

    /// Ends the session when its client was told.
    pub(super) fn finish(self: &Arc<Self>, reason: CloseReason) {
        self.reason.get_or_init(|| reason);
        self.settle(Fate::Closing);
    }

    /// How long what is queued may take once the end has begun.
    pub(super) fn flush_wait(&self) -> Duration {
        let prompt = self.reason.get().is_some_and(|reason| reason.is_prompt());
        if prompt { PROMPT_FLUSH_WAIT_MAX } else { FLUSH_WAIT_MAX }
    }

    /// Whether the client was told to stay away: it ends the session itself when it has heard so. What it
    /// was told last is a packet of the engine's, which nobody counts, so we wait for it to go.
    pub(super) fn goes_by_itself(&self) -> bool {
        let stays_away = |reason| code::close(reason).reconnect == Reconnect::No;
        self.reason.get().copied().is_some_and(stays_away)
    }

    /// Waits until the client has what was sent before the end.
    pub(super) async fn told(&self) {
        if self.goes_by_itself() {
            self.wait_until(|it| it.fate() == Fate::Cut).await;
        } else {
            self.flushed().await;
        }
    }

    /// Ends the session at once.
    pub(super) fn cut(self: &Arc<Self>) {
        self.settle(Fate::Cut);
    }

    fn settle(self: &Arc<Self>, fate: Fate) {
        let before = self.advance(fate);
        if before >= fate {
            return;
        }
        if fate == Fate::Cut {
            self.registration.end();
        }
        for seat in self.seats() {
            seat.end();
        }
        self.reader.wake();
        self.writer.wake();
        self.changed.notify_waiters();
        let by_us = self.goes_by_itself() || self.polled().is_some_and(Polled::is_polling);
        if before < Fate::Closing && by_us {
            self.tasks.spawn("socketio close", Arc::clone(self).hang_up());
        }
    }

    /// Waits until the session is about to end.
    pub(super) async fn ended(&self) {
        self.wait_until(|it| it.fate() >= Fate::Closing).await;
    }

    /// Waits until nothing more will go out, if the end has begun.
    pub(super) async fn over(&self) {
        self.wait_until(|it| !(Fate::Telling..Fate::Cut).contains(&it.fate())).await;
    }

    /// Waits for a change after which `condition` holds. Cancel-safe.
    pub(super) async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    /// Something changed that only those who wait can judge.
    pub(super) fn notify(&self) {
        self.changed.notify_waiters();
    }
}

/// The seats above.
impl Link {
    /// Adds a seat, unless the session is about to end.
    pub(super) fn attach(&self, seat: &Arc<Seat>) {
        self.lock().push(Arc::downgrade(seat));
        // Whoever ended the session may have looked before there was anybody to end.
        if self.fate() >= Fate::Telling {
            seat.end();
        }
    }

    /// Takes a seat out.
    pub(super) fn detach(&self, seat: &Seat) {
        let mut seats = self.lock();
        seats.retain(|it| !std::ptr::eq(it.as_ptr(), seat));
        if seats.is_empty() {
            seats.shrink_to_fit();
        }
    }

    /// The seats of this session.
    pub(super) fn seats(&self) -> Vec<Arc<Seat>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Poisoning is ignored: one push or one sweep is the whole critical section.
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
