//! What Redis emitters do to the connections of this node. Every node receives their packets, so
//! nothing is announced to the others.

use std::sync::Arc;

use super::{
    connection_map::ConnectionMap, connections::Connections, custom_events::send_all,
    listeners::Listeners, live_rooms::LiveRooms, slow_readers::close_outboxes,
};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::Placing,
    },
    domain::{
        CloseReason, ConnectionAddress, CustomEvent, NodeId, PassingDelivery, Place, RoomName,
        RoomSelector, Selection, Space,
    },
};

/// See the module.
pub(crate) struct Emitters {
    node: NodeId,
    connections: Arc<Connections>,
    live_rooms: Arc<LiveRooms>,
    listeners: Arc<Listeners>,
}

impl Emitters {
    pub(super) fn new(
        node: NodeId,
        connections: Arc<Connections>,
        live_rooms: Arc<LiveRooms>,
        listeners: Arc<Listeners>,
    ) -> Self {
        Self { node, connections, live_rooms, listeners }
    }

    /// Sends an event to the selected connections, once to each.
    pub(crate) fn send(&self, to: &Selection, event: CustomEvent, delivery: PassingDelivery) {
        let outboxes = self.select(to).into_values().collect();
        send_all(outboxes, &Delivery::new(Event::Custom(event)), delivery);
    }

    /// Puts the selected connections in rooms, until they end.
    pub(crate) fn join(&self, who: &Selection, rooms: &[RoomName]) {
        let selected = self.select(who);
        for room in rooms {
            self.connections.join_emitter_room(&Place::room(&who.space, room), &selected);
        }
    }

    /// Takes the selected connections out of rooms that [`Self::join`] put them in.
    pub(crate) fn leave(&self, who: &Selection, rooms: &[RoomName]) {
        let selected = self.select(who);
        for room in rooms {
            self.connections.leave_emitter_room(&Place::room(&who.space, room), &selected);
        }
    }

    /// Puts a connection of this node in a room, or takes it out, as an emitter does.
    pub(super) fn place(
        &self,
        (space, address): (&Space, &ConnectionAddress),
        room: &RoomName,
        placing: Placing,
    ) {
        let selector = RoomSelector { room: None, connection: Some(address.clone()) };
        let one = Selection { space: space.clone(), rooms: vec![selector], except: Vec::new() };
        match placing {
            Placing::In => self.join(&one, std::slice::from_ref(room)),
            Placing::Out => self.leave(&one, std::slice::from_ref(room)),
        }
    }

    /// Closes the selected connections. Their clients do not reconnect.
    pub(crate) fn disconnect(&self, who: &Selection) {
        let outboxes = self.select(who).into_values().collect();
        close_outboxes(outboxes, CloseReason::Disconnected);
    }

    fn select(&self, selection: &Selection) -> ConnectionMap {
        let Selection { space, rooms, except } = selection;
        let mut selected = ConnectionMap::new();
        if rooms.is_empty() {
            self.connections.find_in_space(space, &mut selected);
        }
        self.find(space, rooms, &mut selected);
        let mut left_out = ConnectionMap::new();
        self.find(space, except, &mut left_out);
        selected.retain(|connection, _| !left_out.contains_key(connection));
        selected
    }

    /// Adds the connections in rooms to `found`: members of them, anonymous connections whose default
    /// room is one of them, and those that an emitter has put there.
    fn find(&self, space: &Space, rooms: &[RoomSelector], found: &mut ConnectionMap) {
        for RoomSelector { room, connection } in rooms {
            if let Some(address) = connection.as_ref().filter(|it| it.node == self.node) {
                self.connections.find(space, address.connection, found);
            }
            let Some(room) = room else { continue };
            let place = Place::room(space, room);
            if let Some(live_room) = self.live_rooms.get(&place) {
                live_room.find_connections(found);
            }
            self.listeners.find(&place, found);
            self.connections.find_in_emitter_room(&place, found);
        }
    }
}
