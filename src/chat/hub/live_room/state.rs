//! What the lock of a live room guards.

use std::{collections::HashMap, mem, sync::Arc};

use super::{
    AttachedConnection, FullOutboxes, ReplayCursor, ReplayMode, ReplayStatus, RunDelivery,
    contiguous_run, topic::LatestTopic,
};
use crate::{
    chat::{
        event::{Delivery, Event, MissedEntries, MissedRun, Post},
        hub::{delivered_log::DeliveredLog, ring::Ring, room_names::RoomNames},
        ports::{MetricEvent, Metrics, MissedSource, Outbox, Overflow},
    },
    domain::{
        ConnectionId, Entry, Limits, Log, Position, Recovery, Retained, RoomName, Roster,
        RosterArrival, Seq, UserName, recovery,
    },
};

/// The most receivers of an event that does not wait for those of other rooms. They take some 0.5 ms.
const SMALL_FAN_OUT_MAX: usize = 128;

pub(super) struct LiveRoomState {
    pub(super) log: DeliveredLog,
    pub(super) roster: Roster,
    pub(super) names: RoomNames,
    pub(super) ring: Ring,
    pub(super) topic: LatestTopic,
    attached: HashMap<ConnectionId, (AttachedConnection, DeliveryMode)>,
    metrics: Arc<dyn Metrics>,
}

/// See [`push_function`].
type PushFunction = fn(&dyn Outbox, &Arc<Delivery>) -> Result<(), Overflow>;

/// Whether a connection receives entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeliveryMode {
    Live,
    /// It is still to catch up.
    Paused,
}

impl LiveRoomState {
    pub(super) fn new(log: Log, metrics: Arc<dyn Metrics>) -> Self {
        let (roster, ring, attached) = (Roster::default(), Ring::default(), HashMap::new());
        let (names, topic) = (RoomNames::default(), LatestTopic::default());
        let log = DeliveredLog::new(log, log.head);
        Self { log, roster, names, ring, topic, attached, metrics }
    }

    pub(super) fn deliver(&mut self, run: &[Post], limits: &Limits) -> (RunDelivery, FullOutboxes) {
        let (run, sent) = contiguous_run(run, self.head());
        for post in run {
            if let Some(entry) = post.delivery.entry() {
                self.log.record(entry);
                self.learn_author(entry);
                self.topic.record(entry);
            }
            self.ring.push(post, limits);
        }
        let (mut full_outboxes, mut queued) = (FullOutboxes::new(), 0);
        let push = push_function(self.attached.len());
        for (connection, (it, mode)) in &mut self.attached {
            let mut wanted = run.iter().filter(|post| post.except != Some(*connection));
            let mut push = |post: &Post| {
                queued += 1;
                push(&*it.outbox, &post.delivery)
            };
            if *mode == DeliveryMode::Live && wanted.try_for_each(&mut push).is_err() {
                // No entry may follow a gap. The connection is about to be closed.
                *mode = DeliveryMode::Paused;
                full_outboxes.push(Arc::clone(&it.outbox));
            }
        }
        self.metrics.record(MetricEvent::Delivered { entries: queued });
        (sent, full_outboxes)
    }

    pub(super) fn sockets(&self) -> usize {
        self.attached.len()
    }

    pub(super) fn skip(&mut self, room: &RoomName, to: Position) -> FullOutboxes {
        if to.seq <= self.head() {
            return FullOutboxes::new();
        }
        self.log.skip(to);
        self.ring.clear();
        let live = self.attached.values().filter(|(_, mode)| *mode == DeliveryMode::Live);
        let (event, push) = (too_far(room, to.seq), push_function(self.attached.len()));
        let full = live.filter(|(it, _)| push(&*it.outbox, &event).is_err());
        full.map(|(it, _)| Arc::clone(&it.outbox)).collect()
    }

    pub(super) fn enter(
        &mut self,
        room: &RoomName,
        attached: AttachedConnection,
        cursor: ReplayCursor,
        limits: &Limits,
    ) -> (ReplayStatus, RosterArrival, FullOutboxes) {
        let (connection, user) = (attached.connection, attached.user.clone());
        if self.attached.contains_key(&connection) {
            debug_assert!(false, "a connection enters once");
            return (ReplayStatus::Live, RosterArrival::AlreadyLocal, FullOutboxes::new());
        }
        let arrival = self.roster.connect(&user);
        let mut full_outboxes = FullOutboxes::new();
        if arrival == RosterArrival::FirstJoined {
            full_outboxes = self.broadcast_joined(room, &user, limits);
        }
        self.attached.insert(connection, (attached, DeliveryMode::Paused));
        let (status, full) = self.catch_up(room, connection, cursor, limits);
        full_outboxes.extend(full);
        (status, arrival, full_outboxes)
    }

