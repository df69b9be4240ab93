//! A name that is somebody's while this is held; and, once they have settled, a connection of theirs.

use std::{collections::BTreeMap, mem, sync::Arc, time::Duration};

use super::{
    ConnectionInfo, FullOutboxes, Hub, HubState, Proof, close_outboxes, close_slow_readers,
    live_room::{LiveRoom, ReplayCursor},
    members::Scope,
};
use crate::{
    chat::{
        event::{Delivery, Event, RoomState, Tally},
        ports::Outbox,
    },
    domain::{
        CloseReason, ConnectionId, Conversation, DeviceId, Log, Member, Place, Rejection, Role,
        RoomName, Seq, Space, UserName,
    },
};

/// A name that is taken while this is held, and for the grace after it.
#[must_use = "the name is given back when this is dropped"]
pub(crate) struct NameClaim {
    pub(super) hub: Arc<Hub>,
    pub(super) space: Space,
    pub(super) user: UserName,
    online_user_id: u64,
    /// The connection that is about to come in.
    pending_connection: Option<ConnectionId>,
    connection_info: Option<ConnectionInfo>,
    /// Whether somebody may come back for the name.
    has_grace: bool,
}

impl std::fmt::Debug for NameClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameClaim").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What somebody finds who comes in.
#[derive(Debug, Default)]
pub(crate) struct WelcomeSnapshot {
    /// The rooms they are in, home first.
    pub(crate) rooms: Vec<RoomState>,
    /// The users with whom they talked.
    pub(crate) directs: Vec<(UserName, Tally)>,
    /// What they are notified of.
    pub(crate) inbox: Tally,
}

/// A connection of a user, for those who come across it later.
#[derive(Clone, Debug)]
pub(crate) struct UserConnectionId {
    space: Space,
    user: UserName,
    online_user_id: u64,
    connection: ConnectionId,
}

/// A room that a connection is in.
pub(crate) struct JoinedRoom {
    pub(crate) live_room: Arc<LiveRoom>,
    /// As its user finds it.
    pub(crate) state: RoomState,
}

impl Hub {
    /// Looks a room up for a connection that is in it. `then` is called before anything else happens to
    /// anybody's memberships.
    pub(crate) fn find_room(
        &self,
        id: &UserConnectionId,
        room: &RoomName,
        then: impl FnOnce(Result<JoinedRoom, Rejection>),
    ) {
        let state = self.lock();
        then(state.find_room(id, room).ok_or(Rejection::NotMember));
    }
}

impl HubState {
    fn find_room(&self, id: &UserConnectionId, room: &RoomName) -> Option<JoinedRoom> {
        let UserConnectionId { space, user, online_user_id: id, connection } = id;
        let online_user = self.online_users.get(space, user).filter(|it| it.id == *id)?;
        let user_connection = online_user.connections.get(connection)?;
        let live_room = Arc::clone(user_connection.rooms.get(room)?);
        let cached = online_user.memberships.as_ref()?.get(&live_room.place().conversation)?;
        Some(JoinedRoom { live_room, state: user_connection.state(room, cached)? })
    }
}

/// Somebody who comes in on a connection.
pub(crate) struct AttachRequest<'a> {
    pub(crate) connection_info: ConnectionInfo,
    pub(crate) scope: Scope,
    /// The last entry that the client has, per room.
    pub(crate) since: &'a BTreeMap<RoomName, Seq>,
}

/// Somebody came in.
#[derive(Default)]
pub(crate) struct AttachOutcome {
    /// The connections of other devices that were there before.
    pub(crate) other_devices: Vec<Arc<dyn Outbox>>,
    /// The rooms in which the connection has to catch up, and from where.
    pub(crate) behind: Vec<(Arc<LiveRoom>, ReplayCursor)>,
}

