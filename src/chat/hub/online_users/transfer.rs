//! What a connection was sent, for another node that continues its session.

use std::sync::Arc;

use super::{OnlineUsers, UserConnectionId, membership::LogSource};
use crate::{
    chat::hub::{
        live_room::{LiveRoom, ReplayStatus},
        vec_map::VecMap,
    },
    domain::{Place, Seq},
};

impl OnlineUsers {
    /// The last entry that a connection was sent, by conversation. `None` while it catches up.
    pub(in crate::chat::hub) fn positions(
        &self,
        id: &UserConnectionId,
    ) -> Option<Vec<(Place, Seq)>> {
        let state = self.lock();
        let online_user = state.of(&id.online_user)?;
        let mut positions = Vec::new();
        for live_room in online_user.connections.get(&id.connection)?.rooms.values() {
            if live_room.replay_status(id.connection) != ReplayStatus::Live {
                return None;
            }
            positions.push((live_room.place().clone(), live_room.log().head.seq));
        }
        let memberships = online_user.memberships.iter().flat_map(VecMap::iter);
        positions.extend(memberships.filter_map(|(conversation, cached)| {
            let LogSource::Local(log) = &cached.log_source else { return None };
            let space = id.online_user.space.clone();
            let place = Place { space, conversation: conversation.clone() };
            Some((place, log.log().head.seq))
        }));
        Some(positions)
    }

    /// Sends a connection no more entries of rooms. Returns the last one that it was sent, by room.
    /// `None` while it catches up.
    pub(in crate::chat::hub) fn pause(&self, id: &UserConnectionId) -> Option<Vec<(Place, Seq)>> {
        let state = self.lock();
        let rooms = &state.of(&id.online_user)?.connections.get(&id.connection)?.rooms;
        let pause = |live_room: &Arc<LiveRoom>| {
            Some((live_room.place().clone(), live_room.pause(id.connection)?))
        };
        rooms.values().map(pause).collect()
    }
}
