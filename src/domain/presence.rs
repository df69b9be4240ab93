//! The users present in a room: a user is present while connected, and for a grace period after.
//!
//! Each node counts its own connections and receives from other nodes which users are on them.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{NodeId, UserName};

/// The effect of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RosterArrival {
    /// The user was on no node and not in a grace period. Announce it to the room.
    FirstJoined,
    /// The first connection on this node of a user that is on another node. Announce it to other
    /// nodes.
    AlreadyRemote,
    /// Another connection, or a reconnect within the grace period. Nothing to announce.
    AlreadyLocal,
}

/// The effect of the end of a connection or of a grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RosterDeparture {
    /// The user is on no node any more. Announce it to the room.
    LastLeft,
    /// The user is on another node only. Announce it to other nodes.
    StillRemote,
    /// The user is still on this node. Nothing to announce.
    StillLocal,
}

/// The presence of a user on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LocalPresence {
    /// Connected, by this number of connections, at least one.
    Connected(usize),
    /// Disconnected. The user leaves at this time unless a connection is added before.
    InGrace(Duration),
}

/// The users of one room. Times are durations since an origin that the caller chooses.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// The users on this node.
    local: HashMap<UserName, LocalPresence>,
    /// The users on other nodes, with their nodes.
    remote: HashMap<UserName, BTreeSet<NodeId>>,
    /// Number of users on other nodes only.
    remote_only: usize,
}

impl Roster {
    /// Adds a connection of `user`.
    pub fn connect(&mut self, user: &UserName) -> RosterArrival {
        match self.local.get_mut(user) {
            Some(LocalPresence::Connected(count)) => {
                *count += 1;
                RosterArrival::AlreadyLocal
            }
            Some(presence @ LocalPresence::InGrace(_)) => {
                *presence = LocalPresence::Connected(1);
                RosterArrival::AlreadyLocal
            }
            None => {
                self.local.insert(user.clone(), LocalPresence::Connected(1));
                if self.remote.contains_key(user) {
                    self.remote_only -= 1;
                    RosterArrival::AlreadyRemote
                } else {
                    RosterArrival::FirstJoined
                }
            }
        }
    }

    /// Removes a lost connection of `user`. Returns whether it was the last one on this node, so
    /// that the grace period until `until` begins.
    pub fn disconnect(&mut self, user: &UserName, until: Duration) -> bool {
        self.close_connection(user, |presence| *presence = LocalPresence::InGrace(until))
    }

    /// Removes a connection of `user` that left explicitly, without a grace period.
    pub fn leave(&mut self, user: &UserName) -> RosterDeparture {
        if self.close_connection(user, |_| ()) {
            self.depart(user)
        } else {
            RosterDeparture::StillLocal
        }
    }

    /// Removes one connection. Calls `last` if it was the last one on this node.
    fn close_connection(&mut self, user: &UserName, last: impl FnOnce(&mut LocalPresence)) -> bool {
        match self.local.get_mut(user) {
            Some(LocalPresence::Connected(count)) if *count > 1 => {
                *count -= 1;
                false
            }
            Some(presence @ LocalPresence::Connected(_)) => {
                last(presence);
                true
            }
            Some(LocalPresence::InGrace(_)) | None => {
                debug_assert!(false, "each connection ends once");
                false
            }
        }
    }

    /// Removes `user` if its grace period is over at `now`.
    pub fn expire(&mut self, user: &UserName, now: Duration) -> RosterDeparture {
        let over =
            matches!(self.local.get(user), Some(LocalPresence::InGrace(until)) if *until <= now);
        if over { self.depart(user) } else { RosterDeparture::StillLocal }
    }

    /// Ends the grace period of `user` early, if there is one.
    pub fn end_grace(&mut self, user: &UserName) -> RosterDeparture {
        let in_grace = matches!(self.local.get(user), Some(LocalPresence::InGrace(_)));
        if in_grace { self.depart(user) } else { RosterDeparture::StillLocal }
    }

    fn depart(&mut self, user: &UserName) -> RosterDeparture {
        self.local.remove(user);
        if self.remote.contains_key(user) {
            self.remote_only += 1;
            RosterDeparture::StillRemote
        } else {
            RosterDeparture::LastLeft
        }
    }

