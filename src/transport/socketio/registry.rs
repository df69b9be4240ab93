//! The sessions of this node: found by session id while they poll, closed together on drain.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use socketioxide::socket::Sid;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    polling_state::PollingState,
    registration::RegistrationTable,
    session::{ClosePhase, EngineSession, Handshake, SessionResources},
};
use crate::{
    chat::Chat,
    domain::{CloseReason, Limits},
    tasks::Tasks,
};

/// The interval between two searches for abandoned polling sessions.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// How long the next poll of a client is waited for at a takeover. It may have reached the other
/// process.
const POLL_WAIT_MAX: Duration = Duration::from_millis(300);

/// The interval, on drain, between two searches for sessions that only the registry ends.
const DRAIN_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// See the module. Clones are handles to the same registry.
#[derive(Clone)]
pub(super) struct SessionRegistry {
    table: Arc<RegistrationTable<EngineSession>>,
}

impl SessionRegistry {
    /// A registry without sessions.
    pub(super) fn new() -> Self {
        Self { table: RegistrationTable::new() }
    }

    /// Creates a session and registers it.
    pub(super) fn create_session(
        &self,
        handshake: Handshake,
        parts: (Arc<SessionResources>, Arc<Limits>),
        polling: Option<Box<PollingState>>,
    ) -> Arc<EngineSession> {
        let session = self.table.register(|it| EngineSession::new(handshake, parts, polling, it));
        let owner: Weak<EngineSession> = Arc::downgrade(&session);
        session.writer().set_owner(owner);
        session
    }

    /// The session with this session id. Only sessions that began with polling are found.
    pub(super) fn find(&self, sid: Sid) -> Option<Arc<EngineSession>> {
        self.table.find(sid)
    }

    /// Aborts abandoned sessions until the server drains. At a takeover these are soon all those that
    /// have not polled since they were closed.
    async fn sweep(&self, chat: &Chat, tasks: &Tasks) {
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (is_draining, is_taken_over) = (chat.is_draining(), chat.is_handing_over());
            tokio::select! {
                () = tasks.draining() => return,
                () = chat.draining(), if !is_draining => sweep = interval(DRAIN_CHECK_INTERVAL),
                _ = sweep.tick() => {}
            }
            for session in self.table.all() {
                if session.is_abandoned() || (is_taken_over && session.is_left(POLL_WAIT_MAX)) {
                    session.abort();
                }
            }
        }
    }

    /// The number of sessions that have not ended.
    pub(super) fn count(&self) -> usize {
        self.table.active()
    }
}

/// Aborts abandoned polling sessions until the server drains. Then runs until all sessions have
/// ended.
///
/// On drain the chat closes its connections itself, at its own pace. This task closes the sessions
/// without a connection: those that never entered a space, or have left all of them.
pub(super) async fn maintain(registry: SessionRegistry, chat: Arc<Chat>, tasks: Tasks) {
    registry.sweep(&chat, &tasks).await;
    let mut check = interval(DRAIN_CHECK_INTERVAL);
    loop {
        // The phase decides, not the existence: the engine keeps some sessions after their end.
        let left: Vec<_> = registry
            .table
            .all()
            .into_iter()
            .filter(|it| it.close_phase() < ClosePhase::Aborted)
            .collect();
        if left.is_empty() {
            return;
        }
        for session in left.iter().filter(|it| it.connections().is_empty()) {
            session.close(CloseReason::DRAINING);
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
