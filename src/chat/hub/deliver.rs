//! How stored entries reach the connections of this node: in the order of their places, without a hole.

use std::sync::Arc;

use super::{
    FullOutboxes, Hub, HubState, close_slow_readers,
    live_room::{RunDelivery, contiguous_run},
    members::{CachedMembership, LogSource},
    online_users::OnlineUser,
};
use crate::{
    chat::event::{Delivery, Event, Post},
    domain::{Conversation, Entry, Log, Member, Place, Position, Role, Seq, Space, UserName},
};

/// How far a conversation was delivered on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryProgress {
    /// The last entry that everybody here has whom it concerns; nothing if it concerns nobody.
    pub(crate) delivered: Option<Seq>,
    /// Users here of whom it is not known how much of it they have.
    pub(crate) uncertain_users: Vec<(Space, UserName)>,
}

impl Hub {
    /// Sends a run of stored entries of one place, in order, to whom they concern here, as far as
    /// they go on from what was sent before.
    pub(crate) fn deliver(&self, place: &Place, run: &[Post]) -> RunDelivery {
        let sent = match &place.conversation {
            Conversation::Room(_) => self.deliver_to_room(place, run),
            Conversation::Direct(one, other) => {
                let results = [
                    self.deliver_to_user(place, one, run),
                    if one == other {
                        RunDelivery::Complete
                    } else {
                        self.deliver_to_user(place, other, run)
                    },
                ];
                if results.contains(&RunDelivery::Partial) {
                    RunDelivery::Partial
                } else {
                    RunDelivery::Complete
                }
            }
            Conversation::Inbox(user) => self.deliver_to_user(place, user, run),
        };
        for entry in entries(run).filter(|entry| entry.is_message()) {
            self.typing.record_message(place, &entry.author);
        }
        sent
    }

    fn deliver_to_room(&self, place: &Place, run: &[Post]) -> RunDelivery {
        let mut state = self.lock();
        for entry in entries(run).filter(|entry| entry.is_message()) {
            state.record_entry(place, &entry.author, entry.position, Some(&entry.author));
        }
        let live_room = state.live_rooms.get(place).cloned();
        drop(state);
        let Some(live_room) = live_room else { return RunDelivery::Complete };
        let (sent, full_outboxes) = live_room.deliver(run, &self.limits);
        close_slow_readers(full_outboxes);
        sent
    }

    /// Sends a user what concerns nobody else here.
    fn deliver_to_user(&self, place: &Place, user: &UserName, run: &[Post]) -> RunDelivery {
        let mut state = self.lock();
        let Some(online_user) = state.online_users.get(&place.space, user) else {
            return RunDelivery::Complete;
        };
        let first = entries(run).next().map_or(Seq::ZERO, Entry::seq);
        let Some(head) = self.delivered(online_user, place, first) else {
            return RunDelivery::Partial;
        };
        let (run, sent) = contiguous_run(run, head);
        let deliveries: Vec<_> =
            run.iter().map(|post| state.prepare_delivery(place, user, post)).collect();
        let outboxes = state.online_users.outboxes(&place.space, user);
        drop(state);
        let mut full_outboxes = FullOutboxes::new();
        for (connection, outbox) in outboxes {
            let wanted = run.iter().zip(&deliveries);
            let mut wanted = wanted.filter(|(post, _)| post.except != Some(connection));
            if wanted.try_for_each(|(_, delivery)| outbox.push(delivery)).is_err() {
                full_outboxes.push(outbox);
            }
        }
        close_slow_readers(full_outboxes);
        sent
    }

    /// How far a user was sent a conversation of their own, of which `first` is to be sent now; nothing
    /// where that is not known.
    fn delivered(&self, online_user: &OnlineUser, place: &Place, first: Seq) -> Option<Seq> {
        let before = first.previous().unwrap_or_default();
        // If it is not the first entry of all, the store has the word of what came before.
        let is_known =
            self.publisher.is_alone() || (before == Seq::ZERO && online_user.memberships.is_some());
        online_user.delivered(place).or(is_known.then_some(before))
    }

