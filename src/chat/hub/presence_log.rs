//! What webhooks are told of the presence on this node: which users, rooms and connections appeared and
//! are gone since that was recorded last.
//!
//! The hub writes to it under the lock of what changes, so changes of a subject are in their order. The
//! lock here is the innermost one. A task records the changes; while it cannot, a subject that comes
//! back before its end was recorded has not been gone.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::error;

use crate::{
    chat::ports::{ConnectionEnd, PresenceKind, PresenceSubject, PresentClient},
    domain::{
        CloseReason, ConnectionAddress, Place, Space, UserName, WebhookEventKind, WebhookRules,
    },
};

/// Changes that one transaction records.
const TAKE_MAX: usize = 1000;
/// Changes that wait. Past it, connections that came and went meanwhile are not told of; users and
/// rooms are as many as are present or recorded.
const PENDING_MAX: usize = 100_000;

/// See the module.
pub(crate) struct PresenceLog {
    /// `None` if no webhook is told of presence.
    rules: Option<Arc<WebhookRules>>,
    state: Mutex<LogState>,
    changed: Notify,
}

#[derive(Default)]
struct LogState {
    /// What is recorded as present, or is being recorded.
    recorded: HashMap<PresenceSubject, PresentClient>,
    /// What is to be recorded.
    pending: BTreeMap<PresenceSubject, Pending>,
    is_overflowing: bool,
}

/// The changes of a subject. If there are both, it appeared and is gone since.
#[derive(Default)]
struct Pending {
    appeared: Option<PresentClient>,
    gone: Option<ConnectionEnd>,
}

/// Changes to record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PresenceChanges {
    pub(crate) appeared: Vec<(PresenceSubject, PresentClient)>,
    /// After they appeared.
    pub(crate) gone: Vec<(PresenceSubject, ConnectionEnd)>,
}

impl PresenceChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.appeared.is_empty() && self.gone.is_empty()
    }
}

impl PresenceLog {
    /// A log for webhooks with these rules, if there are any.
    pub(super) fn new(rules: Option<Arc<WebhookRules>>) -> Arc<Self> {
        const KINDS: [WebhookEventKind; 5] = [
            WebhookEventKind::UserOnline,
            WebhookEventKind::UserOffline,
            WebhookEventKind::RoomOccupied,
            WebhookEventKind::RoomVacated,
            WebhookEventKind::ConnectionClosed,
        ];
        let rules = rules.filter(|rules| rules.want_anywhere(&KINDS));
        Arc::new(Self { rules, state: Mutex::default(), changed: Notify::new() })
    }

    /// Whether a webhook is told of presence.
    pub(crate) fn is_on(&self) -> bool {
        self.rules.is_some()
    }

    /// Whether a webhook is told of the end of connections.
    pub(crate) fn wants_connections(&self) -> bool {
        let kinds = [WebhookEventKind::ConnectionClosed];
        self.rules.as_ref().is_some_and(|rules| rules.want_anywhere(&kinds))
    }

    /// A user has a connection.
    pub(super) fn user_appeared(&self, space: &Space, user: &UserName) {
        self.appeared(space, || PresenceKind::User(user.clone()), PresentClient::default());
    }

    /// The last connection of a user and its grace period have ended.
    pub(super) fn user_gone(&self, space: &Space, user: &UserName) {
        self.gone(space, || PresenceKind::User(user.clone()), ConnectionEnd::ByClient);
    }

    /// A room has a user.
    pub(super) fn room_appeared(&self, place: &Place) {
        let Some(room) = place.conversation.room() else { return };
        self.appeared(&place.space, || PresenceKind::Room(room.clone()), PresentClient::default());
    }

    /// A room has no user any more, connected or in a grace period.
    pub(super) fn room_gone(&self, place: &Place) {
        let Some(room) = place.conversation.room() else { return };
        self.gone(&place.space, || PresenceKind::Room(room.clone()), ConnectionEnd::ByClient);
    }

    /// A connection is open, and this is its client now.
    pub(super) fn connection_appeared(
        &self,
        space: &Space,
        address: impl FnOnce() -> ConnectionAddress,
        client: PresentClient,
    ) {
        self.appeared(space, || PresenceKind::Connection(address()), client);
    }

