//! How a connection of a user is attached to the user's rooms and detached from them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    ConnectionInfo, FullOutboxes, HubState,
    live_room::{ReplayCursor, ReplayMode},
    members::CachedMembership,
    name_claim::{AttachOutcome, AttachRequest, NameClaim, WelcomeSnapshot},
    user_connection::UserConnection,
};
use crate::{
    chat::{event::Delivery, ports::Outbox},
    domain::{ConnectionId, Conversation, UserName},
};

impl HubState {
    pub(super) fn attach(
        &mut self,
        name_claim: &NameClaim,
        request: AttachRequest<'_>,
        welcome: impl FnOnce(WelcomeSnapshot) -> Arc<Delivery>,
    ) -> (AttachOutcome, FullOutboxes) {
        let AttachRequest { connection_info, scope, since } = request;
        self.online_users.sign_ins.add(&connection_info);
        let ConnectionInfo { connection, outbox, device, ticket, .. } = connection_info;
        let (mut outcome, mut full_outboxes) = (AttachOutcome::default(), FullOutboxes::new());
        let Some(online_user) = self.online_users.of_mut(name_claim) else {
            return (outcome, full_outboxes);
        };
        outcome.other_devices = online_user.other_devices(device.as_ref());
        let mut user_connection =
            UserConnection { outbox, device, ticket, scope, rooms: HashMap::new() };
        let cached = online_user.memberships.get_or_insert_default();
        let snapshot = welcome_snapshot(&user_connection, name_claim.user(), cached);
        let rooms: Vec<_> = snapshot.rooms.iter().map(|it| it.room.clone()).collect();
        if user_connection.outbox.push(&welcome(snapshot)).is_err() {
            full_outboxes.push(Arc::clone(&user_connection.outbox));
        }
        for room in rooms {
            let Some(cached) = cached.get(&Conversation::Room(room.clone())) else { continue };
            let since = since.get(&room);
            let since = since.map(|&after| ReplayCursor { after, mode: ReplayMode::Missed });
            let connection_and_user = (connection, name_claim.user());
            let (behind, full) =
                user_connection.enter(&name_claim.hub, connection_and_user, (&room, cached), since);
            outcome.behind.extend(behind);
            full_outboxes.extend(full);
        }
        online_user.connections.insert(connection, user_connection);
        if online_user.pending_connections.remove(&connection).is_none() {
            self.mark_devices_changed(name_claim);
        }
        (outcome, full_outboxes)
    }
}

impl HubState {
    /// The user is on other devices than before.
    pub(super) fn mark_devices_changed(&mut self, name_claim: &NameClaim) {
        self.devices_changed.insert((name_claim.space.clone(), name_claim.user.clone()));
        name_claim.hub.devices_changed.notify_one();
    }

    /// Takes back that a connection is about to come in.
    pub(super) fn cancel_announcement(&mut self, name_claim: &NameClaim, connection: ConnectionId) {
        let online_user = self.online_users.of_mut(name_claim);
        if online_user.is_some_and(|it| it.pending_connections.remove(&connection).is_some()) {
            self.mark_devices_changed(name_claim);
        }
    }

    /// Takes the connection of a name claim away.
    pub(super) fn detach(
        &mut self,
        name_claim: &NameClaim,
        connection_info: &ConnectionInfo,
        until: Duration,
    ) -> Option<Arc<dyn Outbox>> {
        self.online_users.sign_ins.remove(connection_info);
        let user_connection = self
            .online_users
            .of_mut(name_claim)?
            .connections
            .remove(&connection_info.connection)?;
        let outbox = Arc::clone(&user_connection.outbox);
        self.mark_devices_changed(name_claim);
        let connection_and_user = (connection_info.connection, &name_claim.user);
        for place in user_connection.disconnect(&name_claim.hub, connection_and_user, until) {
            self.forget_if_empty(&place);
        }
        Some(outbox)
    }
}

/// What a user is told of on coming.
fn welcome_snapshot(
    user_connection: &UserConnection,
    user: &UserName,
    cached: &HashMap<Conversation, CachedMembership>,
) -> WelcomeSnapshot {
    let mut directs: Vec<_> = cached
        .iter()
        .filter_map(|(conversation, cached)| match conversation {
            Conversation::Direct(one, other) => {
                Some((if one == user { other } else { one }.clone(), cached.tally()))
            }
            Conversation::Room(_) | Conversation::Inbox(_) => None,
        })
        .collect();
    directs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let inbox = cached.get(&Conversation::Inbox(user.clone()));
    WelcomeSnapshot {
        rooms: user_connection.rooms(cached),
        directs,
        inbox: inbox.map(CachedMembership::tally).unwrap_or_default(),
    }
}
