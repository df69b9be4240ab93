//! The display names of the users of a room, and of the authors of its recent entries.

use std::collections::HashMap;

use crate::domain::{DisplayName, DisplayNames, NamedUser, UserName};

/// The names that are kept without a look at who still needs them.
const UNCHECKED_NAMES: usize = 64;

/// Display names by user. A user without one costs nothing.
#[derive(Debug, Default)]
pub(super) struct RoomNames {
    names: HashMap<UserName, DisplayName>,
    /// The number of names after the last check.
    needed: usize,
}

impl RoomNames {
    pub(super) fn get(&self, user: &UserName) -> Option<&DisplayName> {
        self.names.get(user)
    }

    /// Sets or removes a name. Returns whether it was another one.
    pub(super) fn set(&mut self, user: &UserName, name: Option<&DisplayName>) -> bool {
        if self.names.get(user) == name {
            return false;
        }
        match name {
            Some(name) => self.names.insert(user.clone(), name.clone()),
            None => self.names.remove(user),
        };
        true
    }

    /// Whether so many names were added that those of users who left may be dropped.
    pub(super) fn is_due(&self) -> bool {
        self.names.len() > 2 * self.needed.max(UNCHECKED_NAMES)
    }

    pub(super) fn retain(&mut self, is_needed: impl Fn(&UserName) -> bool) {
        self.names.retain(|user, _| is_needed(user));
        self.needed = self.names.len();
    }

    /// A user with the display name.
    pub(super) fn named(&self, user: &UserName) -> NamedUser {
        NamedUser { user: user.clone(), name: self.get(user).cloned() }
    }

    /// The names of those of these users who have one.
    pub(super) fn of<'a>(&self, users: impl IntoIterator<Item = &'a UserName>) -> DisplayNames {
        let named = users.into_iter().filter_map(|it| self.names.get_key_value(it));
        named.map(|(user, name)| (user.clone(), name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_needs_are_dropped() {
        let mut names = RoomNames::default();
        let (user, name) =
            (|n: usize| UserName::from_raw(&n.to_string()), DisplayName::from_raw("x"));
        for n in 0..=2 * UNCHECKED_NAMES {
            assert!(!names.is_due());
            assert!(names.set(&user(n), Some(&name)));
            assert!(!names.set(&user(n), Some(&name)), "the same");
        }
        assert!(names.is_due());
        names.retain(|it| *it == user(7));
        assert_eq!(names.of(&[user(7), user(8)]).into_keys().collect::<Vec<_>>(), [user(7)]);
        assert!(names.set(&user(7), None));
        assert_eq!(names.named(&user(7)), user(7).into());
    }
}
