//! The port of the engines that store bans, revoked tokens and ended sign-ins.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Fault;
use crate::domain::{Denial, DenialSubject};

/// Stores the list of denials. Every node has all of it in memory, so nothing asks for single ones.
///
/// # Guarantees
/// - **Durable:** after `change_denials` returns, all later reads find the change, also after
///   `kill -9`.
/// - **Atomic:** a change and its number are stored together, or neither. (An engine that cannot
///   know whether its commit succeeded may keep the change; its number is then missing to all nodes
///   that compare numbers.)
/// - **Numbered:** changes have the numbers 1, 2, 3 … in the order in which they are stored, of
///   all processes that share a database.
/// - **One per subject:** a denial replaces an earlier one of its subject.
/// - **Snapshot:** `denials` returns the list exactly as it was after the change with the returned
///   number.
/// - **Milliseconds:** stored times are truncated to them.
///
/// Not guaranteed: that denials that are over are returned. Each change may remove them.
#[async_trait]
pub trait DenialStore: Send + Sync + 'static {
    /// Makes a change at `now` and returns its number.
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault>;

    /// The number of the last change, 0 before the first one.
    async fn denials_number(&self) -> Result<u64, Fault>;

    /// The whole list.
    async fn denials(&self) -> Result<DenialSnapshot, Fault>;
}

/// A change of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialChange {
    /// Adds a denial, or replaces the one of the same subject.
    Deny(Denial),
    /// Removes the denial of a subject, if there is one.
    Allow(DenialSubject),
}

/// The list after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenialSnapshot {
    /// The number of the last change.
    pub number: u64,
    /// The denials, in no order. Some may be over.
    pub denials: Vec<Denial>,
}
