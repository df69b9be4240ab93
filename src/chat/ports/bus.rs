//! The port of the engines that carry between nodes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::chat::event::Delivery;

/// Carries announcements of stored messages from node to node.
///
/// It promises little, so that the store need promise much.
///
/// # Guarantees
/// - `publish` never waits and never fails: what cannot be carried is dropped.
/// - A node does not hear itself.
///
/// Not guaranteed: that an announcement arrives, arrives once, or arrives in order. Whoever listens
/// compares `seq` and asks the store for what is missing.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells the other nodes of a stored message.
    fn publish(&self, announcement: Announcement);

    /// Waits for what another node announced. `None` when there will be nothing more.
    /// Cancel-safe: an announcement is either returned or still there.
    async fn next(&self) -> Option<Announcement>;
}

/// A message that was stored, as one node tells the others.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// A delivery of [`Event::Entry`](crate::chat::event::Event::Entry).
    pub delivery: Arc<Delivery>,
}
