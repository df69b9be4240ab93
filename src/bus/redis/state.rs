//! The wanted and the confirmed channels, and the times of pings.
//!
//! Decisions only: no socket and no clock. A generation is the lifetime of one connection for the
//! groups that it serves; events of an ended generation are ignored.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{
    names::{ChannelGroup, GROUPS},
    outgoing::OutgoingQueue,
};
use crate::domain::Channel;

/// The greatest age of the last ping that has returned. Past it, the group is disconnected.
pub(super) const PING_TIMEOUT: Duration = Duration::from_millis(2500);

/// See the module.
#[derive(Debug)]
pub(super) struct BusState {
    pub(super) outgoing: OutgoingQueue,
    /// Messages that were taken from the queue and are not confirmed.
    pub(super) in_flight: usize,
    pub(super) phase: BusPhase,
    /// A number that this node sends to itself, and that no link has taken yet. The last one counts.
    pub(super) probe: Option<u64>,
    /// The time of a logged failure without a logged recovery.
    pub(super) failing_since: Option<Instant>,
    groups: [GroupState; GROUPS],
}

/// The phase of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BusPhase {
    /// It accepts and sends messages.
    Open,
    /// It sends the queue, and accepts nothing.
    Closing,
    /// It sends nothing.
    Closed,
}

/// The state of one group.
#[derive(Debug, Default)]
struct GroupState {
    /// The generation that serves it.
    generation: Option<u64>,
    wanted: BTreeSet<Channel>,
    /// The channels that the server has confirmed.
    confirmed: BTreeSet<Channel>,
    /// The channels that are wanted and not confirmed.
    missing: BTreeSet<Channel>,
    /// Until when missing channels do not disconnect the bus, if no other channel was missing when
    /// they became wanted: a user that enters a new room does not disconnect the node.
    grace_until: Option<Instant>,
    /// The channels with a pending unsubscribe.
    unsubscribing: BTreeSet<Channel>,
    /// When the last ping that has returned was sent.
    last_ping: Option<Instant>,
}

impl BusState {
    pub(super) fn new(outgoing: OutgoingQueue) -> Self {
        let groups = std::array::from_fn(|_| GroupState::default());
        let (phase, probe) = (BusPhase::Open, None);
        Self { outgoing, in_flight: 0, phase, probe, failing_since: None, groups }
    }

    /// Returns which of the newly wanted channels are subscribed already.
    pub(super) fn set_wanted(
        &mut self,
        channels: &BTreeSet<Channel>,
        now: Instant,
    ) -> BTreeSet<Channel> {
        let mut already_subscribed = BTreeSet::new();
        for group in ChannelGroup::all() {
            let group_state = self.group_state(group);
            let wanted =
                channels.iter().copied().filter(|it| ChannelGroup::of(*it) == group).collect();
            let before = std::mem::replace(&mut group_state.wanted, wanted);
            let new = group_state.wanted.difference(&before);
            already_subscribed.extend(new.filter(|it| group_state.confirmed.contains(it)));
            let was_complete = group_state.generation.is_some() && group_state.missing.is_empty();
            group_state.missing =
                group_state.wanted.difference(&group_state.confirmed).copied().collect();
            if was_complete {
                group_state.grace_until = Some(now + PING_TIMEOUT);
            }
        }
        already_subscribed
    }

    pub(super) fn is_wanted(&self, channel: Channel) -> bool {
        self.groups
            .get(ChannelGroup::of(channel).index())
            .is_some_and(|it| it.wanted.contains(&channel))
    }

    /// A generation begins to serve these groups: their state is reset.
    pub(super) fn begin(&mut self, generation: u64, groups: &[ChannelGroup]) {
        for group in groups {
            let group_state = self.group_state(*group);
            group_state.reset();
            group_state.generation = Some(generation);
        }
    }

