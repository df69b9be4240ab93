//! What other nodes say that concerns the connections of this one.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Hub, LiveRoom, close_outboxes, close_slow_readers,
    live_room::{FullOutboxes, PresenceChange, RemotePresence},
    members::{LogSource, log_source},
    online_users::OnlineUser,
    user_connection::UserConnection,
};
use crate::{
    chat::ports::{ClusterCommand, ClusterEvent, Outbox},
    domain::{Channel, CloseReason, DeviceId, Log, NodeId, Place, Space, UserName},
};

impl Hub {
    /// Takes another node's word for who is in a room there.
    pub(crate) fn apply_remote_presence(
        &self,
        node: &NodeId,
        place: &Place,
        remote_presence: RemotePresence<'_>,
    ) {
        let live_room = self.lock().live_rooms.get(place).cloned();
        if let Some(live_room) = live_room {
            self.handle_presence_change(
                &live_room,
                live_room.apply_remote_presence(node, remote_presence, &self.limits),
            );
        }
    }

    /// A node is no more, and nobody is there.
    pub(crate) fn forget_node(&self, node: &NodeId) {
        for live_room in self.live_rooms(|_| true) {
            self.handle_presence_change(
                &live_room,
                live_room.apply_remote_presence(node, RemotePresence::Snapshot(&[]), &self.limits),
            );
        }
    }

    /// Sees to those who hear of another user in a room.
    fn handle_presence_change(
        &self,
        live_room: &Arc<LiveRoom>,
        (presence_change, full_outboxes): (PresenceChange, FullOutboxes),
    ) {
        close_slow_readers(full_outboxes);
        if presence_change == PresenceChange::Changed {
            self.timers.schedule_presence(live_room.place(), self.now());
        }
    }

    /// Looks after a room whose log stands like this, while the answer is held.
    pub(crate) fn register_interest(self: &Arc<Self>, place: &Place, log: Log) -> RoomInterest {
        let log_source = log_source(&mut self.lock().live_rooms, place, log, &self.publisher);
        let live_room = match log_source {
            LogSource::LiveRoom(live_room) => Some(live_room),
            LogSource::Local(_) => None,
        };
        RoomInterest { hub: Arc::clone(self), place: place.clone(), live_room }
    }

    /// Tells the other nodes who is in a room here.
    pub(crate) fn publish_roster(&self, place: &Place) {
        let live_room = self.lock().live_rooms.get(place).cloned();
        match live_room {
            Some(live_room) => {
                live_room.publish_roster(self.publisher.is_lease_expired().then(|| self.now()));
            }
            None => self
                .publisher
                .publish_to_place(place, || ClusterEvent::Roster(place.clone(), vec![])),
        }
    }

    /// The rooms here that are spoken of on these channels.
    pub(crate) fn rooms_on(&self, channels: Option<&BTreeSet<Channel>>) -> Vec<Arc<LiveRoom>> {
        self.live_rooms(|place| {
            channels.is_none_or(|it| Channel::of(place).any(|channel| it.contains(&channel)))
        })
    }

    fn live_rooms(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Arc<LiveRoom>> {
        let state = self.lock();
        state.live_rooms.values().filter(|live_room| wanted(live_room.place())).cloned().collect()
    }

    /// The users here who are spoken of on these channels, with the revisions of which this node knows
    /// where they are members.
    pub(crate) fn users_on(
        &self,
        channels: Option<&BTreeSet<Channel>>,
    ) -> Vec<((Space, UserName), Option<u64>)> {
        self.lock().online_users.revisions(|space, user| {
            let channel = Channel::of_user(space, &user.key());
            channels.is_none_or(|it| it.contains(&channel))
        })
    }

    /// Does here what all nodes are to do.
    pub(crate) fn apply_command(&self, command: &ClusterCommand) {
        match command {
            ClusterCommand::EndSignIn(sign_in) => self.sign_out(sign_in),
            ClusterCommand::RevokeGuestNames { space, user } => {
                self.revoke_guest_names(space, user);
            }
            ClusterCommand::ReplaceDevices { space, user, device, ticket } => {
                let state = self.lock();
                let online_user = state.online_users.get(space, user);
                let replaced_outboxes =
                    online_user.map(|it| it.replaced_outboxes(device.as_ref(), *ticket));
                drop(state);
                close_outboxes(replaced_outboxes.unwrap_or_default(), CloseReason::Replaced);
            }
        }
    }

    /// Takes a name that is a user's from the guests here who look alike.
    fn revoke_guest_names(&self, space: &Space, user: &UserName) {
        let mut state = self.lock();
        let evicted = state.online_users.evict_guests(space, user);
        let mut outboxes = Vec::new();
        for (name, online_user) in evicted {
            outboxes.extend(
                online_user
                    .connections
                    .values()
                    .map(|user_connection| Arc::clone(&user_connection.outbox)),
            );
            state.release_user(self, space, &name, online_user);
        }
        drop(state);
        close_outboxes(outboxes, CloseReason::NameTaken);
    }

    /// A guest's name is somebody else's since this node was not alive for a while.
    pub(crate) fn revoke_guest_name(&self, space: &Space, user: &UserName, guest_session: &str) {
        let mut state = self.lock();
        let is_theirs =
            state.online_users.get(space, user).is_some_and(|it| it.is_guest(guest_session));
        let online_user = if is_theirs { state.online_users.remove(space, user) } else { None };
        let Some(online_user) = online_user else { return };
        let outboxes = online_user
            .connections
            .values()
            .map(|user_connection| Arc::clone(&user_connection.outbox))
            .collect();
        state.release_user(self, space, user, online_user);
        drop(state);
        close_outboxes(outboxes, CloseReason::NameTaken);
    }
}

/// A room that is looked after, though nobody may be in it here.
#[must_use = "the room is let go of when this is dropped"]
pub(crate) struct RoomInterest {
    hub: Arc<Hub>,
    place: Place,
    live_room: Option<Arc<LiveRoom>>,
}

impl Drop for RoomInterest {
    fn drop(&mut self) {
        self.live_room = None;
        self.hub.lock().forget_if_empty(&self.place);
    }
}

impl OnlineUser {
    /// The connections of other devices that came before this ticket was drawn.
    fn replaced_outboxes(&self, device: Option<&DeviceId>, ticket: u64) -> Vec<Arc<dyn Outbox>> {
        let is_other = |user_connection: &UserConnection| {
            user_connection.device.is_none() || user_connection.device.as_ref() != device
        };
        let connections = self.connections.values().filter(|it| is_other(it) && it.ticket < ticket);
        connections.map(|user_connection| Arc::clone(&user_connection.outbox)).collect()
    }
}
