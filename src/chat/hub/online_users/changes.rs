//! How changes of a user's memberships reach the user's connections: changes that this node stored,
//! and those of other nodes, which are read again from the store.
//!
//! All connections of a user are in all rooms of the user that their tokens open. So joining on one
//! device, an invitation and a removal reach all of them.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{
    connection::UserConnection,
    membership::{
        CachedMembership, Cause, ChangeEffects, DirectsCoverage, LogSource, OldestListed, TypingEnd,
    },
    user::OnlineUser,
};
use crate::{
    chat::{
        event::{Delivery, Event},
        hub::{delivered_log::DeliveredLog, live_room::FullOutboxes, live_rooms::LiveRooms},
        ports::{ChangeResult, DIRECTS_LISTED_MAX, Membership},
    },
    domain::{
        ConnectionId, Conversation, DeletedCount, DisplayName, Member, NamedUser, Place, Position,
        Seq, Space, UserName,
    },
};

/// What other nodes published about changed memberships of a user.
#[derive(Clone, Debug, Default)]
pub(crate) struct StaleMemberships {
    /// The users who changed the membership in a place.
    pub(crate) by: Vec<(Place, NamedUser)>,
    /// The least revision of the store that contains the changes.
    pub(crate) revision: Option<u64>,
    /// Direct conversations that are read, too, if the store does not list them.
    pub(crate) directs: BTreeSet<Place>,
}

impl StaleMemberships {
    pub(crate) fn merge(&mut self, other: Self) {
        self.by.extend(other.by);
        self.directs.extend(other.directs);
        self.revision = self.revision.max(other.revision);
    }

    /// The cause of a change in a place. The latest user counts.
    fn cause(&self, place: &Place) -> Cause {
        let by = self.by.iter().rev().find(|(it, _)| it == place).map(|(_, user)| user.clone());
        Cause { by, ..Cause::default() }
    }
}

impl OnlineUser {
    /// Caches the memberships that were read from the store, unless they are cached already.
    pub(super) fn cache_memberships(&mut self, live_rooms: &LiveRooms, read: Vec<Membership>) {
        if self.memberships.is_some() {
            return;
        }
        let is_direct =
            |it: &&Membership| matches!(it.place.conversation, Conversation::Direct(..));
        let directs = read.iter().filter(is_direct);
        // The store lists those with the newest messages first.
        self.directs = match directs.clone().nth(DIRECTS_LISTED_MAX - 1) {
            None => DirectsCoverage::All,
            Some(Membership { place, log, .. }) => {
                DirectsCoverage::Recent(OldestListed { place: place.clone(), head: log.head.seq })
            }
        };
        self.newest = read.len() as u64;
        let cached = |(number, membership): (u64, Membership)| {
            let Membership { place, member, log, topic, deleted } = membership;
            let deleted = DeletedCount { count: deleted, up_to: log.head.seq };
            let log_source = LogSource::of(live_rooms, &place, (log, topic), log.head);
            let recency = self.newest - number;
            (place.conversation, CachedMembership { member, deleted, log_source, recency })
        };
        self.memberships = Some((0..).zip(read).map(cached).collect());
    }

