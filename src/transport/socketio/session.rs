//! One Engine.IO session as it looks from under the engine: what waits in it, and how it ends.
//!
//! The engine has no handle to end a session whose writer is stuck, does not say how much waits in
//! its queue, and never stops reading. So each session has one shared value: the monitored stream or the
//! polling requests under the engine and the connections above it all hold the same one.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use socketioxide::socket::Sid;
use tokio::{sync::Notify, time::timeout};

use super::{
    FLUSH_WAIT_MAX, PROMPT_FLUSH_WAIT_MAX,
    backpressure::{Full, IncomingRequests, OutgoingBytes},
    engine::{self, Engine, NamespaceSocket},
    payload,
    polling_state::PollingState,
    registration::SessionRegistration,
    request::Version,
};
use crate::{
    domain::{CloseReason, Limits, Rejection, Token},
    tasks::Tasks,
    wire::code::{self, Reconnect},
};

/// How far the end of a session has come. It only ever goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum ClosePhase {
    /// It lives.
    Open,
    /// Its queue ran over: nothing more goes in, and whoever noticed is about to close it.
    Overflowed,
    /// Its client is being told.
    Notifying,
    /// Its client was told. What is queued may still go out; nothing more comes in.
    Closing,
    /// Neither reads nor writes succeed.
    Aborted,
}

impl ClosePhase {
    fn from_raw(raw: u8) -> Self {
        match raw {
            0 => Self::Open,
            1 => Self::Overflowed,
            2 => Self::Notifying,
            3 => Self::Closing,
            _ => Self::Aborted,
        }
    }
}

/// What the first request of a session said.
pub(super) struct Handshake {
    /// The protocol that the client speaks.
    pub(super) version: Version,
    /// Its query, without what the engine understands.
    pub(super) query: Box<str>,
    /// Its token, or why it cannot be read.
    pub(super) request_token: Result<Option<Token>, Rejection>,
}

/// A connection of a session to a namespace, as the session needs it.
pub(super) trait AttachedConnection: Send + Sync {
    /// Whether it is the connection of `socket`.
    fn is_on(&self, socket: &NamespaceSocket) -> bool;

    /// Starts to handle requests, because CONNECT is answered.
    fn open_inbox(&self);

    /// Accepts no more requests. Those that wait are still handled.
    fn close_inbox(&self);

    /// Whether no more requests are accepted.
    fn is_inbox_closed(&self) -> bool;

    /// Sends `closing` to the client.
    fn send_closing(&self, reason: CloseReason);
}

/// What all sessions of a server share.
pub(super) struct SessionResources {
    pub(super) limits: Arc<Limits>,
    pub(super) tasks: Tasks,
    pub(super) engine: Engine,
}

/// See the module.
pub(super) struct EngineSession {
    handshake: Handshake,
    resources: Arc<SessionResources>,
    close_phase: AtomicU8,
    /// Why it ends, once it does.
    reason: OnceLock<CloseReason>,
    outgoing: OutgoingBytes,
    incoming: IncomingRequests,
    /// Who reads the WebSocket.
    reader: AtomicWaker,
    /// Who waits to write to it.
    writer: AtomicWaker,
    /// Everything else that one may wait for here.
    changed: Notify,
    connections: Mutex<Vec<Weak<dyn AttachedConnection>>>,
    /// What only sessions that began with polling have.
    polling: Option<Box<PollingState>>,
    registration: SessionRegistration<Self>,
}

impl EngineSession {
    /// A link that nothing uses yet.
    pub(super) fn new(
        handshake: Handshake,
        resources: Arc<SessionResources>,
        polling: Option<Box<PollingState>>,
        registration: SessionRegistration<Self>,
    ) -> Self {
        let limits = &resources.limits;
        Self {
            handshake,
            close_phase: AtomicU8::new(ClosePhase::Open as u8),
            reason: OnceLock::new(),
            outgoing: OutgoingBytes::new(limits.outbox_bytes_max.get()),
            incoming: IncomingRequests::new(
                limits.inbox_requests_max.get(),
                limits.frame_bytes_max.get(),
            ),
            resources,
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            changed: Notify::new(),
            connections: Mutex::default(),
            polling,
            registration,
        }
    }

