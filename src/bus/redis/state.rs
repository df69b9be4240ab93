//! What is wanted, what is confirmed, and what was proved when.
//!
//! Decisions only: no socket and no clock. A life is the time of one connection for the groups that it
//! serves; what an ended life still says is not heeded.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{
    names::{GROUPS, Group},
    outgoing::Outgoing,
};
use crate::domain::Channel;

/// How long ago a ping may have been sent that was the last one heard. Past it a group is deaf.
pub(super) const DEAF_AFTER: Duration = Duration::from_millis(2500);

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    pub(super) outgoing: Outgoing,
    /// Letters that were taken and are not known to have arrived.
    pub(super) under_way: usize,
    pub(super) phase: Phase,
    /// Whether the operator was told of trouble, and not yet of its end.
    pub(super) trouble: Option<Instant>,
    groups: [Watch; GROUPS],
}

/// Where the bus is in its own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It carries.
    Open,
    /// It carries what waits, and takes nothing more.
    Closing,
    /// It carries nothing.
    Closed,
}

/// What is known of one group.
#[derive(Debug, Default)]
struct Watch {
    /// The life that serves it.
    life: Option<u64>,
    wanted: BTreeSet<Channel>,
    /// Those that the server says this node hears.
    confirmed: BTreeSet<Channel>,
    /// Those that are wanted and not confirmed.
    missing: BTreeSet<Channel>,
    /// Until when these need not be confirmed, if nothing else was missing when they came to be wanted:
    /// somebody who comes to another room makes nobody deaf.
    patient_until: Option<Instant>,
    /// Those that the server is asked to forget.
    leaving: BTreeSet<Channel>,
    /// When the ping was sent that was the last one heard.
    proved: Option<Instant>,
}

impl State {
    pub(super) fn new(outgoing: Outgoing) -> Self {
        let groups = std::array::from_fn(|_| Watch::default());
        Self { outgoing, under_way: 0, phase: Phase::Open, trouble: None, groups }
    }

    /// Answers which of the channels that are wanted anew are heard already.
    pub(super) fn want(&mut self, channels: &BTreeSet<Channel>, now: Instant) -> BTreeSet<Channel> {
        let mut heard = BTreeSet::new();
        for group in Group::all() {
            let watch = self.watch(group);
            let wanted = channels.iter().copied().filter(|it| Group::of(*it) == group).collect();
            let before = std::mem::replace(&mut watch.wanted, wanted);
            let new = watch.wanted.difference(&before);
            heard.extend(new.filter(|it| watch.confirmed.contains(it)));
            let was_complete = watch.life.is_some() && watch.missing.is_empty();
            watch.missing = watch.wanted.difference(&watch.confirmed).copied().collect();
            if was_complete {
                watch.patient_until = Some(now + DEAF_AFTER);
            }
        }
        heard
    }

    pub(super) fn is_wanted(&self, channel: Channel) -> bool {
        self.groups.get(Group::of(channel).index()).is_some_and(|it| it.wanted.contains(&channel))
    }

    /// A life begins to serve these groups: nothing is known of them.
    pub(super) fn begin(&mut self, life: u64, groups: &[Group]) {
        for group in groups {
            let watch = self.watch(*group);
            watch.forget();
            watch.life = Some(life);
        }
    }

    /// A life has ended. Groups that another one serves meanwhile are left alone.
    pub(super) fn end(&mut self, life: u64) {
        for watch in self.groups.iter_mut().filter(|watch| watch.life == Some(life)) {
            watch.forget();
        }
    }

    /// What is to be subscribed to in these groups.
    pub(super) fn missing(&self, groups: &[Group]) -> Vec<Channel> {
        let watches = groups.iter().filter_map(|group| self.groups.get(group.index()));
        watches.flat_map(|watch| watch.missing.iter().copied()).collect()
    }

    /// What is not wanted any more in these groups: it counts as not heard from now on.
    pub(super) fn take_surplus(&mut self, groups: &[Group]) -> Vec<Channel> {
        let mut surplus = Vec::new();
        for group in groups {
            let watch = self.watch(*group);
            let unwanted: Vec<_> = watch.confirmed.difference(&watch.wanted).copied().collect();
            for channel in &unwanted {
                watch.confirmed.remove(channel);
                watch.leaving.insert(*channel);
            }
            surplus.extend(unwanted);
        }
        surplus
    }

    /// The server says that a life hears a channel. Answers whether that is wanted.
    pub(super) fn confirm(&mut self, life: u64, channel: Channel) -> bool {
        let watch = self.watch(Group::of(channel));
        if watch.life != Some(life) {
            return false;
        }
        watch.confirmed.insert(channel);
        watch.missing.remove(&channel)
    }

