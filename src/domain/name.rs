//! Names of users, rooms and spaces, and the characters that they may hold.

use std::{borrow::Borrow, fmt, sync::Arc};

use unicode_normalization::UnicodeNormalization as _;

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
    /// The name of a room, unique in its space.
    RoomName
}

name! {
    /// A Socket.IO namespace: a tenant with its own users, rooms and history.
    Space
}

impl UserName {
    /// Accepts the name of a user of the back end: 1 to 64 characters, none of which is invisible
    /// or reorders others. A UUID with a prefix fits.
    ///
    /// Names are trimmed and normalized to NFC, so that one name has one text. They are
    /// case-sensitive, because those of back ends are.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        Self::parse_within(USER_CHARS_MAX, raw)
    }

    /// Accepts the name of a guest: as [`parse`](Self::parse), but up to 32 characters.
    pub fn parse_guest(raw: &str) -> Result<Self, Rejection> {
        Self::parse_within(GUEST_CHARS_MAX, raw)
    }

    fn parse_within(chars_max: usize, raw: &str) -> Result<Self, Rejection> {
        // NFC may compose several characters into one. Four for each are more than any name needs.
        if raw.chars().nth(4 * USER_CHARS_MAX).is_some() {
            return Err(Rejection::NameInvalid);
        }
        let name: String = raw.trim().nfc().collect();
        let length = name.chars().count();
        if length == 0
            || length > chars_max
            || name.chars().any(is_deceptive)
            || key(&name).is_empty()
        {
            return Err(Rejection::NameInvalid);
        }
        Ok(Self(name.into()))
    }

    /// The key of the name, the same for names that look alike.
    pub fn key(&self) -> NameKey {
        NameKey(key(&self.0).into())
    }
}

/// A key that is the same for names that look alike: names that differ only in case, in spaces, or
/// in forms of the same letters. Two users of the back end may share a key; guests may not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameKey(Arc<str>);

impl NameKey {
    /// The text under which names are indexed.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

/// Folds a name. NFKC unifies the forms of a letter and of a space. Mapping to lower, upper and
/// lower case again unifies letters that have two forms in one case only.
fn key(name: &str) -> String {
    let seen = name.nfkc().filter(|c| !is_variation_selector(*c));
    let upper = seen.flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    let folded: String = upper.flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `c` is invisible or reorders other characters.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether `c` only selects how the character before it is drawn.
fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

impl RoomName {
    /// The room that users join automatically unless the settings say otherwise.
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
    /// The space that always exists.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Accepts `/`, followed by letters, digits and `- _ . /`.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if raw.starts_with('/') && raw.len() <= SPACE_CHARS_MAX && raw.chars().all(plain) {
            Ok(Self(raw.into()))
        } else {
            Err(Rejection::UnknownSpace)
        }
    }
}

/// A pattern for spaces: an exact name, or a prefix that ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpacePattern {
    prefix: Box<str>,
    is_prefix: bool,
}

impl SpacePattern {
    /// Accepts a space, or a space with one `*` as its last character.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let prefix = raw.strip_suffix('*');
        Space::parse(prefix.unwrap_or(raw))?;
        Ok(Self { prefix: prefix.unwrap_or(raw).into(), is_prefix: prefix.is_some() })
    }

    /// Whether `space` matches. The `*` matches one or more characters, none of them `/`.
    pub fn matches(&self, space: &Space) -> bool {
        match space.as_raw().strip_prefix(&*self.prefix) {
            Some(rest) if self.is_prefix => !rest.is_empty() && !rest.contains('/'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }

    /// The space of an exact pattern.
    pub fn exact(&self) -> Option<Space> {
        (!self.is_prefix).then(|| Space(self.prefix.as_ref().into()))
    }

    /// The prefix of a pattern that ends with `*`.
    pub fn prefix(&self) -> Option<&str> {
        self.is_prefix.then_some(&*self.prefix)
    }
}

impl fmt::Display for SpacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, if self.is_prefix { "*" } else { "" })
    }
}

/// A pattern for rooms: an exact name, or a prefix that ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPattern {
    prefix: Box<str>,
    is_prefix: bool,
}

impl RoomPattern {
    /// Accepts a room, a room with one `*` as its last character, or `*` alone.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let prefix = raw.strip_suffix('*');
        if raw != "*" {
            RoomName::parse(prefix.unwrap_or(raw))?;
        }
        Ok(Self { prefix: prefix.unwrap_or(raw).into(), is_prefix: prefix.is_some() })
    }

    /// Whether `room` matches. The `*` matches zero or more characters.
    pub fn matches(&self, room: &RoomName) -> bool {
        match room.as_raw().strip_prefix(&*self.prefix) {
            Some(rest) => self.is_prefix || rest.is_empty(),
            None => false,
        }
    }
}

impl fmt::Display for RoomPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, if self.is_prefix { "*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_trimmed_and_bounded() {
        assert_eq!(UserName::parse_guest("  Ann Lee ").unwrap().as_raw(), "Ann Lee");
        assert!(UserName::parse_guest(&"ü".repeat(32)).is_ok());
        assert!(UserName::parse_guest(&"ü".repeat(33)).is_err());
        assert!(UserName::parse(&"ü".repeat(64)).is_ok());
        for bad in [
            "",
            "   ",
            "\u{2003}",
            &"ü".repeat(65),
            &"e\u{301}".repeat(1000),
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{feff}x\u{0}",
            "\u{3164}",
            "ann\u{e0061}",
            "\u{fe0f}",
            "a\u{2066}b",
        ] {
            assert_eq!(UserName::parse(bad), Err(Rejection::NameInvalid), "{bad:?}");
        }
    }

    #[test]
    fn a_user_name_is_normalized() {
        assert_eq!(UserName::parse("Zoe\u{308}"), UserName::parse("Zo\u{eb}"));
        assert!(
            UserName::parse_guest(&"e\u{301}".repeat(32)).is_ok(),
            "32 characters once composed"
        );
        assert_ne!(UserName::parse("ann"), UserName::parse("Ann"));
    }

    #[test]
    fn names_that_look_alike_have_one_key() {
        let key = |name: &str| UserName::parse(name).unwrap().key();
        for (one, other) in [
            ("ann", "ANN"),
            ("ann lee", "Ann\u{a0}Lee"),
            ("ann lee", "ann \u{2003} lee"),
            ("ann lee", "ann\u{3000}lee"),
            ("straße", "STRASSE"),
            ("straße", "STRA\u{1e9e}E"),
            ("σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("ann", "ａｎｎ"),
            ("k", "\u{212a}"),
            ("ann", "ann\u{fe0f}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("ann lee"), key("annlee"));
        assert_ne!(key("ann"), key("anne"));
    }

    #[test]
    fn a_room_pattern_matches_one_room_or_a_prefix() {
        let (exact, open) =
            (RoomPattern::parse("team").unwrap(), RoomPattern::parse("team-*").unwrap());
        let room = RoomName::from_raw;
        assert!(exact.matches(&room("team")) && !exact.matches(&room("team-a")));
        assert!(open.matches(&room("team-a/b")) && open.matches(&room("team-")));
        assert!(!open.matches(&room("team")) && !open.matches(&room("Team-a")));
        assert!(RoomPattern::parse("*").unwrap().matches(&room("any")));
        for bad in ["", "**", "a*b", "te am*", "*a"] {
            assert!(RoomPattern::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(open.to_string(), "team-*");
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
    fn a_space_pattern_matches_one_space_or_a_prefix() {
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