    /// The link under a socket. Every request that reaches the engine carries one.
    pub(super) fn of(socket: &NamespaceSocket) -> Option<&Arc<Self>> {
        socket.req_parts().extensions.get()
    }

    /// The protocol that the client speaks.
    pub(super) fn version(&self) -> Version {
        self.handshake.version
    }

    /// What the client said in its first request.
    pub(super) fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// How far everything may grow.
    pub(super) fn limits(&self) -> &Limits {
        &self.resources.limits
    }

    /// Who owns the tasks.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.resources.tasks
    }

    /// The engine that serves it.
    pub(super) fn engine(&self) -> &Engine {
        &self.resources.engine
    }

    /// What only sessions that began with polling have.
    pub(super) fn polling(&self) -> Option<&PollingState> {
        self.polling.as_deref()
    }

    /// The session id. Only sessions that began with polling have one.
    pub(super) fn sid(&self) -> Option<Sid> {
        self.registration.sid()
    }

    /// Makes the session available under `sid`.
    pub(super) fn set_sid(&self, sid: Sid) {
        self.registration.set_sid(sid);
    }

    /// Whether the session polls and had no request for so long that the engine has forgotten it.
    pub(super) fn is_abandoned(&self) -> bool {
        self.polling().is_some_and(|it| it.is_abandoned(self.limits()))
    }

    /// How far the end has come.
    pub(super) fn close_phase(&self) -> ClosePhase {
        ClosePhase::from_raw(self.close_phase.load(Ordering::SeqCst))
    }

    /// Moves the end on to `close_phase`. Answers how far it had come before.
    fn advance(&self, close_phase: ClosePhase) -> ClosePhase {
        ClosePhase::from_raw(self.close_phase.fetch_max(close_phase as u8, Ordering::SeqCst))
    }
}

// What the client said is nothing for a log.
impl fmt::Debug for EngineSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSession")
            .field("close_phase", &self.close_phase())
            .finish_non_exhaustive()
    }
}

/// The way out.
impl EngineSession {
    /// Takes room in the outbox. Without room the session is beyond help: what comes after a gap
    /// must not go out either.
    pub(super) fn reserve_bytes(&self, bytes: usize) -> Result<(), Full> {
        self.outgoing.reserve(bytes).inspect_err(|_| self.overflow())
    }

    /// The engine's queue is full.
    pub(super) fn overflow(&self) {
        self.advance(ClosePhase::Overflowed);
    }

    /// `bytes` have left the process.
    pub(super) fn release_bytes(&self, bytes: usize) {
        if self.outgoing.release(bytes) {
            self.changed.notify_waiters();
        }
    }

    /// Whether less than half of the queue is taken.
    pub(super) fn has_capacity(&self) -> bool {
        self.outgoing.has_capacity()
    }

    /// Waits until less than half of the outbox is taken, or until the session ends.
    pub(super) async fn wait_for_capacity(&self) {
        self.wait_until(|it| it.outgoing.has_capacity() || it.close_phase() != ClosePhase::Open)
            .await;
    }

    /// Waits until everything has left the process, or the session is cut.
    pub(super) async fn wait_flushed(&self) {
        self.wait_until(|it| it.outgoing.is_empty() || it.close_phase() == ClosePhase::Aborted)
            .await;
    }
}

/// The way in.
impl EngineSession {
    /// What waits for its turn.
    pub(super) fn incoming(&self) -> &IncomingRequests {
        &self.incoming
    }

    /// Requests have been taken out of an inbox.
    pub(super) fn release_requests(&self, requests: usize, bytes: usize) {
        if self.incoming.release(requests, bytes) {
            self.reader.wake();
            self.changed.notify_waiters();
        }
    }

