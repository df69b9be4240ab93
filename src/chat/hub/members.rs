//! Who is a member where, as far as they are here: what the store has, at hand.
//!
//! Every connection of a user is in all of the user's rooms that its token opens. So joining on one
//! device, being invited and being kicked reach all of them, and who comes in is in the same step told
//! where they are and there. All of it happens under the hub's lock; rooms are locked inside of it,
//! never the other way round.

use std::{collections::HashMap, sync::Arc};

use super::{
    FullOutboxes, Hub, HubState, close_slow_readers,
    live_room::{LiveRoom, PresenceChange, ReplayCursor, RoomKind},
};
use crate::{
    chat::{
        event::{Delivery, Event, Tally},
        ports::{Change, ChangeResult, ClusterEvent, DIRECTS_LISTED_MAX, Membership, Rooms},
        publisher::Publisher,
    },
    domain::{
        ConnectionId, Conversation, GlobalRole, Log, Member, Place, Role, RoomName, Space, UserName,
    },
};

/// What a connection's token opens, and where it is at home.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The room that is meant when none is named.
    pub(crate) default_room: RoomName,
    /// The rooms that the token opens.
    pub(crate) rooms: Rooms,
    /// Whether it is an administrator's.
    pub(crate) global_role: GlobalRole,
}

/// Where a user is a member.
pub(super) struct CachedMembership {
    pub(super) member: Member,
    pub(super) log_source: LogSource,
}

/// Where it is known how a log stands.
pub(super) enum LogSource {
    /// In a room's topic.
    LiveRoom(Arc<LiveRoom>),
    /// Here.
    Local(Log),
}

/// Which of a user's direct conversations are known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DirectsCoverage {
    /// All that there are.
    All,
    /// Perhaps only those in which something was said last.
    Recent,
}

/// Why somebody's membership changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    /// Who did it, if it was not the user.
    pub(crate) by: Option<UserName>,
    /// The connection that asked for it, and hears the answer instead.
    pub(crate) origin: Option<ConnectionId>,
    /// What that connection has of the room already.
    pub(crate) since: Option<ReplayCursor>,
}

impl Scope {
    /// What a member of a room may do on the connection, if it is open at all.
    pub(super) fn role(&self, room: &RoomName, stored: Role) -> Option<Role> {
        self.rooms.grant(room).role(stored, self.global_role)
    }

    pub(super) fn room_kind(&self, room: &RoomName) -> RoomKind {
        if *room == self.default_room { RoomKind::Default } else { RoomKind::Other }
    }
}

impl CachedMembership {
    /// The room that has a topic.
    pub(super) fn place(&self) -> Option<Place> {
        match &self.log_source {
            LogSource::LiveRoom(live_room) => Some(live_room.place().clone()),
            LogSource::Local(_) => None,
        }
    }

    pub(super) fn log(&self) -> Log {
        match &self.log_source {
            LogSource::LiveRoom(live_room) => live_room.log(),
            LogSource::Local(log) => *log,
        }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally::of(&self.member, &self.log())
    }
}

impl Hub {
    /// Takes what the store said of where a user is a member, if they are still the one who asked.
    pub(crate) fn cache_memberships(
        &self,
        space: &Space,
        user: &UserName,
        online_user_id: u64,
        memberships: Vec<Membership>,
    ) {
        let mut guard = self.lock();
        let HubState { online_users, live_rooms, .. } = &mut *guard;
        let found = online_users.get_mut(space, user).filter(|it| it.id == online_user_id);
        let Some(online_user) = found.filter(|it| it.memberships.is_none()) else { return };
        let is_direct =
            |it: &&Membership| matches!(it.place.conversation, Conversation::Direct(..));
        let count = memberships.iter().filter(is_direct).count();
        online_user.directs =
            if count < DIRECTS_LISTED_MAX { DirectsCoverage::All } else { DirectsCoverage::Recent };
        let keep = |Membership { place, member, log }| {
            let log_source = log_source(live_rooms, &place, log, &self.publisher);
            (place.conversation, CachedMembership { member, log_source })
        };
        online_user.memberships = Some(memberships.into_iter().map(keep).collect());
    }

    /// Takes a change that was stored, and tells whom it concerns.
    pub(crate) fn apply_change(&self, change: &Change, changed: &ChangeResult, cause: &Cause) {
        let Change { place, user, what: _, rooms_max: _ } = change;
        let full_outboxes = self.lock().apply_change(self, (place, user), changed, cause);
        close_slow_readers(full_outboxes);
        if changed.before != changed.after {
            let (place, user, by) = (place.clone(), user.clone(), cause.by.clone());
            let space = place.space.clone();
            self.publisher.publish_to_user(
                &space,
                &user.clone(),
                ClusterEvent::MembershipChanged { place, user, by },
            );
        }
        let has_read_more = changed.before.map(|it| it.read) != changed.after.map(|it| it.read);
        if let (Some(_), Some(member), true) = (changed.before, changed.after, has_read_more) {
            self.schedule_receipt(place, user, member.read.seq, changed.log.members);
        }
    }
}

