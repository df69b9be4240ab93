//! Events that connections are asked to answer.

use super::{Body, ConnectionAddress, UserName};

/// The number of an ask, unique on its node: 1, 2, 3 … On both wires it is the number that the
/// client's answer repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(u64);

impl AskId {
    /// The ask with this number.
    pub fn from_raw(number: u64) -> Self {
        Self(number)
    }

    /// The number on the wire and between nodes.
    pub fn as_raw(self) -> u64 {
        self.0
    }
}

/// The answer of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskAnswer {
    /// The connection.
    pub connection: ConnectionAddress,
    /// Its user, once it is identified.
    pub user: Option<UserName>,
    /// The arguments: a JSON array.
    pub args: Body,
}

/// The result of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskOutcome {
    /// The answers, in the order in which they arrived.
    pub answers: Vec<AskAnswer>,
    /// The number of connections that were asked and whose answer is not here.
    pub missing: usize,
    /// Whether every node has told how many connections it asked. If not, more may be missing.
    pub complete: bool,
}
