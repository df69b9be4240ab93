//! A type per identity, so that no signature takes a string or a number for one.

use std::fmt;

use super::Rejection;

/// One live socket on this node. Never reused within a process, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// No connection: numbers are counted from 1.
    pub const NONE: Self = Self(0);

    /// The connection with this number; whoever counts keeps the numbers apart.
    pub fn from_raw(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}", self.0)
    }
}

/// An entry's place in its conversation: 1, 2, 3 … without holes. 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(u64);

impl Seq {
    /// Before the first message.
    pub const ZERO: Self = Self(0);

    /// The largest number that a JavaScript client counts exactly, 2^53 - 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The place with this number.
    pub fn from_raw(number: u64) -> Self {
        Self(number)
    }

    /// The number that goes out.
    pub fn as_raw(self) -> u64 {
        self.0
    }

    /// The place before this one, if there is one.
    pub fn previous(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many places lie after `earlier`, up to and with this one. 0 when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Longest id that a client may choose, in bytes. A UUID has 36, a ULID 26.
const CLIENT_ID_BYTES_MAX: usize = 64;

/// Declares an id that a client may choose.
macro_rules! client_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Accepts 1 to 64 visible ASCII characters.
            pub fn parse(raw: &str) -> Result<Self, Rejection> {
                let fits = (1..=CLIENT_ID_BYTES_MAX).contains(&raw.len());
                if fits && raw.bytes().all(|byte| byte.is_ascii_graphic()) {
                    Ok(Self(raw.into()))
                } else {
                    Err(Rejection::IdInvalid)
                }
            }

            /// The id as it stands in the store.
            pub fn from_raw(raw: &str) -> Self {
                Self(raw.into())
            }

            /// The text that goes out.
            pub fn as_raw(&self) -> &str {
                &self.0
            }
        }
    };
}

client_id! {
    /// A message's identity and its idempotency key, chosen by the client or made by the server.
    MessageId
}

client_id! {
    /// A device: chosen by the client, which keeps it across reconnects.
    DeviceId
}

/// Declares a random text that the server makes.
macro_rules! server_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// The one that is called `raw`.
            pub fn from_raw(raw: &str) -> Self {
                Self(raw.into())
            }

            /// The text that goes out.
            pub fn as_raw(&self) -> &str {
                &self.0
            }
        }
    };
}

server_id! {
    /// One process. Random, made at each start.
    NodeId
}

server_id! {
    /// One sign-in at the cookie API. Random, made by the server.
    SignInId
}

server_id! {
    /// One database. Random, made with it: a client that knows another one knows nothing of this.
    Epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_1_to_64_visible_ascii_characters() {
        assert!(MessageId::parse("a").is_ok());
        assert!(MessageId::parse(&"x".repeat(64)).is_ok());
        for bad in ["", "with space", "ü", "tab\t", &"x".repeat(65)] {
            assert_eq!(MessageId::parse(bad), Err(Rejection::IdInvalid), "{bad:?}");
        }
    }

    #[test]
    fn since_counts_forward_and_never_below_zero() {
        assert_eq!(Seq::from_raw(7).since(Seq::from_raw(4)), 3);
        assert_eq!(Seq::from_raw(4).since(Seq::from_raw(7)), 0);
    }
}
