//! Delivery to single users: direct conversations and inboxes, which have no live room.

use std::{collections::HashSet, sync::Arc};

use time::OffsetDateTime;

use super::{
    OnlineUsers,
    membership::{CachedMembership, DirectsCoverage, LogSource, OldestListed},
    user::OnlineUser,
};
use crate::{
    chat::{
        event::{Delivery, Event, Post, Tally},
        hub::{
            delivered_log::DeliveredLog,
            live_room::{FullOutboxes, RunDelivery, contiguous_run},
            slow_readers::close_slow_readers,
        },
        ports::Outbox,
    },
    domain::{
        ConnectionId, Conversation, DeletedCount, DeviceId, Entry, Log, Member, NamedUser, Place,
        Position, Retained, Role, Seq, Space, UserName,
    },
};

/// How far a conversation was delivered on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryProgress {
    /// The last entry that all users of the conversation on this node were sent; `None` if there are
    /// no such users.
    pub(crate) delivered: Option<Seq>,
    /// Users of this node of whom it is unknown what they were sent.
    pub(crate) uncertain_users: Vec<(Space, UserName)>,
}

/// The read position of an author, which a message of the author moved past unread messages of
/// others.
///
/// Without unread messages of others, the message itself is the sign of the move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat::hub) struct ReadAdvance {
    pub(in crate::chat::hub) author: NamedUser,
    /// The connection of this node that sent the message. It receives the answer.
    pub(in crate::chat::hub) origin: Option<ConnectionId>,
    pub(in crate::chat::hub) read: Seq,
    /// The number of members of the conversation.
    pub(in crate::chat::hub) members: u64,
}

impl OnlineUsers {
    /// Records entries of a room before they are delivered: their authors have read them.
    pub(in crate::chat::hub) fn record_run(&self, place: &Place, run: &[Post]) -> Vec<ReadAdvance> {
        let mut state = self.lock();
        if let Some(live_room) = self.live_rooms.get(place) {
            live_room.update_counts(|log| state.update_counts(place, log));
        }
        let mut advances = Vec::new();
        for post in run {
            let Some(entry) = post.delivery.entry() else { continue };
            if let Some(author) = state.get_mut(&place.space, &entry.author) {
                advances.extend(author.record_authored(place, post));
            }
        }
        advances
    }

    /// Sends moved read positions to the connections of their users, but for the ones that sent the
    /// messages.
    pub(in crate::chat::hub) fn send_read_advances(&self, place: &Place, advances: &[ReadAdvance]) {
        let mut full_outboxes = FullOutboxes::new();
        if !advances.is_empty() {
            let state = self.lock();
            for advance in advances {
                let author = state.get(&place.space, &advance.author.user);
                full_outboxes
                    .extend(author.into_iter().flat_map(|it| it.send_read_advance(place, advance)));
            }
        }
        close_slow_readers(full_outboxes);
    }

    /// Sends a user a run of entries of a direct conversation or inbox, as far as it continues what
    /// the user was sent before.
    pub(in crate::chat::hub) fn deliver(
        &self,
        place: &Place,
        user: &UserName,
        run: &[Post],
    ) -> (RunDelivery, Vec<ReadAdvance>) {
        let mut state = self.lock();
        let Some(online_user) = state.get_mut(&place.space, user) else {
            return (RunDelivery::Complete, Vec::new());
        };
        let Some(head) = self.delivered_before(online_user, place, run) else {
            return (RunDelivery::Partial, Vec::new());
        };
        let (run, sent) = contiguous_run(run, head);
        let deliveries: Vec<_> =
            run.iter().map(|post| online_user.prepare_delivery(place, post)).collect();
        let own = run.iter().filter(|it| it.delivery.entry().is_some_and(|it| it.author == *user));
        let advances: Vec<_> =
            own.filter_map(|post| online_user.record_authored(place, post)).collect();
        let outboxes = online_user.outboxes_by_connection();
        drop(state);
        let (mut full_outboxes, mut queued) = (FullOutboxes::new(), 0);
        for (connection, outbox) in outboxes {
            let wanted = run.iter().zip(&deliveries);
            let mut wanted = wanted.filter(|(post, _)| post.except != Some(connection));
            let mut push = |(_, delivery): (_, &Arc<Delivery>)| {
                queued += 1;
                outbox.push(delivery)
            };
            if wanted.try_for_each(&mut push).is_err() {
                full_outboxes.push(outbox);
            }
        }
        self.live_rooms.count_delivered(queued);
        close_slow_readers(full_outboxes);
        self.send_read_advances(place, &advances);
        (sent, advances)
    }

