//! The connections of this node: their users, their rooms, and the delivery of events to them.
//!
//! [`ConnectionRegistration`], [`NameClaim`], [`RoomInterest`] and [`Deadline`] are guards: dropping
//! one undoes it, however the task that holds it ends. Fan-out never waits: a full outbox closes that
//! connection.
//!
//! Each part has one lock. They are taken in this order: the cluster's, [`OnlineUsers`],
//! [`LiveRooms`], one [`LiveRoom`], then [`Timers`], the publisher's or an outbox's.
//! [`Denials`] and the [`PresenceLog`] are innermost. [`Connections`], [`TypingTracker`] and [`Deadlines`] take no other while
//! they hold theirs; that of the rooms of emitters is held while it is checked that a connection
//! exists.

mod asks;
mod clock;
mod coalesced;
mod connection_map;
mod connection_pages;
mod connections;
mod custom_events;
mod deadlines;
mod delivered_log;
mod denials;
mod due_queue;
mod emitter_rooms;
mod emitters;
mod end_log;
mod fanout;
mod least;
mod listeners;
mod live_room;
mod live_rooms;
mod missed;
mod name_claim;
mod online_users;
mod presence_log;
mod receipts;
mod replays;
mod ring;
mod room_names;
mod slow_readers;
#[cfg(test)]
mod tests;
mod timers;
mod transfers;
mod typing;
mod vec_map;

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;

pub(crate) use self::asks::{AskedConnection, Asks};
pub(crate) use self::connection_pages::{ConnectionPages, ConnectionsOutcome};
pub(crate) use self::connections::{ConnectionRegistration, Connections};
pub(crate) use self::custom_events::CustomEvents;
pub(crate) use self::deadlines::{Deadline, Deadlines};
pub(crate) use self::denials::{DenialRoom, Denials};
pub(crate) use self::emitters::Emitters;
pub(crate) use self::fanout::Fanout;
pub(crate) use self::listeners::ListenerRegistration;
pub(crate) use self::live_room::{
    LiveRoom, RemotePresence, ReplayCursor, ReplayMode, ReplayStatus, RunDelivery,
};
pub(crate) use self::live_rooms::{LiveRooms, RoomInterest};
pub(crate) use self::missed::{ATTACHMENTS_PER_EVENT_MAX, LastPart, MISSED_BYTES_MAX, missed};
pub(crate) use self::name_claim::NameClaim;
pub(crate) use self::online_users::{
    AttachOutcome, AttachRequest, Cause, ConnectionInfo, DeliveryProgress, JoinedRoom,
    OldestListed, OnlineUserId, OnlineUsers, Proof, Scope, StaleMemberships, UserConnectionId,
    WelcomeSnapshot,
};
pub(crate) use self::presence_log::{PresenceChanges, PresenceLog};
pub(crate) use self::slow_readers::{close_outboxes, close_slow_readers, send};
pub use self::transfers::{
    ContinuedSession, FoundWaiting, Lookup, Repeats, SessionSnapshot, WaitingSessions,
};
pub(crate) use self::transfers::{Transfers, required};
use self::{
    clock::ClockTicks,
    listeners::Listeners,
    online_users::{ChangeEffects, ReadAdvance, TypingEnd},
    receipts::ReadReceipts,
    timers::{GracePeriod, Timers},
    typing::TypingTracker,
};
use super::{
    delivery_time::DeliveryTimers,
    event::Post,
    ports::{
        Change, ChangeResult, ClusterCommand, ClusterEvent, DenialChange, DenialSnapshot,
        Membership, MetricEvent, Metrics,
    },
    publisher::Publisher,
};
use crate::domain::{ConnectionAddress, Limits, NodeId, Place, Space, UserName, WebhookRules};

