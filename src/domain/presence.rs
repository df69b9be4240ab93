//! Who is in a room: a user is there while any of their connections is, and a grace longer.

use std::{collections::HashMap, time::Duration};

use super::UserName;

/// Whether a connection brought its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The user was not here, nor in their grace: tell the others.
    First,
    /// Another connection, or a return within the grace: nothing to tell.
    Again,
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
    stays: HashMap<UserName, Stay>,
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
                Arrival::First
            }
        }
    }

    /// A connection of `user` was lost. Answers whether it was the last, so that the grace until
    /// `until` begins.
    pub fn lose(&mut self, user: &UserName, until: Duration) -> bool {
        self.end(user, |stay| *stay = Stay::Leaving(until))
    }

    /// A connection of `user` left of its own will. Answers whether the user is gone with it.
    pub fn leave(&mut self, user: &UserName) -> bool {
        let last = self.end(user, |_| ());
        if last {
            self.stays.remove(user);
        }
        last
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

    /// Takes `user` off if their grace is over at `now`. Answers whether it was.
    pub fn expire(&mut self, user: &UserName, now: Duration) -> bool {
        let over = matches!(self.stays.get(user), Some(Stay::Leaving(until)) if *until <= now);
        if over {
            self.stays.remove(user);
        }
        over
    }

    /// How many users are here.
    pub fn count(&self) -> usize {
        self.stays.len()
    }

    /// Whether nobody is here, not even in their grace.
    pub fn is_empty(&self) -> bool {
        self.stays.is_empty()
    }

    /// Whether `user` is here by at least one connection.
    pub fn is_connected(&self, user: &UserName) -> bool {
        matches!(self.stays.get(user), Some(Stay::Connected(_)))
    }

    /// The users, by name.
    pub fn users(&self) -> Vec<UserName> {
        let mut users: Vec<_> = self.stays.keys().cloned().collect();
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
        assert!(!roster.expire(&ann(), GRACE / 2), "still in the grace");
        assert_eq!(roster.arrive(&ann()), Arrival::Again);
        assert!(!roster.expire(&ann(), GRACE * 2), "came back");
        assert_eq!(roster.count(), 1);
    }

    #[test]
    fn leaving_on_purpose_has_no_grace() {
        let mut roster = Roster::default();
        roster.arrive(&ann());
        roster.arrive(&ann());
        assert!(!roster.leave(&ann()));
        assert!(roster.leave(&ann()));
        assert!(roster.is_empty());
    }

    proptest! {
        /// Any interleaving of arrivals and departures ends with the user here exactly if a
        /// connection is left, and says "first" and "gone" in turn.
        #[test]
        fn a_user_is_here_while_a_connection_is(steps in prop::collection::vec(0_u8..4, 0..200)) {
            let (mut roster, mut connections, mut told_here) = (Roster::default(), 0_u32, false);
            let mut now = Duration::ZERO;
            for step in steps {
                now += Duration::from_secs(2);
                match step {
                    0 => {
                        connections += 1;
                        if roster.arrive(&ann()) == Arrival::First {
                            prop_assert!(!told_here);
                            told_here = true;
                        }
                    }
                    1 if connections > 0 => {
                        connections -= 1;
                        prop_assert_eq!(roster.lose(&ann(), now + GRACE), connections == 0);
                    }
                    2 if connections > 0 => {
                        connections -= 1;
                        if roster.leave(&ann()) {
                            prop_assert!(told_here);
                            told_here = false;
                        }
                    }
                    _ => {
                        if roster.expire(&ann(), now) {
                            prop_assert!(told_here && connections == 0);
                            told_here = false;
                        }
                    }
                }
                prop_assert_eq!(roster.is_connected(&ann()), connections > 0);
                prop_assert_eq!(roster.count() == 1, told_here);
            }
        }
    }
}
