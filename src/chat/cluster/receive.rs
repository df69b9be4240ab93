//! Applies the announcements of the other nodes, one at a time.

use std::{collections::BTreeSet, mem, ops::RangeInclusive, sync::Arc};

use tokio::time::Instant;

use super::{Cluster, ClusterState, StaleMemberships, gap_detector::SequenceCheck};
use crate::{
    chat::{
        event::{Delivery, Post},
        hub::RemotePresence,
        ports::{Announcement, BusEvent, ClusterEvent, SpanFact, SpanHandle, SpanKind},
    },
    domain::{Channel, NodeId, Place},
};

impl Cluster {
    /// Receives announcements until the bus ends.
    pub(crate) async fn receive(&self) {
        while let Some(bus_event) = self.bus.next().await {
            match bus_event {
                BusEvent::Received(channel, announcement) => {
                    self.on_announcement(channel, announcement);
                }
                BusEvent::Subscribed(channels) => self.on_subscribed(&channels),
                BusEvent::Probe(number) => self.on_probe(number),
            }
        }
    }

    /// Handles an active subscription. Earlier entries are read from the store, and rosters are
    /// requested from the other nodes.
    fn on_subscribed(&self, channels: &BTreeSet<Channel>) {
        self.mark_dirty(channels, None);
        let mut state = self.lock();
        state.subscribed.extend(channels);
        state.rosters_due = true;
        drop(state);
        self.publisher.wake();
        self.roster_received.send_replace(());
    }

    /// Records a possible loss on these channels, of one node or of all.
    fn mark_dirty(&self, channels: &BTreeSet<Channel>, of: Option<&NodeId>) {
        let rooms = self.hub.live_rooms.on_channels(Some(channels));
        let rooms = rooms.iter().map(|live_room| live_room.place().clone()).collect();
        let mut state = self.lock();
        state.dirty_channels.channels.extend(channels);
        state.request_rosters(rooms, of);
        drop(state);
        self.publisher.wake();
    }

    fn on_announcement(&self, channel: Channel, announcement: Announcement) {
        let Announcement { from, number, event } = announcement;
        if from == *self.publisher.node() {
            return;
        }
        let mut state = self.lock();
        let is_new = state.peers.record_received(&from, self.hub.now());
        let check = state.gap_detector.observe(&from, channel, number);
        drop(state);
        if is_new {
            self.add_peer(&from);
        }
        if check != SequenceCheck::Duplicate {
            self.record_gap(&from, channel, check);
            self.apply(&from, channel, event);
        }
    }

    /// Handles a new node: its rosters are requested.
    pub(super) fn add_peer(&self, node: &NodeId) {
        self.publisher.set_peer_count(1);
        let rooms = self.hub.live_rooms.on_channels(None);
        let rooms = rooms.iter().map(|live_room| live_room.place().clone()).collect();
        let mut state = self.lock();
        state.dirty_channels.all = true;
        state.request_rosters(rooms, Some(node));
        state.rosters_due = true;
        drop(state);
        self.publisher.wake();
    }

    /// Records a gap. Lost numbers are not requested at once: on a lossy bus, requests would take
    /// up most of the traffic.
    fn record_gap(&self, from: &NodeId, channel: Channel, check: SequenceCheck) {
        let SequenceCheck::Gap(numbers) = check else { return };
        let mut state = self.lock();
        let missed = state.missed.entry((from.clone(), channel)).or_insert(numbers.clone());
        *missed = *missed.start()..=*numbers.end();
        drop(state);
        self.mark_dirty(&BTreeSet::from([channel]), Some(from));
    }