    /// Applies a stored change: enters or leaves the room, and notifies the connections.
    pub(super) fn apply_change(
        &mut self,
        live_rooms: &LiveRooms,
        (place, user): (&Place, &UserName),
        changed: &ChangeResult,
        cause: &Cause,
    ) -> ChangeEffects {
        let mut changed = changed.clone();
        let log = changed.log;
        let is_room = place.conversation.room().is_some();
        // A direct conversation that began since does not count as delivered up to the change.
        let head = match changed.after.filter(|_| !is_room) {
            Some(member) => self.initial_head(place, member.joined),
            None => Some(log.head),
        };
        self.delivered_directs.remove(&place.conversation);
        let Some(memberships) = &mut self.memberships else { return ChangeEffects::default() };
        let cached = memberships.remove(&place.conversation);
        if cached.is_none() && head.is_none() {
            // What was delivered is not known yet.
            return ChangeEffects {
                full_outboxes: self.send_change((place, user), &changed, cause),
                ..ChangeEffects::default()
            };
        }
        // Another node may have stored this change, and this node may have it already.
        let before = cached.as_ref().map(|it| it.member);
        if let Some(stored) = changed.after {
            let counted = DeletedCount { count: changed.deleted, up_to: log.head.seq };
            let (member, deleted) =
                cached.as_ref().map_or((stored, counted), |it| it.reconcile(stored, counted));
            (changed.after, changed.deleted) = (Some(member), deleted.count);
            let recency = cached.as_ref().map_or(self.newest, |it| it.recency);
            let log_source =
                if let Some(LogSource::Local(mut here)) = cached.map(|it| it.log_source) {
                    // The store may be ahead of what was delivered here.
                    here.set_member_count(log.members);
                    here.trim(&log.retained());
                    LogSource::Local(here)
                } else {
                    let stored = (log, changed.topic.take());
                    LogSource::of(live_rooms, place, stored, head.unwrap_or(log.head))
                };
            let cached = CachedMembership { member, deleted, log_source, recency };
            memberships.insert(place.conversation.clone(), cached);
        } else {
            // The live room is forgotten below if this was the last reference to it.
            drop(cached);
        }
        changed.before = before;
        let after = changed.after;
        let mut effects = match (before, after) {
            (None, Some(_)) => self.enter_all(live_rooms, (place, user), cause),
            (Some(_), None) => self.leave_all(live_rooms, (place, user)),
            (Some(_), Some(_)) | (None, None) => ChangeEffects::default(),
        };
        let full_outboxes = self.send_change((place, user), &changed, cause);
        effects.full_outboxes.extend(full_outboxes);
        let may_type = |it: Option<Member>| it.is_some_and(|member| member.role.may_send());
        if may_type(before) && !may_type(after) {
            effects.typing_ended.push(TypingEnd::User(place.clone()));
        }
        effects
    }

    /// Applies the memberships that the store has now. Returns the conversations with entries that
    /// were not delivered here yet.
    ///
    /// The journal calls this in the order of its commits: no later change of this node is undone.
    pub(super) fn refresh(
        &mut self,
        live_rooms: &LiveRooms,
        (space, user): (&Space, &UserName),
        read: Vec<Membership>,
        stale: &StaleMemberships,
    ) -> (Vec<Place>, ChangeEffects) {
        let (mut behind, mut effects) = (Vec::new(), ChangeEffects::default());
        self.revision = self.revision.max(stale.revision);
        let Some(cached) = &self.memberships else { return (behind, effects) };
        let listed: HashSet<_> = read.iter().map(|it| &it.place.conversation).collect();
        let is_over = |it: &Conversation| it.room().is_some() && !listed.contains(it);
        let over = cached.iter().filter(|(conversation, _)| is_over(conversation));
        let over: Vec<_> =
            over.map(|(it, cached)| (it.clone(), cached.member, cached.log())).collect();
        for (conversation, member, log) in over {
            let place = Place { space: space.clone(), conversation };
            let before = Some(member);
            let (after, topic, deleted, refused) = (None, None, 0, None);
            let changed = ChangeResult { before, after, log, topic, deleted, refused };
            let cause = stale.cause(&place);
            effects.merge(self.apply_change(live_rooms, (&place, user), &changed, &cause));
        }
        for membership in read {
            let (place, head) = (membership.place.clone(), membership.log.head.seq);
            effects.merge(self.refresh_one(live_rooms, user, membership, stale));
            let cached = self.memberships.as_ref().and_then(|it| it.get(&place.conversation));
            if cached.is_none_or(|cached| cached.log().head.seq < head) {
                behind.push(place);
            }
        }
        (behind, effects)
    }