    /// The server says that a life hears a channel no more. Answers whether it was asked to.
    pub(super) fn left(&mut self, life: u64, channel: Channel) -> bool {
        let watch = self.watch(Group::of(channel));
        watch.life != Some(life) || watch.leaving.remove(&channel)
    }

    /// A life has heard its ping of that moment.
    pub(super) fn prove(&mut self, life: u64, group: Group, sent: Instant) {
        let watch = self.watch(group);
        if watch.life == Some(life) {
            watch.proved = watch.proved.max(Some(sent));
        }
    }

    /// When the group that was proved longest ago was; one that never was counts from `begin`.
    pub(super) fn proved(&self, groups: &[Group], begin: Instant) -> Instant {
        let watches = groups.iter().filter_map(|group| self.groups.get(group.index()));
        watches.map(|watch| watch.proved.unwrap_or(begin)).min().unwrap_or(begin)
    }

    pub(super) fn is_whole(&self, now: Instant) -> bool {
        let fresh = |sent| now.duration_since(sent) <= DEAF_AFTER;
        let complete =
            |it: &Watch| it.missing.is_empty() || it.patient_until.is_some_and(|until| now < until);
        let is_whole = |it: &Watch| complete(it) && it.proved.is_some_and(fresh);
        self.phase == Phase::Open && self.groups.iter().all(is_whole)
    }

    fn watch(&mut self, group: Group) -> &mut Watch {
        self.groups.get_mut(group.index()).expect("there is one for each group")
    }
}

impl Watch {
    fn forget(&mut self) {
        self.life = None;
        self.confirmed.clear();
        self.leaving.clear();
        self.missing.clone_from(&self.wanted);
        self.patient_until = None;
        self.proved = None;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::bus::contract::channel;

    fn state() -> (State, Vec<Group>) {
        (State::new(Outgoing::new(NonZeroUsize::MIN)), Group::all().collect())
    }

    fn prove_all(state: &mut State, life: u64, now: Instant) {
        Group::all().for_each(|group| state.prove(life, group, now));
    }

    #[tokio::test]
    async fn it_is_whole_when_all_is_confirmed_and_proved_and_not_for_longer() {
        let ((mut state, groups), now) = (state(), Instant::now());
        assert!(state.want(&BTreeSet::from([channel(7), channel(8)]), now).is_empty());
        state.begin(1, &groups);
        prove_all(&mut state, 1, now);
        assert!(state.confirm(1, channel(7)) && !state.is_whole(now));
        assert!(state.confirm(1, channel(8)) && state.is_whole(now));
        assert!(state.is_whole(now + DEAF_AFTER));
        assert!(!state.is_whole(now + DEAF_AFTER + Duration::from_millis(1)));
    }

    #[tokio::test]
    async fn another_channel_makes_nobody_deaf_that_is_confirmed_in_time() {
        let ((mut state, groups), now) = (state(), Instant::now());
        state.begin(1, &groups);
        prove_all(&mut state, 1, now);
        state.want(&BTreeSet::from([channel(7)]), now);
        assert!(state.is_whole(now));
        let late = now + DEAF_AFTER;
        prove_all(&mut state, 1, late);
        assert!(!state.is_whole(late), "it is not heard");
        assert!(state.confirm(1, channel(7)) && state.is_whole(late));
    }

    #[tokio::test]
    async fn an_ended_life_says_nothing_more() {
        let ((mut state, groups), now) = (state(), Instant::now());
        state.want(&BTreeSet::from([channel(7)]), now);
        state.begin(1, &groups);
        state.begin(2, &groups);
        prove_all(&mut state, 1, now);
        assert!(!state.confirm(1, channel(7)) && !state.is_whole(now));
        state.end(1);
        prove_all(&mut state, 2, now);
        assert!(state.confirm(2, channel(7)) && state.is_whole(now));
        state.end(2);
        assert!(!state.is_whole(now));
        assert_eq!(state.missing(&groups), [channel(7)]);
    }

    #[tokio::test]
    async fn what_was_let_go_and_is_wanted_again_is_heard_or_subscribed_to_again() {
        let ((mut state, groups), now) = (state(), Instant::now());
        let seven = BTreeSet::from([channel(7)]);
        state.want(&seven, now);
        state.begin(1, &groups);
        state.confirm(1, channel(7));
        state.want(&BTreeSet::new(), now);
        assert_eq!(state.want(&seven, now), seven, "it is still heard");
        state.want(&BTreeSet::new(), now);
        assert_eq!(state.take_surplus(&groups), [channel(7)]);
        assert!(state.want(&seven, now).is_empty());
        assert_eq!(state.missing(&groups), [channel(7)]);
        assert!(state.left(1, channel(7)), "it was asked for");
        assert!(!state.left(1, channel(7)), "it was not");
    }
}
