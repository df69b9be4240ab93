//! Pages of the users that are connected to this node.

use std::collections::{BTreeSet, HashMap};

use super::{OnlineUsers, user::OnlineUser};
use crate::{
    chat::hub::least::least,
    domain::{ConnectionId, DeviceSet, RoomName, Space, UserName},
};

impl OnlineUsers {
    /// Number of users on this node, with those in the grace period.
    pub(crate) fn count(&self) -> usize {
        self.lock().users.len()
    }

    /// The first `count_max` connected users of a space after a name, in the order of their names,
    /// with their devices on this node, and the number of all in the space.
    ///
    /// One pass over the users of the node, as for a presence list.
    pub(crate) fn list(
        &self,
        space: &Space,
        after: Option<&UserName>,
        count_max: usize,
    ) -> (Vec<(UserName, DeviceSet)>, usize) {
        let state = self.lock();
        let online = || {
            let users = state.users.iter().filter(|((of, _), it)| of == space && it.is_connected());
            users.map(|((_, user), _)| user)
        };
        let page = least(online().filter(|user| after.is_none_or(|it| *user > it)), count_max);
        let devices = |user: &UserName| state.get(space, user).map(OnlineUser::devices);
        let page = page.into_iter().filter_map(|user| Some((user.clone(), devices(user)?)));
        (page.collect(), online().count())
    }

    /// The rooms that connections of users are attached to.
    pub(in crate::chat::hub) fn rooms<'a>(
        &self,
        space: &Space,
        connections: impl Iterator<Item = (ConnectionId, &'a UserName)>,
    ) -> HashMap<ConnectionId, BTreeSet<RoomName>> {
        let state = self.lock();
        let rooms = |(connection, user): (_, &UserName)| {
            let attached = state.get(space, user)?.connections.get(&connection)?;
            let rooms = attached.rooms.iter().map(|(room, _)| room.clone()).collect();
            Some((connection, rooms))
        };
        connections.filter_map(rooms).collect()
    }
}
