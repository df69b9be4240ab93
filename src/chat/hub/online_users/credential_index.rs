//! The connections of each token with an id, and of each sign-in.

use std::{collections::HashMap, sync::Arc};

use super::connection::ConnectionInfo;
use crate::{
    chat::ports::Outbox,
    domain::{ConnectionId, Credentials, DenialSubject},
};

#[derive(Default)]
pub(super) struct CredentialIndex {
    /// By [`DenialSubject::Token`] and [`DenialSubject::SignIn`].
    open: HashMap<DenialSubject, HashMap<ConnectionId, Arc<dyn Outbox>>>,
}

impl CredentialIndex {
    /// Adds a connection.
    pub(super) fn add(&mut self, connection_info: &ConnectionInfo) {
        for key in keys(&connection_info.credentials) {
            let outboxes = self.open.entry(key).or_default();
            outboxes.insert(connection_info.connection, Arc::clone(&connection_info.outbox));
        }
    }

    /// Removes a connection.
    pub(super) fn remove(&mut self, connection_info: &ConnectionInfo) {
        for key in keys(&connection_info.credentials) {
            if let Some(outboxes) = self.open.get_mut(&key) {
                outboxes.remove(&connection_info.connection);
                if outboxes.is_empty() {
                    self.open.remove(&key);
                }
            }
        }
    }

    /// The connections of a token or a sign-in.
    pub(super) fn outboxes(&self, subject: &DenialSubject) -> Vec<Arc<dyn Outbox>> {
        self.open.get(subject).into_iter().flat_map(|it| it.values().cloned()).collect()
    }

    /// Whether a token or a sign-in has a connection.
    #[cfg(test)]
    pub(super) fn has_connections(&self, subject: &DenialSubject) -> bool {
        self.open.contains_key(subject)
    }
}

fn keys(credentials: &Credentials) -> impl Iterator<Item = DenialSubject> {
    let Credentials { token, issued_at: _, sign_in } = credentials.clone();
    let sign_in = sign_in.map(DenialSubject::SignIn);
    token.map(DenialSubject::Token).into_iter().chain(sign_in)
}
