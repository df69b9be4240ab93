//! Events of the application that are not stored: they reach whoever is connected now.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    connection_map::ConnectionMap,
    connections::Connections,
    listeners::{ListenerRegistration, Listeners},
    live_room::push_function,
    live_rooms::LiveRooms,
    online_users::OnlineUsers,
    slow_readers::close_slow_readers,
};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::{ClusterEvent, Outbox},
        publisher::Publisher,
    },
    domain::{
        Channel, ConnectionAddress, ConnectionId, Conversation, CustomEvent, CustomTarget,
        PassingDelivery, Place,
    },
};

/// See the module.
pub(crate) struct CustomEvents {
    connections: Arc<Connections>,
    users: Arc<OnlineUsers>,
    live_rooms: Arc<LiveRooms>,
    listeners: Arc<Listeners>,
    publisher: Arc<Publisher>,
    /// The number of the last event that got an id.
    last_id: AtomicU64,
}

impl CustomEvents {
    pub(super) fn new(
        connections: Arc<Connections>,
        users: Arc<OnlineUsers>,
        live_rooms: Arc<LiveRooms>,
        listeners: Arc<Listeners>,
        publisher: Arc<Publisher>,
    ) -> Arc<Self> {
        let last_id = AtomicU64::new(0);
        Arc::new(Self { connections, users, live_rooms, listeners, publisher, last_id })
    }

    /// An anonymous connection receives the events of a room, until the result is dropped.
    pub(crate) fn listen(
        &self,
        place: Place,
        connection: ConnectionId,
        outbox: Arc<dyn Outbox>,
    ) -> ListenerRegistration {
        Listeners::register(&self.listeners, place, connection, outbox)
    }

    /// Sends an event on all nodes. The connection `except` does not receive it.
    pub(crate) fn send(
        &self,
        to: &CustomTarget,
        event: CustomEvent,
        except: Option<&ConnectionAddress>,
        delivery: PassingDelivery,
    ) {
        let event = Delivery::with_id(Event::Custom(event), self.next_id());
        self.deliver(to, &event, except, delivery);
        let announced = || ClusterEvent::Custom {
            to: to.clone(),
            except: except.cloned(),
            event: Arc::clone(&event),
            delivery,
        };
        match to {
            CustomTarget::Place(place) => self.publisher.publish_to_place(place, announced),
            CustomTarget::Connection(_, address) if address.node == *self.publisher.node() => (),
            CustomTarget::Space(_) | CustomTarget::Connection(..) => {
                self.publisher.publish(Channel::BROADCAST, announced());
            }
        }
    }

    /// An id that no other event has. A node that is alone needs none.
    fn next_id(&self) -> Option<Box<str>> {
        if self.publisher.is_alone() {
            return None;
        }
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        Some(format!("{}.{number}", self.publisher.node().as_raw()).into())
    }

    /// The same to the connections of this node.
    pub(crate) fn deliver(
        &self,
        to: &CustomTarget,
        event: &Arc<Delivery>,
        except: Option<&ConnectionAddress>,
        delivery: PassingDelivery,
    ) {
        let node = self.publisher.node();
        let except = except.filter(|it| it.node == *node).map(|it| it.connection);
        match to {
            CustomTarget::Place(place) => self.deliver_to_place(place, event, except, delivery),
            CustomTarget::Space(space) => {
                send_all(self.connections.in_space(space, except), event, delivery);
            }
            CustomTarget::Connection(space, address)
                if address.node == *node && Some(address.connection) != except =>
            {
                let outbox = self.connections.get_in(space, address.connection);
                send_all(outbox.into_iter().collect(), event, delivery);
            }
            CustomTarget::Connection(..) => (),
        }
    }

    /// The connections of this node that have this target, but not `except`.
    pub(super) fn receivers(
        &self,
        to: &CustomTarget,
        except: Option<&ConnectionAddress>,
    ) -> HashSet<ConnectionId> {
        let node = self.publisher.node();
        let mut found = match to {
            CustomTarget::Place(place) => match &place.conversation {
                Conversation::Room(_) => self.receivers_in_room(place),
                Conversation::Inbox(user) => self.users.connections(&place.space, user),
                // No target is a direct conversation.
                Conversation::Direct(..) => HashSet::new(),
            },
            CustomTarget::Space(space) => {
                let mut found = ConnectionMap::new();
                self.connections.find_in_space(space, &mut found);
                found.into_keys().collect()
            }
            CustomTarget::Connection(space, address) if address.node == *node => {
                let outbox = self.connections.get_in(space, address.connection);
                outbox.map(|_| address.connection).into_iter().collect()
            }
            CustomTarget::Connection(..) => HashSet::new(),
        };
        if let Some(except) = except.filter(|it| it.node == *node) {
            found.remove(&except.connection);
        }
        found
    }

    fn receivers_in_room(&self, place: &Place) -> HashSet<ConnectionId> {
        let mut found = ConnectionMap::new();
        if let Some(live_room) = self.live_rooms.get(place) {
            live_room.find_connections(&mut found);
        }
        self.listeners.find(place, &mut found);
        found.into_keys().collect()
    }

    fn deliver_to_place(
        &self,
        place: &Place,
        event: &Arc<Delivery>,
        except: Option<ConnectionId>,
        delivery: PassingDelivery,
    ) {
        match &place.conversation {
            Conversation::Room(_) => {
                self.live_rooms.send_custom(place, event, except, delivery);
                self.listeners.send(place, event, except, delivery);
            }
            Conversation::Inbox(user) => {
                send_all(self.users.outboxes_but(&place.space, user, except), event, delivery);
            }
            // No rule addresses a direct conversation.
            Conversation::Direct(..) => (),
        }
    }
}

/// Sends an event to connections that are in no common room.
pub(super) fn send_all(
    mut outboxes: Vec<Arc<dyn Outbox>>,
    event: &Arc<Delivery>,
    delivery: PassingDelivery,
) {
    match delivery {
        PassingDelivery::Volatile => outboxes.iter().for_each(|outbox| outbox.offer(event)),
        PassingDelivery::Reliable => {
            let push = push_function(outboxes.len());
            outboxes.retain(|outbox| push(&**outbox, event).is_err());
            close_slow_readers(outboxes);
        }
    }
}
