//! A name that is somebody's while this is held; and, once they have settled, a connection of theirs.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
    time::Duration,
};

use super::{
    Hub, Presence, Proof, State, TooSlow, close, end,
    members::{Kept, Line, Scope},
    topic::{Cursor, Telling, Topic},
};
use crate::{
    chat::{
        event::{Delivery, Event, RoomState, Tally},
        ports::Outbox,
    },
    domain::{
        CloseReason, ConnectionId, Conversation, DeviceId, Log, Member, Place, Rejection, Role,
        RoomName, Seq, Space, UserName,
    },
};

/// A name that is taken while this is held, and for the grace after it.
#[must_use = "the name is given back when this is dropped"]
pub(crate) struct Residence {
    hub: Arc<Hub>,
    space: Space,
    user: UserName,
    number: u64,
    /// The connection that is about to come in.
    expected: Option<ConnectionId>,
    presence: Option<Presence>,
    /// Whether somebody may come back for the name.
    has_grace: bool,
}

impl std::fmt::Debug for Residence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Residence").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What somebody finds who comes in.
#[derive(Debug, Default)]
pub(crate) struct Belongings {
    /// The rooms they are in, home first.
    pub(crate) rooms: Vec<RoomState>,
    /// The users with whom they talked.
    pub(crate) directs: Vec<(UserName, Tally)>,
    /// What they are notified of.
    pub(crate) inbox: Tally,
}

/// A connection of a user, for those who come across it later.
#[derive(Clone, Debug)]
pub(crate) struct LineId {
    space: Space,
    user: UserName,
    resident: u64,
    connection: ConnectionId,
}

/// A room that a connection is in.
pub(crate) struct Found {
    pub(crate) topic: Arc<Topic>,
    /// As its user finds it.
    pub(crate) state: RoomState,
}

impl Hub {
    /// Looks a room up for a connection that is in it. `then` is called before anything else happens to
    /// anybody's memberships.
    pub(crate) fn find(
        &self,
        line: &LineId,
        room: &RoomName,
        then: impl FnOnce(Result<Found, Rejection>),
    ) {
        let state = self.lock();
        then(state.find(line, room).ok_or(Rejection::NotMember));
    }
}

impl State {
    fn find(&self, line: &LineId, room: &RoomName) -> Option<Found> {
        let LineId { space, user, resident: number, connection } = line;
        let resident = self.residents.get(space, user).filter(|it| it.number == *number)?;
        let line = resident.lines.get(connection)?;
        let topic = Arc::clone(line.rooms.get(room)?);
        let kept = resident.kept.as_ref()?.get(&topic.place().conversation)?;
        Some(Found { topic, state: line.state(room, kept)? })
    }
}

/// Somebody who comes in on a connection.
pub(crate) struct Coming<'a> {
    pub(crate) presence: Presence,
    pub(crate) scope: Scope,
    /// The last entry that the client has, per room.
    pub(crate) since: &'a BTreeMap<RoomName, Seq>,
}

/// Somebody came in.
#[derive(Default)]
pub(crate) struct Settled {
    /// The connections of other devices that were there before.
    pub(crate) others: Vec<Arc<dyn Outbox>>,
    /// The rooms in which the connection has to catch up, and from where.
    pub(crate) behind: Vec<(Arc<Topic>, Cursor)>,
}

impl Residence {
    /// Claims a name, or says that somebody has it.
    pub(crate) fn claim(
        hub: &Arc<Hub>,
        space: &Space,
        user: &UserName,
        proof: Proof,
    ) -> Result<Self, Rejection> {
        let mut state = hub.lock();
        let (number, evicted) = state.residents.claim(space, user, proof, &hub.herald)?;
        let mut outboxes = Vec::new();
        for (name, resident) in evicted {
            outboxes.extend(resident.lines.values().map(|line| Arc::clone(&line.outbox)));
            state.let_go(hub, space, &name, resident);
        }
        drop(state);
        end(outboxes, CloseReason::NameTaken);
        let (hub, space, user) = (Arc::clone(hub), space.clone(), user.clone());
        Ok(Self { hub, space, user, number, expected: None, presence: None, has_grace: false })
    }

    /// The name.
    pub(crate) fn user(&self) -> &UserName {
        &self.user
    }

    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// Which of those who had the name this is.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Gives the name back, but keeps it for the grace: whoever has it is about to come.
    pub(crate) fn reserve(mut self) {
        self.has_grace = true;
    }

