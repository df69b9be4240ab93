//! Read receipts for the other users of a conversation: direct conversations, and rooms with few
//! members.

use std::{sync::Arc, time::Duration};

use super::{
    fanout::Fanout,
    timers::{Receipt, Timers},
};
use crate::{
    chat::{event::Event, ports::ClusterEvent, publisher::Publisher},
    domain::{Conversation, NamedUser, Place, Seq},
};

/// Merges the receipts of a conversation and sends them at most once per second.
pub(crate) struct ReadReceipts {
    fanout: Arc<Fanout>,
    timers: Arc<Timers>,
    publisher: Arc<Publisher>,
    /// Rooms with more members send no receipts.
    members_max: u64,
}

impl ReadReceipts {
    pub(super) fn new(
        fanout: Arc<Fanout>,
        timers: Arc<Timers>,
        publisher: Arc<Publisher>,
        members_max: usize,
    ) -> Self {
        Self { fanout, timers, publisher, members_max: members_max as u64 }
    }

    /// Schedules the receipt of a user who has read up to `seq` in a conversation with `members`.
    pub(super) fn schedule(&self, place: &Place, who: NamedUser, seq: Seq, members: u64) {
        let is_visible = match &place.conversation {
            Conversation::Room(_) => members <= self.members_max,
            Conversation::Direct(one, other) => one != other,
            Conversation::Inbox(_) => false,
        };
        if is_visible {
            self.publisher.publish_to_place(place, || ClusterEvent::Read {
                place: place.clone(),
                who: who.clone(),
                seq,
            });
            self.timers.schedule_receipt(place, who, seq);
        }
    }

    /// Schedules the receipt of a user who has read on another node.
    pub(crate) fn apply_remote(&self, place: &Place, who: NamedUser, seq: Seq) {
        self.timers.schedule_receipt(place, who, seq);
    }

    /// Sends the receipts that are due at `now`.
    pub(super) fn send_due(&self, now: Duration) {
        for (place, receipts) in self.timers.take_receipts(now) {
            for (user, Receipt { seq, name }) in receipts {
                let who = NamedUser { user: user.clone(), name };
                let event = |view| Event::Read { view, who, seq, unread: None };
                self.fanout.send_to_others(&place, &user, event);
            }
        }
    }
}
