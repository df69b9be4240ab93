//! The port of the outbox of webhooks. It uses the connections for reads, so that commits of
//! messages do not wait for it.

use std::sync::Arc;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{PostgresStore, failure::PostgresFailure, outbox, pool::with_connection};
use crate::{
    chat::ports::{AttemptOutcome, DeadLetters, Fault, OutboxEvent, PresenceRecord, WebhookOutbox},
    domain::{NodeId, WebhookName},
};

fn fault(failure: PostgresFailure) -> Fault {
    Fault::new("postgres webhook request failed", failure)
}

#[async_trait]
impl WebhookOutbox for PostgresStore {
    async fn record_presence(&self, record: Arc<PresenceRecord>) -> Result<(), Fault> {
        with_connection!(self.readers, |connection| outbox::record_presence(connection, &record))
            .map_err(fault)
    }

    async fn end_lost_presence(&self, record: Arc<PresenceRecord>) -> Result<u64, Fault> {
        with_connection!(self.readers, |connection| outbox::end_lost_presence(connection, &record))
            .map_err(fault)
    }

    async fn acquire_lease(&self, webhook: &WebhookName, node: &NodeId) -> Result<bool, Fault> {
        with_connection!(self.readers, |connection| outbox::acquire_lease(
            connection, webhook, node
        ))
        .map_err(fault)
    }

    async fn release_leases(&self, node: &NodeId) -> Result<(), Fault> {
        with_connection!(self.readers, |connection| outbox::release_leases(connection, node))
            .map_err(fault)
    }

    async fn waiting(
        &self,
        webhook: &WebhookName,
        without: &[String],
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        with_connection!(self.readers, |connection| outbox::waiting(
            connection, webhook, without, events_max
        ))
        .map_err(fault)
    }

    async fn assign_batch(&self, events: &[u64], batch: &str) -> Result<(), Fault> {
        with_connection!(self.readers, |connection| outbox::assign_batch(connection, events, batch))
            .map_err(fault)
    }

    async fn settle(&self, outcomes: &[AttemptOutcome]) -> Result<(), Fault> {
        with_connection!(self.readers, |connection| outbox::settle(connection, outcomes))
            .map_err(fault)
    }

    async fn dead_letters(
        &self,
        webhook: Option<&WebhookName>,
        after: u64,
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        with_connection!(self.readers, |connection| outbox::dead_letters(
            connection, webhook, after, events_max
        ))
        .map_err(fault)
    }

    async fn resend(&self, letters: &DeadLetters) -> Result<u64, Fault> {
        with_connection!(self.readers, |connection| outbox::resend(connection, letters))
            .map_err(fault)
    }

    async fn remove_before(&self, time: OffsetDateTime) -> Result<(), Fault> {
        with_connection!(self.readers, |connection| outbox::remove_before(connection, time))
            .map_err(fault)
    }
}