    /// A connection has ended.
    pub(super) fn connection_gone(
        &self,
        space: &Space,
        address: impl FnOnce() -> ConnectionAddress,
        reason: ConnectionEnd,
    ) {
        self.gone(space, || PresenceKind::Connection(address()), reason);
    }

    /// Waits until something is to be recorded. Cancel-safe.
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Takes a bounded number of changes. The caller records them before it takes more.
    pub(crate) fn take(&self) -> PresenceChanges {
        let mut state = self.state.lock();
        let mut changes = PresenceChanges::default();
        while changes.appeared.len() + changes.gone.len() < TAKE_MAX {
            let Some((subject, Pending { appeared, gone })) = state.pending.pop_first() else {
                break;
            };
            if let Some(client) = appeared {
                state.recorded.insert(subject.clone(), client.clone());
                changes.appeared.push((subject.clone(), client));
            }
            if let Some(reason) = gone {
                state.recorded.remove(&subject);
                changes.gone.push((subject, reason));
            }
        }
        state.is_overflowing &= state.pending.len() >= PENDING_MAX;
        changes
    }

    /// How many subjects are recorded as present, if nothing is to be recorded.
    pub(crate) fn recorded(&self) -> Option<usize> {
        let state = self.state.lock();
        state.pending.is_empty().then_some(state.recorded.len())
    }

    /// Records everything anew that is present: the records of this node were removed meanwhile.
    pub(crate) fn record_again(&self) {
        let mut state = self.state.lock();
        for (subject, client) in mem::take(&mut state.recorded) {
            let pending = state.pending.entry(subject).or_default();
            pending.appeared.get_or_insert(client);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Records that nothing is present any more: the node leaves.
    pub(crate) fn end_all(&self) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.pending.retain(|_, it| it.appeared.is_none() || it.gone.is_some());
        for subject in state.recorded.keys() {
            let pending = state.pending.entry(subject.clone()).or_default();
            pending.gone.get_or_insert(ConnectionEnd::ByServer(CloseReason::DRAINING));
        }
    }

    /// Whether webhooks are told of events of these kinds in the space. Otherwise nothing is kept.
    fn wants(&self, space: &Space, kind: &PresenceKind) -> bool {
        use WebhookEventKind as Kind;
        let Some(rules) = &self.rules else { return false };
        match kind {
            PresenceKind::User(_) => rules.want_any(&[Kind::UserOnline, Kind::UserOffline], space),
            PresenceKind::Room(_) => {
                rules.want_any(&[Kind::RoomOccupied, Kind::RoomVacated], space)
            }
            PresenceKind::Connection(_) => rules.want_any(&[Kind::ConnectionClosed], space),
        }
    }

    fn appeared(&self, space: &Space, kind: impl FnOnce() -> PresenceKind, client: PresentClient) {
        if self.is_on() {
            self.change(space, kind(), |state, subject| state.appeared(subject, client));
        }
    }

    fn gone(&self, space: &Space, kind: impl FnOnce() -> PresenceKind, reason: ConnectionEnd) {
        if self.is_on() {
            self.change(space, kind(), |state, subject| state.gone(subject, reason));
        }
    }

    fn change(
        &self,
        space: &Space,
        kind: PresenceKind,
        apply: impl FnOnce(&mut LogState, PresenceSubject),
    ) {
        if self.wants(space, &kind) {
            apply(&mut self.state.lock(), PresenceSubject { space: space.clone(), kind });
            self.changed.notify_one();
        }
    }
}

impl LogState {
    fn appeared(&mut self, subject: PresenceSubject, client: PresentClient) {
        let recorded = self.recorded.get(&subject);
        if let Some(pending) = self.pending.get_mut(&subject) {
            pending.gone = None;
            pending.appeared = Some(client);
            if recorded == pending.appeared.as_ref() {
                self.pending.remove(&subject);
            }
        } else if recorded != Some(&client) {
            self.pending.insert(subject, Pending { appeared: Some(client), gone: None });
        }
    }

    fn gone(&mut self, subject: PresenceSubject, reason: ConnectionEnd) {
        if let Some(pending) = self.pending.get_mut(&subject) {
            pending.gone.get_or_insert(reason);
            self.drop_if_overflowing(&subject);
        } else if self.recorded.contains_key(&subject) {
            self.pending.insert(subject, Pending { appeared: None, gone: Some(reason) });
        }
    }

