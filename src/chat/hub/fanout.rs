//! How events reach the connections of this node: stored entries in order and without gaps, other
//! events as they happen.

use std::sync::Arc;

use super::{
    live_room::RunDelivery,
    live_rooms::LiveRooms,
    online_users::{DeliveryProgress, OnlineUsers, ReadAdvance},
    slow_readers::close_slow_readers,
};
use crate::{
    chat::{
        event::{Delivery, Event, Post},
        ports::Outbox,
    },
    domain::{Conversation, Place, Position, Retained, UserName, View},
};

/// Sends events to the live room of a conversation, or to its users where it has none.
///
/// It holds no lock of its own, and never waits: a full outbox closes its connection.
pub(crate) struct Fanout {
    users: Arc<OnlineUsers>,
    live_rooms: Arc<LiveRooms>,
}

/// The connections of one user.
type UserOutboxes = Vec<Arc<dyn Outbox>>;

impl Fanout {
    pub(super) fn new(users: Arc<OnlineUsers>, live_rooms: Arc<LiveRooms>) -> Self {
        Self { users, live_rooms }
    }

    /// Sends a run of stored entries of one place, in order, as far as it continues what was sent
    /// before. Returns also the authors whose messages moved their read positions past others.
    pub(super) fn deliver(&self, place: &Place, run: &[Post]) -> (RunDelivery, Vec<ReadAdvance>) {
        match &place.conversation {
            Conversation::Room(_) => {
                let advances = self.users.record_run(place, run);
                let sent = self.live_rooms.deliver(place, run);
                self.users.send_read_advances(place, &advances);
                (sent, advances)
            }
            Conversation::Direct(one, other) => {
                let (first, mut advances) = self.users.deliver(place, one, run);
                if one == other {
                    return (first, advances);
                }
                let (second, others) = self.users.deliver(place, other, run);
                advances.extend(others);
                let sent = if second == RunDelivery::Complete { first } else { second };
                (sent, advances)
            }
            Conversation::Inbox(user) => self.users.deliver(place, user, run),
        }
    }

    /// The number of connections of this node that receive the entries of a conversation.
    pub(crate) fn sockets(&self, place: &Place) -> usize {
        let of = |user| self.users.outboxes(&place.space, user).len();
        match &place.conversation {
            Conversation::Room(_) => self.live_rooms.get(place).map_or(0, |it| it.sockets()),
            Conversation::Direct(one, other) if one == other => of(one),
            Conversation::Direct(one, other) => of(one) + of(other),
            Conversation::Inbox(user) => of(user),
        }
    }

    /// How far a conversation was delivered here.
    pub(crate) fn delivery_progress(&self, place: &Place) -> DeliveryProgress {
        if place.conversation.room().is_none() {
            return self.users.delivery_progress(place);
        }
        let delivered = self.live_rooms.get(place).map(|live_room| live_room.log().head.seq);
        DeliveryProgress { delivered, uncertain_users: Vec::new() }
    }

    /// Continues a conversation after `to`: earlier entries are no longer stored.
    pub(crate) fn skip(&self, place: &Place, to: Position) {
        match self.live_rooms.get(place) {
            Some(live_room) => close_slow_readers(live_room.skip(to)),
            None => self.users.skip(place, to),
        }
    }

    /// Drops entries that are no longer stored.
    pub(crate) fn trim(&self, logs: &[(Place, Retained)]) {
        for (place, retained) in logs {
            self.live_rooms.trim(place, retained);
            self.users.trim(place, retained);
        }
    }

    /// Sends the other users of a conversation an event that is not in its log.
    pub(super) fn send_to_others(
        &self,
        place: &Place,
        user: &UserName,
        event: impl FnOnce(View) -> Event,
    ) {
        let Some((delivery, outboxes)) = self.for_others(place, user, event) else { return };
        self.live_rooms.send_to_others(place, user, &delivery);
        let full = outboxes.into_iter().filter(|outbox| outbox.push(&delivery).is_err());
        close_slow_readers(full.collect());
    }

    /// The same with an event that a full outbox drops.
    pub(super) fn offer_to_others(
        &self,
        place: &Place,
        user: &UserName,
        event: impl FnOnce(View) -> Event,
    ) {
        let Some((delivery, outboxes)) = self.for_others(place, user, event) else { return };
        self.live_rooms.offer_to_others(place, user, &delivery);
        for outbox in outboxes {
            outbox.offer(&delivery);
        }
    }

    /// The event for the other users of a conversation, and their connections if it has no room.
    /// `None` where there is no other user.
    fn for_others(
        &self,
        place: &Place,
        user: &UserName,
        event: impl FnOnce(View) -> Event,
    ) -> Option<(Arc<Delivery>, UserOutboxes)> {
        let (view, outboxes) = match &place.conversation {
            Conversation::Room(room) => (View::Room(room.clone()), Vec::new()),
            Conversation::Direct(one, other) if one != other => {
                let recipient = if one == user { other } else { one };
                let view = place.conversation.view_for(recipient);
                (view, self.users.outboxes(&place.space, recipient))
            }
            Conversation::Direct(..) | Conversation::Inbox(_) => return None,
        };
        Some((Delivery::new(event(view)), outboxes))
    }
}
