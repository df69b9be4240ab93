//! Names of events that are not in the built-in vocabulary, and patterns for them.

use std::{fmt, sync::Arc};

use super::Rejection;

/// Longest name of an event in characters.
const EVENT_CHARS_MAX: usize = 128;

/// The events of the protocol, of clients and of the server, sorted. No other event has one of these
/// names, so nobody can forge them. A test compares the list with docs/protocol.md.
pub const BUILT_IN_EVENTS: [&str; 36] = [
    "GroupChat",
    "GroupList",
    "SingleChat",
    "auth",
    "auth expiring",
    "clock",
    "closing",
    "delete message",
    "edit message",
    "error message",
    "get users",
    "history",
    "identify",
    "invite",
    "join",
    "kick",
    "leave",
    "members",
    "membership",
    "message deleted",
    "message edited",
    "missed",
    "mute",
    "new message",
    "new user",
    "notification",
    "notify",
    "presence",
    "read",
    "rooms",
    "send message",
    "topic",
    "typing",
    "user joined",
    "user left",
    "welcome",
];

/// Those of them that only clients send, sorted. A test compares the list with the contract.
pub const REQUEST_ONLY_EVENTS: [&str; 14] = [
    "auth",
    "delete message",
    "edit message",
    "identify",
    "invite",
    "join",
    "kick",
    "leave",
    "members",
    "mute",
    "new user",
    "notify",
    "rooms",
    "send message",
];

/// Events that official clients emit to their own application (socket.io-client 1.x to 4.x).
const RESERVED_BY_CLIENTS: [&str; 7] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "error",
    "newListener",
    "removeListener",
];

/// The name of an event of the application: none that the protocol has in the same direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName(Arc<str>);

impl EventName {
    /// Accepts 1 to 128 characters, none of them a control character, as they are: names are
    /// compared exactly.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let is_reserved = BUILT_IN_EVENTS.contains(&raw) || RESERVED_BY_CLIENTS.contains(&raw);
        if is_reserved || !has_form(raw) {
            return Err(Rejection::UnknownEvent);
        }
        Ok(Self(raw.into()))
    }

    /// The same for an event that back ends send to clients, which may also have the name of a request:
    /// clients receive no other event of that name.
    pub fn parse_emitted(raw: &str) -> Result<Self, Rejection> {
        if REQUEST_ONLY_EVENTS.contains(&raw) { Ok(Self(raw.into())) } else { Self::parse(raw) }
    }

    /// A name that the store holds: it was parsed before it was stored.
    pub fn from_raw(raw: &str) -> Self {
        Self(raw.into())
    }

    /// The text on the wire and in the store.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

/// A pattern for events: an exact name, or a prefix that ends with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern {
    prefix: Box<str>,
    is_prefix: bool,
}

impl EventPattern {
    /// Accepts a name, or the beginning of one with a `*` after it, which may be empty. A `*` at
    /// another place is part of the name.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        match raw.strip_suffix('*') {
            Some(prefix) if prefix.is_empty() || has_form(prefix) => {
                Ok(Self { prefix: prefix.into(), is_prefix: true })
            }
            Some(_) => Err(Rejection::UnknownEvent),
            None => {
                let EventName(name) = EventName::parse(raw)?;
                Ok(Self { prefix: (&*name).into(), is_prefix: false })
            }
        }
    }

    /// Whether the name matches. The `*` matches zero or more characters.
    pub fn matches(&self, name: &EventName) -> bool {
        match name.as_raw().strip_prefix(&*self.prefix) {
            Some(rest) => self.is_prefix || rest.is_empty(),
            None => false,
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, if self.is_prefix { "*" } else { "" })
    }
}

fn has_form(raw: &str) -> bool {
    let chars = raw.chars().take(EVENT_CHARS_MAX + 1).count();
    (1..=EVENT_CHARS_MAX).contains(&chars) && !raw.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_protocol_is_no_name_of_the_application() {
        for name in BUILT_IN_EVENTS.into_iter().chain(RESERVED_BY_CLIENTS) {
            assert_eq!(EventName::parse(name), Err(Rejection::UnknownEvent), "{name}");
            assert_eq!(EventPattern::parse(name), Err(Rejection::UnknownEvent), "{name}");
        }
        for name in ["drawing", "New message", "join ", "game:*", "\u{1f3b2}", "300"] {
            assert_eq!(EventName::parse(name).unwrap().as_raw(), name);
        }
    }

    #[test]
    fn a_back_end_may_give_an_event_the_name_of_a_request() {
        for name in BUILT_IN_EVENTS.into_iter().chain(RESERVED_BY_CLIENTS) {
            let is_accepted = EventName::parse_emitted(name).is_ok();
            assert_eq!(is_accepted, REQUEST_ONLY_EVENTS.contains(&name), "{name}");
        }
        assert_eq!(EventName::parse_emitted("drawing"), EventName::parse("drawing"));
    }

    #[test]
    fn a_name_has_1_to_128_characters_that_are_no_control_characters() {
        let longest = "\u{e9}".repeat(EVENT_CHARS_MAX);
        assert!(EventName::parse(&longest).is_ok());
        for bad in ["", "a\0", "a\n", &*format!("{longest}x")] {
            assert_eq!(EventName::parse(bad), Err(Rejection::UnknownEvent), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_matches_a_name_or_a_prefix() {
        let matches = |pattern: &str, name: &str| {
            EventPattern::parse(pattern).unwrap().matches(&EventName::parse(name).unwrap())
        };
        for (pattern, name, expected) in [
            ("drawing", "drawing", true),
            ("drawing", "drawings", false),
            ("game:*", "game:move", true),
            ("game:*", "game:", true),
            ("game:*", "game", false),
            ("*", "anything", true),
            ("a*b", "a*b", true),
            ("a*b", "axb", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
            assert_eq!(EventPattern::parse(pattern).unwrap().to_string(), pattern);
        }
        assert!(EventPattern::parse("").is_err());
    }
}
