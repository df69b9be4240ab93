//! One Engine.IO session, shared by the transport below the engine and the connections above it.
//!
//! The engine cannot end a session whose client does not read, and never stops reading itself. So the
//! monitored stream or the polling requests below the engine and the namespace connections above it
//! share one [`EngineSession`], which holds the queue of what is sent, the incoming budget and the
//! close.
//!
//! All of its state but the queue is in [`State`], under one lock. Tasks that wait for a change use
//! one notification; the reading task of a WebSocket registers its waker.

mod close;
mod connections;
mod permits;
mod refusal;
mod state;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    task::Waker,
    time::Duration,
};

use parking_lot::Mutex;
use socketioxide::socket::Sid;
use tokio::{sync::Notify, time::Instant};

pub(super) use self::connections::AttachedConnection;
pub(super) use self::permits::{ClosePhase, ReadPermit, Unaccepted};
#[cfg(test)]
pub(super) use self::state::FLUSH_WAIT_MAX;
use self::state::{State, Wake};
use super::{
    engine::{Engine, NamespaceSocket},
    frames::Inflation,
    polling_state::{PollingState, UpgradeState},
    registration::SessionRegistration,
    request::{Parser, Version},
};
use crate::{
    chat::ports::ClientInfo,
    domain::{Limits, Rejection, Token},
    tasks::Tasks,
    transport::{
        client_address::ClientAddress,
        deflate::WindowBits,
        lanes::{LaneWriter, Lanes, WriterOwner},
    },
};

/// The first request of a session.
pub(super) struct Handshake {
    /// The version of the protocol that the client uses.
    pub(super) version: Version,
    /// The parser of its packets.
    pub(super) parser: Parser,
    /// The query without the parameters of the engine.
    pub(super) query: Box<str>,
    /// The token, or the reason why it cannot be read.
    pub(super) request_token: Result<Option<Token>, Rejection>,
    /// What a back end decides with: address and headers. Empty where none decides.
    pub(super) client: Option<Box<ClientInfo>>,
    /// The address of the client.
    pub(super) address: ClientAddress,
}

/// What all sessions of a server share.
pub(super) struct SessionResources {
    pub(super) tasks: Tasks,
    pub(super) engine: Engine,
    pub(super) lanes: Lanes,
}

/// A request that is not answered yet. It is dropped with the answer.
pub(super) struct UnansweredRequest(Arc<EngineSession>);

/// See the module.
pub(super) struct EngineSession {
    handshake: Handshake,
    resources: Arc<SessionResources>,
    registration: SessionRegistration<Self>,
    /// What is sent to the client, on a WebSocket or in the answers to its polls.
    writer: Arc<LaneWriter>,
    state: Mutex<State>,
    /// The window of the client, if messages on its WebSocket may be compressed.
    window: OnceLock<WindowBits>,
    /// Notifies the tasks in `wait_until`.
    changed: Notify,
    /// Whether the engine has sent its close packet.
    is_closed_by_engine: AtomicBool,
    /// Whether a packet of the client ended the session.
    is_protocol_broken: AtomicBool,
}

impl EngineSession {
    /// A new session, not yet known to the engine.
    pub(super) fn new(
        handshake: Handshake,
        (resources, limits): (Arc<SessionResources>, Arc<Limits>),
        polling: Option<Box<PollingState>>,
        registration: SessionRegistration<Self>,
    ) -> Self {
        let state = Mutex::new(State::new(&limits, polling));
        let writer = LaneWriter::new(&resources.lanes, limits);
        Self {
            handshake,
            resources,
            registration,
            writer: Arc::new(writer),
            state,
            window: OnceLock::new(),
            changed: Notify::new(),
            is_closed_by_engine: AtomicBool::new(false),
            is_protocol_broken: AtomicBool::new(false),
        }
    }

    /// The session of a socket. Every request that reaches the engine carries its session.
    pub(super) fn of(socket: &NamespaceSocket) -> Option<&Arc<Self>> {
        socket.req_parts().extensions.get()
    }

    /// The version of the protocol that the client uses.
    pub(super) fn version(&self) -> Version {
        self.handshake.version
    }

    /// The parser of the client's packets.
    pub(super) fn parser(&self) -> Parser {
        self.handshake.parser
    }

    /// The first request of the session.
    pub(super) fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The limits of the server when the session began.
    pub(super) fn limits(&self) -> &Arc<Limits> {
        self.writer.limits()
    }

    /// The tasks of the server.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.resources.tasks
    }

    /// The engine that serves the session.
    pub(super) fn engine(&self) -> &Engine {
        &self.resources.engine
    }

    /// The queue of events and of the packets of the engine.
    pub(super) fn writer(&self) -> &Arc<LaneWriter> {
        &self.writer
    }

    /// Compresses large frames from now on for a client with this window. Only what a WebSocket writes
    /// is compressed.
    pub(super) fn agree_on_compression(&self, window: Option<WindowBits>) {
        if let Some(window) = window {
            self.window.set(window).ok();
        }
    }

    /// The window of the client, if large frames are compressed.
    pub(super) fn window(&self) -> Option<WindowBits> {
        self.window.get().copied()
    }

    /// Inflates messages of the client.
    pub(super) fn new_inflation(&self) -> Inflation {
        Inflation::new(self.limits().frame_bytes_max.get())
    }

    /// The session id. Only sessions that began with polling have one.
    pub(super) fn sid(&self) -> Option<Sid> {
        self.registration.sid()
    }

    /// Makes the session available under `sid`.
    pub(super) fn set_sid(&self, sid: Sid) {
        self.registration.set_sid(sid);
    }

    /// Waits for a change after which `condition` holds. Cancel-safe.
    async fn wait_until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            // Created before the check, so that it receives every notification after the check.
            let changed = self.changed.notified();
            if condition(&self.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Wakes what a change of the state has to wake. The lock is not held.
    fn wake(&self, wake: Wake) {
        let Wake { reader, waiters } = wake;
        reader.into_iter().for_each(Waker::wake);
        if waiters {
            self.changed.notify_waiters();
        }
    }
}

