//! The chat sessions whose clients may come back, by `pid`.

use std::{collections::HashMap, fmt, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

use super::connection::{OtherNodes, RecoverableConnection, RecoveryIdentity};
use crate::{
    chat::{
        FoundWaiting, Lookup, SessionSnapshot, WaitingSessions,
        ports::{KeptEvent, SessionClaim},
    },
    domain::{Limits, Space, Token, UserName},
    transport::socketio::{
        connection::{NamespaceConnection, RecoveryIds},
        packets::Offsets,
        spaces::SpaceClaim,
    },
    wire::recovery::RecoveryAuth,
};

/// The longest time for which a new connection waits until the one that it continues has ended.
const LOSS_WAIT_MAX: Duration = Duration::from_secs(1);

/// A connection, and the space that it keeps open.
pub(in crate::transport::socketio) struct ServedConnection {
    pub(in crate::transport::socketio) connection: Arc<NamespaceConnection>,
    pub(in crate::transport::socketio) claim: Option<SpaceClaim>,
}

/// The return of a client.
pub(in crate::transport::socketio) struct Resumption {
    pub(in crate::transport::socketio) served: ServedConnection,
    /// The last event that the client has.
    pub(in crate::transport::socketio) offset: u64,
    /// The token of the new handshake.
    pub(in crate::transport::socketio) token: Option<Token>,
}

/// See the module.
pub(in crate::transport::socketio) struct RecoveryTable {
    limits: Arc<Limits>,
    offsets: Arc<Offsets>,
    sessions: Mutex<HashMap<Box<str>, RecoverableSession>>,
    /// Notifies new connections that a session waits or has ended.
    changed: Notify,
}

/// A chat session, by its `pid`.
enum RecoverableSession {
    /// Its client is connected, as far as is known.
    Connected,
    Waiting(WaitingSession),
}

/// A chat session that waits for its client.
pub(in crate::transport::socketio) struct WaitingSession {
    connection: Arc<RecoverableConnection>,
    /// The user of the session.
    user: Option<UserName>,
    /// The session, for another node.
    snapshot: Arc<SessionSnapshot>,
    resume: oneshot::Sender<Resumption>,
}

impl RecoveryTable {
    /// No sessions.
    pub(in crate::transport::socketio) fn new(limits: Arc<Limits>) -> Arc<Self> {
        let (sessions, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { limits, offsets: Arc::default(), sessions, changed })
    }

    /// Whether connections can be recovered.
    pub(in crate::transport::socketio) fn is_enabled(&self) -> bool {
        !self.limits.recovery.is_zero()
    }

    /// Makes a new connection recoverable, until [`forget`](Self::forget).
    pub(in crate::transport::socketio) fn recoverable(
        &self,
        identity: RecoveryIdentity,
        connection: &Arc<NamespaceConnection>,
    ) -> Arc<RecoverableConnection> {
        self.add(&identity.ids.pid);
        let (offsets, limits) = self.shared();
        RecoverableConnection::new(identity, connection, offsets, limits)
    }

    /// What connections share.
    pub(in crate::transport::socketio) fn shared(&self) -> (Arc<Offsets>, Arc<Limits>) {
        (Arc::clone(&self.offsets), Arc::clone(&self.limits))
    }

    /// Adds a session whose client is connected, until [`forget`](Self::forget). Returns `false` if
    /// there is one with this `pid`.
    pub(in crate::transport::socketio) fn add(&self, pid: &str) -> bool {
        let mut sessions = self.sessions.lock();
        let is_new = !sessions.contains_key(pid);
        if is_new {
            sessions.insert(pid.into(), RecoverableSession::Connected);
        }
        is_new
    }

    /// Whether there is a session with this `pid`.
    pub(in crate::transport::socketio) fn knows(&self, pid: &str) -> bool {
        self.sessions.lock().contains_key(pid)
    }

    /// Waits for the client of a session. Returns nothing if it does not come back in time, or may not.
    pub(in crate::transport::socketio) async fn wait(
        &self,
        connection: &Arc<RecoverableConnection>,
        (user, snapshot): (Option<UserName>, Arc<SessionSnapshot>),
        others: OtherNodes,
    ) -> Option<Resumption> {
        let (resume, mut resumed) = oneshot::channel();
        let pid = &connection.identity().ids.pid;
        // Those that wait hold memory for events, and are not counted with the open ones.
        if self.sessions.lock().len() > self.limits.connections_max {
            return None;
        }
        let waiting = WaitingSession { connection: Arc::clone(connection), user, snapshot, resume };
        self.set(pid, RecoverableSession::Waiting(waiting));
        tokio::select! {
            resumption = &mut resumed => return resumption.ok(),
            () = connection.wait_closed(others) => {}
            () = sleep(self.limits.recovery) => {}
        }
        match self.set(pid, RecoverableSession::Connected) {
            Some(RecoverableSession::Waiting(_)) => None,
            // A new connection has taken it, and sends its resumption now.
            Some(RecoverableSession::Connected) | None => resumed.await.ok(),
        }
    }

    /// Takes the session that the client of a new connection continues, which proved to be `user`. A
    /// session that the client does not continue ends.
    pub(in crate::transport::socketio) async fn take(
        &self,
        auth: &RecoveryAuth,
        space: &Space,
        user: Option<&UserName>,
    ) -> Option<(WaitingSession, u64)> {
        let pid = auth.pid.as_deref()?;
        timeout(LOSS_WAIT_MAX, self.wait_lost(pid)).await.ok();
        let session = self.take_waiting(pid, space, user)?;
        let offset = auth.offset()?;
        let is_whole = !auth.uses_since && session.connection.is_recoverable(offset);
        is_whole.then_some((session, offset))
    }

    /// Takes a session that waits, if the client may continue it.
    fn take_waiting(
        &self,
        pid: &str,
        space: &Space,
        user: Option<&UserName>,
    ) -> Option<WaitingSession> {
        let mut sessions = self.sessions.lock();
        let session = sessions.get_mut(pid)?;
        let belongs =
            matches!(session, RecoverableSession::Waiting(it) if it.belongs_to(space, user));
        let before = belongs.then(|| mem::replace(session, RecoverableSession::Connected))?;
        drop(sessions);
        match before {
            RecoverableSession::Waiting(session) => Some(session),
            RecoverableSession::Connected => None,
        }
    }

    /// Waits until the session is not connected any more: its client may be back before the server has
    /// seen the end of the transport.
    async fn wait_lost(&self, pid: &str) {
        loop {
            let changed = self.changed.notified();
            if !self.is_connected(pid) {
                return;
            }
            changed.await;
        }
    }

    fn is_connected(&self, pid: &str) -> bool {
        let sessions = self.sessions.lock();
        matches!(sessions.get(pid), Some(RecoverableSession::Connected))
    }

    /// Removes a session, which has ended.
    pub(in crate::transport::socketio) fn forget(&self, connection: &RecoverableConnection) {
        let removed = self.sessions.lock().remove(&connection.identity().ids.pid);
        drop(removed);
        self.changed.notify_waiters();
    }

    /// Sets the state of a session, and returns the one before.
    fn set(&self, pid: &str, session: RecoverableSession) -> Option<RecoverableSession> {
        let before = self.sessions.lock().insert(pid.into(), session);
        self.changed.notify_waiters();
        before
    }

    /// The number of sessions that wait.
    #[cfg(test)]
    pub(in crate::transport::socketio) fn count(&self) -> usize {
        let sessions = self.sessions.lock();
        sessions.values().filter(|it| matches!(it, RecoverableSession::Waiting(_))).count()
    }
}

impl WaitingSessions for RecoveryTable {
    fn find(&self, claim: &SessionClaim) -> Lookup {
        let SessionClaim { pid, space, user, offset, .. } = claim;
        let sessions = self.sessions.lock();
        let (connection, snapshot) = match sessions.get(pid) {
            Some(RecoverableSession::Waiting(it)) if it.belongs_to(space, user.as_ref()) => {
                (Arc::clone(&it.connection), Arc::clone(&it.snapshot))
            }
            Some(RecoverableSession::Connected) => return Lookup::Connected,
            Some(RecoverableSession::Waiting(_)) | None => return Lookup::Unknown,
        };
        drop(sessions);
        let Some((events, last_offset)) = connection.kept_after(*offset) else {
            drop(self.take_waiting(pid, space, user.as_ref()));
            return Lookup::Unknown;
        };
        let sid = connection.identity().ids.sid.clone();
        Lookup::Waiting(FoundWaiting { sid, snapshot, events, last_offset })
    }

    fn take(
        &self,
        claim: &SessionClaim,
        before: &mut dyn FnMut(&SessionSnapshot),
    ) -> Option<Vec<KeptEvent>> {
        let SessionClaim { pid, space, user, offset, .. } = claim;
        // The session ends when this is dropped.
        let session = self.take_waiting(pid, space, user.as_ref())?;
        before(&session.snapshot);
        session.connection.kept_after(*offset).map(|(events, _)| events)
    }
}

impl WaitingSession {
    /// The ids of the session.
    pub(in crate::transport::socketio) fn ids(&self) -> &RecoveryIds {
        &self.connection.identity().ids
    }

    /// Hands the new connection to the task of the session.
    pub(in crate::transport::socketio) fn resume(self, resumption: Resumption) {
        // The task waits for it as long as it exists. Without it, the connection ends when it is dropped.
        self.resume.send(resumption).ok();
    }

    /// Whether a client in this space, which proved to be `user`, may continue the session.
    fn belongs_to(&self, space: &Space, user: Option<&UserName>) -> bool {
        let identity = self.connection.identity();
        let is_user = match user {
            Some(_) => user == self.user.as_ref(),
            None => identity.user.is_none(),
        };
        *space == identity.space && is_user
    }
}

// The keys are secrets.
impl fmt::Debug for RecoveryTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryTable")
            .field("sessions", &self.sessions.lock().len())
            .finish_non_exhaustive()
    }
}
