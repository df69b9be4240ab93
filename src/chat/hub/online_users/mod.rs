//! The online users of this node: their names, connections, credentials and cached memberships.

mod changes;
mod connection;
mod credential_index;
mod delivery;
mod denied;
mod device_index;
mod display_names;
mod listing;
mod membership;
mod names;
mod reports;
mod state;
mod transfer;
mod user;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use time::OffsetDateTime;
use tokio::sync::Notify;

pub(crate) use self::{
    changes::StaleMemberships,
    connection::{ConnectionInfo, JoinedRoom},
    delivery::DeliveryProgress,
    membership::{Cause, OldestListed, Scope},
    user::{AttachOutcome, AttachRequest, Proof, WelcomeSnapshot},
};
pub(in crate::chat::hub) use self::{
    delivery::ReadAdvance,
    membership::{ChangeEffects, TypingEnd},
    names::Release,
};
use self::{membership::CachedMembership, state::UsersState, user::OnlineUser};
use super::{
    denials::Denials,
    live_rooms::LiveRooms,
    presence_log::PresenceLog,
    slow_readers::{close_outboxes, close_slow_readers},
    timers::Timers,
    vec_map::VecMap,
};
use crate::{
    chat::{
        event::{Delivery, Tally},
        ports::{ChangeResult, IdentityKind, Membership, UserSeen},
        publisher::Publisher,
    },
    domain::{
        Channel, CloseReason, ConnectionId, Conversation, DeviceId, DeviceSet, Member, Place,
        Rejection, RoomName, Space, UserName,
    },
};

/// The users of this node by space and name.
///
/// One lock guards all of them, so that a user's memberships, the rooms of the user's connections and
/// what these receive change in one step. The live rooms, a room and the timers may be locked while
/// it is held. Events and the reply to `join` are pushed to outboxes under it; slow readers are closed
/// after it.
pub(crate) struct OnlineUsers {
    live_rooms: Arc<LiveRooms>,
    publisher: Arc<Publisher>,
    timers: Arc<Timers>,
    denials: Arc<Denials>,
    presence_grace: Duration,
    presence_log: Arc<PresenceLog>,
    state: Mutex<UsersState>,
    /// Devices of users changed, or guests expired.
    changed: Arc<Notify>,
}

/// One online user. The number distinguishes it from others with the same name before and after.
#[derive(Clone, Debug)]
pub(crate) struct OnlineUserId {
    pub(crate) space: Space,
    pub(crate) user: UserName,
    pub(crate) number: u64,
}

/// One connection of an online user.
#[derive(Clone, Debug)]
pub(crate) struct UserConnectionId {
    pub(crate) online_user: OnlineUserId,
    pub(crate) connection: ConnectionId,
}