    /// A generation has ended. Groups that another one serves by now are kept.
    pub(super) fn end(&mut self, generation: u64) {
        for group_state in
            self.groups.iter_mut().filter(|group_state| group_state.generation == Some(generation))
        {
            group_state.reset();
        }
    }

    /// The channels to subscribe to in these groups.
    pub(super) fn missing(&self, groups: &[ChannelGroup]) -> Vec<Channel> {
        let group_states = groups.iter().filter_map(|group| self.groups.get(group.index()));
        group_states.flat_map(|group_state| group_state.missing.iter().copied()).collect()
    }

    /// Takes the channels of these groups that are no longer wanted: they count as not subscribed
    /// from now on.
    pub(super) fn take_surplus(&mut self, groups: &[ChannelGroup]) -> Vec<Channel> {
        let mut surplus = Vec::new();
        for group in groups {
            let group_state = self.group_state(*group);
            let unwanted: Vec<_> =
                group_state.confirmed.difference(&group_state.wanted).copied().collect();
            for channel in &unwanted {
                group_state.confirmed.remove(channel);
                group_state.unsubscribing.insert(*channel);
            }
            surplus.extend(unwanted);
        }
        surplus
    }

    /// The server confirms a subscription of a generation. Returns whether the channel was missing.
    pub(super) fn confirm(&mut self, generation: u64, channel: Channel) -> bool {
        let group_state = self.group_state(ChannelGroup::of(channel));
        if group_state.generation != Some(generation) {
            return false;
        }
        group_state.confirmed.insert(channel);
        group_state.missing.remove(&channel)
    }

    /// The server confirms the end of a subscription. Returns whether that was requested.
    pub(super) fn confirm_unsubscribed(&mut self, generation: u64, channel: Channel) -> bool {
        let group_state = self.group_state(ChannelGroup::of(channel));
        group_state.generation != Some(generation) || group_state.unsubscribing.remove(&channel)
    }

    /// A ping of a generation has returned, now. One that returns after the last one has timed out
    /// does not count: the bus was disconnected by then, and is connected again only after another
    /// generation has confirmed its channels.
    pub(super) fn record_ping(
        &mut self,
        generation: u64,
        group: ChannelGroup,
        sent: Instant,
        now: Instant,
    ) {
        let group_state = self.group_state(group);
        let has_timed_out = group_state.last_ping.is_some_and(|last| !is_recent(last, now));
        if group_state.generation == Some(generation) && !has_timed_out {
            group_state.last_ping = group_state.last_ping.max(Some(sent));
        }
    }

    /// When the oldest of the groups' last pings was sent; a group without one counts from `begin`.
    pub(super) fn oldest_ping(&self, groups: &[ChannelGroup], begin: Instant) -> Instant {
        let group_states = groups.iter().filter_map(|group| self.groups.get(group.index()));
        group_states
            .map(|group_state| group_state.last_ping.unwrap_or(begin))
            .min()
            .unwrap_or(begin)
    }

    pub(super) fn is_connected(&self, now: Instant) -> bool {
        let complete = |it: &GroupState| {
            it.missing.is_empty() || it.grace_until.is_some_and(|until| now < until)
        };
        let is_connected =
            |it: &GroupState| complete(it) && it.last_ping.is_some_and(|sent| is_recent(sent, now));
        self.phase == BusPhase::Open && self.groups.iter().all(is_connected)
    }

    fn group_state(&mut self, group: ChannelGroup) -> &mut GroupState {
        self.groups.get_mut(group.index()).expect("there is one for each group")
    }
}

/// Whether a ping that was sent then keeps its group connected.
fn is_recent(sent: Instant, now: Instant) -> bool {
    now.duration_since(sent) <= PING_TIMEOUT
}