    /// Adds `user` on another node. Returns whether the user was on no node before.
    pub fn add_remote(&mut self, node: &NodeId, user: &UserName) -> bool {
        let is_here = self.local.contains_key(user);
        let nodes = self.remote.entry(user.clone()).or_default();
        let is_new = nodes.is_empty() && !is_here;
        nodes.insert(node.clone());
        self.remote_only += usize::from(is_new);
        is_new
    }

    /// Removes `user` from another node. Returns whether the user is on no node now.
    pub fn remove_remote(&mut self, node: &NodeId, user: &UserName) -> bool {
        let Some(nodes) = self.remote.get_mut(user) else { return false };
        nodes.remove(node);
        if !nodes.is_empty() {
            return false;
        }
        self.remote.remove(user);
        let is_gone = !self.local.contains_key(user);
        self.remote_only -= usize::from(is_gone);
        is_gone
    }

    /// Replaces the users of another node. Returns the users that joined and those that left by
    /// that.
    pub fn set_remote(
        &mut self,
        node: &NodeId,
        users: &[UserName],
    ) -> (Vec<UserName>, Vec<UserName>) {
        let on_node: BTreeSet<_> = users.iter().collect();
        let is_over = |(user, nodes): &(&UserName, &BTreeSet<NodeId>)| {
            nodes.contains(node) && !on_node.contains(user)
        };
        let over: Vec<_> = self.remote.iter().filter(is_over).map(|(it, _)| it.clone()).collect();
        let joined = users.iter().filter(|user| self.add_remote(node, user)).cloned().collect();
        let left = over.into_iter().filter(|user| self.remove_remote(node, user)).collect();
        (joined, left)
    }

    /// The users on this node, by name.
    pub fn local_users(&self) -> Vec<UserName> {
        let mut local_users: Vec<_> = self.local.keys().cloned().collect();
        local_users.sort_unstable();
        local_users
    }

    /// The users on this node without those whose grace period is over at `now` but was not expired
    /// yet.
    pub fn unexpired_local_users(&self, now: Duration) -> Vec<UserName> {
        let is_over = |presence: &LocalPresence| match presence {
            LocalPresence::InGrace(until) => *until <= now,
            LocalPresence::Connected(_) => false,
        };
        let unexpired_local_users = self.local.iter().filter(|(_, presence)| !is_over(presence));
        unexpired_local_users.map(|(user, _)| user.clone()).collect()
    }

    /// Number of users on all nodes.
    pub fn count(&self) -> usize {
        self.local.len() + self.remote_only
    }

    /// Whether `user` is on any node.
    pub fn contains(&self, user: &UserName) -> bool {
        self.local.contains_key(user) || self.remote.contains_key(user)
    }

    /// Whether no user is on this node, connected or in a grace period.
    pub fn has_no_local_users(&self) -> bool {
        self.local.is_empty()
    }

    /// Whether `user` is on this node, connected or in a grace period.
    pub fn is_local(&self, user: &UserName) -> bool {
        self.local.contains_key(user)
    }

    /// Whether `user` has a connection on this node.
    pub fn is_connected(&self, user: &UserName) -> bool {
        matches!(self.local.get(user), Some(LocalPresence::Connected(_)))
    }

