//! Connection state recovery: a client that lost its transport continues its connection.
//!
//! The chat session stays, and its outbox is a [`RecoverableConnection`], which keeps the last
//! events with their offsets. When the transport is lost, the session waits in the
//! [`RecoveryTable`] under its `pid`. A new connection with this `pid` takes it, so a `pid` serves
//! once per loss, and its client receives what follows the last event that it has.
//!
//! A client may come back on another node. That node asks this one for the session, which then ends
//! here: the table answers as [`WaitingSessions`](crate::chat::WaitingSessions), and `moving` asks.

mod connection;
mod sent;
mod table;
#[cfg(test)]
mod tests;

pub(super) use self::{
    connection::{OtherNodes, RecoverableConnection, RecoveryIdentity},
    table::{RecoveryTable, Resumption, ServedConnection, WaitingSession},
};
