//! The task of a chat session: it serves one connection, or one after the other when a client that
//! lost its transport continues.
//!
//! It owns the chat session: dropping that session leaves the chat.

use std::sync::Arc;

use super::{
    connection::{NamespaceConnection, RecoveryIds},
    recovery::{
        OtherNodes, RecoverableConnection, RecoveryIdentity, RecoveryTable, Resumption,
        ServedConnection,
    },
};
use crate::{
    chat::{Admission, Request, Session, ports::Outbox},
    domain::Token,
};

/// How a session is recovered. Dropping it ends that.
pub(super) struct Recovery {
    table: Arc<RecoveryTable>,
    connection: Arc<RecoverableConnection>,
}

/// A session of another node that is continued here.
pub(super) struct MovedSession {
    pub(super) chat_session: Session,
    pub(super) recovery: Recovery,
    /// The last event that the client has.
    pub(super) offset: u64,
}

/// Serves a session, from the answer to CONNECT to the end.
///
/// Everything but the wait for the next request is boxed: the task is as large as its largest step,
/// and most of the time it waits.
pub(super) async fn run(
    mut served: ServedConnection,
    admission: Box<Admission>,
    recovery: Option<Recovery>,
) {
    if served.connection.inbox().wait_open().await {
        let outbox: Arc<dyn Outbox> = match &recovery {
            Some(recovery) => Arc::<RecoverableConnection>::clone(&recovery.connection),
            None => Arc::<NamespaceConnection>::clone(&served.connection),
        };
        let mut chat_session = Box::pin(admission.enter(outbox)).await;
        served.connection.serve(&mut chat_session).await;
        Box::pin(served.connection.wait_reported()).await;
        if let Some(recovery) = recovery {
            served = Box::pin(recovery.serve_returns(served, &mut chat_session)).await;
        }
        let drain_guard = chat_session.into_drain_guard();
        served.connection.session().wait_output_finished().await;
        drop(drain_guard);
    } else {
        drop(admission);
        served.connection.drop_requests().await;
    }
    end(served).await;
}

/// Serves a session that began on another node, from the answer to CONNECT to the end.
pub(super) async fn run_moved(served: ServedConnection, moved: Box<MovedSession>) {
    let MovedSession { mut chat_session, recovery, offset } = *moved;
    Box::pin(recovery.serve_return(&served, (offset, None), &mut chat_session)).await;
    let served = Box::pin(recovery.serve_returns(served, &mut chat_session)).await;
    let drain_guard = chat_session.into_drain_guard();
    served.connection.session().wait_output_finished().await;
    drop(drain_guard);
    end(served).await;
}

/// Ends a connection.
async fn end(served: ServedConnection) {
    let ServedConnection { connection, claim } = served;
    connection.session().detach(&*connection);
    if claim.is_some() {
        drop(claim);
        Box::pin(connection.force_disconnect()).await;
    }
}

impl Recovery {
    /// A new connection that can be recovered.
    pub(super) fn new(
        table: Arc<RecoveryTable>,
        identity: RecoveryIdentity,
        connection: &Arc<NamespaceConnection>,
    ) -> Self {
        let connection = table.recoverable(identity, connection);
        Self { table, connection }
    }

    /// The recovery of a connection that comes from another node. `None` if its client is back here
    /// already.
    pub(super) fn of_moved(
        table: Arc<RecoveryTable>,
        connection: Arc<RecoverableConnection>,
    ) -> Option<Self> {
        table.add(&connection.identity().ids.pid).then_some(Self { table, connection })
    }

    /// The ids of the connection.
    pub(super) fn ids(&self) -> &RecoveryIds {
        &self.connection.identity().ids
    }

    /// Serves the later connections of a client whose connection has ended, each time that it continues
    /// after a loss. Returns the last connection.
    async fn serve_returns(
        &self,
        mut served: ServedConnection,
        chat_session: &mut Session,
    ) -> ServedConnection {
        loop {
            let others = other_nodes(chat_session);
            if !self.connection.lose(&served.connection, others) {
                break;
            }
            served.connection.session().detach(&*served.connection);
            let user = chat_session.user().cloned();
            let snapshot = Arc::new(chat_session.snapshot());
            let tasks = served.connection.session().tasks();
            let resumption = tokio::select! {
                it = self.table.wait(&self.connection, (user, snapshot), others) => it,
                () = tasks.draining() => None,
            };
            let Some(resumption) = resumption else { break };
            let Resumption { served: next, offset, token } = resumption;
            // The claim of the lost connection keeps the space until now.
            served = next;
            self.serve_return(&served, (offset, token), chat_session).await;
        }
        served
    }

    /// Serves a connection on which a client continues after the event with this offset.
    async fn serve_return(
        &self,
        served: &ServedConnection,
        (offset, token): (u64, Option<Token>),
        chat_session: &mut Session,
    ) {
        if !served.connection.inbox().wait_open().await {
            return served.connection.drop_requests().await;
        }
        self.connection.resume(&served.connection, offset);
        if let Some(token) = token {
            // The rights of a fresh token. If it is refused now, those of the one before remain.
            chat_session.handle(Request::Auth { token }, Box::new(drop)).await;
        }
        served.connection.serve(chat_session).await;
        served.connection.wait_reported().await;
    }
}

fn other_nodes(chat_session: &Session) -> OtherNodes {
    if chat_session.is_in_cluster() { OtherNodes::Some } else { OtherNodes::None }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        self.table.forget(&self.connection);
    }
}
