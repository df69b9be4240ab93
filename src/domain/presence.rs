//! Who is in a room: a user is there while any of their connections is, and a grace longer.
//!
//! Each node knows its own connections, and takes other nodes' word for theirs.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{NodeId, UserName};

/// What a connection's coming means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The user was nowhere, nor in their grace: tell the others.
    First,
    /// The first connection on this node; the user was on another one: tell the other nodes.
    Elsewhere,
    /// Another connection, or a return within the grace: nothing to tell.
    Again,
}

/// What the end of a connection or of a grace means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The user is nowhere any more: tell the others.
    Gone,
    /// The user is not on this node any more, but on another one: tell the other nodes.
    Elsewhere,
    /// The user is still here: nothing to tell.
    Stays,
}

/// How a user is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// By this many connections, at least one.
    Connected(usize),
    /// By none; gone at this moment unless they come back.
    Leaving(Duration),
}

/// The users of one room. Times are durations since a moment of the caller's choice.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Those on this node.
    stays: HashMap<UserName, Stay>,
    /// Those on other nodes, and on which.
    elsewhere: HashMap<UserName, BTreeSet<NodeId>>,
    /// How many are on other nodes only.
    absent: usize,
}

impl Roster {
    /// A connection of `user` came.
    pub fn arrive(&mut self, user: &UserName) -> Arrival {
        match self.stays.get_mut(user) {
            Some(Stay::Connected(count)) => {
                *count += 1;
                Arrival::Again
            }
            Some(stay @ Stay::Leaving(_)) => {
                *stay = Stay::Connected(1);
                Arrival::Again
            }
            None => {
                self.stays.insert(user.clone(), Stay::Connected(1));
                if self.elsewhere.contains_key(user) {
                    self.absent -= 1;
                    Arrival::Elsewhere
                } else {
                    Arrival::First
                }
            }
        }
    }

    /// A connection of `user` was lost. Answers whether it was the last, so that the grace until
    /// `until` begins.
    pub fn lose(&mut self, user: &UserName, until: Duration) -> bool {
        self.end(user, |stay| *stay = Stay::Leaving(until))
    }

    /// A connection of `user` left of its own will.
    pub fn leave(&mut self, user: &UserName) -> Departure {
        if self.end(user, |_| ()) { self.depart(user) } else { Departure::Stays }
    }

    /// Takes one connection off; `last` is told when it was the last.
    fn end(&mut self, user: &UserName, last: impl FnOnce(&mut Stay)) -> bool {
        match self.stays.get_mut(user) {
            Some(Stay::Connected(count)) if *count > 1 => {
                *count -= 1;
                false
            }
            Some(stay @ Stay::Connected(_)) => {
                last(stay);
                true
            }
            Some(Stay::Leaving(_)) | None => {
                debug_assert!(false, "a connection ends once");
                false
            }
        }
    }

    /// Takes `user` off if their grace is over at `now`.
    pub fn expire(&mut self, user: &UserName, now: Duration) -> Departure {
        let over = matches!(self.stays.get(user), Some(Stay::Leaving(until)) if *until <= now);
        if over { self.depart(user) } else { Departure::Stays }
    }

    /// Ends the grace of `user`, if they are in it: they are not expected back.
    pub fn dismiss(&mut self, user: &UserName) -> Departure {
        let in_grace = matches!(self.stays.get(user), Some(Stay::Leaving(_)));
        if in_grace { self.depart(user) } else { Departure::Stays }
    }

    fn depart(&mut self, user: &UserName) -> Departure {
        self.stays.remove(user);
        if self.elsewhere.contains_key(user) {
            self.absent += 1;
            Departure::Elsewhere
        } else {
            Departure::Gone
        }
    }

    /// Another node says that `user` came there. Answers whether they were nowhere before.
    pub fn came_to(&mut self, node: &NodeId, user: &UserName) -> bool {
        let is_here = self.stays.contains_key(user);
        let nodes = self.elsewhere.entry(user.clone()).or_default();
        let is_new = nodes.is_empty() && !is_here;
        nodes.insert(node.clone());
        self.absent += usize::from(is_new);
        is_new
    }

    /// Another node says that `user` is not there any more. Answers whether they are nowhere now.
    pub fn went_from(&mut self, node: &NodeId, user: &UserName) -> bool {
        let Some(nodes) = self.elsewhere.get_mut(user) else { return false };
        nodes.remove(node);
        if !nodes.is_empty() {
            return false;
        }
        self.elsewhere.remove(user);
        let is_gone = !self.stays.contains_key(user);
        self.absent -= usize::from(is_gone);
        is_gone
    }

    /// Another node says who is there, and nobody else. Answers who came and who is gone by that.
    pub fn are_on(&mut self, node: &NodeId, users: &[UserName]) -> (Vec<UserName>, Vec<UserName>) {
        let there: BTreeSet<_> = users.iter().collect();
        let is_over = |(user, nodes): &(&UserName, &BTreeSet<NodeId>)| {
            nodes.contains(node) && !there.contains(user)
        };
        let over: Vec<_> =
            self.elsewhere.iter().filter(is_over).map(|(it, _)| it.clone()).collect();
        let came = users.iter().filter(|user| self.came_to(node, user)).cloned().collect();
        let gone = over.into_iter().filter(|user| self.went_from(node, user)).collect();
        (came, gone)
    }

    /// The users on this node, by name.
    pub fn here(&self) -> Vec<UserName> {
        let mut here: Vec<_> = self.stays.keys().cloned().collect();
        here.sort_unstable();
        here
    }

    /// The users on this node but for those whose grace is over at `now`, though nobody was told.
    pub fn expected(&self, now: Duration) -> Vec<UserName> {
        let is_over = |stay: &Stay| matches!(stay, Stay::Leaving(until) if *until <= now);
        let expected = self.stays.iter().filter(|(_, stay)| !is_over(stay));
        expected.map(|(user, _)| user.clone()).collect()
    }

