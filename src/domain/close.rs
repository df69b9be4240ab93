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
}

impl CloseReason {
    /// Every reason, in the order of the table in docs/protocol.md.
    pub const ALL: [Self; 5] =
        [Self::Draining, Self::SlowReader, Self::PingTimeout, Self::Flood, Self::Fault];
}
