//! Webhooks: what is recorded for them, and the tasks that send it.
//!
//! A commit of the journal records what it changes, and the [`recorder`] what the hub knows of the
//! presence on this node. A [`WebhookSender`] per webhook delivers what is recorded: on one node at a
//! time, in order for each subject, until the receiver has accepted it.

mod backoff;
mod content;
mod fault_log;
mod names;
mod planner;
mod recorder;
mod request;
mod sender;
#[cfg(test)]
mod tests;
mod traces;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

pub(in crate::chat) use self::names::names_by_space;
pub(in crate::chat) use self::recorder::PresenceRecorder;
pub use self::sender::WebhookSender;
pub(in crate::chat) use self::{
    content::{event_id, parse_event_id},
    sender::SenderParts,
    traces::MessageTraces,
};
use super::ports::{COMMITTED_KINDS, Clock, Recording, WebhookOutbox, WebhookReceiver};
use crate::domain::{UserName, WebhookName, WebhookRules};

/// The webhooks of the settings, and where their events are kept.
#[expect(missing_debug_implementations, reason = "engines need not print")]
pub struct WebhookParts {
    /// Keeps their events.
    pub outbox: Arc<dyn WebhookOutbox>,
    /// What they are told of.
    pub rules: Arc<WebhookRules>,
    /// Where they are sent.
    pub targets: Vec<WebhookTarget>,
}

/// A webhook, and how it is sent.
#[derive(Clone)]
pub struct WebhookTarget {
    /// Its name.
    pub name: WebhookName,
    /// Sends requests.
    pub receiver: Arc<dyn WebhookReceiver>,
    /// How many requests may be under way.
    pub in_flight_max: usize,
    /// How many events a request may have. With one, a request is the event.
    pub batch_max: usize,
    /// How long after an event its delivery is retried.
    pub retry_max: Duration,
}

impl std::fmt::Debug for WebhookTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookTarget").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the parts of the chat share that record events.
pub(in crate::chat) struct Webhooks {
    pub(in crate::chat) outbox: Arc<dyn WebhookOutbox>,
    pub(in crate::chat) rules: Arc<WebhookRules>,
    pub(in crate::chat) targets: Vec<WebhookTarget>,
    pub(in crate::chat) traces: Arc<MessageTraces>,
    clock: Arc<dyn Clock>,
    /// Wakes the senders: one for each target, in their order.
    wakes: Vec<Arc<Notify>>,
}

impl Webhooks {
    pub(in crate::chat) fn new(parts: WebhookParts, clock: Arc<dyn Clock>) -> Self {
        let WebhookParts { outbox, rules, targets } = parts;
        let wakes = targets.iter().map(|_| Arc::default()).collect();
        Self { outbox, rules, targets, traces: Arc::default(), clock, wakes }
    }

    /// The recording of a batch whose changes were made by these users. `None` if no webhook is told of
    /// what batches change.
    pub(in crate::chat) fn recording(&self, by: Vec<Option<UserName>>) -> Option<Recording> {
        let rules = Arc::clone(&self.rules);
        rules.want_anywhere(&COMMITTED_KINDS).then(|| {
            let at = self.clock.now();
            Recording { rules, at, by }
        })
    }

    /// Wakes the senders: events were recorded.
    pub(in crate::chat) fn wake(&self) {
        for wake in &self.wakes {
            wake.notify_one();
        }
    }

    /// The targets, each with what wakes its sender.
    pub(in crate::chat) fn senders(&self) -> impl Iterator<Item = (&WebhookTarget, &Arc<Notify>)> {
        self.targets.iter().zip(&self.wakes)
    }

    /// Whether the settings have a webhook of this name.
    pub(in crate::chat) fn has(&self, name: &WebhookName) -> bool {
        self.targets.iter().any(|it| it.name == *name)
    }
}
