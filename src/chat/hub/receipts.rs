//! How far others have read, for those who care: a direct conversation, or a room of a few.

use std::collections::HashMap;

use super::{FullOutboxes, Hub, close_slow_readers};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::ClusterEvent,
    },
    domain::{Conversation, Place, Seq, UserName},
};

/// How far each of some users has read.
pub(super) type Receipts = HashMap<UserName, Seq>;

impl Hub {
    /// Has the others told soon that a user has read up to `seq`, if they are few.
    pub(super) fn schedule_receipt(&self, place: &Place, user: &UserName, seq: Seq, members: u64) {
        let is_visible = match &place.conversation {
            Conversation::Room(_) => members <= self.limits.receipts_members_max as u64,
            Conversation::Direct(one, other) => one != other,
            Conversation::Inbox(_) => false,
        };
        if is_visible {
            self.timers.schedule_receipt(place, user, seq, self.now());
            self.publisher.publish_to_place(place, || ClusterEvent::Read {
                place: place.clone(),
                user: user.clone(),
                seq,
            });
        }
    }

    /// The same of a user who read it on another node.
    pub(crate) fn apply_remote_receipt(&self, place: &Place, user: &UserName, seq: Seq) {
        self.timers.schedule_receipt(place, user, seq, self.now());
    }

    /// Tells the others in a conversation how far some have read.
    pub(super) fn deliver_receipts(&self, place: &Place, receipts: Receipts) {
        for (user, seq) in receipts {
            close_slow_readers(self.deliver_receipt(place, &user, seq));
        }
    }

    fn deliver_receipt(&self, place: &Place, user: &UserName, seq: Seq) -> FullOutboxes {
        let delivery = |recipient: &UserName| {
            let view = place.conversation.view_for(recipient);
            Delivery::new(Event::Read { view, user: user.clone(), seq, unread: None })
        };
        match &place.conversation {
            Conversation::Room(_) => {
                let live_room = self.lock().live_rooms.get(place).cloned();
                let event = delivery(user);
                live_room.map_or_else(FullOutboxes::new, |live_room| {
                    live_room.broadcast_to_others(user, &event)
                })
            }
            Conversation::Direct(one, other) => {
                let recipient = if one == user { other } else { one };
                let event = delivery(recipient);
                let outboxes = self.lock().online_users.outboxes(&place.space, recipient);
                let outboxes = outboxes.into_iter().map(|(_, outbox)| outbox);
                outboxes.filter(|outbox| outbox.push(&event).is_err()).collect()
            }
            Conversation::Inbox(_) => FullOutboxes::new(),
        }
    }
}

/// Adds a receipt: of one user the furthest counts.
pub(super) fn add(receipts: &mut Receipts, user: &UserName, seq: Seq) {
    let furthest = receipts.entry(user.clone()).or_insert(seq);
    *furthest = seq.max(*furthest);
}