    /// How far a conversation was delivered here.
    pub(crate) fn delivery_progress(&self, place: &Place) -> DeliveryProgress {
        let state = self.lock();
        let users = match &place.conversation {
            Conversation::Room(_) => {
                let delivered =
                    state.live_rooms.get(place).map(|live_room| live_room.log().head.seq);
                return DeliveryProgress { delivered, uncertain_users: Vec::new() };
            }
            Conversation::Direct(one, other) => vec![one, other],
            Conversation::Inbox(user) => vec![user],
        };
        let mut progress = DeliveryProgress::default();
        for user in users {
            let online_user = state.online_users.get(&place.space, user);
            // Who is still to be told where they are is told of this, too.
            let Some(online_user) = online_user.filter(|it| it.memberships.is_some()) else {
                continue;
            };
            match online_user.delivered(place) {
                Some(seq) => {
                    progress.delivered = Some(progress.delivered.map_or(seq, |it| it.min(seq)));
                }
                None => progress.uncertain_users.push((place.space.clone(), user.clone())),
            }
        }
        progress
    }

    /// Goes on after `to` in a conversation of which what lies before is not kept any more.
    pub(crate) fn skip(&self, place: &Place, to: Position) {
        let mut state = self.lock();
        if let Some(live_room) = state.live_rooms.get(place).cloned() {
            drop(state);
            return close_slow_readers(live_room.skip(to));
        }
        state.online_users.skip(place, to);
    }
}

impl HubState {
    /// Notes what a user is sent, and makes of it what they hear: what stands in an inbox goes out with
    /// what is unread.
    fn prepare_delivery(&mut self, place: &Place, user: &UserName, post: &Post) -> Arc<Delivery> {
        let Some(entry) = post.delivery.entry() else { return Arc::clone(&post.delivery) };
        // An edit moves the head, too, though nobody has to read it.
        let author = entry.is_message().then_some(&entry.author);
        let is_inbox = matches!(place.conversation, Conversation::Inbox(_));
        self.record_entry(place, user, entry.position, author.filter(|_| !is_inbox));
        if !is_inbox {
            return Arc::clone(&post.delivery);
        }
        let unread = self.online_users.get(&place.space, user).and_then(|it| it.unread(place));
        let (entry, unread) = (entry.clone(), unread.unwrap_or_default());
        Delivery::new(Event::Notified { entry, unread })
    }

    /// Notes what was said in a conversation: its author has read it, and it goes on.
    pub(super) fn record_entry(
        &mut self,
        place: &Place,
        user: &UserName,
        position: Position,
        author: Option<&UserName>,
    ) {
        let Some(online_user) = self.online_users.get_mut(&place.space, user) else { return };
        let Some(cached) = &mut online_user.memberships else { return };
        let before = Position {
            seq: position.seq.previous().unwrap_or_default(),
            messages: position.messages.saturating_sub(1),
        };
        let cached = match place.conversation {
            // Who says something in a room is a member, or was until a moment ago.
            Conversation::Room(_) => cached.get_mut(&place.conversation),
            Conversation::Direct(..) | Conversation::Inbox(_) => {
                Some(cached.entry(place.conversation.clone()).or_insert_with(|| CachedMembership {
                    member: Member::new(Role::Member, before),
                    log_source: LogSource::Local(Log::default()),
                }))
            }
        };
        let Some(cached) = cached else { return };
        if let LogSource::Local(log) = &mut cached.log_source {
            log.head = log.head.max(position);
        }
        if author == Some(user) {
            cached.member.read = cached.member.read.max(position);
        }
    }
}

impl OnlineUser {
    /// How far they were sent a conversation of their own, if it is known here.
    fn delivered(&self, place: &Place) -> Option<Seq> {
        match &self.memberships.as_ref()?.get(&place.conversation)?.log_source {
            LogSource::Local(log) => Some(log.head.seq),
            LogSource::LiveRoom(_) => None,
        }
    }
}

/// The entries of a run.
fn entries(run: &[Post]) -> impl Iterator<Item = &Entry> {
    run.iter().filter_map(|post| post.delivery.entry())
}
