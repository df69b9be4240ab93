//! Anonymous connections. They are in no room and not present, but receive the events of the
//! application that pass by in their default room.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{
    connection_map::ConnectionMap, live_room::push_function, slow_readers::close_slow_readers,
};
use crate::{
    chat::{
        event::Delivery,
        ports::Outbox,
        publisher::{Publisher, Subscription},
    },
    domain::{Channel, ConnectionId, PassingDelivery, Place, RoomName, Space},
};

/// The anonymous connections of this node, by their default room.
pub(super) struct Listeners {
    publisher: Arc<Publisher>,
    rooms: Mutex<HashMap<Place, RoomListeners>>,
}

struct RoomListeners {
    outboxes: HashMap<ConnectionId, Arc<dyn Outbox>>,
    /// The channels of the room, so that the other nodes' events arrive.
    _subscriptions: Vec<Subscription>,
}

/// A connection that listens to a room, until this is dropped.
#[must_use = "the connection receives nothing more when this is dropped"]
pub(crate) struct ListenerRegistration {
    listeners: Arc<Listeners>,
    place: Place,
    connection: ConnectionId,
}

impl Listeners {
    pub(super) fn new(publisher: Arc<Publisher>) -> Arc<Self> {
        Arc::new(Self { publisher, rooms: Mutex::default() })
    }

    /// Adds a connection to a room.
    pub(super) fn register(
        this: &Arc<Self>,
        place: Place,
        connection: ConnectionId,
        outbox: Arc<dyn Outbox>,
    ) -> ListenerRegistration {
        let mut rooms = this.rooms.lock();
        let room = rooms.entry(place.clone()).or_insert_with(|| RoomListeners {
            outboxes: HashMap::new(),
            _subscriptions: Channel::of(&place).map(|it| this.publisher.subscribe(it)).collect(),
        });
        room.outboxes.insert(connection, outbox);
        drop(rooms);
        ListenerRegistration { listeners: Arc::clone(this), place, connection }
    }

    /// Adds the listeners of a room to `found`.
    pub(super) fn find(&self, place: &Place, found: &mut ConnectionMap) {
        let rooms = self.rooms.lock();
        let outboxes = rooms.get(place).into_iter().flat_map(|it| &it.outboxes);
        found.extend(outboxes.map(|(connection, outbox)| (*connection, Arc::clone(outbox))));
    }

    /// The rooms that these connections listen to.
    pub(super) fn rooms(
        &self,
        space: &Space,
        connections: &HashSet<ConnectionId>,
    ) -> Vec<(ConnectionId, RoomName)> {
        let rooms = self.rooms.lock();
        let mut found = Vec::new();
        for (place, listeners) in rooms.iter().filter(|(place, _)| place.space == *space) {
            let Some(room) = place.conversation.room() else { continue };
            let here = listeners.outboxes.keys().filter(|it| connections.contains(it));
            found.extend(here.map(|connection| (*connection, room.clone())));
        }
        found
    }

    /// Sends an event to the listeners of a room, but not to the connection `except`.
    pub(super) fn send(
        &self,
        place: &Place,
        event: &Arc<Delivery>,
        except: Option<ConnectionId>,
        delivery: PassingDelivery,
    ) {
        let rooms = self.rooms.lock();
        let Some(RoomListeners { outboxes, .. }) = rooms.get(place) else { return };
        let push = push_function(outboxes.len());
        let receivers = outboxes.iter().filter(|(connection, _)| Some(**connection) != except);
        let full = receivers.filter(|(_, outbox)| match delivery {
            PassingDelivery::Reliable => push(&***outbox, event).is_err(),
            PassingDelivery::Volatile => {
                outbox.offer(event);
                false
            }
        });
        let full_outboxes = full.map(|(_, outbox)| Arc::clone(outbox)).collect();
        drop(rooms);
        close_slow_readers(full_outboxes);
    }
}

impl Drop for ListenerRegistration {
    fn drop(&mut self) {
        let Self { listeners, place, connection } = self;
        let mut rooms = listeners.rooms.lock();
        let removed = match rooms.entry(place.clone()) {
            Entry::Occupied(mut room) => {
                room.get_mut().outboxes.remove(connection);
                room.get().outboxes.is_empty().then(|| room.remove())
            }
            Entry::Vacant(_) => None,
        };
        drop(rooms);
        // Its subscriptions end outside of the lock.
        drop(removed);
    }
}
