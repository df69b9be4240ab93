//! One connection of a user: the rooms that it is attached to, and the events about them.

use std::{sync::Arc, time::Duration};

use super::membership::{CachedMembership, Cause, LogSource, Memberships, Scope};
use crate::{
    chat::{
        event::{Event, RoomState, Tally},
        hub::{
            live_room::{
                AttachedConnection, FullOutboxes, LiveRoom, ReplayCursor, ReplayMode, ReplayStatus,
            },
            live_rooms::LiveRooms,
            vec_map::VecMap,
        },
        ports::{ChangeResult, Outbox},
    },
    domain::{
        ConnectionId, Credentials, DeviceId, DisplayName, Member, Place, Role, RoomName, UserName,
    },
};

/// A connection that a user identifies on.
#[derive(Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) connection: ConnectionId,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) credentials: Credentials,
    /// Orders the connections of a user across nodes, where a user may be on one device only.
    pub(crate) ticket: u64,
}

/// A room that a connection is in.
pub(crate) struct JoinedRoom {
    pub(crate) live_room: Arc<LiveRoom>,
    /// The state of the room for the user.
    pub(crate) state: RoomState,
}

/// An identified connection of a user.
pub(super) struct UserConnection {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) device: Option<DeviceId>,
    pub(super) credentials: Credentials,
    /// See [`ConnectionInfo`].
    pub(super) ticket: u64,
    pub(super) scope: Scope,
    /// The rooms that it is in.
    pub(super) rooms: VecMap<RoomName, Arc<LiveRoom>>,
}

impl UserConnection {
    pub(super) fn new(connection_info: ConnectionInfo, scope: Scope) -> Self {
        let ConnectionInfo { connection: _, outbox, device, credentials, ticket } = connection_info;
        Self { outbox, device, credentials, ticket, scope, rooms: VecMap::new() }
    }

    /// Enters a room that the token opens. Returns the cursor of a replay that is still to be done.
    pub(super) fn enter(
        &mut self,
        live_rooms: &LiveRooms,
        (connection, user, name): (ConnectionId, &UserName, Option<&DisplayName>),
        (room, cached): (&RoomName, &CachedMembership),
        since: Option<ReplayCursor>,
    ) -> (Option<(Arc<LiveRoom>, ReplayCursor)>, FullOutboxes) {
        let LogSource::LiveRoom(live_room) = &cached.log_source else {
            return (None, FullOutboxes::new());
        };
        if self.rooms.contains_key(room) || self.scope.role(room, cached.member.role).is_none() {
            return (None, FullOutboxes::new());
        }
        let room_kind = self.scope.room_kind(room);
        let (user, outbox) = (user.clone(), Arc::clone(&self.outbox));
        let attached = AttachedConnection { connection, user, outbox, room_kind };
        let live = ReplayCursor { after: live_room.log().head.seq, mode: ReplayMode::Live };
        let cursor = since.unwrap_or(live);
        let (status, full_outboxes) = live_rooms.enter(live_room, (attached, name), cursor);
        self.rooms.insert(room.clone(), Arc::clone(live_room));
        let behind = (status != ReplayStatus::Live).then(|| (Arc::clone(live_room), cursor));
        (behind, full_outboxes)
    }

    /// Leaves a room on purpose: without a grace period.
    pub(super) fn leave(
        &mut self,
        live_rooms: &LiveRooms,
        (connection, user): (ConnectionId, &UserName),
        room: &RoomName,
    ) -> FullOutboxes {
        self.rooms.remove(room).map_or_else(FullOutboxes::new, |live_room| {
            live_rooms.leave(&live_room, connection, user)
        })
    }

    /// Leaves all rooms because the connection is lost. The user's grace period ends at `until`.
    /// Returns the rooms, which may be empty now.
    pub(super) fn disconnect(
        self,
        live_rooms: &LiveRooms,
        (connection, user): (ConnectionId, &UserName),
        until: Duration,
    ) -> Vec<Place> {
        let disconnect = |live_room: Arc<LiveRoom>| {
            live_rooms.disconnect(&live_room, connection, user, until);
            live_room.place().clone()
        };
        self.rooms.into_values().map(disconnect).collect()
    }

    /// The rooms of a member that the token opens, the default room first.
    pub(super) fn rooms(&self, memberships: &Memberships) -> Vec<RoomState> {
        let mut rooms: Vec<_> = memberships
            .iter()
            .filter_map(|(conversation, cached)| self.state(conversation.room()?, cached))
            .collect();
        let default_room = &self.scope.default_room;
        rooms.sort_unstable_by(|a, b| {
            (a.room != *default_room, &a.room).cmp(&(b.room != *default_room, &b.room))
        });
        rooms
    }

    /// The state of a room for a member, if the token opens the room.
    pub(super) fn state(&self, room: &RoomName, cached: &CachedMembership) -> Option<RoomState> {
        let role = self.scope.role(room, cached.member.role)?;
        let (room, topic) = (room.clone(), cached.topic());
        Some(RoomState { room, role, topic, tally: cached.tally() })
    }

    /// Whether the token opens a conversation. Direct conversations and the inbox are always open.
    pub(super) fn allows(&self, place: &Place) -> bool {
        let room = place.conversation.room();
        room.is_none_or(|room| self.scope.role(room, Role::Member).is_some())
    }

    /// The event for a changed membership in a room, if the role or the muting changed.
    pub(super) fn membership_event(
        &self,
        place: &Place,
        changed: &ChangeResult,
        cause: &Cause,
    ) -> Option<Event> {
        let ChangeResult { before, after, log, topic: _, deleted, refused: _ } = changed;
        let room = place.conversation.room()?;
        let visible = |member: &Member| (member.role, member.muted);
        if before.as_ref().map(visible) == after.as_ref().map(visible) {
            return None;
        }
        let state = after.as_ref().and_then(|member| {
            let role = self.scope.role(room, member.role)?;
            // The connection is in the room by now.
            let topic = self.rooms.get(room).and_then(|live_room| live_room.topic());
            let tally = Tally::of(member, log, *deleted);
            Some(RoomState { room: room.clone(), role, topic, tally })
        });
        Some(Event::Membership { room: room.clone(), state, by: cause.by.clone() })
    }
}