/// The parts of the hub, and the steps that concern more than one of them.
pub(crate) struct Hub {
    /// Publishes the events of this node to the others.
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) connection_pages: ConnectionPages,
    pub(crate) transfers: Transfers,
    pub(crate) users: Arc<OnlineUsers>,
    pub(crate) live_rooms: Arc<LiveRooms>,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) typing: TypingTracker,
    pub(crate) custom_events: Arc<CustomEvents>,
    pub(crate) asks: Arc<Asks>,
    pub(crate) emitters: Emitters,
    pub(crate) receipts: ReadReceipts,
    pub(crate) deadlines: Arc<Deadlines>,
    pub(crate) denials: Arc<Denials>,
    pub(crate) presence_log: Arc<PresenceLog>,
    /// Times the entries that this node stores or receives.
    pub(crate) delivery_timers: DeliveryTimers,
    timers: Arc<Timers>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub without webhooks and metrics.
    #[cfg(test)]
    pub(crate) fn new(limits: Limits, publisher: Arc<Publisher>) -> Arc<Self> {
        Self::observed(limits, publisher, None, &(Arc::new(super::ports::NoMetrics) as _))
    }

    /// A hub whose presence webhooks with these rules are told of.
    pub(crate) fn observed(
        limits: Limits,
        publisher: Arc<Publisher>,
        rules: Option<Arc<WebhookRules>>,
        metrics: &Arc<dyn Metrics>,
    ) -> Arc<Self> {
        let (presence_log, timers) = (PresenceLog::new(rules), Arc::new(Timers::new()));
        let (presence_grace, members_max) = (limits.presence_grace, limits.receipts_members_max);
        let ask_limits = limits.clone();
        let live_rooms = Arc::new(LiveRooms::new(
            limits,
            Arc::clone(&publisher),
            Arc::clone(&timers),
            Arc::clone(&presence_log),
            Arc::clone(metrics),
        ));
        let denials = Arc::<Denials>::default();
        let users = Arc::new(OnlineUsers::new(
            Arc::clone(&live_rooms),
            Arc::clone(&publisher),
            (Arc::clone(&timers), presence_grace),
            Arc::clone(&denials),
            Arc::clone(&presence_log),
        ));
        let node = || publisher.node().clone();
        let connections = Connections::new(node(), Arc::clone(&presence_log), Arc::clone(metrics));
        let listeners = Listeners::new(Arc::clone(&publisher));
        let connection_pages = ConnectionPages::new(
            Arc::clone(&connections),
            Arc::clone(&users),
            Arc::clone(&listeners),
            Arc::clone(&publisher),
            Arc::clone(&timers),
        );
        let fanout = Arc::new(Fanout::new(Arc::clone(&users), Arc::clone(&live_rooms)));
        let custom_events = CustomEvents::new(
            Arc::clone(&connections),
            Arc::clone(&users),
            Arc::clone(&live_rooms),
            Arc::clone(&listeners),
            Arc::clone(&publisher),
        );
        let asks = Asks::new(
            Arc::clone(&connections),
            Arc::clone(&custom_events),
            Arc::clone(&publisher),
            Arc::clone(&timers),
            &ask_limits,
        );
        let rooms = Arc::clone(&live_rooms);
        let typing =
            TypingTracker::new(Arc::clone(&fanout), Arc::clone(&timers), Arc::clone(&publisher));
        Arc::new(Self {
            typing,
            emitters: Emitters::new(node(), Arc::clone(&connections), rooms, listeners),
            connection_pages,
            transfers: Transfers::new(&connections, &users, &publisher),
            connections,
            custom_events,
            asks,
            receipts: ReadReceipts::new(
                Arc::clone(&fanout),
                Arc::clone(&timers),
                Arc::clone(&publisher),
                members_max,
            ),
            deadlines: Deadlines::new(Arc::clone(&timers)),
            denials,
            presence_log,
            publisher,
            users,
            live_rooms,
            fanout,
            delivery_timers: delivery_timers(Arc::clone(metrics)),
            timers,
        })
    }

    /// The time since the hub was made: the clock of its timers.
    pub(crate) fn now(&self) -> Duration {
        self.timers.now()
    }

    /// Sends a run of stored entries of one place, in order, to the connections of this node, as far
    /// as it continues what was sent before.
    pub(crate) fn deliver(&self, place: &Place, run: &[Post]) -> RunDelivery {
        let (sent, advances) = self.fanout.deliver(place, run);
        for ReadAdvance { author, origin, read, members } in advances {
            // The other nodes receive the receipt from the node that stored the message.
            if origin.is_some() {
                self.receipts.schedule(place, author, read, members);
            }
        }
        for entry in run.iter().filter_map(|it| it.delivery.entry()).filter(|it| it.is_message()) {
            self.typing.end_silently(place, &entry.author);
        }
        sent
    }

    /// Takes the locks that every delivery takes, one after the other: does not return while one of them
    /// is stuck.
    pub(crate) fn visit_locks(&self) {
        self.users.count();
        self.live_rooms.len();
        self.connections.visit_lock();
    }

    /// Applies a change of a membership that was stored, and publishes it.
    pub(crate) fn apply_change(&self, change: &Change, changed: &ChangeResult, cause: &Cause) {
        let Change { place, user, what: _, rooms_max: _ } = change;
        let effects = self.users.apply_change((place, user), changed, cause);
        self.finish(user, effects);
        if changed.before != changed.after {
            let (place, user, by) = (place.clone(), user.clone(), cause.by.clone());
            self.publisher.publish_to_user(
                &place.space.clone(),
                &user.clone(),
                ClusterEvent::MembershipChanged { place, user, by },
            );
        }
        let has_read_more = changed.before.map(|it| it.read) != changed.after.map(|it| it.read);
        if let (Some(_), Some(member), true) = (changed.before, changed.after, has_read_more) {
            let who = self.users.named_user(&place.space, user).unwrap_or(user.clone().into());
            self.receipts.schedule(place, who, member.read.seq, changed.log.members);
        }
    }

    /// Applies the memberships of a user that the store has now, after another node changed some.
    /// Returns the conversations with entries that were not delivered here yet.
    pub(crate) fn refresh(
        &self,
        (space, user): (&Space, &UserName),
        memberships: Vec<Membership>,
        stale: &StaleMemberships,
    ) -> Vec<Place> {
        let (behind, effects) = self.users.refresh((space, user), memberships, stale);
        self.finish(user, effects);
        behind
    }

    /// Another node has left: no replies of it are to come.
    pub(crate) fn forget_replies_of(&self, node: &NodeId) {
        self.asks.forget_node(node);
        self.connection_pages.forget_node(node);
        self.transfers.forget_node(node);
    }

    fn finish(&self, user: &UserName, effects: ChangeEffects) {
        for ended in effects.typing_ended {
            match ended {
                TypingEnd::User(place) => self.typing.stop(place, user),
                TypingEnd::Connection(place, connection) => {
                    self.typing.stop_on_connection(place, user, connection);
                }
            }
        }
        close_slow_readers(effects.full_outboxes);
    }

    /// Applies a change of the list of denials, and begins to close connections accordingly.
    pub(crate) fn change_denials(&self, number: u64, change: &DenialChange, now: OffsetDateTime) {
        for subject in self.denials.apply(number, change, now) {
            self.users.close_denied(&subject, now);
        }
    }

    /// The same with the list of the store. `known` is the number before it was read.
    pub(crate) fn replace_denials(&self, known: u64, list: DenialSnapshot, now: OffsetDateTime) {
        self.denials.replace(known, list, now);
        self.users.close_all_denied(now);
    }

    /// Executes a command that was published to all nodes.
    pub(crate) fn apply_command(&self, command: &ClusterCommand, now: OffsetDateTime) {
        match command {
            ClusterCommand::ChangeDenials { number, change } => {
                self.change_denials(*number, change, now);
            }
            ClusterCommand::RevokeGuestNames { space, user } => {
                self.users.revoke_guest_names(space, user);
            }
            ClusterCommand::DisconnectUser { space, user, device, after } => {
                let outboxes = match device {
                    Some(device) => self.users.outboxes_with(space, user, device),
                    None => self.users.outboxes(space, user),
                };
                close_outboxes(outboxes, (*after).into());
            }
            ClusterCommand::DisconnectConnection { space, address, after } => {
                let ConnectionAddress { node, connection } = address;
                let is_here = node == self.publisher.node();
                let outbox = self.connections.get_in(space, *connection).filter(|_| is_here);
                close_outboxes(outbox.into_iter().collect(), (*after).into());
            }
            ClusterCommand::PlaceConnection { space, address, room, placing } => {
                self.emitters.place((space, address), room, *placing);
            }
            ClusterCommand::ReplaceDevices { space, user, device, ticket } => {
                self.users.replace_devices((space, user), device.as_ref(), *ticket);
            }
        }
    }

    /// Runs the timers, in a task of its own, without end. `on_names_freed` is called after names are
    /// freed and before the departures of their users are sent. The event `clock` with the time of
    /// `clock` is sent at `clock_interval`, if there is one.
    pub(crate) async fn run_timers(
        self: Arc<Self>,
        on_names_freed: impl Fn(),
        clock_interval: Option<Duration>,
        clock: impl Fn() -> OffsetDateTime,
    ) {
        let mut ticks = ClockTicks::after(self.now(), clock_interval);
        loop {
            self.run_due_timers(&on_names_freed);
            if ticks.take(self.now()) {
                self.users.offer_clock(clock());
            }
            let others = self.deadlines.next().into_iter().chain(self.typing.next());
            let others = others.chain(self.asks.next()).chain(ticks.next());
            self.timers.wait(others.min()).await;
        }
    }

    fn run_due_timers(&self, on_names_freed: impl Fn()) {
        let now = self.now();
        self.deadlines.run_due(now);
        self.typing.expire(now);
        self.asks.expire(now);
        let mut left = Vec::new();
        for grace_period in self.timers.take_expired(now) {
            match grace_period {
                GracePeriod::Name(space, user) => self.users.expire(&space, &user, now),
                GracePeriod::Room(place, user) => left.push((place, user)),
            }
        }
        on_names_freed();
        self.live_rooms.expire_when_synchronized(left);
        self.live_rooms.send_due_presences(now);
        self.receipts.send_due(now);
    }
}

fn delivery_timers(metrics: Arc<dyn Metrics>) -> DeliveryTimers {
    DeliveryTimers::new(move |elapsed| metrics.record(MetricEvent::DeliveryEnded { elapsed }))
}