impl GroupState {
    fn reset(&mut self) {
        self.generation = None;
        self.confirmed.clear();
        self.unsubscribing.clear();
        self.missing.clone_from(&self.wanted);
        self.grace_until = None;
        self.last_ping = None;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::bus::contract::channel;

    fn state() -> (BusState, Vec<ChannelGroup>) {
        (BusState::new(OutgoingQueue::new(NonZeroUsize::MIN)), ChannelGroup::all().collect())
    }

    fn record_all_pings(state: &mut BusState, generation: u64, now: Instant) {
        ChannelGroup::all().for_each(|group| state.record_ping(generation, group, now, now));
    }

    #[tokio::test]
    async fn is_connected_while_all_is_confirmed_and_pings_are_recent() {
        let ((mut state, groups), now) = (state(), Instant::now());
        assert!(state.set_wanted(&BTreeSet::from([channel(7), channel(8)]), now).is_empty());
        state.begin(1, &groups);
        record_all_pings(&mut state, 1, now);
        assert!(state.confirm(1, channel(7)) && !state.is_connected(now));
        assert!(state.confirm(1, channel(8)) && state.is_connected(now));
        assert!(state.is_connected(now + PING_TIMEOUT));
        assert!(!state.is_connected(now + PING_TIMEOUT + Duration::from_millis(1)));
    }

    #[tokio::test]
    async fn a_ping_after_the_timeout_does_not_connect_again() {
        let ((mut state, groups), now) = (state(), Instant::now());
        state.begin(1, &groups);
        record_all_pings(&mut state, 1, now);
        let late = now + PING_TIMEOUT + Duration::from_millis(1);
        record_all_pings(&mut state, 1, late);
        assert!(!state.is_connected(late));
        assert_eq!(state.oldest_ping(&groups, now), now, "the generation ends");
        state.begin(2, &groups);
        record_all_pings(&mut state, 2, late);
        assert!(state.is_connected(late));
    }

    #[tokio::test]
    async fn a_new_channel_confirmed_in_time_does_not_disconnect() {
        let ((mut state, groups), now) = (state(), Instant::now());
        state.begin(1, &groups);
        record_all_pings(&mut state, 1, now);
        state.set_wanted(&BTreeSet::from([channel(7)]), now);
        assert!(state.is_connected(now));
        let late = now + PING_TIMEOUT;
        record_all_pings(&mut state, 1, late);
        assert!(!state.is_connected(late), "it is not confirmed");
        assert!(state.confirm(1, channel(7)) && state.is_connected(late));
    }

    #[tokio::test]
    async fn an_ended_generation_is_ignored() {
        let ((mut state, groups), now) = (state(), Instant::now());
        state.set_wanted(&BTreeSet::from([channel(7)]), now);
        state.begin(1, &groups);
        state.begin(2, &groups);
        record_all_pings(&mut state, 1, now);
        assert!(!state.confirm(1, channel(7)) && !state.is_connected(now));
        state.end(1);
        record_all_pings(&mut state, 2, now);
        assert!(state.confirm(2, channel(7)) && state.is_connected(now));
        state.end(2);
        assert!(!state.is_connected(now));
        assert_eq!(state.missing(&groups), [channel(7)]);
    }

    #[tokio::test]
    async fn a_released_channel_can_be_wanted_again() {
        let ((mut state, groups), now) = (state(), Instant::now());
        let seven = BTreeSet::from([channel(7)]);
        state.set_wanted(&seven, now);
        state.begin(1, &groups);
        state.confirm(1, channel(7));
        state.set_wanted(&BTreeSet::new(), now);
        assert_eq!(state.set_wanted(&seven, now), seven, "it is still subscribed");
        state.set_wanted(&BTreeSet::new(), now);
        assert_eq!(state.take_surplus(&groups), [channel(7)]);
        assert!(state.set_wanted(&seven, now).is_empty());
        assert_eq!(state.missing(&groups), [channel(7)]);
        assert!(state.confirm_unsubscribed(1, channel(7)), "it was requested");
        assert!(!state.confirm_unsubscribed(1, channel(7)), "it was not requested");
    }
}