    /// Is about to come in on a connection: the other nodes are told beforehand, so that nobody hears
    /// of the user before they count.
    pub(crate) fn expect(&mut self, connection: ConnectionId, device: Option<DeviceId>) {
        self.expected = Some(connection);
        let mut state = self.hub.lock();
        if let Some(resident) = state.residents.of_mut(self) {
            resident.expected.insert(connection, device);
            state.moved(self);
        }
    }

    /// Whether it is known here where the user is a member.
    pub(crate) fn is_known(&self) -> bool {
        self.hub.lock().residents.of(self).is_some_and(|it| it.kept.is_some())
    }

    /// The rooms in which the user is a member.
    pub(crate) fn rooms(&self) -> Vec<Place> {
        let state = self.hub.lock();
        let kept = state.residents.of(self).and_then(|it| it.kept.as_ref());
        kept.into_iter().flatten().filter_map(|(_, kept)| kept.place()).collect()
    }

    /// What the user is in a conversation, and how its log stands.
    pub(crate) fn member(&self, conversation: &Conversation) -> Option<(Member, Log)> {
        let state = self.hub.lock();
        let kept = state.residents.of(self)?.kept.as_ref()?.get(conversation)?;
        Some((kept.member, kept.log()))
    }

    /// The connection, once it has settled.
    pub(crate) fn line(&self) -> Option<LineId> {
        let (space, user) = (self.space.clone(), self.user.clone());
        let connection = self.presence.as_ref()?.connection;
        Some(LineId { space, user, resident: self.number, connection })
    }

    /// A room that the connection is in, and what its user may do there.
    pub(crate) fn room(&self, room: &RoomName) -> Result<(Arc<Topic>, Role), Rejection> {
        let line = self.line().ok_or(Rejection::NotMember)?;
        let found = self.hub.lock().find(&line, room).ok_or(Rejection::NotMember)?;
        Ok((found.topic, found.state.role))
    }

    /// Comes in on a connection: it hears `welcome`, which is made of what the user has here, and is in
    /// all their rooms from there on. Whoever comes too late, because the name or the sign-in is gone,
    /// is told so.
    pub(crate) fn settle(
        &mut self,
        coming: Coming<'_>,
        welcome: impl FnOnce(Belongings) -> Arc<Delivery>,
    ) -> Settled {
        let outbox = Arc::clone(&coming.presence.outbox);
        self.presence = Some(coming.presence.clone());
        self.has_grace = true;
        let mut state = self.hub.lock();
        let admitted = state.residents.admit(self, &coming.presence);
        let settled = admitted.map(|()| state.settle(self, coming, welcome));
        drop(state);
        match settled {
            Ok((settled, too_slow)) => {
                close(too_slow);
                settled
            }
            Err(reason) => {
                outbox.close(reason);
                Settled::default()
            }
        }
    }

    /// Lets the connection into the rooms that a fresh token opens, and out of the others, and tells it
    /// what is another one now.
    pub(crate) fn refit(&self, scope: Scope) {
        let Some(presence) = &self.presence else { return };
        let mut guard = self.hub.lock();
        let state = &mut *guard;
        let Some(resident) = state.residents.of_mut(self) else { return };
        let Some(line) = resident.lines.get_mut(&presence.connection) else { return };
        let Some(kept) = &resident.kept else { return };
        let before = mem::replace(&mut line.scope, scope);
        let who = (presence.connection, &self.user);
        let mut too_slow = TooSlow::new();
        for (conversation, kept) in kept {
            let Some(room) = conversation.room() else { continue };
            let role = |scope: &Scope| scope.role(room, kept.member.role);
            if role(&before) == role(&line.scope) {
                continue;
            }
            let state = line.state(room, kept);
            let news = Event::Membership { room: room.clone(), state, by: None };
            if line.outbox.push(&Delivery::new(news)).is_err() {
                too_slow.push(Arc::clone(&line.outbox));
            }
            if role(&line.scope).is_none() {
                too_slow.extend(line.leave(&self.hub, who, room));
            } else {
                too_slow.extend(line.enter(&self.hub, who, (room, kept), None).1);
            }
        }
        drop(guard);
        close(too_slow);
    }
}

