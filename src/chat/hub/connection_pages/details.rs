//! What the Admin UI shows besides connections: their rooms, and the node.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::ConnectionPages;
use crate::{
    chat::{
        hub::end_log::RecordedEnds,
        ports::{NodeStats, OpenConnection, ROOMS_LISTED_MAX},
    },
    domain::{ConnectionAddress, ConnectionId, RoomName, Space},
};

impl ConnectionPages {
    /// Adds the rooms to connections of this node: those that a user's connection is attached to, the
    /// default room of an anonymous one, and those that emitters and operators have put it in.
    pub(super) fn add_rooms(&self, space: &Space, connections: &mut [OpenConnection]) {
        let identified = connections
            .iter()
            .filter_map(|it| it.user.as_ref().map(|user| (it.address.connection, user)));
        let mut rooms: HashMap<ConnectionId, BTreeSet<RoomName>> =
            self.users.rooms(space, identified);
        let anonymous = connections.iter().filter(|it| it.user.is_none());
        let anonymous: HashSet<_> = anonymous.map(|it| it.address.connection).collect();
        for (connection, room) in self.listeners.rooms(space, &anonymous) {
            rooms.entry(connection).or_default().insert(room);
        }
        for open in connections {
            let connection = open.address.connection;
            let mut all = rooms.remove(&connection).unwrap_or_default();
            let emitter_rooms = self.connections.emitter_rooms_of(connection);
            all.extend(emitter_rooms.iter().filter_map(|it| it.conversation.room().cloned()));
            open.rooms = all.into_iter().take(ROOMS_LISTED_MAX).collect();
        }
    }

    /// What this node says of itself.
    pub(super) fn stats(&self) -> NodeStats {
        let totals = self.connections.totals().connections;
        let mut connections: Vec<_> = totals
            .into_iter()
            .map(|((space, carrier), count)| (space, carrier, count as u64))
            .collect();
        connections.sort_unstable();
        let node = self.publisher.node();
        let RecordedEnds { counts: closed, ends } = self.connections.ends();
        let ended = ends.into_iter().map(|(connection, cause)| {
            let address = ConnectionAddress { node: node.clone(), connection };
            (address, cause)
        });
        NodeStats {
            node: node.clone(),
            host: self.host.get().cloned().unwrap_or_default(),
            process: std::process::id(),
            uptime: self.timers.now(),
            opened: self.connections.opened(),
            connections,
            closed,
            ended: ended.collect(),
            traffic: self.traffic(),
        }
    }
}
