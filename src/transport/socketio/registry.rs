//! The links of this node: found by session id while they poll, closed together on drain.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use socketioxide::socket::Sid;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    polling::PollingState,
    session::{ClosePhase, EngineSession, Handshake, SessionResources},
};
use crate::{domain::CloseReason, tasks::Tasks};

/// How often polling sessions are looked at that nobody seems to use.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// How often, on drain, it is looked for sessions that nobody else ends.
const DRAIN_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Default)]
pub(super) struct SessionRegistry {
    state: Mutex<RegistryState>,
    /// How many have not come to their end. The engine keeps some for a while after it.
    active: AtomicUsize,
}

#[derive(Default)]
struct RegistryState {
    next: u64,
    all: HashMap<u64, Weak<EngineSession>>,
    by_sid: HashMap<Sid, u64>,
}

/// A link's place among the others. Dropping it gives the place up.
pub(super) struct SessionRegistration {
    registry: Arc<SessionRegistry>,
    number: u64,
    sid: OnceLock<Sid>,
    active: AtomicBool,
}

impl SessionRegistry {
    /// No links yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a link for a new session.
    pub(super) fn create_session(
        self: &Arc<Self>,
        handshake: Handshake,
        resources: Arc<SessionResources>,
        polling: Option<Box<PollingState>>,
    ) -> Arc<EngineSession> {
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        self.active.fetch_add(1, Ordering::Relaxed);
        let (registry, active) = (Arc::clone(self), AtomicBool::new(true));
        let registration = SessionRegistration { registry, number, sid: OnceLock::new(), active };
        let session = Arc::new(EngineSession::new(handshake, resources, polling, registration));
        state.all.insert(number, Arc::downgrade(&session));
        session
    }

    /// The link of a session that began with polling.
    pub(super) fn find(&self, sid: Sid) -> Option<Arc<EngineSession>> {
        let state = self.state.lock();
        state.by_sid.get(&sid).and_then(|number| state.all.get(number)).and_then(Weak::upgrade)
    }

    /// How many live.
    pub(super) fn count(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// All of them. Never dropped under the lock, because the last holder of a link gives up its
    /// place here.
    fn all(&self) -> Vec<Arc<EngineSession>> {
        self.state.lock().all.values().filter_map(Weak::upgrade).collect()
    }
}

impl SessionRegistration {
    /// From now on the link is found by `sid`.
    pub(super) fn set_sid(&self, sid: Sid) {
        if self.sid.set(sid).is_ok() {
            self.registry.state.lock().by_sid.insert(sid, self.number);
        }
    }

    /// The link has come to its end, whoever still holds it.
    pub(super) fn end(&self) {
        if self.active.swap(false, Ordering::Relaxed) {
            self.registry.active.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The session id, once it is known.
    pub(super) fn sid(&self) -> Option<Sid> {
        self.sid.get().copied()
    }
}

impl Drop for SessionRegistration {
    fn drop(&mut self) {
        self.end();
        let mut state = self.registry.state.lock();
        state.all.remove(&self.number);
        if let Some(sid) = self.sid.get() {
            state.by_sid.remove(sid);
        }
    }
}

/// Tends the links until the server drains, and then until none is left.
///
/// On drain the chat closes its connections itself, at its own pace. What is left for us are
/// sessions that never came to a space, or have left all of them.
pub(super) async fn maintain(registry: Arc<SessionRegistry>, tasks: Tasks) {
    let mut sweep = interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = tasks.draining() => break,
            _ = sweep.tick() => {}
        }
        for session in registry.all() {
            if session.polling().is_some_and(|it| it.is_abandoned(session.limits())) {
                session.abort();
            }
        }
    }
    let mut check = interval(DRAIN_CHECK_INTERVAL);
    loop {
        // Not whether there are links: the engine keeps some of them for a while.
        let left: Vec<_> = registry
            .all()
            .into_iter()
            .filter(|it| it.close_phase() < ClosePhase::Aborted)
            .collect();
        if left.is_empty() {
            return;
        }
        for session in left.iter().filter(|it| it.connections().is_empty()) {
            session.close(CloseReason::Draining);
        }
        tokio::select! {
            () = tasks.overdue() => return left.iter().for_each(EngineSession::abort),
            _ = check.tick() => {}
        }
    }
}

impl fmt::Debug for SessionRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRegistry").field("count", &self.count()).finish_non_exhaustive()
    }
}

// A session id is a password: it does not print.
impl fmt::Debug for SessionRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRegistration").field("number", &self.number).finish_non_exhaustive()
    }
}