    /// The last entry that a user was sent before `run`, if it is known.
    fn delivered_before(
        &self,
        online_user: &OnlineUser,
        place: &Place,
        run: &[Post],
    ) -> Option<Seq> {
        let first = run.iter().find_map(|it| it.delivery.entry()).map_or(Seq::ZERO, Entry::seq);
        let before = first.previous().unwrap_or_default();
        // With other nodes, earlier entries may have been delivered there and missed here. Only
        // before the first entry of the log it is certain that there are none.
        let is_known =
            self.publisher.is_alone() || (before == Seq::ZERO && online_user.memberships.is_some());
        online_user.delivered(place).or(is_known.then_some(before))
    }

    /// How far a direct conversation or inbox was delivered here.
    pub(in crate::chat::hub) fn delivery_progress(&self, place: &Place) -> DeliveryProgress {
        let state = self.lock();
        let mut progress = DeliveryProgress::default();
        for user in users_of(&place.conversation) {
            let online_user = state.get(&place.space, user);
            // A user without cached memberships receives the conversation with `welcome`.
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

    /// What helps to find out how far a direct conversation was delivered to a user of whom that is
    /// uncertain. `None` if it was found out, or the user is gone.
    pub(crate) fn oldest_listed(&self, place: &Place, user: &UserName) -> Option<OldestListed> {
        let state = self.lock();
        let online_user = state.get(&place.space, user)?;
        match &online_user.directs {
            DirectsCoverage::Recent(oldest)
                if !online_user.delivered_directs.contains_key(&place.conversation) =>
            {
                Some(oldest.clone())
            }
            DirectsCoverage::Recent(_) | DirectsCoverage::All => None,
        }
    }

    /// Records how far a direct conversation was delivered to a user whose membership in it is not
    /// cached. The next refresh caches it.
    pub(crate) fn set_delivered(&self, place: &Place, user: &UserName, head: Position) {
        let mut state = self.lock();
        if let Some(online_user) = state.get_mut(&place.space, user)
            && online_user.delivered(place).is_none()
        {
            online_user.delivered_directs.insert(place.conversation.clone(), head);
        }
    }

    /// Drops entries of a direct conversation or inbox that are no longer stored.
    pub(in crate::chat::hub) fn trim(&self, place: &Place, retained: &Retained) {
        self.update_logs(place, |log| log.trim(retained));
    }

    /// Continues a direct conversation or inbox after `to`: earlier entries are no longer stored.
    pub(in crate::chat::hub) fn skip(&self, place: &Place, to: Position) {
        self.update_logs(place, |log| log.skip(to));
    }

    fn update_logs(&self, place: &Place, update: impl Fn(&mut DeliveredLog)) {
        let mut state = self.lock();
        for user in users_of(&place.conversation) {
            if let Some(online_user) = state.get_mut(&place.space, user) {
                online_user.update_log(place, &update);
            }
        }
    }

    /// Offers the event `clock` to the connections that are in a room.
    pub(in crate::chat::hub) fn offer_clock(&self, at: OffsetDateTime) {
        let state = self.lock();
        let connections = state.users.values().flat_map(|user| user.connections.values());
        let in_a_room = connections.filter(|it| it.rooms.len() > 0);
        let outboxes: Vec<_> = in_a_room.map(|it| Arc::clone(&it.outbox)).collect();
        drop(state);
        let event = Delivery::new(Event::Clock { at });
        for outbox in outboxes {
            outbox.offer(&event);
        }
    }

    /// The ids of a user's connections.
    pub(in crate::chat::hub) fn connections(
        &self,
        space: &Space,
        user: &UserName,
    ) -> HashSet<ConnectionId> {
        let state = self.lock();
        let connections = state.get(space, user).map(|it| it.connections.iter());
        connections.into_iter().flatten().map(|(id, _)| *id).collect()
    }

    /// The connections of a user.
    pub(in crate::chat::hub) fn outboxes(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Vec<Arc<dyn Outbox>> {
        self.lock().get(space, user).map(OnlineUser::outboxes).unwrap_or_default()
    }

    /// The connections of a user but `except`.
    pub(in crate::chat::hub) fn outboxes_but(
        &self,
        space: &Space,
        user: &UserName,
        except: Option<ConnectionId>,
    ) -> Vec<Arc<dyn Outbox>> {
        let state = self.lock();
        let connections = state.get(space, user).map(|it| it.connections.iter());
        let others = connections.into_iter().flatten().filter(|(id, _)| Some(**id) != except);
        others.map(|(_, it)| Arc::clone(&it.outbox)).collect()
    }

    /// The connections of a user with a device.
    pub(in crate::chat::hub) fn outboxes_with(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Vec<Arc<dyn Outbox>> {
        self.lock().get(space, user).map(|it| it.outboxes_with(device)).unwrap_or_default()
    }
}

/// The users of a direct conversation or inbox.
fn users_of(conversation: &Conversation) -> Vec<&UserName> {
    match conversation {
        Conversation::Room(_) => Vec::new(),
        Conversation::Direct(one, other) => vec![one, other],
        Conversation::Inbox(user) => vec![user],
    }
}

impl OnlineUser {
    fn outboxes_by_connection(&self) -> Vec<(ConnectionId, Arc<dyn Outbox>)> {
        self.connections.iter().map(|(id, it)| (*id, Arc::clone(&it.outbox))).collect()
    }

    /// The last entry of a direct conversation or inbox that the user was sent, if it is known.
    pub(super) fn delivered(&self, place: &Place) -> Option<Seq> {
        match &self.memberships.as_ref()?.get(&place.conversation)?.log_source {
            LogSource::Local(log) => Some(log.log().head.seq),
            LogSource::LiveRoom(_) => None,
        }
    }

    /// Changes the log of a direct conversation or inbox.
    fn update_log(&mut self, place: &Place, update: impl Fn(&mut DeliveredLog)) {
        let cached = self.memberships.as_mut().and_then(|it| it.get_mut(&place.conversation));
        if let Some(CachedMembership { log_source: LogSource::Local(log), .. }) = cached {
            update(log);
        }
    }

    /// Records an entry that the user is about to be sent, and returns the event for it: entries of
    /// the inbox carry the unread count.
    pub(super) fn prepare_delivery(&mut self, place: &Place, post: &Post) -> Arc<Delivery> {
        let Some(entry) = post.delivery.entry() else { return Arc::clone(&post.delivery) };
        self.record_entry(entry);
        if !matches!(place.conversation, Conversation::Inbox(_)) {
            return Arc::clone(&post.delivery);
        }
        let (entry, unread) = (entry.clone(), self.unread(place).unwrap_or_default());
        let notified = Delivery::new(Event::Notified { entry, unread });
        post.delivery.timer().map_or_else(|| Arc::clone(&notified), |it| notified.timed(it.clone()))
    }

    /// Records an entry of a direct conversation or inbox.
    fn record_entry(&mut self, entry: &Entry) {
        let Some(memberships) = &mut self.memberships else { return };
        let (place, position) = (&entry.place, entry.position);
        let before = Position {
            seq: position.seq.previous().unwrap_or_default(),
            messages: position.messages.saturating_sub(1),
        };
        let new = || CachedMembership {
            member: Member::new(Role::Member, before),
            deleted: DeletedCount { count: 0, up_to: before.seq },
            log_source: LogSource::Local(DeliveredLog::default()),
            recency: 0,
        };
        let cached = memberships.get_or_insert_with(place.conversation.clone(), new);
        if entry.is_message() {
            self.newest += 1;
            cached.recency = self.newest;
        }
        cached.record(entry);
    }

    /// Records that the user, as a member, has read a message that the user sent. Edits and
    /// deletions move no read position, and the author of a notification has not read it.
    fn record_authored(&mut self, place: &Place, post: &Post) -> Option<ReadAdvance> {
        let entry = post.delivery.entry().filter(|it| it.is_message())?;
        if !place.conversation.authors_have_read() {
            return None;
        }
        let cached = self.memberships.as_mut()?.get_mut(&place.conversation)?;
        let (log, deleted) = cached.log_and_deleted();
        let was_unread = Log { head: entry.position, ..log }.unread(cached.member.read, deleted);
        if entry.position > cached.member.read {
            cached.member.read = entry.position;
            cached.deleted = DeletedCount { count: 0, up_to: entry.seq() };
        }
        let read = cached.member.read.seq;
        // The message itself was not unread.
        (was_unread > 1).then(|| ReadAdvance {
            author: NamedUser { user: entry.author.clone(), name: self.display_name.clone() },
            origin: post.origin,
            read,
            members: log.members,
        })
    }

    fn send_read_advance(&self, place: &Place, advance: &ReadAdvance) -> FullOutboxes {
        let cached = self.memberships.as_ref().and_then(|it| it.get(&place.conversation));
        let Some(Tally { read, unread, .. }) = cached.map(CachedMembership::tally) else {
            return FullOutboxes::new();
        };
        let delivery = Delivery::new(Event::Read {
            view: place.conversation.view_for(&advance.author.user),
            who: advance.author.clone(),
            seq: read,
            unread: Some(unread),
        });
        let connections = self.connections.iter();
        let receives = connections
            .filter(|(id, it)| advance.origin != Some(**id) && it.allows(place))
            .map(|(_, it)| &it.outbox);
        receives.filter(|outbox| outbox.push(&delivery).is_err()).cloned().collect()
    }

    /// The number of unread messages of a conversation, if the user is a member.
    fn unread(&self, place: &Place) -> Option<u64> {
        let cached = self.memberships.as_ref()?.get(&place.conversation)?;
        Some(cached.tally().unread)
    }
}
