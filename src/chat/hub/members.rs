//! Who is a member where, as far as they are here: what the store has, at hand.
//!
//! Every connection of a user is in all of the user's rooms that its token opens. So joining on one
//! device, being invited and being kicked reach all of them, and who comes in is in the same step told
//! where they are and there. All of it happens under the hub's lock; rooms are locked inside of it,
//! never the other way round.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    Hub, State, TooSlow, close,
    residents::Directs,
    topic::{Attached, Cursor, Presences, Reach, Standing, Telling, Topic},
};
use crate::{
    chat::{
        event::{Delivery, Event, RoomState, Tally},
        ports::{Change, Changed, DIRECTS_LISTED_MAX, Membership, News, Outbox, Rooms},
        relay::Herald,
    },
    domain::{
        ConnectionId, Conversation, DeviceId, Log, Member, Office, Place, Role, RoomName, Space,
        UserName,
    },
};

/// One connection of a user.
pub(super) struct Line {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) device: Option<DeviceId>,
    /// See [`Presence`](super::Presence).
    pub(super) ticket: u64,
    pub(super) scope: Scope,
    /// The rooms that it is in.
    pub(super) rooms: HashMap<RoomName, Arc<Topic>>,
}

/// What a connection's token opens, and where it is at home.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The room that is meant when none is named.
    pub(crate) home: RoomName,
    /// The rooms that the token opens.
    pub(crate) rooms: Rooms,
    /// Whether it is an administrator's.
    pub(crate) office: Office,
}

/// Where a user is a member.
pub(super) struct Kept {
    pub(super) member: Member,
    pub(super) logged: Logged,
}

/// Where it is known how a log stands.
pub(super) enum Logged {
    /// In a room's topic.
    Topic(Arc<Topic>),
    /// Here.
    Here(Log),
}

/// Why somebody's membership changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    /// Who did it, if it was not the user.
    pub(crate) by: Option<UserName>,
    /// The connection that asked for it, and hears the answer instead.
    pub(crate) origin: Option<ConnectionId>,
    /// What that connection has of the room already.
    pub(crate) since: Option<Cursor>,
}

impl Scope {
    /// What a member of a room may do on the connection, if it is open at all.
    pub(super) fn role(&self, room: &RoomName, kept: Role) -> Option<Role> {
        self.rooms.grant(room).role(kept, self.office)
    }

    pub(super) fn standing(&self, room: &RoomName) -> Standing {
        if *room == self.home { Standing::Home } else { Standing::Visit }
    }
}

impl Kept {
    /// The room that has a topic.
    pub(super) fn place(&self) -> Option<Place> {
        match &self.logged {
            Logged::Topic(topic) => Some(topic.place().clone()),
            Logged::Here(_) => None,
        }
    }

    pub(super) fn log(&self) -> Log {
        match &self.logged {
            Logged::Topic(topic) => topic.log(),
            Logged::Here(log) => *log,
        }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally::of(&self.member, &self.log())
    }
}

impl Hub {
    /// Takes what the store said of where a user is a member, if they are still the one who asked.
    pub(crate) fn learn(
        &self,
        space: &Space,
        user: &UserName,
        resident: u64,
        memberships: Vec<Membership>,
    ) {
        let mut guard = self.lock();
        let State { residents, topics, .. } = &mut *guard;
        let found = residents.get_mut(space, user).filter(|it| it.number == resident);
        let Some(resident) = found.filter(|it| it.kept.is_none()) else { return };
        let is_direct =
            |it: &&Membership| matches!(it.place.conversation, Conversation::Direct(..));
        let count = memberships.iter().filter(is_direct).count();
        resident.directs = if count < DIRECTS_LISTED_MAX { Directs::All } else { Directs::Last };
        let keep = |Membership { place, member, log }| {
            let logged = logged(topics, &place, log, &self.herald);
            (place.conversation, Kept { member, logged })
        };
        resident.kept = Some(memberships.into_iter().map(keep).collect());
    }

    /// Takes a change that was stored, and tells whom it concerns.
    pub(crate) fn changed(&self, change: &Change, changed: &Changed, cause: &Cause) {
        let Change { place, user, what: _, rooms_max: _ } = change;
        let too_slow = self.lock().changed(self, (place, user), changed, cause);
        close(too_slow);
        if changed.before != changed.after {
            let (place, user, by) = (place.clone(), user.clone(), cause.by.clone());
            let space = place.space.clone();
            self.herald.tell_of(&space, &user.clone(), News::Changed { place, user, by });
        }
        let moved = changed.before.map(|it| it.read) != changed.after.map(|it| it.read);
        if let (Some(_), Some(member), true) = (changed.before, changed.after, moved) {
            self.receipt(place, user, member.read.seq, changed.log.members);
        }
    }
}