    /// Waits until `requests` more find room, or until the session ends.
    pub(super) async fn wait_for_request_capacity(&self, requests: usize) {
        let open = |it: &Self| it.close_phase() < ClosePhase::Notifying;
        self.wait_until(|it| it.incoming.has_capacity_for(requests) || !open(it)).await;
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
impl EngineSession {
    /// Ends the session, telling the client why. The second call does nothing.
    pub(super) fn close(self: &Arc<Self>, reason: CloseReason) {
        if self.advance(ClosePhase::Notifying) >= ClosePhase::Notifying {
            return;
        }
        for connection in self.connections() {
            connection.send_closing(reason);
        }
        self.finish(reason);
    }

    /// Ends the session when its client was told.
    pub(super) fn finish(self: &Arc<Self>, reason: CloseReason) {
        self.reason.get_or_init(|| reason);
        self.enter_phase(ClosePhase::Closing);
    }

    /// How long what is queued may take once the end has begun.
    pub(super) fn flush_wait(&self) -> Duration {
        let prompt = self.reason.get().is_some_and(|reason| reason.is_prompt());
        if prompt { PROMPT_FLUSH_WAIT_MAX } else { FLUSH_WAIT_MAX }
    }

    /// Whether the client was told to stay away: it ends the session itself when it has heard so. What it
    /// was told last is a packet of the engine's, which nobody counts, so we wait for it to go.
    pub(super) fn is_closed_by_client(&self) -> bool {
        let forbids_reconnect = |reason| code::close(reason).reconnect == Reconnect::No;
        self.reason.get().copied().is_some_and(forbids_reconnect)
    }

    /// Waits until the client has what was sent before the end.
    pub(super) async fn wait_close_delivered(&self) {
        if self.is_closed_by_client() {
            self.wait_until(|it| it.close_phase() == ClosePhase::Aborted).await;
        } else {
            self.wait_flushed().await;
        }
    }

    /// Ends the session at once.
    pub(super) fn abort(self: &Arc<Self>) {
        self.enter_phase(ClosePhase::Aborted);
    }

    fn enter_phase(self: &Arc<Self>, close_phase: ClosePhase) {
        let before = self.advance(close_phase);
        if before >= close_phase {
            return;
        }
        if close_phase == ClosePhase::Aborted {
            self.registration.end();
        }
        for connection in self.connections() {
            connection.close_inbox();
        }
        self.reader.wake();
        self.writer.wake();
        self.changed.notify_waiters();
        let closed_by_server =
            self.is_closed_by_client() || self.polling().is_some_and(PollingState::is_polling);
        if before < ClosePhase::Closing && closed_by_server {
            self.tasks().spawn("socketio close", Arc::clone(self).close_in_engine());
        }
    }

    /// Closes a session that its stream does not end. A polling session receives a close packet as
    /// if from its client, because then the engine runs all disconnect handlers.
    pub(super) async fn close_in_engine(self: Arc<Self>) {
        timeout(self.flush_wait(), self.wait_close_delivered()).await.ok();
        if let Some(sid) = self.sid() {
            let packet = payload::close(self.version());
            engine::post(self.engine(), self.version(), sid, packet).await.ok();
        }
        self.abort();
    }

    /// Waits until the session is about to end.
    pub(super) async fn wait_closing(&self) {
        self.wait_until(|it| it.close_phase() >= ClosePhase::Closing).await;
    }

    /// Waits until nothing more will go out, if the end has begun.
    pub(super) async fn wait_output_finished(&self) {
        self.wait_until(|it| {
            !(ClosePhase::Notifying..ClosePhase::Aborted).contains(&it.close_phase())
        })
        .await;
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

/// The connections above.
impl EngineSession {
    /// Adds a connection, unless the session is about to end.
    pub(super) fn attach<C: AttachedConnection + 'static>(&self, connection: &Arc<C>) {
        let attached: Weak<dyn AttachedConnection> = Arc::<C>::downgrade(connection);
        self.connections.lock().push(attached);
        // Whoever ended the session may have looked before there was anybody to end.
        if self.close_phase() >= ClosePhase::Notifying {
            connection.close_inbox();
        }
    }

    /// Takes a connection out.
    pub(super) fn detach(&self, connection: &dyn AttachedConnection) {
        let mut connections = self.connections.lock();
        connections.retain(|it| !std::ptr::addr_eq(it.as_ptr(), connection));
        if connections.is_empty() {
            connections.shrink_to_fit();
        }
    }

    /// The connections of this session.
    pub(super) fn connections(&self) -> Vec<Arc<dyn AttachedConnection>> {
        self.connections.lock().iter().filter_map(Weak::upgrade).collect()
    }
}