impl OnlineUsers {
    pub(super) fn new(
        live_rooms: Arc<LiveRooms>,
        publisher: Arc<Publisher>,
        (timers, presence_grace): (Arc<Timers>, Duration),
        denials: Arc<Denials>,
        presence_log: Arc<PresenceLog>,
    ) -> Self {
        let changed = Arc::new(Notify::new());
        let state = Mutex::new(UsersState::new(Arc::clone(&changed)));
        Self {
            live_rooms,
            publisher,
            timers,
            denials,
            presence_grace,
            presence_log,
            state,
            changed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, UsersState> {
        self.state.lock()
    }

    /// The end of a grace period that begins now.
    fn grace_end(&self) -> Duration {
        self.timers.now() + self.presence_grace
    }
}

/// Users and connections.
impl OnlineUsers {
    /// Whether an online user still holds the name.
    pub(crate) fn holds_name(&self, id: &OnlineUserId) -> bool {
        self.lock().of(id).is_some()
    }

    /// Whether the user is registered, or a guest that still holds the name.
    pub(crate) fn is_current(&self, seen: &UserSeen) -> bool {
        let IdentityKind::Guest(guest_session) = &seen.identity_kind else { return true };
        self.lock().get(&seen.space, &seen.user).is_some_and(|it| it.is_guest(guest_session))
    }

    /// Whether a user is connected to this node or in the grace period.
    pub(crate) fn is_present(&self, space: &Space, user: &UserName) -> bool {
        self.lock().get(space, user).is_some()
    }

    /// Announces a connection: it counts as connected on other nodes before it is attached here.
    pub(super) fn announce(
        &self,
        id: &OnlineUserId,
        connection: ConnectionId,
        device: Option<DeviceId>,
    ) {
        let mut state = self.lock();
        if let Some(online_user) = state.of_mut(id) {
            online_user.pending_connections.insert(connection, device);
            state.reports.report_devices(&id.space, &id.user);
        }
    }

    /// Attaches a connection, unless it was denied or the user lost the name in the meantime.
    pub(super) fn attach(
        &self,
        id: &OnlineUserId,
        request: AttachRequest<'_>,
        welcome: impl FnOnce(WelcomeSnapshot) -> Arc<Delivery>,
    ) -> Result<AttachOutcome, CloseReason> {
        let mut state = self.lock();
        let online_user = state.of(id).ok_or(CloseReason::NameTaken)?;
        let credentials = &request.connection_info.credentials;
        self.check_denials((&id.space, &id.user), online_user, credentials, request.now)?;
        let (outcome, full_outboxes) = state.attach(&self.live_rooms, id, request, welcome)?;
        self.presence_log.user_appeared(&id.space, &id.user);
        drop(state);
        close_slow_readers(full_outboxes);
        Ok(outcome)
    }

    /// Applies the scope of a renewed token to a connection.
    pub(super) fn update_scope(
        &self,
        id: &OnlineUserId,
        connection: ConnectionId,
        scope: Scope,
    ) -> ChangeEffects {
        let mut state = self.lock();
        state.of_mut(id).map_or_else(ChangeEffects::default, |online_user| {
            online_user.update_scope(&self.live_rooms, (connection, &id.user), scope)
        })
    }

    /// Whether a connection uses a token or belongs to a sign-in.
    #[cfg(test)]
    pub(super) fn has_connections(&self, subject: &crate::domain::DenialSubject) -> bool {
        self.lock().credential_index.has_connections(subject)
    }

    /// Begins to close the connections of other devices with a ticket below `ticket`.
    pub(super) fn replace_devices(
        &self,
        (space, user): (&Space, &UserName),
        device: Option<&DeviceId>,
        ticket: u64,
    ) {
        let state = self.lock();
        let online_user = state.get(space, user);
        let replaced = online_user.map(|it| it.replaced_outboxes(device, ticket));
        drop(state);
        close_outboxes(replaced.unwrap_or_default(), CloseReason::Replaced);
    }

    /// The devices with which a user is connected to this node.
    pub(crate) fn devices(&self, space: &Space, user: &UserName) -> DeviceSet {
        self.lock().get(space, user).map(OnlineUser::devices).unwrap_or_default()
    }

    /// The guest session that has a name here, if the guest connected with this device lately.
    pub(crate) fn guest_session(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Option<Box<str>> {
        self.lock().get(space, user)?.guest_session_with(device).map(Into::into)
    }

    /// Whether this is a device of a guest of the space.
    pub(crate) fn is_guest_device(&self, space: &Space, device: &DeviceId) -> bool {
        self.lock().is_guest_device(space, device)
    }

    /// When an online user was last seen with a device, if that was lately.
    pub(crate) fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Option<OffsetDateTime> {
        self.lock().get(space, user)?.device_seen(device)
    }

    /// Records when an online user connected or disconnected with a device.
    pub(crate) fn record_device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
        at: OffsetDateTime,
    ) {
        self.lock().record_device_seen((space, user), device, at);
    }
}

/// Memberships.
impl OnlineUsers {
    /// Caches the memberships that were read from the store for an online user.
    pub(crate) fn cache_memberships(&self, id: &OnlineUserId, memberships: Vec<Membership>) {
        if let Some(online_user) = self.lock().of_mut(id) {
            online_user.cache_memberships(&self.live_rooms, memberships);
        }
    }

    /// Whether the memberships of a user are cached.
    pub(super) fn has_memberships(&self, id: &OnlineUserId) -> bool {
        self.lock().of(id).is_some_and(|it| it.memberships.is_some())
    }

    /// The rooms in which a user is a member.
    pub(super) fn rooms_of(&self, id: &OnlineUserId) -> Vec<Place> {
        let state = self.lock();
        let memberships = state.of(id).and_then(|it| it.memberships.as_ref());
        let memberships = memberships.into_iter().flat_map(VecMap::values);
        memberships.filter_map(CachedMembership::room_place).collect()
    }

    /// The membership of a user in a conversation, and the tally of its log.
    pub(super) fn member(
        &self,
        id: &OnlineUserId,
        conversation: &Conversation,
    ) -> Option<(Member, Tally)> {
        let state = self.lock();
        let cached = state.of(id)?.memberships.as_ref()?.get(conversation)?;
        Some((cached.member, cached.tally()))
    }

    /// Finds a room that a connection is in. `then` is called before any membership changes.
    pub(crate) fn find_room<R>(
        &self,
        id: &UserConnectionId,
        room: &RoomName,
        then: impl FnOnce(Result<JoinedRoom, Rejection>) -> R,
    ) -> R {
        let state = self.lock();
        let found = state.of(&id.online_user).and_then(|it| it.find_room(id.connection, room));
        then(found.ok_or(Rejection::NotMember))
    }

    /// Applies a stored change of a membership.
    pub(super) fn apply_change(
        &self,
        (place, user): (&Place, &UserName),
        changed: &ChangeResult,
        cause: &Cause,
    ) -> ChangeEffects {
        let mut state = self.lock();
        self.live_rooms.set_member_count(place, changed.log.members);
        state.get_mut(&place.space, user).map_or_else(ChangeEffects::default, |online_user| {
            online_user.apply_change(&self.live_rooms, (place, user), changed, cause)
        })
    }

    /// Applies the memberships that the store has now. Returns the conversations with entries that
    /// were not delivered here yet.
    pub(super) fn refresh(
        &self,
        (space, user): (&Space, &UserName),
        memberships: Vec<Membership>,
        stale: &StaleMemberships,
    ) -> (Vec<Place>, ChangeEffects) {
        let mut users = self.lock();
        users.get_mut(space, user).map_or_else(Default::default, |online_user| {
            online_user.refresh(&self.live_rooms, (space, user), memberships, stale)
        })
    }

    /// The users on these channels (or all) whose memberships are cached, and the revisions of the
    /// store that these are from.
    pub(crate) fn on_channels(
        &self,
        channels: Option<&BTreeSet<Channel>>,
    ) -> Vec<((Space, UserName), Option<u64>)> {
        self.lock().revisions(|space, user| {
            let channel = Channel::of_user(space, &user.key());
            channels.is_none_or(|it| it.contains(&channel))
        })
    }
}