/// The topic of a room, made if there is none, or the log itself.
pub(super) fn logged(
    topics: &mut HashMap<Place, Arc<Topic>>,
    place: &Place,
    log: Log,
    herald: &Arc<Herald>,
) -> Logged {
    match place.conversation {
        Conversation::Room(_) => {
            let topic = topics.entry(place.clone()).or_insert_with(|| {
                herald.is_fresh(place);
                Topic::new(place.clone(), log, herald)
            });
            Logged::Topic(Arc::clone(topic))
        }
        Conversation::Direct(..) | Conversation::Inbox(_) => Logged::Here(log),
    }
}

impl State {
    pub(super) fn changed(
        &mut self,
        hub: &Hub,
        (place, user): (&Place, &UserName),
        changed: &Changed,
        cause: &Cause,
    ) -> TooSlow {
        let Changed { before: _, after, log, refused: _ } = *changed;
        if let Some(topic) = self.topics.get(place) {
            topic.count_members(log.members);
        }
        let Some(resident) = self.residents.get_mut(&place.space, user) else {
            return TooSlow::new();
        };
        let Some(kept) = &mut resident.kept else { return TooSlow::new() };
        // What is news here: another node may have told the store, and this one not yet.
        let before = kept.get(&place.conversation).map(|it| it.member);
        let mut too_slow = TooSlow::new();
        match after {
            None => {
                kept.remove(&place.conversation);
            }
            Some(member) => {
                let logged = match kept.remove(&place.conversation).map(|it| it.logged) {
                    // As far as it was delivered: the store may be further.
                    Some(Logged::Here(here)) => Logged::Here(Log { head: here.head, ..log }),
                    _ => logged(&mut self.topics, place, log, &hub.herald),
                };
                kept.insert(place.conversation.clone(), Kept { member, logged });
            }
        }
        match (before, after) {
            (None, Some(_)) => too_slow.extend(self.let_in(hub, user, place, cause)),
            (Some(_), None) => too_slow.extend(self.let_out(hub, user, place)),
            (Some(_), Some(_)) | (None, None) => (),
        }
        let changed = Changed { before, ..*changed };
        too_slow.extend(self.tell(user, place, &changed, cause));
        too_slow
    }

    /// Lets all connections of a user into a room.
    fn let_in(&mut self, hub: &Hub, user: &UserName, place: &Place, cause: &Cause) -> TooSlow {
        let mut too_slow = TooSlow::new();
        let Some(room) = place.conversation.room() else { return too_slow };
        let Some(resident) = self.residents.get_mut(&place.space, user) else { return too_slow };
        let Some(kept) = resident.kept.as_ref().and_then(|it| it.get(&place.conversation)) else {
            return too_slow;
        };
        for (connection, line) in &mut resident.lines {
            let since = cause.since.filter(|_| cause.origin == Some(*connection));
            too_slow.extend(line.enter(hub, (*connection, user), (room, kept), since).1);
        }
        too_slow
    }

    /// Takes all connections of a user out of a room.
    fn let_out(&mut self, hub: &Hub, user: &UserName, place: &Place) -> TooSlow {
        let mut too_slow = TooSlow::new();
        let Some(room) = place.conversation.room() else { return too_slow };
        let Some(resident) = self.residents.get_mut(&place.space, user) else { return too_slow };
        for (connection, line) in &mut resident.lines {
            too_slow.extend(line.leave(hub, (*connection, user), room));
        }
        if let Some(topic) = self.topics.get(place) {
            let (presences, slow) = topic.dismiss(user, &hub.limits);
            too_slow.extend(slow);
            if presences == Presences::Changed {
                hub.roll.changed(place, hub.now());
            }
        }
        // That they left says that they type no more.
        hub.typing.said(place, user);
        self.forget_if_empty(place);
        too_slow
    }

    /// Tells a user's connections what they are now, and what they have read.
    fn tell(&self, user: &UserName, place: &Place, changed: &Changed, cause: &Cause) -> TooSlow {
        let Changed { before, after, log, refused: _ } = changed;
        let resident = self.residents.get(&place.space, user);
        let lines = resident.into_iter().flat_map(|it| &it.lines);
        let others = lines.filter(|(connection, _)| cause.origin != Some(**connection));
        let mut too_slow = TooSlow::new();
        for (_, line) in others {
            if !line.opens(place) {
                continue;
            }
            let events = [
                line.membership(place, before.as_ref(), after.as_ref(), (log, cause)),
                read(place, user, before.as_ref(), after.as_ref(), log),
            ];
            for event in events.into_iter().flatten() {
                if line.outbox.push(&Delivery::new(event)).is_err() {
                    too_slow.push(Arc::clone(&line.outbox));
                }
            }
        }
        too_slow
    }
}

