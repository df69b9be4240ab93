//! Why the server ends a connection.

/// A reason that the client is told. `wire` holds the table of their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// This node is about to leave.
    Draining,
    /// The client does not take what it is sent: its outbox is full, or its socket stands still.
    SlowReader,
    /// Nothing was heard from the client for too long.
    PingTimeout,
    /// The client sent faster than its inbox may grow.
    Flood,
    /// We broke.
    Fault,
    /// The time of the token is over.
    TokenExpired,
    /// A token is required and there was none.
    InvalidUser,
    /// Another device of the same user came.
    Replaced,
    /// The sign-in that the connection came with was ended.
    SignedOut,
    /// A guest's name is now a user's.
    NameTaken,
}

impl CloseReason {
    /// Every reason, in the order of the table in docs/protocol.md.
    pub const ALL: [Self; 10] = [
        Self::Draining,
        Self::SlowReader,
        Self::PingTimeout,
        Self::Flood,
        Self::Fault,
        Self::TokenExpired,
        Self::InvalidUser,
        Self::Replaced,
        Self::SignedOut,
        Self::NameTaken,
    ];

    /// Whether the connection may not stay, so that what is queued has less time to go out.
    pub fn is_prompt(self) -> bool {
        matches!(
            self,
            Self::TokenExpired
                | Self::InvalidUser
                | Self::Replaced
                | Self::SignedOut
                | Self::NameTaken
        )
    }
}
