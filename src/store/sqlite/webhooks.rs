//! The port of the outbox of webhooks: its jobs on the threads of the store.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use time::OffsetDateTime;

use super::{SqliteStore, failure::SqliteFailure, outbox};
use crate::{
    chat::ports::{AttemptOutcome, DeadLetters, Fault, OutboxEvent, PresenceRecord, WebhookOutbox},
    domain::{NodeId, WebhookName},
};

impl SqliteStore {
    /// Runs a job on the connection that writes.
    async fn change_outbox<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> Result<T, Fault> {
        let done = self.writer.run(job).await;
        done.map_err(|error| Fault::new("sqlite webhook commit failed", error))
    }
}

#[async_trait]
impl WebhookOutbox for SqliteStore {
    async fn record_presence(&self, record: Arc<PresenceRecord>) -> Result<(), Fault> {
        self.change_outbox(move |it| outbox::record_presence(it, &record)).await
    }

    /// The directory belongs to one process, so all other nodes have ended.
    async fn end_lost_presence(&self, record: Arc<PresenceRecord>) -> Result<u64, Fault> {
        self.change_outbox(move |it| outbox::end_lost_presence(it, &record)).await
    }

    /// The directory belongs to one process.
    async fn acquire_lease(&self, _webhook: &WebhookName, _node: &NodeId) -> Result<bool, Fault> {
        Ok(true)
    }

    async fn release_leases(&self, _node: &NodeId) -> Result<(), Fault> {
        Ok(())
    }

    async fn waiting(
        &self,
        webhook: &WebhookName,
        without: &[String],
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        let (webhook, without) = (webhook.clone(), without.iter().cloned().collect());
        let waiting = move |it: &Connection| outbox::waiting(it, &webhook, &without, events_max);
        self.query("sqlite webhook query failed", waiting).await
    }

    async fn assign_batch(&self, events: &[u64], batch: &str) -> Result<(), Fault> {
        let (events, batch) = (events.to_vec(), batch.to_owned());
        self.change_outbox(move |it| outbox::assign_batch(it, &events, &batch)).await
    }

    async fn settle(&self, outcomes: &[AttemptOutcome]) -> Result<(), Fault> {
        let outcomes = outcomes.to_vec();
        self.change_outbox(move |it| outbox::settle(it, &outcomes)).await
    }

    async fn dead_letters(
        &self,
        webhook: Option<&WebhookName>,
        after: u64,
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        let webhook = webhook.cloned();
        let letters =
            move |it: &Connection| outbox::dead_letters(it, webhook.as_ref(), after, events_max);
        self.query("sqlite webhook query failed", letters).await
    }

    async fn resend(&self, letters: &DeadLetters) -> Result<u64, Fault> {
        let letters = letters.clone();
        self.change_outbox(move |it| outbox::resend(it, &letters)).await
    }

    async fn remove_before(&self, time: OffsetDateTime) -> Result<(), Fault> {
        self.change_outbox(move |it| outbox::remove_before(it, time)).await
    }
}
