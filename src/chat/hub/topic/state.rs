//! What a topic does under its lock.

use std::{collections::HashMap, mem, sync::Arc};

use super::{Attached, Cursor, Reach, Sent, Telling, TooSlow, next_in_line};
use crate::{
    chat::{
        event::{Delivery, Event, Missed, Run},
        hub::{
            missed::{LastPart, missed},
            ring::Ring,
        },
        journal::Post,
        ports::{Outbox, Overflow},
    },
    domain::{
        Arrival, ConnectionId, Entry, Limits, Log, Position, Recovery, RoomName, Roster, Seq,
        UserName, recovery,
    },
};

#[derive(Debug)]
pub(super) struct State {
    /// How the log stands here: as far as it was delivered.
    pub(super) log: Log,
    pub(super) roster: Roster,
    ring: Ring,
    attached: HashMap<ConnectionId, (Attached, Pace)>,
}

/// Whether a connection is sent what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Live,
    /// It is about to catch up.
    Paused,
}

impl State {
    pub(super) fn new(log: Log) -> Self {
        let (roster, ring, attached) = (Roster::default(), Ring::default(), HashMap::new());
        Self { log, roster, ring, attached }
    }

    pub(super) fn deliver(&mut self, run: &[Post], limits: &Limits) -> (Sent, TooSlow) {
        let (run, sent) = next_in_line(run, self.log.head.seq);
        let Some(last) = run.last() else { return (sent, TooSlow::new()) };
        self.log.head = position(&last.delivery);
        for post in run {
            self.ring.push(post.clone(), limits);
        }
        let mut too_slow = TooSlow::new();
        for (connection, (it, pace)) in &mut self.attached {
            let mut wanted = run.iter().filter(|post| post.except != Some(*connection));
            if *pace == Pace::Live
                && wanted.try_for_each(|post| it.outbox.push(&post.delivery)).is_err()
            {
                // Nothing may come after a gap. The connection is about to end.
                *pace = Pace::Paused;
                too_slow.push(Arc::clone(&it.outbox));
            }
        }
        (sent, too_slow)
    }

    pub(super) fn skip(&mut self, room: &RoomName, to: Position) -> TooSlow {
        if to.seq <= self.log.head.seq {
            return TooSlow::new();
        }
        self.log.head = to;
        self.ring.clear();
        let live = self.attached.values().filter(|(_, pace)| *pace == Pace::Live);
        let told = too_far(room, to.seq);
        let slow = live.filter(|(it, _)| it.outbox.push(&told).is_err());
        slow.map(|(it, _)| Arc::clone(&it.outbox)).collect()
    }

    pub(super) fn enter(
        &mut self,
        room: &RoomName,
        attached: Attached,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Reach, Arrival, TooSlow) {
        let (connection, user) = (attached.connection, attached.user.clone());
        if self.attached.contains_key(&connection) {
            debug_assert!(false, "a connection enters once");
            return (Reach::Live, Arrival::Again, TooSlow::new());
        }
        let arrival = self.roster.arrive(&user);
        let mut too_slow = TooSlow::new();
        if arrival == Arrival::First {
            too_slow = self.tell_joined(room, &user, limits);
        }
        self.attached.insert(connection, (attached, Pace::Paused));
        let (reach, slow) = self.catch_up(room, connection, cursor, limits);
        too_slow.extend(slow);
        (reach, arrival, too_slow)
    }

