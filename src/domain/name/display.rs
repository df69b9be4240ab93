//! Display names: what a user is called, beside the name that identifies the user.

use std::collections::BTreeMap;

use super::{DisplayName, USER_CHARS_MAX, UserName};

/// Display names by user, only of users who have one.
pub type DisplayNames = BTreeMap<UserName, DisplayName>;

/// A user, and the display name if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUser {
    /// The user.
    pub user: UserName,
    /// The display name.
    pub name: Option<DisplayName>,
}

impl From<UserName> for NamedUser {
    fn from(user: UserName) -> Self {
        Self { user, name: None }
    }
}

impl DisplayName {
    /// The name without invisible characters, direction overrides and line breaks, cut at 64
    /// characters; `None` if nothing is left. A name that a user could have is kept, with the joiners
    /// that are valid in it.
    pub fn parse(raw: &str) -> Option<Self> {
        if UserName::parse(raw).is_ok() {
            return Some(Self(raw.trim().into()));
        }
        // User names with these characters are rejected.
        let seen = |c: &char| UserName::parse(&format!("x{c}x")).is_ok();
        let seen: String = raw.chars().filter(seen).collect();
        let cut: String = seen.trim().chars().take(USER_CHARS_MAX).collect();
        let cut = cut.trim_end();
        (!cut.is_empty()).then(|| Self(cut.into()))
    }
}