    fn apply(&self, from: &NodeId, channel: Channel, event: ClusterEvent) {
        let present = |place: &Place, presence: RemotePresence<'_>| {
            self.hub.live_rooms.apply_remote_presence(from, place, presence);
        };
        match event {
            ClusterEvent::Entry(delivery) => self.receive_entry(&delivery),
            ClusterEvent::Trimmed(place, retained) => self.hub.fanout.trim(&[(place, retained)]),
            ClusterEvent::MembershipChanged { place, user, by } => {
                if self.hub.users.is_present(&place.space, &user) {
                    let space = place.space.clone();
                    let by = by.map(|by| (place, by)).into_iter().collect();
                    self.mark_stale(&space, &user, StaleMemberships { by, ..Default::default() });
                }
            }
            ClusterEvent::Read { place, who, seq } => {
                self.hub.receipts.apply_remote(&place, who, seq);
            }
            ClusterEvent::Typing { place, who, typing } => {
                self.hub.typing.apply_remote(place, who, typing);
            }
            ClusterEvent::Custom { to, except, event, delivery } => {
                self.hub.custom_events.deliver(&to, &event, except.as_ref(), delivery);
            }
            ClusterEvent::Ask(ask, asked) => self.hub.asks.begin_remote(from, ask, &asked),
            ClusterEvent::AskReply { to, ask, reply } => {
                self.hub.asks.record(from, (&to, ask), reply);
            }
            ClusterEvent::ConnectionsRequest(id, request) => {
                self.hub.connection_pages.reply(from, id, &request);
            }
            ClusterEvent::ConnectionsReply { to, request, first } => {
                self.hub.connection_pages.record(from, (&to, request), first);
            }
            ClusterEvent::SessionClaim(id, claim) => self.answer_claim(from, id, &claim),
            ClusterEvent::SessionReply { to, claim, reply } => {
                self.hub.transfers.record(from, (&to, claim), reply);
            }
            ClusterEvent::Joined(place, who) => {
                self.hub.users.apply_remote_name(&place.space, &who);
                present(&place, RemotePresence::Joined(&who));
            }
            ClusterEvent::Left(place, user) => present(&place, RemotePresence::Left(&user)),
            ClusterEvent::Roster(place, users, names) => {
                present(&place, RemotePresence::Snapshot(&users, &names));
                self.lock().record_roster(from, &place);
                self.roster_received.send_replace(());
            }
            ClusterEvent::RosterRequest(places) => self.publish_rosters(&places),
            ClusterEvent::ResendRequest { of, from, to } if of == *self.publisher.node() => {
                self.publisher.republish(channel, &RangeInclusive::new(from, to));
            }
            ClusterEvent::ResendRequest { .. } => (),
            ClusterEvent::Command(command) => {
                self.hub.apply_command(&command, self.clock.now());
            }
            ClusterEvent::ResentCommand(number, command) => {
                if self.lock().gap_detector.has_missed(from, channel, number) {
                    self.hub.apply_command(&command, self.clock.now());
                }
            }
            ClusterEvent::Leaving => {
                self.lock().peers.record_left(from, self.hub.now());
                self.hub.forget_replies_of(from);
            }
            ClusterEvent::Heartbeat(numbers) => self.check_counts(from, numbers),
            // The store has what an unknown event announces.
            ClusterEvent::Unknown => self.mark_dirty(&BTreeSet::from([channel]), Some(from)),
        }
    }

    fn receive_entry(&self, delivery: &Arc<Delivery>) {
        let Some(place) = delivery.entry().map(|entry| entry.place.clone()) else { return };
        let delivering = self.continue_trace(delivery, &place);
        let delivery = delivery.timed(self.hub.delivery_timers.start(Instant::now()));
        let post = Post { delivery, origin: None, except: None };
        self.deliver_in_order(&place, &[post], Vec::new());
        drop(delivering);
    }

    /// Continues the trace of an entry, if the node of its sender has sampled it.
    fn continue_trace(&self, delivery: &Delivery, place: &Place) -> Option<SpanHandle> {
        let (tracer, parent) = (self.tracer.as_ref()?, delivery.traceparent()?);
        let span = tracer.begin("remote fan-out", SpanKind::Consumer, Some(parent))?;
        span.record(SpanFact::Sockets(self.hub.fanout.sockets(place)));
        Some(span)
    }

    fn publish_rosters(&self, places: &[Place]) {
        for place in places {
            self.hub.live_rooms.publish_roster(place);
        }
    }

    /// Compares a node's last numbers with the received ones.
    fn check_counts(&self, from: &NodeId, numbers: Vec<(Channel, u64)>) {
        for (channel, number) in numbers {
            let mut state = self.lock();
            if state.subscribed.contains(&channel) {
                let check = state.gap_detector.observe_heartbeat(from, channel, number);
                drop(state);
                self.record_gap(from, channel, check);
            }
        }
    }
}

impl ClusterState {
    /// Requests the rosters of these rooms from one node, or from all.
    pub(super) fn request_rosters(&mut self, places: Vec<Place>, of: Option<&NodeId>) {
        let of = of.map_or_else(|| self.peers.ids().cloned().collect(), |it| vec![it.clone()]);
        for place in places.into_iter().filter(|_| !of.is_empty()) {
            self.roster_requests.entry(place).or_default().extend(of.iter().cloned());
        }
    }

    fn record_roster(&mut self, node: &NodeId, place: &Place) {
        if let Some(nodes) = self.roster_requests.get_mut(place) {
            nodes.remove(node);
            if nodes.is_empty() {
                self.roster_requests.remove(place);
            }
        }
    }

    /// Cancels the requests to a removed node.
    pub(super) fn cancel_roster_requests(&mut self, node: &NodeId) {
        let asked =
            mem::take(&mut self.roster_requests).into_iter().filter_map(|(place, mut nodes)| {
                nodes.remove(node);
                (!nodes.is_empty()).then_some((place, nodes))
            });
        self.roster_requests = asked.collect();
    }
}