    pub(super) fn catch_up(
        &mut self,
        room: &RoomName,
        connection: ConnectionId,
        cursor: Cursor,
        limits: &Limits,
    ) -> (Reach, TooSlow) {
        let (log, head) = (self.log, self.log.head.seq);
        let Some((attached, pace)) = self.attached.get_mut(&connection) else {
            return (Reach::Away, TooSlow::new());
        };
        if cursor.after > head && cursor.after != Seq::MAX {
            return (Reach::Ahead, TooSlow::new());
        }
        let told = match recovery(cursor.after, &log, limits.recover_messages_max) {
            Recovery::TooFar if cursor.telling == Telling::Missed => {
                vec![too_far(room, head)]
            }
            Recovery::TooFar | Recovery::Replay { .. } => {
                let Some(run) = self.ring.run(cursor.after, head) else {
                    return (Reach::Behind, TooSlow::new());
                };
                let run = run.filter(|post| post.except != Some(connection));
                let run = run.map(|post| Arc::clone(&post.delivery)).collect();
                match cursor.telling {
                    Telling::Live => run,
                    Telling::Missed => missed(room, run, LastPart::Yes),
                }
            }
        };
        if told.iter().try_for_each(|delivery| attached.outbox.push(delivery)).is_err() {
            return (Reach::Live, vec![Arc::clone(&attached.outbox)]);
        }
        *pace = Pace::Live;
        (Reach::Live, TooSlow::new())
    }

    /// Whether a connection is sent what is said.
    pub(super) fn reach(&self, connection: ConnectionId) -> Reach {
        match self.attached.get(&connection) {
            Some((_, Pace::Live)) => Reach::Live,
            Some((_, Pace::Paused)) => Reach::Behind,
            None => Reach::Away,
        }
    }

    pub(super) fn pause(&mut self, connection: ConnectionId) -> Option<Seq> {
        let (_, pace) = self.attached.get_mut(&connection)?;
        let before = mem::replace(pace, Pace::Paused);
        (before == Pace::Live).then_some(self.log.head.seq)
    }

    pub(super) fn fill(&mut self, entries: Vec<Entry>, limits: &Limits) {
        self.ring.fill(entries, self.log.head.seq, limits);
    }

    pub(super) fn trimmed(&mut self, floor: Position) {
        self.log.floor = self.log.floor.max(floor);
        self.ring.trim(floor.seq);
    }

    /// Takes a connection off. Answers whether it was there.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> bool {
        self.attached.remove(&connection).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.attached.is_empty() && self.roster.is_deserted()
    }

    /// Tells everyone attached that a user came, where names are told at all.
    pub(super) fn tell_joined(&self, room: &RoomName, user: &UserName, limits: &Limits) -> TooSlow {
        if self.roster.count() > limits.presence_list_max {
            return TooSlow::new();
        }
        let joined = Event::Joined { room: room.clone(), user: user.clone() };
        self.tell(&Delivery::new(joined), |_| true)
    }

    /// Tells everyone attached that a user left, where names are told at all.
    pub(super) fn tell_left(&self, room: &RoomName, user: &UserName, limits: &Limits) -> TooSlow {
        if self.roster.count() >= limits.presence_list_max {
            return TooSlow::new();
        }
        let left = Event::Left { room: room.clone(), user: user.clone() };
        self.tell(&Delivery::new(left), |_| true)
    }

    /// Sends an event that is not in the log to those attached who are meant.
    pub(super) fn tell(
        &self,
        delivery: &Arc<Delivery>,
        meant: impl Fn(&Attached) -> bool,
    ) -> TooSlow {
        self.outboxes(meant)
            .filter(|outbox| outbox.push(delivery) == Err(Overflow))
            .map(Arc::clone)
            .collect()
    }

    /// The same with an event that nobody misses.
    pub(super) fn offer(&self, delivery: &Arc<Delivery>, meant: impl Fn(&Attached) -> bool) {
        self.outboxes(meant).for_each(|outbox| outbox.offer(delivery));
    }

    fn outboxes(
        &self,
        meant: impl Fn(&Attached) -> bool,
    ) -> impl Iterator<Item = &Arc<dyn Outbox>> {
        self.attached.values().filter(move |(it, _)| meant(it)).map(|(it, _)| &it.outbox)
    }
}

/// The word that a gap is not closed.
fn too_far(room: &RoomName, head: Seq) -> Arc<Delivery> {
    Delivery::new(Event::Missed(Missed { room: room.clone(), run: Run::TooFar { head } }))
}

/// Where a stored entry stands.
fn position(delivery: &Delivery) -> Position {
    delivery.entry().map_or(Position::ZERO, |entry| entry.position)
}