impl NameClaim {
    /// Claims a name, or says that somebody has it.
    pub(crate) fn claim(
        hub: &Arc<Hub>,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<Self, Rejection> {
        let mut state = hub.lock();
        let (online_user_id, evicted) =
            state.online_users.claim(space, user, proof, &hub.publisher)?;
        let mut outboxes = Vec::new();
        for (name, online_user) in evicted {
            outboxes.extend(
                online_user
                    .connections
                    .values()
                    .map(|user_connection| Arc::clone(&user_connection.outbox)),
            );
            state.release_user(hub, space, &name, online_user);
        }
        drop(state);
        close_outboxes(outboxes, CloseReason::NameTaken);
        let (hub, space, user) = (Arc::clone(hub), space.clone(), user.clone());
        Ok(Self {
            hub,
            space,
            user,
            online_user_id,
            pending_connection: None,
            connection_info: None,
            has_grace: false,
        })
    }

    /// The name.
    pub(crate) fn user(&self) -> &UserName {
        &self.user
    }

    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// Which of those who had the name this is.
    pub(crate) fn online_user_id(&self) -> u64 {
        self.online_user_id
    }

    /// Gives the name back, but keeps it for the grace: whoever has it is about to come.
    pub(crate) fn reserve(mut self) {
        self.has_grace = true;
    }

    /// Is about to come in on a connection: the other nodes are told beforehand, so that nobody hears
    /// of the user before they count.
    pub(crate) fn announce_connection(
        &mut self,
        connection: ConnectionId,
        device: Option<DeviceId>,
    ) {
        self.pending_connection = Some(connection);
        let mut state = self.hub.lock();
        if let Some(online_user) = state.online_users.of_mut(self) {
            online_user.pending_connections.insert(connection, device);
            state.mark_devices_changed(self);
        }
    }

    /// Whether it is known here where the user is a member.
    pub(crate) fn has_memberships(&self) -> bool {
        self.hub.lock().online_users.of(self).is_some_and(|it| it.memberships.is_some())
    }

    /// The rooms in which the user is a member.
    pub(crate) fn rooms(&self) -> Vec<Place> {
        let state = self.hub.lock();
        let cached = state.online_users.of(self).and_then(|it| it.memberships.as_ref());
        cached.into_iter().flatten().filter_map(|(_, cached)| cached.place()).collect()
    }

    /// What the user is in a conversation, and how its log stands.
    pub(crate) fn member(&self, conversation: &Conversation) -> Option<(Member, Log)> {
        let state = self.hub.lock();
        let cached = state.online_users.of(self)?.memberships.as_ref()?.get(conversation)?;
        Some((cached.member, cached.log()))
    }

    /// The connection, once it has settled.
    pub(crate) fn user_connection_id(&self) -> Option<UserConnectionId> {
        let (space, user) = (self.space.clone(), self.user.clone());
        let connection = self.connection_info.as_ref()?.connection;
        Some(UserConnectionId { space, user, online_user_id: self.online_user_id, connection })
    }

    /// A room that the connection is in, and what its user may do there.
    pub(crate) fn room(&self, room: &RoomName) -> Result<(Arc<LiveRoom>, Role), Rejection> {
        let id = self.user_connection_id().ok_or(Rejection::NotMember)?;
        let found = self.hub.lock().find_room(&id, room).ok_or(Rejection::NotMember)?;
        Ok((found.live_room, found.state.role))
    }

    /// Comes in on a connection: it hears `welcome`, which is made of what the user has here, and is in
    /// all their rooms from there on. Whoever comes too late, because the name or the sign-in is gone,
    /// is told so.
    pub(crate) fn attach(
        &mut self,
        request: AttachRequest<'_>,
        welcome: impl FnOnce(WelcomeSnapshot) -> Arc<Delivery>,
    ) -> AttachOutcome {
        let outbox = Arc::clone(&request.connection_info.outbox);
        self.connection_info = Some(request.connection_info.clone());
        self.has_grace = true;
        let mut state = self.hub.lock();
        let checked = state.online_users.check_attach(self, &request.connection_info);
        let outcome = checked.map(|()| state.attach(self, request, welcome));
        drop(state);
        match outcome {
            Ok((outcome, full_outboxes)) => {
                close_slow_readers(full_outboxes);
                outcome
            }
            Err(reason) => {
                outbox.close(reason);
                AttachOutcome::default()
            }
        }
    }

    /// Lets the connection into the rooms that a fresh token opens, and out of the others, and tells it
    /// what is another one now.
    pub(crate) fn update_scope(&self, scope: Scope) {
        let Some(connection_info) = &self.connection_info else { return };
        let mut guard = self.hub.lock();
        let state = &mut *guard;
        let Some(online_user) = state.online_users.of_mut(self) else { return };
        let Some(user_connection) = online_user.connections.get_mut(&connection_info.connection)
        else {
            return;
        };
        let Some(cached) = &online_user.memberships else { return };
        let before = mem::replace(&mut user_connection.scope, scope);
        let connection_and_user = (connection_info.connection, &self.user);
        let mut full_outboxes = FullOutboxes::new();
        for (conversation, cached) in cached {
            let Some(room) = conversation.room() else { continue };
            let role = |scope: &Scope| scope.role(room, cached.member.role);
            if role(&before) == role(&user_connection.scope) {
                continue;
            }
            let state = user_connection.state(room, cached);
            let event = Event::Membership { room: room.clone(), state, by: None };
            if user_connection.outbox.push(&Delivery::new(event)).is_err() {
                full_outboxes.push(Arc::clone(&user_connection.outbox));
            }
            if role(&user_connection.scope).is_none() {
                full_outboxes.extend(user_connection.leave(&self.hub, connection_and_user, room));
            } else {
                full_outboxes.extend(
                    user_connection.enter(&self.hub, connection_and_user, (room, cached), None).1,
                );
            }
        }
        drop(guard);
        close_slow_readers(full_outboxes);
    }
}

impl Drop for NameClaim {
    fn drop(&mut self) {
        let mut guard = self.hub.lock();
        let state = &mut *guard;
        // One grace for the name and for all rooms.
        let now = self.hub.now();
        let grace = if self.has_grace { self.hub.limits.presence_grace } else { Duration::ZERO };
        let until = now + grace;
        // What is dropped with the last outbox is not the business of whoever waits for the lock.
        let connection_info = self.connection_info.as_ref();
        let outbox =
            connection_info.and_then(|connection_info| state.detach(self, connection_info, until));
        if let Some(connection) = self.pending_connection {
            state.cancel_announcement(self, connection);
        }
        let mut is_last = false;
        if let Some(online_user) = state.online_users.of_mut(self) {
            online_user.claims -= 1;
            online_user.free_at = online_user.free_at.max(until);
            is_last = online_user.claims == 0;
        }
        if is_last && !self.has_grace {
            state.expire(&self.hub, &self.space, &self.user, now);
        }
        drop(guard);
        drop(outbox);
        if let Some(connection_info) = &self.connection_info {
            self.hub.stop_typing_on(connection_info.connection);
        }
        if is_last && self.has_grace {
            self.hub.timers.schedule_name_expiry(&self.space, &self.user, until);
        }
    }
}