/// The topic of a room, made if there is none, or the log itself.
pub(super) fn log_source(
    live_rooms: &mut HashMap<Place, Arc<LiveRoom>>,
    place: &Place,
    log: Log,
    publisher: &Arc<Publisher>,
) -> LogSource {
    match place.conversation {
        Conversation::Room(_) => {
            let live_room = live_rooms.entry(place.clone()).or_insert_with(|| {
                publisher.add_new_room(place);
                LiveRoom::new(place.clone(), log, publisher)
            });
            LogSource::LiveRoom(Arc::clone(live_room))
        }
        Conversation::Direct(..) | Conversation::Inbox(_) => LogSource::Local(log),
    }
}

impl HubState {
    pub(super) fn apply_change(
        &mut self,
        hub: &Hub,
        (place, user): (&Place, &UserName),
        changed: &ChangeResult,
        cause: &Cause,
    ) -> FullOutboxes {
        let ChangeResult { before: _, after, log, refused: _ } = *changed;
        if let Some(live_room) = self.live_rooms.get(place) {
            live_room.set_member_count(log.members);
        }
        let Some(online_user) = self.online_users.get_mut(&place.space, user) else {
            return FullOutboxes::new();
        };
        let Some(cached) = &mut online_user.memberships else { return FullOutboxes::new() };
        // What is news here: another node may have told the store, and this one not yet.
        let before = cached.get(&place.conversation).map(|it| it.member);
        let mut full_outboxes = FullOutboxes::new();
        match after {
            None => {
                cached.remove(&place.conversation);
            }
            Some(member) => {
                let log_source = match cached.remove(&place.conversation).map(|it| it.log_source) {
                    // As far as it was delivered: the store may be further.
                    Some(LogSource::Local(here)) => {
                        LogSource::Local(Log { head: here.head, ..log })
                    }
                    _ => log_source(&mut self.live_rooms, place, log, &hub.publisher),
                };
                cached.insert(place.conversation.clone(), CachedMembership { member, log_source });
            }
        }
        match (before, after) {
            (None, Some(_)) => full_outboxes.extend(self.enter_all(hub, user, place, cause)),
            (Some(_), None) => full_outboxes.extend(self.leave_all(hub, user, place)),
            (Some(_), Some(_)) | (None, None) => (),
        }
        let changed = ChangeResult { before, ..*changed };
        full_outboxes.extend(self.send_membership_events(user, place, &changed, cause));
        full_outboxes
    }

    /// Lets all connections of a user into a room.
    fn enter_all(
        &mut self,
        hub: &Hub,
        user: &UserName,
        place: &Place,
        cause: &Cause,
    ) -> FullOutboxes {
        let mut full_outboxes = FullOutboxes::new();
        let Some(room) = place.conversation.room() else { return full_outboxes };
        let Some(online_user) = self.online_users.get_mut(&place.space, user) else {
            return full_outboxes;
        };
        let Some(cached) =
            online_user.memberships.as_ref().and_then(|it| it.get(&place.conversation))
        else {
            return full_outboxes;
        };
        for (connection, user_connection) in &mut online_user.connections {
            let since = cause.since.filter(|_| cause.origin == Some(*connection));
            full_outboxes
                .extend(user_connection.enter(hub, (*connection, user), (room, cached), since).1);
        }
        full_outboxes
    }

    /// Takes all connections of a user out of a room.
    fn leave_all(&mut self, hub: &Hub, user: &UserName, place: &Place) -> FullOutboxes {
        let mut full_outboxes = FullOutboxes::new();
        let Some(room) = place.conversation.room() else { return full_outboxes };
        let Some(online_user) = self.online_users.get_mut(&place.space, user) else {
            return full_outboxes;
        };
        for (connection, user_connection) in &mut online_user.connections {
            full_outboxes.extend(user_connection.leave(hub, (*connection, user), room));
        }
        if let Some(live_room) = self.live_rooms.get(place) {
            let (presence_change, full) = live_room.end_grace(user, &hub.limits);
            full_outboxes.extend(full);
            if presence_change == PresenceChange::Changed {
                hub.timers.schedule_presence(place, hub.now());
            }
        }
        // That they left says that they type no more.
        hub.typing.record_message(place, user);
        self.forget_if_empty(place);
        full_outboxes
    }

    /// Tells a user's connections what they are now, and what they have read.
    fn send_membership_events(
        &self,
        user: &UserName,
        place: &Place,
        changed: &ChangeResult,
        cause: &Cause,
    ) -> FullOutboxes {
        let ChangeResult { before, after, log, refused: _ } = changed;
        let online_user = self.online_users.get(&place.space, user);
        let connections = online_user.into_iter().flat_map(|it| &it.connections);
        let others = connections.filter(|(connection, _)| cause.origin != Some(**connection));
        let mut full_outboxes = FullOutboxes::new();
        for (_, user_connection) in others {
            if !user_connection.allows(place) {
                continue;
            }
            let events = [
                user_connection.membership_event(
                    place,
                    before.as_ref(),
                    after.as_ref(),
                    (log, cause),
                ),
                read_event(place, user, before.as_ref(), after.as_ref(), log),
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

/// What a user's own connections are told when they have read something.
fn read_event(
    place: &Place,
    user: &UserName,
    before: Option<&Member>,
    after: Option<&Member>,
    log: &Log,
) -> Option<Event> {
    let (before, after) = (before?, after?);
    (before.read != after.read).then(|| Event::Read {
        view: place.conversation.view_for(user),
        user: user.clone(),
        seq: after.read.seq,
        unread: Some(log.unread(after.read)),
    })
}
