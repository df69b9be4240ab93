//! The outbox of webhooks in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::MemoryStore;
use crate::{
    chat::ports::{
        AttemptOutcome, ConnectionEnd, DeadLetters, Fault, NewOutboxEvent, OutboxEvent,
        PresenceRecord, PresenceSubject, PresentClient, WEBHOOK_LEASE, WebhookOutbox,
    },
    domain::{NodeId, WebhookName},
};

#[derive(Debug, Default)]
pub(super) struct MemoryOutbox {
    last_id: u64,
    events: BTreeMap<u64, OutboxEvent>,
    present: BTreeMap<(PresenceSubject, NodeId), PresentClient>,
    /// The node that has the lease of a webhook, and its end.
    leases: HashMap<WebhookName, (NodeId, Instant)>,
}

impl MemoryOutbox {
    /// Adds events.
    pub(super) fn record(&mut self, events: Vec<NewOutboxEvent>) {
        for new in events {
            self.last_id += 1;
            let (id, batch, attempts) = (self.last_id, None, 0);
            let event = OutboxEvent { id, new, batch, attempts, failure: None, dead_at: None };
            self.events.insert(id, event);
        }
    }

    fn is_present(&self, subject: &PresenceSubject) -> bool {
        self.present.keys().any(|(it, _)| it == subject)
    }

    fn record_presence(&mut self, record: &PresenceRecord) {
        let PresenceRecord { node, appeared, gone, .. } = record;
        for (subject, client) in appeared {
            if !self.is_present(subject) {
                self.record(record.appeared(subject));
            }
            self.present.insert((subject.clone(), node.clone()), client.clone());
        }
        for (subject, reason) in gone {
            self.remove(record, (subject, node), *reason);
        }
    }

    /// Removes the presence of a subject on a node.
    fn remove(
        &mut self,
        record: &PresenceRecord,
        (subject, node): (&PresenceSubject, &NodeId),
        reason: ConnectionEnd,
    ) {
        let Some(client) = self.present.remove(&(subject.clone(), node.clone())) else { return };
        if !self.is_present(subject) {
            self.record(record.gone(subject, client, reason));
        }
    }

    fn settle(&mut self, outcome: &AttemptOutcome) {
        match outcome {
            AttemptOutcome::Delivered(ids) => self.events.retain(|id, _| !ids.contains(id)),
            AttemptOutcome::Failed { events, failure, dead_at } => {
                for event in self.events.values_mut().filter(|it| events.contains(&it.id)) {
                    event.attempts += 1;
                    event.failure = Some(failure.clone());
                    event.dead_at = *dead_at;
                }
            }
        }
    }
}

#[async_trait]
impl WebhookOutbox for MemoryStore {
    async fn record_presence(&self, record: Arc<PresenceRecord>) -> Result<(), Fault> {
        self.lock().outbox.record_presence(&record);
        Ok(())
    }

    async fn end_lost_presence(&self, record: Arc<PresenceRecord>) -> Result<u64, Fault> {
        let is_alive = |node: &NodeId| {
            *node == record.node || self.nodes.as_ref().is_some_and(|nodes| nodes.is_alive(node))
        };
        let mut state = self.lock();
        let lost = state.outbox.present.keys().filter(|(_, node)| !is_alive(node));
        let lost: Vec<_> = lost.cloned().collect();
        for (subject, node) in &lost {
            state.outbox.remove(&record, (subject, node), ConnectionEnd::NodeLost);
        }
        let own = state.outbox.present.keys().filter(|(_, node)| *node == record.node);
        Ok(own.count() as u64)
    }

    async fn acquire_lease(&self, webhook: &WebhookName, node: &NodeId) -> Result<bool, Fault> {
        let now = Instant::now();
        let mut state = self.lock();
        let lease = state.outbox.leases.get(webhook);
        if lease.is_some_and(|(holder, until)| holder != node && now < *until) {
            return Ok(false);
        }
        state.outbox.leases.insert(webhook.clone(), (node.clone(), now + WEBHOOK_LEASE));
        Ok(true)
    }

    async fn release_leases(&self, node: &NodeId) -> Result<(), Fault> {
        self.lock().outbox.leases.retain(|_, (holder, _)| holder != node);
        Ok(())
    }

    async fn waiting(
        &self,
        webhook: &WebhookName,
        without: &[String],
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        let without: BTreeSet<_> = without.iter().collect();
        let state = self.lock();
        let waits = |it: &&OutboxEvent| {
            it.new.webhook == *webhook
                && it.dead_at.is_none()
                && !without.contains(&it.new.subject())
        };
        let mut waiting: Vec<_> = state.outbox.events.values().filter(waits).cloned().collect();
        waiting.sort_by_key(|it| (it.batch.is_none(), it.id));
        waiting.truncate(events_max);
        Ok(waiting)
    }

    async fn assign_batch(&self, events: &[u64], batch: &str) -> Result<(), Fault> {
        let mut state = self.lock();
        for event in state.outbox.events.values_mut().filter(|it| events.contains(&it.id)) {
            event.batch = Some(batch.into());
        }
        Ok(())
    }

    async fn settle(&self, outcomes: &[AttemptOutcome]) -> Result<(), Fault> {
        let mut state = self.lock();
        for outcome in outcomes {
            state.outbox.settle(outcome);
        }
        Ok(())
    }

    async fn dead_letters(
        &self,
        webhook: Option<&WebhookName>,
        after: u64,
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        let state = self.lock();
        let is_listed = |it: &&OutboxEvent| {
            it.dead_at.is_some() && it.id > after && webhook.is_none_or(|of| it.new.webhook == *of)
        };
        let letters = state.outbox.events.values().filter(is_listed).take(events_max);
        Ok(letters.cloned().collect())
    }

    async fn resend(&self, letters: &DeadLetters) -> Result<u64, Fault> {
        let mut state = self.lock();
        let mut resent = 0;
        for event in state.outbox.events.values_mut().filter(|it| it.dead_at.is_some()) {
            let is_meant = match letters {
                DeadLetters::Ids(ids) => ids.contains(&event.id),
                DeadLetters::Of(webhook) => event.new.webhook == *webhook,
            };
            if is_meant {
                (event.batch, event.attempts, event.dead_at) = (None, 0, None);
                resent += 1;
            }
        }
        Ok(resent)
    }

    async fn remove_before(&self, time: OffsetDateTime) -> Result<(), Fault> {
        self.lock().outbox.events.retain(|_, it| it.new.at >= time);
        Ok(())
    }
}
