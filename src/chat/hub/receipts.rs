//! How far others have read, for those who care: a direct conversation, or a room of a few.

use std::collections::HashMap;

use super::{Hub, TooSlow, close};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::News,
    },
    domain::{Conversation, Place, Seq, UserName},
};

/// How far each of some users has read.
pub(super) type Receipts = HashMap<UserName, Seq>;

impl Hub {
    /// Has the others told soon that a user has read up to `seq`, if they are few.
    pub(super) fn receipt(&self, place: &Place, user: &UserName, seq: Seq, members: u64) {
        let told = match &place.conversation {
            Conversation::Room(_) => members <= self.limits.receipts_members_max as u64,
            Conversation::Direct(one, other) => one != other,
            Conversation::Inbox(_) => false,
        };
        if told {
            self.roll.read(place, user, seq, self.now());
            self.herald.tell(place, || News::Read {
                place: place.clone(),
                user: user.clone(),
                seq,
            });
        }
    }

    /// The same of a user who read it on another node.
    pub(crate) fn receipt_elsewhere(&self, place: &Place, user: &UserName, seq: Seq) {
        self.roll.read(place, user, seq, self.now());
    }

    /// Tells the others in a conversation how far some have read.
    pub(super) fn tell_receipts(&self, place: &Place, receipts: Receipts) {
        for (user, seq) in receipts {
            close(self.tell_receipt(place, &user, seq));
        }
    }

    fn tell_receipt(&self, place: &Place, user: &UserName, seq: Seq) -> TooSlow {
        let delivery = |hearer: &UserName| {
            let view = place.conversation.seen_by(hearer);
            Delivery::new(Event::Read { view, user: user.clone(), seq, unread: None })
        };
        match &place.conversation {
            Conversation::Room(_) => {
                let topic = self.lock().topics.get(place).cloned();
                let told = delivery(user);
                topic.map_or_else(TooSlow::new, |topic| topic.tell_others(user, &told))
            }
            Conversation::Direct(one, other) => {
                let hearer = if one == user { other } else { one };
                let told = delivery(hearer);
                let outboxes = self.lock().residents.outboxes(&place.space, hearer);
                let outboxes = outboxes.into_iter().map(|(_, outbox)| outbox);
                outboxes.filter(|outbox| outbox.push(&told).is_err()).collect()
            }
            Conversation::Inbox(_) => TooSlow::new(),
        }
    }
}

/// Adds a receipt: of one user the furthest counts.
pub(super) fn add(receipts: &mut Receipts, user: &UserName, seq: Seq) {
    let furthest = receipts.entry(user.clone()).or_insert(seq);
    *furthest = seq.max(*furthest);
}
