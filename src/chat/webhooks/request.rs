//! Which events are sent in one request.

use std::{collections::HashSet, ops::ControlFlow};

use crate::chat::ports::OutboxEvent;

/// The order in which events are looked at: those of batches first, then by id.
pub(super) type Key = (bool, u64);

/// Events that are sent in one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) events: Vec<OutboxEvent>,
    pub(super) kind: RequestKind,
}

/// Whether a request may have several events, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// One event, whose id it has.
    Single,
    /// A batch that has no id yet.
    NewBatch,
    /// A batch that may have been sent before.
    Batch(Box<str>),
}

impl RequestKind {
    /// The kind of a request that begins with this event. What was sent alone is sent alone again: its
    /// id is known.
    fn beginning_with(event: &OutboxEvent, batch_max: usize) -> Self {
        match &event.batch {
            Some(batch) => Self::Batch(batch.clone()),
            None if batch_max > 1 && event.attempts == 0 => Self::NewBatch,
            None => Self::Single,
        }
    }

    /// Whether another event is sent together with those before.
    fn admits(&self, event: &OutboxEvent) -> bool {
        match (self, &event.batch) {
            (Self::Batch(batch), Some(other)) => batch == other,
            (Self::NewBatch, None) => event.attempts == 0,
            (Self::Batch(_), None) | (Self::NewBatch, Some(_)) | (Self::Single, _) => false,
        }
    }
}

/// Chooses the events of one request among those that it is offered in order.
#[derive(Debug)]
pub(super) struct RequestBuilder {
    batch_max: usize,
    kind: Option<RequestKind>,
    keys: Vec<Key>,
    /// The subjects of events that were not taken: none of their later events is.
    passed_over: HashSet<String>,
}

impl RequestBuilder {
    pub(super) fn new(batch_max: usize) -> Self {
        Self { batch_max, kind: None, keys: Vec::new(), passed_over: HashSet::new() }
    }

    /// Takes an event of this subject, or passes it over. Breaks when the request is full.
    pub(super) fn offer(
        &mut self,
        key: Key,
        subject: &str,
        event: &OutboxEvent,
    ) -> ControlFlow<()> {
        if self.passed_over.contains(subject) {
            return ControlFlow::Continue(());
        }
        if self.kind.as_ref().is_some_and(|kind| !kind.admits(event)) {
            self.passed_over.insert(subject.to_owned());
            return ControlFlow::Continue(());
        }
        self.keys.push(key);
        let kind =
            self.kind.get_or_insert_with(|| RequestKind::beginning_with(event, self.batch_max));
        let is_full = match kind {
            RequestKind::Single => true,
            RequestKind::NewBatch => self.keys.len() >= self.batch_max,
            RequestKind::Batch(_) => false,
        };
        if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The keys of the events that were taken, and the kind of the request. `None` if there are none.
    pub(super) fn finish(self) -> Option<(Vec<Key>, RequestKind)> {
        self.kind.map(|kind| (self.keys, kind))
    }
}