    /// Drops a subject that came and went while nothing could be recorded.
    fn drop_if_overflowing(&mut self, subject: &PresenceSubject) {
        if self.pending.len() <= PENDING_MAX || self.recorded.contains_key(subject) {
            return;
        }
        self.pending.remove(subject);
        if !mem::replace(&mut self.is_overflowing, true) {
            error!(pending.max = PENDING_MAX, "presence changes dropped: webhooks miss some");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConnectionId, NodeId, WebhookName, WebhookRule};

    fn log(kinds: &[WebhookEventKind]) -> Arc<PresenceLog> {
        let (name, kinds) = (WebhookName::from_raw("a"), kinds.iter().copied().collect());
        let rule = WebhookRule { name, kinds, spaces: Vec::new() };
        PresenceLog::new(Some(Arc::new(WebhookRules::new(vec![rule]))))
    }

    fn ann() -> UserName {
        UserName::from_raw("ann")
    }

    fn counts(log: &PresenceLog) -> (usize, usize) {
        let changes = log.take();
        (changes.appeared.len(), changes.gone.len())
    }

    #[test]
    fn a_user_appears_and_is_gone() {
        let (log, root) = (log(&[WebhookEventKind::UserOffline]), Space::root());
        log.user_gone(&root, &ann());
        assert!(log.take().is_empty(), "who was not there is not gone");
        log.user_appeared(&root, &ann());
        log.user_appeared(&root, &ann());
        assert_eq!(log.recorded(), None, "something is to be recorded");
        assert_eq!(counts(&log), (1, 0));
        assert_eq!(log.recorded(), Some(1));
        log.user_appeared(&root, &ann());
        assert!(log.take().is_empty(), "it is recorded");
        log.user_gone(&root, &ann());
        assert_eq!(counts(&log), (0, 1));
        assert_eq!(log.recorded(), Some(0));
    }

    #[test]
    fn what_changes_before_it_is_recorded_is_one_change() {
        let (log, root) = (log(&[WebhookEventKind::UserOnline]), Space::root());
        log.user_appeared(&root, &ann());
        log.user_gone(&root, &ann());
        assert_eq!(counts(&log), (1, 1), "both are told");
        log.user_appeared(&root, &ann());
        log.take();
        log.user_gone(&root, &ann());
        log.user_appeared(&root, &ann());
        assert!(log.take().is_empty(), "the user has not been gone");
    }

    #[test]
    fn a_connection_is_recorded_again_with_its_user() {
        let (log, root) = (log(&[WebhookEventKind::ConnectionClosed]), Space::root());
        let node = NodeId::from_raw("n");
        let address = || ConnectionAddress { node, connection: ConnectionId::from_raw(1) };
        let client = PresentClient { user: Some(ann()), address: None };
        log.connection_appeared(&root, address.clone(), PresentClient::default());
        assert_eq!(counts(&log), (1, 0));
        log.connection_appeared(&root, address.clone(), client.clone());
        log.user_appeared(&root, &ann());
        let appeared = log.take().appeared;
        assert_eq!(appeared.iter().map(|it| &it.1).collect::<Vec<_>>(), [&client]);
        log.connection_gone(&root, address, ConnectionEnd::ByClient);
        assert_eq!(counts(&log), (0, 1));
    }

    #[test]
    fn everything_is_recorded_again_or_ended() {
        let (log, root) = (log(&[WebhookEventKind::UserOnline]), Space::root());
        log.user_appeared(&root, &ann());
        log.take();
        log.record_again();
        assert_eq!(counts(&log), (1, 0));
        log.user_appeared(&root, &UserName::from_raw("bob"));
        log.end_all();
        assert_eq!(counts(&log), (0, 1), "bob was never told of");
        assert_eq!(log.recorded(), Some(0));
    }

    #[test]
    fn nothing_is_kept_that_no_webhook_wants() {
        let root = Space::root();
        for log in [PresenceLog::new(None), log(&[WebhookEventKind::MessageStored])] {
            log.user_appeared(&root, &ann());
            assert!(!log.is_on() && log.take().is_empty());
        }
        let log = log(&[WebhookEventKind::RoomVacated]);
        log.user_appeared(&root, &ann());
        assert!(log.is_on() && log.take().is_empty());
    }
}
