//! The task of a chat session: it serves one connection, or one after the other when a client that
//! lost its transport continues.
//!
//! It owns the chat session: dropping that session leaves the chat.

use std::sync::Arc;

use super::{
    connection::NamespaceConnection,
    recovery::{
        RecoverableConnection, RecoveryIdentity, RecoveryTable, Resumption, ServedConnection,
    },
};
use crate::chat::{Admission, Request, Session, ports::Outbox};

/// How a session is recovered. Dropping it ends that.
pub(super) struct Recovery {
    table: Arc<RecoveryTable>,
    connection: Arc<RecoverableConnection>,
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

    /// Serves the later connections of a client whose connection has ended, each time that it continues
    /// after a loss. Returns the last connection.
    async fn serve_returns(
        &self,
        mut served: ServedConnection,
        chat_session: &mut Session,
    ) -> ServedConnection {
        while self.connection.lose(&served.connection) {
            served.connection.session().detach(&*served.connection);
            let user = chat_session.user().cloned();
            let Some(resumption) = self.table.wait(&self.connection, user).await else { break };
            let Resumption { served: next, offset, token } = resumption;
            // The claim of the lost connection keeps the space until now.
            served = next;
            if !served.connection.inbox().wait_open().await {
                served.connection.drop_requests().await;
                continue;
            }
            self.connection.resume(&served.connection, offset);
            if let Some(token) = token {
                // The rights of a fresh token. If it is refused now, those of the one before remain.
                chat_session.handle(Request::Auth { token }, Box::new(drop)).await;
            }
            served.connection.serve(chat_session).await;
            served.connection.wait_reported().await;
        }
        served
    }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        self.table.forget(&self.connection);
    }
}