    fn refresh_one(
        &mut self,
        live_rooms: &LiveRooms,
        user: &UserName,
        membership: Membership,
        stale: &StaleMemberships,
    ) -> ChangeEffects {
        let Membership { place, member, log, topic, deleted } = membership;
        let Some(memberships) = &mut self.memberships else { return ChangeEffects::default() };
        let before = memberships.get(&place.conversation).map(|it| it.member);
        let is_room = place.conversation.room().is_some();
        if before.is_none() && !is_room {
            let Some(head) = self.initial_head(&place, member.joined) else {
                return ChangeEffects::default();
            };
            self.delivered_directs.remove(&place.conversation);
            let Some(memberships) = &mut self.memberships else { return ChangeEffects::default() };
            let log_source = LogSource::Local(DeliveredLog::new(log, head));
            self.newest += 1;
            let deleted = DeletedCount { count: deleted, up_to: log.head.seq };
            let cached = CachedMembership { member, deleted, log_source, recency: self.newest };
            memberships.insert(place.conversation.clone(), cached);
        }
        // A position that was read here may not be in the store yet.
        let read = before.map_or(member.read, |it| it.read.max(member.read));
        if before == Some(Member { read, ..member }) || (before.is_none() && !is_room) {
            return ChangeEffects::default();
        }
        live_rooms.set_member_count(&place, log.members);
        let (after, refused) = (Some(member), None);
        let changed = ChangeResult { before, after, log, topic, deleted, refused };
        self.apply_change(live_rooms, (&place, user), &changed, &stale.cause(&place))
    }

    /// Up to where a direct conversation or inbox counts as delivered that is not cached: up to `joined`
    /// if it is new, which is certain for an inbox and where all direct conversations were cached.
    /// `None` if it has to be found out.
    fn initial_head(&self, place: &Place, joined: Seq) -> Option<Position> {
        let is_inbox = matches!(place.conversation, Conversation::Inbox(_));
        if self.directs == DirectsCoverage::All || is_inbox {
            Some(Position { seq: joined, messages: 0 })
        } else {
            self.delivered_directs.get(&place.conversation).copied()
        }
    }

    fn enter_all(
        &mut self,
        live_rooms: &LiveRooms,
        (place, user): (&Place, &UserName),
        cause: &Cause,
    ) -> ChangeEffects {
        let mut effects = ChangeEffects::default();
        let Some(room) = place.conversation.room() else { return effects };
        let cached = self.memberships.as_ref().and_then(|it| it.get(&place.conversation));
        let Some(cached) = cached else { return effects };
        for (connection, user_connection) in self.connections.iter_mut() {
            let since = cause.since.filter(|_| cause.origin == Some(*connection));
            let target = (*connection, user, self.display_name.as_ref());
            let entered = user_connection.enter(live_rooms, target, (room, cached), since);
            effects.full_outboxes.extend(entered.1);
        }
        effects
    }

    fn leave_all(
        &mut self,
        live_rooms: &LiveRooms,
        (place, user): (&Place, &UserName),
    ) -> ChangeEffects {
        let Some(room) = place.conversation.room() else { return ChangeEffects::default() };
        let mut full_outboxes = FullOutboxes::new();
        for (connection, user_connection) in self.connections.iter_mut() {
            full_outboxes.extend(user_connection.leave(live_rooms, (*connection, user), room));
        }
        full_outboxes.extend(live_rooms.end_grace(place, user));
        live_rooms.forget_if_empty(place);
        ChangeEffects { full_outboxes, ..ChangeEffects::default() }
    }

    /// Sends the changed membership and read position to the connections, but for the one that
    /// requested the change.
    fn send_change(
        &self,
        (place, user): (&Place, &UserName),
        changed: &ChangeResult,
        cause: &Cause,
    ) -> FullOutboxes {
        let receives = |(connection, it): &(&ConnectionId, &UserConnection)| {
            cause.origin != Some(**connection) && it.allows(place)
        };
        let mut full_outboxes = FullOutboxes::new();
        for (_, user_connection) in self.connections.iter().filter(receives) {
            let events = [
                user_connection.membership_event(place, changed, cause),
                read_event(place, (user, self.display_name.as_ref()), changed),
            ];
            for event in events.into_iter().flatten() {
                if user_connection.outbox.push(&Delivery::new(event)).is_err() {
                    full_outboxes.push(Arc::clone(&user_connection.outbox));
                }
            }
        }
        full_outboxes
    }
}

/// The event for the user's own connections when the read position moved.
fn read_event(
    place: &Place,
    (user, name): (&UserName, Option<&DisplayName>),
    changed: &ChangeResult,
) -> Option<Event> {
    let (before, after) = (changed.before?, changed.after?);
    (before.read != after.read).then(|| Event::Read {
        view: place.conversation.view_for(user),
        who: NamedUser { user: user.clone(), name: name.cloned() },
        seq: after.read.seq,
        unread: Some(changed.unread()),
    })
}