impl WriterOwner for EngineSession {
    fn on_writer_end(self: Arc<Self>) {
        self.abort();
    }
}

impl Drop for UnansweredRequest {
    fn drop(&mut self) {
        let Self(session) = self;
        let wake = session.state.lock().count_answer();
        session.wake(wake);
    }
}

// The handshake holds a token and is not printed.
impl fmt::Debug for EngineSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSession")
            .field("close_phase", &self.close_phase())
            .finish_non_exhaustive()
    }
}

/// Incoming requests.
impl EngineSession {
    /// Reserves a place in an inbox for a request of `bytes`.
    pub(super) fn reserve_request(
        self: &Arc<Self>,
        bytes: usize,
    ) -> Result<UnansweredRequest, Unaccepted> {
        self.state.lock().reserve_request(bytes)?;
        Ok(UnansweredRequest(Arc::clone(self)))
    }

    /// Releases the places of requests that left an inbox.
    pub(super) fn release_requests(&self, requests: usize, bytes: usize) {
        let wake = self.state.lock().release_requests(requests, bytes);
        self.wake(wake);
    }

    /// Waits until there are places for `requests` more, or the session closes.
    pub(super) async fn wait_for_request_capacity(&self, requests: usize) {
        self.wait_until(|it| it.has_capacity_for(requests)).await;
    }

    /// Registers the task that reads. It is woken when the permit changes.
    pub(super) fn register_reader(&self, waker: &Waker) -> ReadPermit {
        let mut state = self.state.lock();
        let replaced = state.register_reader(waker);
        let permit = state.read_permit();
        drop(state);
        drop(replaced);
        permit
    }
}

/// Polling and the upgrade.
impl EngineSession {
    /// Reads or changes the polling state under the lock. A session that began on a WebSocket has none.
    pub(super) fn with_polling<R>(&self, change: impl FnOnce(&mut PollingState) -> R) -> Option<R> {
        self.state.lock().polling_mut().map(change)
    }

    /// Counts a poll that begins to wait.
    pub(super) fn begin_poll(&self) {
        let mut state = self.state.lock();
        state.polling_mut().map(PollingState::begin_poll);
        let closes = state.phase() >= ClosePhase::Closing;
        drop(state);
        if closes {
            self.changed.notify_waiters();
        }
    }

    /// The engine has received packets, or has to send some: polls also poll the engine for a while.
    pub(super) fn await_engine(&self) {
        let now = Instant::now();
        self.with_polling(|it| it.await_engine(now));
        self.changed.notify_waiters();
    }

    /// Wakes the task that reads.
    pub(super) fn wake_reader(&self) {
        let wake = self.state.lock().wake_reader();
        self.wake(wake);
    }

    /// Until when a poll that begins now need not poll the engine. `None` if it has to at once.
    pub(super) fn engine_poll_due(&self) -> Option<Instant> {
        let (now, state) = (Instant::now(), self.state.lock());
        state.engine_poll_due(now).filter(|due| *due > now)
    }

    /// Waits until a poll has to wait for more than frames.
    pub(super) async fn wait_poll_attention(&self) {
        let needs_more = |it: &State| {
            let now = Instant::now();
            it.engine_poll_due(now).is_none_or(|due| due <= now)
        };
        self.wait_until(needs_more).await;
    }

    /// Whether a poll that is answered with events also polls the engine: regularly, and while a packet
    /// of the engine is expected.
    pub(super) fn take_engine_poll(&self) -> bool {
        let (now, mut state) = (Instant::now(), self.state.lock());
        state.phase() > ClosePhase::Open
            || state.polling_mut().is_some_and(|it| it.take_engine_poll(now))
    }

    /// Whether polling carries the session.
    pub(super) fn is_polling(&self) -> bool {
        self.state.lock().polling().is_some_and(PollingState::is_polling)
    }

    /// Changes the state of the upgrade if it is `from`. Returns whether it was.
    pub(super) fn change_upgrade(&self, from: UpgradeState, to: UpgradeState) -> bool {
        let changed = self.with_polling(|it| it.change(from, to)).unwrap_or(false);
        if changed {
            self.changed.notify_waiters();
        }
        changed
    }

    /// Waits until the client is about to switch to the WebSocket.
    pub(super) async fn wait_switching(&self) {
        self.wait_until(|it| it.polling().is_some_and(PollingState::is_switching)).await;
    }

    /// Whether `closing` was sent to a client that polls, and it has not polled for this time.
    pub(super) fn is_left(&self, time: Duration) -> bool {
        let now = Instant::now();
        self.close_phase() == ClosePhase::Closing
            && self.with_polling(|it| it.is_idle(now, time)).unwrap_or(false)
    }

    /// Whether the session polls and had no request for so long that the engine has forgotten it.
    pub(super) fn is_abandoned(&self) -> bool {
        let heartbeat_max = self.limits().ping_interval + self.limits().ping_timeout;
        let now = Instant::now();
        self.with_polling(|it| it.is_abandoned(now, heartbeat_max)).unwrap_or(false)
    }
}
