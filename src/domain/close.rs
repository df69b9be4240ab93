//! Why the server ends a connection.

use std::time::Duration;

use time::OffsetDateTime;

/// A reason that the client receives. `wire` holds the table of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// This node is draining.
    Draining {
        /// How long the client should wait before it returns.
        after: Duration,
    },
    /// The client reads too slowly: its outbox is full, or its socket accepts no bytes.
    SlowReader,
    /// Nothing was received from the client for too long.
    PingTimeout,
    /// The client sent faster than its requests are handled, and its inbox is full.
    Flood,
    /// The client sent a frame above the limit.
    FrameTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A fault of the server.
    Fault,
    /// The token expired.
    TokenExpired,
    /// A back end disconnected the client, which should come back.
    Reconnect,
    /// A token is required and the client sent none.
    InvalidUser,
    /// Another device of the same user connected.
    Replaced,
    /// The sign-in that the connection uses was ended.
    SignedOut,
    /// A registered user took the name of the guest.
    NameTaken,
    /// A back end disconnected the client.
    Disconnected,
    /// The user was banned from the space.
    Banned {
        /// When the ban ends. `None`: never.
        until: Option<OffsetDateTime>,
    },
    /// The token was revoked.
    TokenRevoked,
}

/// What a client does that a back end disconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDisconnect {
    /// It stays away.
    StayAway,
    /// It connects again.
    Reconnect,
}

impl From<AfterDisconnect> for CloseReason {
    fn from(after: AfterDisconnect) -> Self {
        match after {
            AfterDisconnect::StayAway => Self::Disconnected,
            AfterDisconnect::Reconnect => Self::Reconnect,
        }
    }
}

impl CloseReason {
    /// Every reason, in the order of the table in docs/protocol.md.
    pub const ALL: [Self; 15] = [
        Self::DRAINING,
        Self::SlowReader,
        Self::PingTimeout,
        Self::Flood,
        Self::FrameTooLarge { limit: 0 },
        Self::Fault,
        Self::TokenExpired,
        Self::Reconnect,
        Self::InvalidUser,
        Self::Replaced,
        Self::SignedOut,
        Self::NameTaken,
        Self::Disconnected,
        Self::Banned { until: None },
        Self::TokenRevoked,
    ];

    /// The shortest wait before a client returns after a drain: the process that follows may not
    /// accept connections yet.
    pub const RETURN_AFTER: Duration = Duration::from_secs(1);

    /// The drain of a node with few clients.
    pub const DRAINING: Self = Self::Draining { after: Self::RETURN_AFTER };

    /// The longest wait for answers before the client receives the reason.
    pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);

    /// Whether the requests that were received are answered before the client receives the reason.
    pub fn answers_first(self) -> bool {
        matches!(self, Self::Draining { .. } | Self::Flood | Self::FrameTooLarge { .. })
    }

    /// Whether the connection lost its right to exist, so that its queued events have less time to
    /// be sent.
    pub fn is_prompt(self) -> bool {
        matches!(
            self,
            Self::TokenExpired
                | Self::InvalidUser
                | Self::Replaced
                | Self::SignedOut
                | Self::NameTaken
                | Self::Disconnected
                | Self::Reconnect
                | Self::Banned { .. }
                | Self::TokenRevoked
        )
    }
}
