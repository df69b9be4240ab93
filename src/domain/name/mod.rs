//! Names of users, rooms and spaces, and patterns for them.
//!
//! All of them follow one rule of characters ([`text`]) and are compared in form NFC.

mod display;
mod key;
#[cfg(test)]
mod languages;
mod pattern;
mod text;

use std::{borrow::Borrow, fmt, sync::Arc};

pub use self::{
    display::{DisplayNames, NamedUser},
    key::NameKey,
    pattern::{RoomPattern, SpacePattern},
};
use super::Rejection;

/// Longest name of a user in characters.
const USER_CHARS_MAX: usize = 64;
/// Longest name of a guest in characters.
const GUEST_CHARS_MAX: usize = 32;
/// Longest room name in characters.
const ROOM_CHARS_MAX: usize = 64;
/// Longest space in characters.
const SPACE_CHARS_MAX: usize = 64;

/// Declares a name: cheap to clone, compared and hashed as its text.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// A name that the store holds: it was parsed before it was stored.
            pub fn from_raw(raw: &str) -> Self {
                Self(raw.into())
            }

            /// The text on the wire and in the store.
            pub fn as_raw(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a user.
    UserName
}

name! {
    /// The name of a user as people read it. It identifies nobody: users may share one, or have one
    /// that is the [`UserName`] of another.
    DisplayName
}

name! {
    /// The name of a room, unique in its space.
    RoomName
}

name! {
    /// A Socket.IO namespace: a tenant with its own users, rooms and history.
    Space
}

impl UserName {
    /// Accepts the name of a user of the back end: 1 to 64 characters. A UUID with a prefix fits.
    /// Names are case-sensitive, because those of back ends are.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        Self::parse_within(USER_CHARS_MAX, raw)
    }

    /// Accepts the name of a guest: as [`parse`](Self::parse), but up to 32 characters.
    pub fn parse_guest(raw: &str) -> Result<Self, Rejection> {
        Self::parse_within(GUEST_CHARS_MAX, raw)
    }

    fn parse_within(chars_max: usize, raw: &str) -> Result<Self, Rejection> {
        // Line breaks around a name were always removed. Within a name they are refused.
        let name = text::parse(raw.trim(), chars_max).ok_or(Rejection::NameInvalid)?;
        Ok(Self(name.as_ref().into()))
    }

    /// The key of the name, the same for names that look alike.
    pub fn key(&self) -> NameKey {
        NameKey::of(&self.0)
    }
}

impl RoomName {
    /// The room that users join automatically unless the settings say otherwise.
    pub fn lobby() -> Self {
        Self("lobby".into())
    }

    /// Accepts 1 to 64 characters.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let name = text::parse(raw, ROOM_CHARS_MAX).ok_or(Rejection::RoomInvalid)?;
        Ok(Self(name.as_ref().into()))
    }
}

impl Space {
    /// The space that always exists.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Accepts a path of up to 64 characters, whose segments hold what rooms hold.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let path = text::parse_path(raw, SPACE_CHARS_MAX).ok_or(Rejection::UnknownSpace)?;
        Ok(Self(path.as_ref().into()))
    }
}

#[cfg(test)]
pub(crate) use tests::any_name;

#[cfg(test)]
mod tests;