    /// The users on all nodes, by name.
    pub fn users(&self) -> Vec<UserName> {
        let mut users = self.local_users();
        users.extend(self.remote.keys().filter(|it| !self.local.contains_key(*it)).cloned());
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
    fn a_reconnect_within_the_grace_period_is_not_announced() {
        let mut roster = Roster::default();
        assert_eq!(roster.connect(&ann()), RosterArrival::FirstJoined);
        assert!(roster.disconnect(&ann(), GRACE));
        assert_eq!(
            roster.expire(&ann(), GRACE / 2),
            RosterDeparture::StillLocal,
            "within the grace period"
        );
        assert_eq!(roster.connect(&ann()), RosterArrival::AlreadyLocal);
        assert_eq!(roster.expire(&ann(), GRACE * 2), RosterDeparture::StillLocal, "reconnected");
        assert_eq!(roster.count(), 1);
    }

    #[test]
    fn ending_the_grace_removes_a_disconnected_user() {
        let mut roster = Roster::default();
        roster.connect(&ann());
        assert_eq!(roster.end_grace(&ann()), RosterDeparture::StillLocal, "connected");
        roster.disconnect(&ann(), GRACE);
        assert_eq!(roster.end_grace(&ann()), RosterDeparture::LastLeft);
        assert_eq!(roster.end_grace(&ann()), RosterDeparture::StillLocal, "once");
    }

    #[test]
    fn leaving_explicitly_has_no_grace_period() {
        let mut roster = Roster::default();
        roster.connect(&ann());
        roster.connect(&ann());
        assert_eq!(roster.leave(&ann()), RosterDeparture::StillLocal);
        assert_eq!(roster.leave(&ann()), RosterDeparture::LastLeft);
        assert!(roster.has_no_local_users());
    }

    #[test]
    fn a_user_moving_between_nodes_stays_present() {
        let (mut roster, other) = (Roster::default(), NodeId::from_raw("other"));
        assert!(roster.add_remote(&other, &ann()));
        assert_eq!(roster.connect(&ann()), RosterArrival::AlreadyRemote);
        assert!(!roster.remove_remote(&other, &ann()));
        assert_eq!(roster.count(), 1);
        assert!(!roster.add_remote(&other, &ann()), "and back");
        assert_eq!(roster.leave(&ann()), RosterDeparture::StillRemote);
        assert_eq!(roster.users(), [ann()]);
        assert_eq!(roster.local_users(), []);
        assert_eq!(roster.set_remote(&other, &[]), (vec![], vec![ann()]));
        assert_eq!(roster.count(), 0);
    }

    proptest! {
        /// After any interleaving of local events and announcements of two other nodes, the user is
        /// in the room exactly if it is on any node, and arrivals and departures alternate.
        #[test]
        fn a_user_is_present_while_connected_on_any_node(
            steps in prop::collection::vec((0_u8..7, any::<bool>()), 0..200),
        ) {
            let (mut roster, mut connections, mut is_announced) = (Roster::default(), 0_u32, false);
            let (mut now, mut grace) = (Duration::ZERO, None);
            let nodes = ["one", "other"].map(NodeId::from_raw);
            let mut on_node = [false, false];
            for (step, which) in steps {
                now += Duration::from_secs(2);
                let node = usize::from(which);
                let (mut joined, mut left) = (false, false);
                match step {
                    0 => {
                        connections += 1;
                        grace = None;
                        joined = roster.connect(&ann()) == RosterArrival::FirstJoined;
                    }
                    1 if connections > 0 => {
                        connections -= 1;
                        prop_assert_eq!(roster.disconnect(&ann(), now + GRACE), connections == 0);
                        grace = (connections == 0).then_some(now + GRACE);
                    }
                    2 if connections > 0 => {
                        connections -= 1;
                        left = roster.leave(&ann()) == RosterDeparture::LastLeft;
                    }
                    3 => {
                        on_node[node] = true;
                        joined = roster.add_remote(&nodes[node], &ann());
                    }
                    4 => {
                        on_node[node] = false;
                        left = roster.remove_remote(&nodes[node], &ann());
                    }
                    5 => {
                        on_node[node] = which;
                        let users = if which { vec![ann()] } else { vec![] };
                        let (first, last) = roster.set_remote(&nodes[node], &users);
                        (joined, left) = (!first.is_empty(), !last.is_empty());
                    }
                    _ => {
                        left = roster.expire(&ann(), now) == RosterDeparture::LastLeft;
                        grace = grace.filter(|until| *until > now);
                    }
                }
                prop_assert!(!joined || !std::mem::replace(&mut is_announced, true));
                prop_assert!(!left || std::mem::replace(&mut is_announced, false));
                let is_here = connections > 0 || grace.is_some();
                prop_assert_eq!(roster.is_connected(&ann()), connections > 0);
                prop_assert_eq!(roster.has_no_local_users(), !is_here);
                prop_assert_eq!(is_announced, is_here || on_node.contains(&true));
                prop_assert_eq!(roster.count(), usize::from(is_announced));
                prop_assert_eq!(roster.users().len(), usize::from(is_announced));
            }
        }
    }
}
