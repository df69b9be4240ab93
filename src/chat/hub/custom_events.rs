//! Events of the application that are not stored: they reach whoever is connected now.

use std::sync::Arc;

use super::{
    listeners::{ListenerRegistration, Listeners},
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
    domain::{ConnectionId, Conversation, CustomEvent, PassingDelivery, Place},
};

/// See the module.
pub(crate) struct CustomEvents {
    users: Arc<OnlineUsers>,
    live_rooms: Arc<LiveRooms>,
    listeners: Arc<Listeners>,
    publisher: Arc<Publisher>,
}

impl CustomEvents {
    pub(super) fn new(
        users: Arc<OnlineUsers>,
        live_rooms: Arc<LiveRooms>,
        publisher: Arc<Publisher>,
    ) -> Self {
        let listeners = Listeners::new(Arc::clone(&publisher));
        Self { users, live_rooms, listeners, publisher }
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

    /// Sends an event to a room, or to the user of an inbox, on all nodes. The connection `except` of
    /// this node does not receive it.
    pub(crate) fn send(
        &self,
        place: &Place,
        event: CustomEvent,
        except: Option<ConnectionId>,
        delivery: PassingDelivery,
    ) {
        let event = Delivery::new(Event::Custom(event));
        self.deliver(place, &event, except, delivery);
        self.publisher.publish_to_place(place, || ClusterEvent::Custom {
            place: place.clone(),
            event: Arc::clone(&event),
            delivery,
        });
    }

    /// The same to the connections of this node.
    pub(crate) fn deliver(
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
                let mut outboxes = self.users.outboxes(&place.space, user);
                match delivery {
                    PassingDelivery::Volatile => outboxes.iter().for_each(|it| it.offer(event)),
                    PassingDelivery::Reliable => {
                        outboxes.retain(|outbox| outbox.push(event).is_err());
                        close_slow_readers(outboxes);
                    }
                }
            }
            // No rule addresses a direct conversation.
            Conversation::Direct(..) => (),
        }
    }
}
