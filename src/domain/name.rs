//! Names of users, rooms and spaces, and what is allowed in them.

use std::{borrow::Borrow, fmt, sync::Arc};

use super::Rejection;

/// Longest user name in characters.
const USER_CHARS_MAX: usize = 32;
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
            /// The name as it stands in the store: it was parsed before it went in.
            pub fn from_raw(raw: &str) -> Self {
                Self(raw.into())
            }

            /// The text that goes out.
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
    /// Who a session is.
    UserName
}

name! {
    /// A conversation that anybody in its space may join.
    RoomName
}

name! {
    /// A Socket.IO namespace: a world with its own users, rooms and history.
    Space
}

impl UserName {
    /// Accepts 1 to 32 characters after trimming, none of which hides or turns the others around.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let trimmed = raw.trim();
        let length = trimmed.chars().count();
        if length == 0 || length > USER_CHARS_MAX || trimmed.chars().any(misleads) {
            return Err(Rejection::NameInvalid);
        }
        Ok(Self(trimmed.into()))
    }
}

/// Whether a reader would not see `c`, or would see other characters moved by it.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl RoomName {
    /// The room that every user joins on identifying.
    pub fn lobby() -> Self {
        Self("lobby".into())
    }

    /// Accepts 1 to 64 letters, digits and `- _ . : # + / ~`.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let length = raw.chars().count();
        let fits = (1..=ROOM_CHARS_MAX).contains(&length);
        if fits && raw.chars().all(|c| c.is_alphanumeric() || "-_.:#+/~".contains(c)) {
            Ok(Self(raw.into()))
        } else {
            Err(Rejection::RoomInvalid)
        }
    }
}

impl Space {
    /// The space that is always there.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Accepts `/` and letters, digits and `- _ . /` after it.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if raw.starts_with('/') && raw.len() <= SPACE_CHARS_MAX && raw.chars().all(plain) {
            Ok(Self(raw.into()))
        } else {
            Err(Rejection::UnknownSpace)
        }
    }
}

/// Names spaces: one exactly, or with a `*` at the end all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpacePattern {
    prefix: Box<str>,
    open: bool,
}

impl SpacePattern {
    /// Accepts a space, or a space with one `*` as its last character.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let prefix = raw.strip_suffix('*');
        Space::parse(prefix.unwrap_or(raw))?;
        Ok(Self { prefix: prefix.unwrap_or(raw).into(), open: prefix.is_some() })
    }

    /// Whether `space` is meant. The `*` stands for at least one character, and for no `/`.
    pub fn matches(&self, space: &Space) -> bool {
        match space.as_raw().strip_prefix(&*self.prefix) {
            Some(rest) if self.open => !rest.is_empty() && !rest.contains('/'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }

    /// The one space that is meant, when it is one.
    pub fn exact(&self) -> Option<Space> {
        (!self.open).then(|| Space(self.prefix.as_ref().into()))
    }

    /// What the spaces that are meant begin with, when they are many.
    pub fn prefix(&self) -> Option<&str> {
        self.open.then_some(&*self.prefix)
    }
}

impl fmt::Display for SpacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, if self.open { "*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_trimmed_and_bounded() {
        assert_eq!(UserName::parse("  Ann Lee ").unwrap().as_raw(), "Ann Lee");
        assert!(UserName::parse(&"ü".repeat(32)).is_ok());
        for bad in
            ["", "   ", &"ü".repeat(33), "a\nb", "a\u{202e}b", "a\u{200b}b", "\u{feff}x\u{0}"]
        {
            assert_eq!(UserName::parse(bad), Err(Rejection::NameInvalid), "{bad:?}");
        }
    }

    #[test]
    fn a_room_name_has_no_spaces_commas_or_at_signs() {
        for good in ["lobby", "Straße", "a:b/c#d", &"x".repeat(64)] {
            assert!(RoomName::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "a,b", "@ann", "a\n", &"x".repeat(65)] {
            assert_eq!(RoomName::parse(bad), Err(Rejection::RoomInvalid), "{bad:?}");
        }
    }

    #[test]
    fn a_space_begins_with_a_slash() {
        assert!(Space::parse("/").is_ok());
        assert!(Space::parse("/shop").is_ok());
        for bad in ["", "shop", "/a b", "/a?b", "/ü"] {
            assert_eq!(Space::parse(bad), Err(Rejection::UnknownSpace), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_means_one_space_or_those_that_begin_alike() {
        let exact = SpacePattern::parse("/shop").unwrap();
        assert!(exact.matches(&Space::from_raw("/shop")));
        assert!(!exact.matches(&Space::from_raw("/shop2")));
        let open = SpacePattern::parse("/team-*").unwrap();
        assert!(open.matches(&Space::from_raw("/team-red")));
        for other in ["/team-", "/team-a/b", "/teams", "/"] {
            assert!(!open.matches(&Space::from_raw(other)), "{other}");
        }
        assert!(SpacePattern::parse("/*-team").is_err());
        assert_eq!((exact.to_string(), open.to_string()), ("/shop".into(), "/team-*".into()));
    }
}