impl State {
    fn settle(
        &mut self,
        residence: &Residence,
        coming: Coming<'_>,
        welcome: impl FnOnce(Belongings) -> Arc<Delivery>,
    ) -> (Settled, TooSlow) {
        let Coming { presence, scope, since } = coming;
        self.residents.sign_ins.add(&presence);
        let Presence { connection, outbox, device, ticket, .. } = presence;
        let (mut settled, mut too_slow) = (Settled::default(), TooSlow::new());
        let Some(resident) = self.residents.of_mut(residence) else { return (settled, too_slow) };
        settled.others = resident.others(device.as_ref());
        let mut line = Line { outbox, device, ticket, scope, rooms: HashMap::new() };
        let kept = resident.kept.get_or_insert_default();
        let belongings = belongings(&line, residence.user(), kept);
        let rooms: Vec<_> = belongings.rooms.iter().map(|it| it.room.clone()).collect();
        if line.outbox.push(&welcome(belongings)).is_err() {
            too_slow.push(Arc::clone(&line.outbox));
        }
        for room in rooms {
            let Some(kept) = kept.get(&Conversation::Room(room.clone())) else { continue };
            let since = since.get(&room);
            let since = since.map(|&after| Cursor { after, telling: Telling::Missed });
            let who = (connection, residence.user());
            let (behind, slow) = line.enter(&residence.hub, who, (&room, kept), since);
            settled.behind.extend(behind);
            too_slow.extend(slow);
        }
        resident.lines.insert(connection, line);
        if resident.expected.remove(&connection).is_none() {
            self.moved(residence);
        }
        (settled, too_slow)
    }
}

impl State {
    /// The user is on other devices than before.
    fn moved(&mut self, residence: &Residence) {
        self.moved.insert((residence.space.clone(), residence.user.clone()));
        residence.hub.moved.notify_one();
    }

    /// Takes back that a connection is about to come in.
    fn call_off(&mut self, residence: &Residence, connection: ConnectionId) {
        let resident = self.residents.of_mut(residence);
        if resident.is_some_and(|it| it.expected.remove(&connection).is_some()) {
            self.moved(residence);
        }
    }

    /// Takes the connection of a residence away.
    fn hang_up(
        &mut self,
        residence: &Residence,
        presence: &Presence,
        until: Duration,
    ) -> Option<Arc<dyn Outbox>> {
        self.residents.sign_ins.remove(presence);
        let line = self.residents.of_mut(residence)?.lines.remove(&presence.connection)?;
        let outbox = Arc::clone(&line.outbox);
        self.moved(residence);
        let who = (presence.connection, &residence.user);
        for place in line.lose(&residence.hub, who, until) {
            self.forget_if_empty(&place);
        }
        Some(outbox)
    }
}

/// What a user is told of on coming.
fn belongings(line: &Line, user: &UserName, kept: &HashMap<Conversation, Kept>) -> Belongings {
    let mut directs: Vec<_> = kept
        .iter()
        .filter_map(|(conversation, kept)| match conversation {
            Conversation::Direct(one, other) => {
                Some((if one == user { other } else { one }.clone(), kept.tally()))
            }
            Conversation::Room(_) | Conversation::Inbox(_) => None,
        })
        .collect();
    directs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let inbox = kept.get(&Conversation::Inbox(user.clone()));
    Belongings {
        rooms: line.rooms(kept),
        directs,
        inbox: inbox.map(Kept::tally).unwrap_or_default(),
    }
}

impl Drop for Residence {
    fn drop(&mut self) {
        let mut guard = self.hub.lock();
        let state = &mut *guard;
        // One grace for the name and for all rooms.
        let now = self.hub.now();
        let grace = if self.has_grace { self.hub.limits.presence_grace } else { Duration::ZERO };
        let until = now + grace;
        // What is dropped with the last outbox is not the business of whoever waits for the lock.
        let presence = self.presence.as_ref();
        let outbox = presence.and_then(|presence| state.hang_up(self, presence, until));
        if let Some(connection) = self.expected {
            state.call_off(self, connection);
        }
        let mut is_last = false;
        if let Some(resident) = state.residents.of_mut(self) {
            resident.claims -= 1;
            resident.free_at = resident.free_at.max(until);
            is_last = resident.claims == 0;
        }
        if is_last && !self.has_grace {
            state.expire(&self.hub, &self.space, &self.user, now);
        }
        drop(guard);
        drop(outbox);
        if let Some(presence) = &self.presence {
            self.hub.end_typing(presence.connection);
        }
        if is_last && self.has_grace {
            self.hub.roll.name_leaving(&self.space, &self.user, until);
        }
    }
}
