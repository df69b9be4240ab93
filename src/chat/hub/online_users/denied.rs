//! Closes the connections of users and tokens that are refused from now on.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    OnlineUserId, OnlineUsers, connection::ConnectionInfo, state::UsersState, user::OnlineUser,
};
use crate::{
    chat::{hub::slow_readers::close_outboxes, ports::Outbox},
    domain::{CloseReason, Credentials, DenialSubject, Denied, Space, UserName},
};

/// What the close of connections begins with.
type Closing = Vec<(Arc<dyn Outbox>, CloseReason)>;

impl OnlineUsers {
    /// Refuses a connection that is about to be attached, or to use other credentials. Called under
    /// the lock: a denial that comes later finds the connection.
    pub(super) fn check_denials(
        &self,
        (space, user): (&Space, &UserName),
        online_user: &OnlineUser,
        credentials: &Credentials,
        now: OffsetDateTime,
    ) -> Result<(), Denied> {
        self.denials.check_credentials(user, credentials, now)?;
        self.denials.check_user((space, user), &online_user.identity_kind(), now)
    }

    /// Uses other credentials for a connection from now on, and for its sign-in the earlier one if
    /// they have none.
    pub(in crate::chat::hub) fn renew_credentials(
        &self,
        id: &OnlineUserId,
        connection_info: &mut ConnectionInfo,
        credentials: Credentials,
        now: OffsetDateTime,
    ) -> Result<(), Denied> {
        let mut state = self.lock();
        // Without the name, the connection is being closed.
        let Some(online_user) = state.of_mut(id) else { return Ok(()) };
        self.check_denials((&id.space, &id.user), online_user, &credentials, now)?;
        let sign_in = credentials.sign_in.or(connection_info.credentials.sign_in.clone());
        let credentials = Credentials { sign_in, ..credentials };
        if let Some(connection) = online_user.connections.get_mut(&connection_info.connection) {
            connection.credentials = credentials.clone();
        }
        state.credential_index.remove(connection_info);
        connection_info.credentials = credentials;
        state.credential_index.add(connection_info);
        Ok(())
    }

    /// Begins to close the connections of a subject that is refused.
    pub(in crate::chat::hub) fn close_denied(&self, subject: &DenialSubject, now: OffsetDateTime) {
        let state = self.lock();
        let closing = match subject {
            DenialSubject::User(space, user) => {
                let key = user.key();
                let users = state.users_like(space.as_ref(), &key);
                users.flat_map(|(user, it)| self.denied(user, it, now)).collect()
            }
            DenialSubject::TokensOf(user) => {
                let users = state.users.iter().filter(|((_, name), _)| name == user);
                users.flat_map(|((space, name), it)| self.denied((space, name), it, now)).collect()
            }
            DenialSubject::Token(_) => with_reason(&state, subject, CloseReason::TokenRevoked),
            DenialSubject::SignIn(_) => with_reason(&state, subject, CloseReason::SignedOut),
        };
        drop(state);
        close(closing);
    }

    /// Begins to close all connections that are refused: the list was read anew.
    pub(in crate::chat::hub) fn close_all_denied(&self, now: OffsetDateTime) {
        let state = self.lock();
        let users = state.users.iter();
        let closing =
            users.flat_map(|((space, user), it)| self.denied((space, user), it, now)).collect();
        drop(state);
        close(closing);
    }

    /// The connections of a user that are refused.
    fn denied(
        &self,
        (space, user): (&Space, &UserName),
        online_user: &OnlineUser,
        now: OffsetDateTime,
    ) -> Closing {
        let denied = online_user.connections.values().filter_map(|connection| {
            let credentials = &connection.credentials;
            let checked = self.check_denials((space, user), online_user, credentials, now);
            Some((Arc::clone(&connection.outbox), checked.err()?.into()))
        });
        denied.collect()
    }
}

fn with_reason(state: &UsersState, subject: &DenialSubject, reason: CloseReason) -> Closing {
    state.credential_index.outboxes(subject).into_iter().map(|it| (it, reason)).collect()
}

/// The caller holds no lock.
fn close(closing: Closing) {
    for (outbox, reason) in closing {
        close_outboxes(vec![outbox], reason);
    }
}