impl Line {
    /// Enters a room, where the token opens it.
    pub(super) fn enter(
        &mut self,
        hub: &Hub,
        (connection, user): (ConnectionId, &UserName),
        (room, kept): (&RoomName, &Kept),
        since: Option<Cursor>,
    ) -> (Option<(Arc<Topic>, Cursor)>, TooSlow) {
        let Logged::Topic(topic) = &kept.logged else { return (None, TooSlow::new()) };
        if self.rooms.contains_key(room) || self.scope.role(room, kept.member.role).is_none() {
            return (None, TooSlow::new());
        }
        let standing = self.scope.standing(room);
        let (user, outbox) = (user.clone(), Arc::clone(&self.outbox));
        let attached = Attached { connection, user, outbox, standing };
        let live = Cursor { after: topic.log().head.seq, telling: Telling::Live };
        let cursor = since.unwrap_or(live);
        let (reach, presences, too_slow) = topic.enter(attached, cursor, &hub.limits);
        // Whoever comes home is told who is there, news or not.
        if presences == Presences::Changed || standing == Standing::Home {
            hub.roll.changed(topic.place(), hub.now());
        }
        self.rooms.insert(room.clone(), Arc::clone(topic));
        let behind = (reach != Reach::Live).then(|| (Arc::clone(topic), cursor));
        (behind, too_slow)
    }

    /// Leaves a room on purpose: the others hear of it at once.
    pub(super) fn leave(
        &mut self,
        hub: &Hub,
        (connection, user): (ConnectionId, &UserName),
        room: &RoomName,
    ) -> TooSlow {
        let Some(topic) = self.rooms.remove(room) else { return TooSlow::new() };
        let (presences, too_slow) = topic.leave(connection, user, &hub.limits);
        if presences == Presences::Changed {
            hub.roll.changed(topic.place(), hub.now());
        }
        too_slow
    }

    /// Leaves all rooms because the connection is lost: the user has a grace.
    pub(super) fn lose(
        self,
        hub: &Hub,
        (connection, user): (ConnectionId, &UserName),
        until: Duration,
    ) -> Vec<Place> {
        let mut places = Vec::with_capacity(self.rooms.len());
        for topic in self.rooms.into_values() {
            if topic.lose(connection, user, until) {
                hub.roll.leaving(topic.place(), user, until);
            }
            places.push(topic.place().clone());
        }
        places
    }

    /// The rooms of a member that the token opens, as the client is told of them: home first.
    pub(super) fn rooms(&self, kept: &HashMap<Conversation, Kept>) -> Vec<RoomState> {
        let state =
            |(conversation, kept): (&Conversation, &Kept)| self.state(conversation.room()?, kept);
        let mut rooms: Vec<_> = kept.iter().filter_map(state).collect();
        let home = &self.scope.home;
        rooms.sort_unstable_by(|a, b| (a.room != *home, &a.room).cmp(&(b.room != *home, &b.room)));
        rooms
    }

    /// A room of a member, as the client is told of it, if the token opens it.
    pub(super) fn state(&self, room: &RoomName, kept: &Kept) -> Option<RoomState> {
        let role = self.scope.role(room, kept.member.role)?;
        Some(RoomState { room: room.clone(), role, tally: kept.tally() })
    }

    /// Whether the token opens a conversation. Those that are no rooms are its user's.
    fn opens(&self, place: &Place) -> bool {
        let room = place.conversation.room();
        room.is_none_or(|room| self.scope.role(room, Role::Member).is_some())
    }

    /// What the connection is told of its user's being a member, if that is news.
    fn membership(
        &self,
        place: &Place,
        before: Option<&Member>,
        after: Option<&Member>,
        (log, cause): (&Log, &Cause),
    ) -> Option<Event> {
        let room = place.conversation.room()?;
        let essence = |member: &Member| (member.role, member.muted);
        if before.map(essence) == after.map(essence) {
            return None;
        }
        let state = after.and_then(|member| {
            let role = self.scope.role(room, member.role)?;
            Some(RoomState { room: room.clone(), role, tally: Tally::of(member, log) })
        });
        Some(Event::Membership { room: room.clone(), state, by: cause.by.clone() })
    }
}

/// What a user's own connections are told when they have read something.
fn read(
    place: &Place,
    user: &UserName,
    before: Option<&Member>,
    after: Option<&Member>,
    log: &Log,
) -> Option<Event> {
    let (before, after) = (before?, after?);
    (before.read != after.read).then(|| Event::Read {
        view: place.conversation.seen_by(user),
        user: user.clone(),
        seq: after.read.seq,
        unread: Some(log.unread(after.read)),
    })
}
