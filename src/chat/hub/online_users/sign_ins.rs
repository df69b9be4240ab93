//! The connections of each sign-in, and the sign-ins that were ended.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::connection::ConnectionInfo;
use crate::{
    chat::ports::Outbox,
    domain::{ConnectionId, SignInId},
};

/// How many ended sign-ins are remembered. More push out the oldest.
const ENDED_MAX: usize = 1 << 16;

/// Sign-ins are made by `POST /api/session`, and ended by `DELETE`.
#[derive(Default)]
pub(super) struct SignIns {
    open: HashMap<SignInId, HashMap<ConnectionId, Arc<dyn Outbox>>>,
    /// Sign-ins whose tokens are refused.
    ended: HashSet<SignInId>,
    /// The same, the oldest first.
    in_order: VecDeque<SignInId>,
}

impl SignIns {
    /// Adds a connection to its sign-in.
    pub(super) fn add(&mut self, connection_info: &ConnectionInfo) {
        if let Some(sign_in) = &connection_info.sign_in {
            let outboxes = self.open.entry(sign_in.clone()).or_default();
            outboxes.insert(connection_info.connection, Arc::clone(&connection_info.outbox));
        }
    }

    /// Removes a connection.
    pub(super) fn remove(&mut self, connection_info: &ConnectionInfo) {
        let Some(sign_in) = &connection_info.sign_in else { return };
        if let Some(outboxes) = self.open.get_mut(sign_in) {
            outboxes.remove(&connection_info.connection);
            if outboxes.is_empty() {
                self.open.remove(sign_in);
            }
        }
    }

    /// Ends a sign-in. Returns its connections.
    pub(super) fn end(&mut self, sign_in: &SignInId) -> Vec<Arc<dyn Outbox>> {
        if self.ended.insert(sign_in.clone()) {
            self.in_order.push_back(sign_in.clone());
        }
        if self.in_order.len() > ENDED_MAX
            && let Some(first) = self.in_order.pop_front()
        {
            self.ended.remove(&first);
        }
        self.open.get(sign_in).into_iter().flat_map(|it| it.values().cloned()).collect()
    }

    /// Whether a connection belongs to a sign-in.
    #[cfg(test)]
    pub(super) fn has_open_connections(&self, sign_in: &SignInId) -> bool {
        self.open.contains_key(sign_in)
    }

    /// Whether a sign-in was ended, as far as it is remembered.
    pub(super) fn has_ended(&self, sign_in: &SignInId) -> bool {
        self.ended.contains(sign_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_sign_ins_are_bounded_and_recorded_once() {
        let mut sign_ins = SignIns::default();
        let id = |number: usize| SignInId::from_raw(&number.to_string());
        for number in 0..=ENDED_MAX {
            drop(sign_ins.end(&id(number)));
            drop(sign_ins.end(&id(number)));
        }
        assert!(!sign_ins.has_ended(&id(0)));
        assert!(sign_ins.has_ended(&id(1)) && sign_ins.has_ended(&id(ENDED_MAX)));
        assert_eq!(sign_ins.in_order.len(), ENDED_MAX);
    }
}