    pub(super) fn catch_up(
        &mut self,
        room: &RoomName,
        connection: ConnectionId,
        cursor: ReplayCursor,
        limits: &Limits,
    ) -> (ReplayStatus, FullOutboxes) {
        let (log, head) = (self.log.log(), self.head());
        let Some((attached, mode)) = self.attached.get_mut(&connection) else {
            return (ReplayStatus::NotAttached, FullOutboxes::new());
        };
        if cursor.after > head && cursor.after != Seq::MAX {
            return (ReplayStatus::Ahead, FullOutboxes::new());
        }
        let mut source = MissedSource::Ring;
        let events = match recovery(cursor.after, &log, limits.recover_messages_max) {
            Recovery::TooFar if cursor.mode == ReplayMode::Missed => {
                source = MissedSource::Refused;
                vec![too_far(room, head)]
            }
            Recovery::TooFar | Recovery::Replay { .. } => {
                let events = match cursor.mode {
                    ReplayMode::Live => self.ring.live(connection, (cursor.after, head)),
                    ReplayMode::Missed => {
                        let room = (room, &self.names);
                        self.ring.missed(room, connection, (cursor.after, head), limits)
                    }
                };
                let Some(events) = events else {
                    return (ReplayStatus::Behind, FullOutboxes::new());
                };
                events
            }
        };
        if events.iter().try_for_each(|delivery| attached.outbox.push(delivery)).is_err() {
            return (ReplayStatus::Live, vec![Arc::clone(&attached.outbox)]);
        }
        *mode = DeliveryMode::Live;
        if cursor.mode == ReplayMode::Missed {
            self.metrics.record(MetricEvent::MissedSent(source));
        }
        (ReplayStatus::Live, FullOutboxes::new())
    }

    /// The replay status of a connection.
    pub(super) fn replay_status(&self, connection: ConnectionId) -> ReplayStatus {
        match self.attached.get(&connection) {
            Some((_, DeliveryMode::Live)) => ReplayStatus::Live,
            Some((_, DeliveryMode::Paused)) => ReplayStatus::Behind,
            None => ReplayStatus::NotAttached,
        }
    }

    pub(super) fn pause(&mut self, connection: ConnectionId) -> Option<Seq> {
        let (_, mode) = self.attached.get_mut(&connection)?;
        let before = mem::replace(mode, DeliveryMode::Paused);
        (before == DeliveryMode::Live).then_some(self.head())
    }

    pub(super) fn fill(&mut self, entries: Vec<Entry>, limits: &Limits) {
        for entry in &entries {
            self.learn_author(entry);
        }
        self.ring.fill(entries, self.head(), limits);
    }

    pub(super) fn trim(&mut self, retained: &Retained) {
        self.log.trim(retained);
        self.ring.trim(retained.floor.seq);
    }

    /// The last entry that was delivered here.
    fn head(&self) -> Seq {
        self.log.log().head.seq
    }

    /// Detaches a connection. Returns whether it was attached.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> bool {
        self.attached.remove(&connection).is_some()
    }

    /// The number of attached connections.
    pub(super) fn connection_count(&self) -> usize {
        self.attached.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.attached.is_empty() && self.roster.has_no_local_users()
    }

    /// Sends a join to all connections, unless the room is above the limit for presence lists.
    pub(super) fn broadcast_joined(
        &self,
        room: &RoomName,
        user: &UserName,
        limits: &Limits,
    ) -> FullOutboxes {
        if self.roster.count() > limits.presence_list_max {
            return FullOutboxes::new();
        }
        let joined = Event::Joined { room: room.clone(), who: self.names.named(user) };
        self.broadcast(&Delivery::new(joined), |_| true)
    }

    /// Sends a departure to all connections, unless the room is above the limit for presence lists.
    pub(super) fn broadcast_left(
        &self,
        room: &RoomName,
        user: &UserName,
        limits: &Limits,
    ) -> FullOutboxes {
        if self.roster.count() >= limits.presence_list_max {
            return FullOutboxes::new();
        }
        let left = Event::Left { room: room.clone(), who: self.names.named(user) };
        self.broadcast(&Delivery::new(left), |_| true)
    }

    /// Sends an event that is not in the log to the connections that `filter` accepts.
    pub(super) fn broadcast(
        &self,
        delivery: &Arc<Delivery>,
        filter: impl Fn(&AttachedConnection) -> bool,
    ) -> FullOutboxes {
        let push = push_function(self.attached.len());
        self.outboxes(filter)
            .filter(|outbox| push(&***outbox, delivery) == Err(Overflow))
            .map(Arc::clone)
            .collect()
    }

    /// The same with an event that a full outbox drops.
    pub(super) fn offer(
        &self,
        delivery: &Arc<Delivery>,
        filter: impl Fn(&AttachedConnection) -> bool,
    ) {
        self.outboxes(filter).for_each(|outbox| outbox.offer(delivery));
    }

    /// The attached connections.
    pub(super) fn connections(
        &self,
    ) -> impl Iterator<Item = (ConnectionId, Arc<dyn Outbox>)> + use<'_> {
        self.attached.iter().map(|(id, (it, _))| (*id, Arc::clone(&it.outbox)))
    }

    fn outboxes(
        &self,
        filter: impl Fn(&AttachedConnection) -> bool,
    ) -> impl Iterator<Item = &Arc<dyn Outbox>> {
        self.attached.values().filter(move |(it, _)| filter(it)).map(|(it, _)| &it.outbox)
    }
}

/// What queues an event for each of so many connections.
pub(in crate::chat::hub) fn push_function(receivers: usize) -> PushFunction {
    let is_small = receivers <= SMALL_FAN_OUT_MAX;
    if is_small { <dyn Outbox>::push } else { <dyn Outbox>::push_to_many }
}

/// The event for a gap that cannot be replayed.
fn too_far(room: &RoomName, head: Seq) -> Arc<Delivery> {
    Delivery::new(Event::Missed(MissedEntries {
        room: room.clone(),
        run: MissedRun::TooFar { head },
    }))
}
