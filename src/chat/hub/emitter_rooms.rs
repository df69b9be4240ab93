//! Rooms in which a Redis emitter puts single connections (`socketsJoin`).
//!
//! Such a room is no membership: nothing is stored, and only events of emitters reach it. It ends
//! with the connection.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;

use super::connection_map::ConnectionMap;
use crate::domain::{ConnectionId, Place};

/// Rooms per connection. An emitter puts a connection in no further ones.
const ROOMS_PER_CONNECTION_MAX: usize = 1000;

/// The connections of this node by the rooms that emitters put them in.
///
/// The lock of the node's connections may be taken while the lock is held, but not the other way.
#[derive(Default)]
pub(super) struct EmitterRooms {
    state: Mutex<EmitterRoomsState>,
}

#[derive(Default)]
struct EmitterRoomsState {
    /// None of the maps in it is empty.
    rooms: HashMap<Place, ConnectionMap>,
    /// Each pair in `rooms`, the other way round.
    by_connection: HashMap<ConnectionId, BTreeSet<Place>>,
}

impl EmitterRooms {
    /// Puts connections in a room. `is_open` says whether a connection still exists: one that does not
    /// is left out, because [`Self::forget`] was called for it.
    pub(super) fn join(
        &self,
        place: &Place,
        connections: &ConnectionMap,
        is_open: impl Fn(ConnectionId) -> bool,
    ) {
        let mut state = self.state.lock();
        for (connection, outbox) in connections {
            if !is_open(*connection) {
                continue;
            }
            let places = state.by_connection.entry(*connection).or_default();
            if places.len() < ROOMS_PER_CONNECTION_MAX {
                places.insert(place.clone());
                let room = state.rooms.entry(place.clone()).or_default();
                room.insert(*connection, Arc::clone(outbox));
            }
        }
    }

    /// Takes connections out of a room.
    pub(super) fn leave(&self, place: &Place, connections: impl IntoIterator<Item = ConnectionId>) {
        let mut state = self.state.lock();
        for connection in connections {
            state.remove(place, connection);
            if let Some(places) = state.by_connection.get_mut(&connection) {
                places.remove(place);
                if places.is_empty() {
                    state.by_connection.remove(&connection);
                }
            }
        }
    }

    /// Takes a connection that has ended out of all rooms.
    pub(super) fn forget(&self, connection: ConnectionId) {
        let mut state = self.state.lock();
        for place in state.by_connection.remove(&connection).into_iter().flatten() {
            state.remove(&place, connection);
        }
    }

    /// The rooms of a connection.
    pub(super) fn of(&self, connection: ConnectionId) -> Vec<Place> {
        let state = self.state.lock();
        state.by_connection.get(&connection).into_iter().flatten().cloned().collect()
    }

    /// Adds the connections in a room to `found`.
    pub(super) fn find(&self, place: &Place, found: &mut ConnectionMap) {
        let state = self.state.lock();
        let in_room = state.rooms.get(place).into_iter().flatten();
        found.extend(in_room.map(|(connection, outbox)| (*connection, Arc::clone(outbox))));
    }
}

impl EmitterRoomsState {
    fn remove(&mut self, place: &Place, connection: ConnectionId) {
        if let Some(room) = self.rooms.get_mut(place) {
            room.remove(&connection);
            if room.is_empty() {
                self.rooms.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::{ports::Outbox, test_support::RecordingOutbox},
        domain::{RoomName, Space},
    };

    fn place(room: &str) -> Place {
        Place::room(&Space::root(), &RoomName::parse(room).unwrap())
    }

    fn connections(ids: impl IntoIterator<Item = u64>) -> ConnectionMap {
        let outbox = || RecordingOutbox::with_capacity(1) as Arc<dyn Outbox>;
        ids.into_iter().map(|id| (ConnectionId::from_raw(id), outbox())).collect()
    }

    fn found(rooms: &EmitterRooms, room: &str) -> BTreeSet<ConnectionId> {
        let mut found = HashMap::new();
        rooms.find(&place(room), &mut found);
        found.into_keys().collect()
    }

    #[test]
    fn a_connection_is_in_a_room_until_it_leaves_or_ends() {
        let rooms = EmitterRooms::default();
        let [one, two, ended] = [1, 2, 3].map(ConnectionId::from_raw);
        rooms.join(&place("a"), &connections([1, 2, 3]), |id| id != ended);
        rooms.join(&place("b"), &connections([1]), |_| true);
        assert_eq!(found(&rooms, "a"), BTreeSet::from([one, two]));
        rooms.leave(&place("a"), [two]);
        assert_eq!(found(&rooms, "a"), BTreeSet::from([one]));
        rooms.forget(one);
        assert!(found(&rooms, "a").is_empty() && found(&rooms, "b").is_empty());
        let state = rooms.state.lock();
        assert!(state.rooms.is_empty() && state.by_connection.is_empty());
    }

    #[test]
    fn a_connection_is_in_a_bounded_number_of_rooms() {
        let rooms = EmitterRooms::default();
        let one = connections([1]);
        for number in 0..=ROOMS_PER_CONNECTION_MAX {
            rooms.join(&place(&format!("r{number}")), &one, |_| true);
        }
        assert_eq!(rooms.state.lock().rooms.len(), ROOMS_PER_CONNECTION_MAX);
    }
}