    /// How many users there are, on whatever node.
    pub fn count(&self) -> usize {
        self.stays.len() + self.absent
    }

    /// Whether `user` is there, on whatever node.
    pub fn has(&self, user: &UserName) -> bool {
        self.stays.contains_key(user) || self.elsewhere.contains_key(user)
    }

    /// Whether nobody is on this node, not even in their grace.
    pub fn is_deserted(&self) -> bool {
        self.stays.is_empty()
    }

    /// Whether `user` is on this node by at least one connection.
    pub fn is_connected(&self, user: &UserName) -> bool {
        matches!(self.stays.get(user), Some(Stay::Connected(_)))
    }

    /// The users on all nodes, by name.
    pub fn users(&self) -> Vec<UserName> {
        let mut users = self.here();
        users.extend(self.elsewhere.keys().filter(|it| !self.stays.contains_key(*it)).cloned());
        users.sort_unstable();
        users
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn ann() -> UserName {
        UserName::from_raw("ann")
    }

    #[test]
    fn a_return_within_the_grace_is_no_news() {
        let mut roster = Roster::default();
        assert_eq!(roster.arrive(&ann()), Arrival::First);
        assert!(roster.lose(&ann(), GRACE));
        assert_eq!(roster.expire(&ann(), GRACE / 2), Departure::Stays, "still in the grace");
        assert_eq!(roster.arrive(&ann()), Arrival::Again);
        assert_eq!(roster.expire(&ann(), GRACE * 2), Departure::Stays, "came back");
        assert_eq!(roster.count(), 1);
    }

    #[test]
    fn who_is_not_expected_back_has_no_grace() {
        let mut roster = Roster::default();
        roster.arrive(&ann());
        assert_eq!(roster.dismiss(&ann()), Departure::Stays, "connected");
        roster.lose(&ann(), GRACE);
        assert_eq!(roster.dismiss(&ann()), Departure::Gone);
        assert_eq!(roster.dismiss(&ann()), Departure::Stays, "once");
    }

    #[test]
    fn leaving_on_purpose_has_no_grace() {
        let mut roster = Roster::default();
        roster.arrive(&ann());
        roster.arrive(&ann());
        assert_eq!(roster.leave(&ann()), Departure::Stays);
        assert_eq!(roster.leave(&ann()), Departure::Gone);
        assert!(roster.is_deserted());
    }

    #[test]
    fn who_moves_from_node_to_node_is_never_gone() {
        let (mut roster, other) = (Roster::default(), NodeId::from_raw("other"));
        assert!(roster.came_to(&other, &ann()));
        assert_eq!(roster.arrive(&ann()), Arrival::Elsewhere);
        assert!(!roster.went_from(&other, &ann()));
        assert_eq!(roster.count(), 1);
        assert!(!roster.came_to(&other, &ann()), "and back");
        assert_eq!(roster.leave(&ann()), Departure::Elsewhere);
        assert_eq!(roster.users(), [ann()]);
        assert_eq!(roster.here(), []);
        assert_eq!(roster.are_on(&other, &[]), (vec![], vec![ann()]));
        assert_eq!(roster.count(), 0);
    }

    proptest! {
        /// Any interleaving of what happens here and of what two other nodes say ends with the user in
        /// the room exactly if they are somewhere, and says "first" and "gone" in turn.
        #[test]
        fn a_user_is_there_while_they_are_anywhere(
            steps in prop::collection::vec((0_u8..7, any::<bool>()), 0..200),
        ) {
            let (mut roster, mut connections, mut told) = (Roster::default(), 0_u32, false);
            let (mut now, mut grace) = (Duration::ZERO, None);
            let nodes = ["one", "other"].map(NodeId::from_raw);
            let mut there = [false, false];
            for (step, which) in steps {
                now += Duration::from_secs(2);
                let node = usize::from(which);
                let (mut came, mut gone) = (false, false);
                match step {
                    0 => {
                        connections += 1;
                        grace = None;
                        came = roster.arrive(&ann()) == Arrival::First;
                    }
                    1 if connections > 0 => {
                        connections -= 1;
                        prop_assert_eq!(roster.lose(&ann(), now + GRACE), connections == 0);
                        grace = (connections == 0).then_some(now + GRACE);
                    }
                    2 if connections > 0 => {
                        connections -= 1;
                        gone = roster.leave(&ann()) == Departure::Gone;
                    }
                    3 => {
                        there[node] = true;
                        came = roster.came_to(&nodes[node], &ann());
                    }
                    4 => {
                        there[node] = false;
                        gone = roster.went_from(&nodes[node], &ann());
                    }
                    5 => {
                        there[node] = which;
                        let users = if which { vec![ann()] } else { vec![] };
                        let (first, last) = roster.are_on(&nodes[node], &users);
                        (came, gone) = (!first.is_empty(), !last.is_empty());
                    }
                    _ => {
                        gone = roster.expire(&ann(), now) == Departure::Gone;
                        grace = grace.filter(|until| *until > now);
                    }
                }
                prop_assert!(!came || !std::mem::replace(&mut told, true));
                prop_assert!(!gone || std::mem::replace(&mut told, false));
                let is_here = connections > 0 || grace.is_some();
                prop_assert_eq!(roster.is_connected(&ann()), connections > 0);
                prop_assert_eq!(roster.is_deserted(), !is_here);
                prop_assert_eq!(told, is_here || there.contains(&true));
                prop_assert_eq!(roster.count(), usize::from(told));
                prop_assert_eq!(roster.users().len(), usize::from(told));
            }
        }
    }
}
