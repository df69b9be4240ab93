//! The port of the transports: one connection's bounded queue.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{chat::event::Delivery, domain::CloseReason};

/// Events on their way to one connection.
///
/// # Guarantees
/// - `push` never waits. Events go out in the order in which they were pushed.
/// - After an [`Overflow`], or after `close`, nothing more goes out but the reason.
/// - `close` never waits either: it begins the end. What was pushed before is sent if the client
///   takes it in bounded time.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Queues an event, or says that the queue is full; then the caller closes it.
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow>;

    /// Queues an event that nobody misses, or drops it, when more than half of the queue is taken.
    fn offer(&self, delivery: &Arc<Delivery>);

    /// Waits until less than half of the queue is taken, or until it is closed: a replay is sent
    /// at the pace of its reader.
    async fn wait_for_capacity(&self);

    /// Ends the connection, telling the client why. The second call does nothing.
    fn close(&self, reason: CloseReason);

    /// Whether it was closed for a reason for which the client may not stay
    /// ([`CloseReason::is_prompt`]): what still comes from it is not taken.
    fn is_revoked(&self) -> bool;
}

/// The queue is full: this reader is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;
