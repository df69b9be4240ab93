//! One connection of a user: the rooms that it is in, and what it is sent about them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    FullOutboxes, Hub,
    live_room::{
        AttachedConnection, LiveRoom, PresenceChange, ReplayCursor, ReplayMode, ReplayStatus,
        RoomKind,
    },
    members::{CachedMembership, Cause, LogSource, Scope},
};
use crate::{
    chat::{
        event::{Event, RoomState, Tally},
        ports::Outbox,
    },
    domain::{ConnectionId, Conversation, DeviceId, Log, Member, Place, Role, RoomName, UserName},
};

/// One connection of a user.
pub(super) struct UserConnection {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) device: Option<DeviceId>,
    /// See [`ConnectionInfo`](super::ConnectionInfo).
    pub(super) ticket: u64,
    pub(super) scope: Scope,
    /// The rooms that it is in.
    pub(super) rooms: HashMap<RoomName, Arc<LiveRoom>>,
}

impl UserConnection {
    /// Enters a room, where the token opens it.
    pub(super) fn enter(
        &mut self,
        hub: &Hub,
        (connection, user): (ConnectionId, &UserName),
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
        let (status, presence_change, full_outboxes) =
            live_room.enter(attached, cursor, &hub.limits);
        // Whoever comes home is told who is there, news or not.
        if presence_change == PresenceChange::Changed || room_kind == RoomKind::Default {
            hub.timers.schedule_presence(live_room.place(), hub.now());
        }
        self.rooms.insert(room.clone(), Arc::clone(live_room));
        let behind = (status != ReplayStatus::Live).then(|| (Arc::clone(live_room), cursor));
        (behind, full_outboxes)
    }

    /// Leaves a room on purpose: the others hear of it at once.
    pub(super) fn leave(
        &mut self,
        hub: &Hub,
        (connection, user): (ConnectionId, &UserName),
        room: &RoomName,
    ) -> FullOutboxes {
        let Some(live_room) = self.rooms.remove(room) else { return FullOutboxes::new() };
        let (presence_change, full_outboxes) = live_room.leave(connection, user, &hub.limits);
        if presence_change == PresenceChange::Changed {
            hub.timers.schedule_presence(live_room.place(), hub.now());
        }
        full_outboxes
    }

    /// Leaves all rooms because the connection is lost: the user has a grace.
    pub(super) fn disconnect(
        self,
        hub: &Hub,
        (connection, user): (ConnectionId, &UserName),
        until: Duration,
    ) -> Vec<Place> {
        let mut places = Vec::with_capacity(self.rooms.len());
        for live_room in self.rooms.into_values() {
            if live_room.disconnect(connection, user, until) {
                hub.timers.schedule_room_expiry(live_room.place(), user, until);
            }
            places.push(live_room.place().clone());
        }
        places
    }

    /// The rooms of a member that the token opens, as the client is told of them: home first.
    pub(super) fn rooms(&self, cached: &HashMap<Conversation, CachedMembership>) -> Vec<RoomState> {
        let state = |(conversation, cached): (&Conversation, &CachedMembership)| {
            self.state(conversation.room()?, cached)
        };
        let mut rooms: Vec<_> = cached.iter().filter_map(state).collect();
        let default_room = &self.scope.default_room;
        rooms.sort_unstable_by(|a, b| {
            (a.room != *default_room, &a.room).cmp(&(b.room != *default_room, &b.room))
        });
        rooms
    }

    /// A room of a member, as the client is told of it, if the token opens it.
    pub(super) fn state(&self, room: &RoomName, cached: &CachedMembership) -> Option<RoomState> {
        let role = self.scope.role(room, cached.member.role)?;
        Some(RoomState { room: room.clone(), role, tally: cached.tally() })
    }

    /// Whether the token opens a conversation. Those that are no rooms are its user's.
    pub(super) fn allows(&self, place: &Place) -> bool {
        let room = place.conversation.room();
        room.is_none_or(|room| self.scope.role(room, Role::Member).is_some())
    }

    /// What the connection is told of its user's being a member, if that is news.
    pub(super) fn membership_event(
        &self,
        place: &Place,
        before: Option<&Member>,
        after: Option<&Member>,
        (log, cause): (&Log, &Cause),
    ) -> Option<Event> {
        let room = place.conversation.room()?;
        let essence = |member: &Member| (member.role, member.muted);
        if before.map(essence) == after.map(essence) {
            return None;
        }
        let state = after.and_then(|member| {
            let role = self.scope.role(room, member.role)?;
            Some(RoomState { room: room.clone(), role, tally: Tally::of(member, log) })
        });
        Some(Event::Membership { room: room.clone(), state, by: cause.by.clone() })
    }
}
