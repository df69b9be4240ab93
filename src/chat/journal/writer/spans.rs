//! The steps of sampled requests in the journal. Those of a batch share its transaction, and each has a
//! span of it.

use super::BatchWaiters;
use crate::chat::{
    ports::{Draft, DraftAct, SpanFact, SpanKind, StoredSpan},
    webhooks::MessageTraces,
};

impl BatchWaiters {
    /// Ends the waits in the queue, because the transaction begins.
    pub(super) fn begin_commit(&mut self, messages: usize) {
        for span in self.spans() {
            span.begin("store commit", SpanKind::Internal);
            span.record(SpanFact::BatchMessages(messages));
        }
    }

    /// Keeps the traces for webhooks: before the transaction, because a sender may read at once what it
    /// records.
    pub(super) fn keep_traces(&self, drafts: &[Draft], traces: &MessageTraces) {
        for (draft, (_, _, reply, _)) in drafts.iter().zip(&self.messages) {
            if let Some(span) = &reply.span {
                traces.keep(draft, span.request_traceparent());
            }
        }
    }

    /// Ends the transaction.
    pub(super) fn end_commit(&mut self) {
        for span in self.spans() {
            span.end_step();
        }
    }

    fn spans(&mut self) -> impl Iterator<Item = &mut Box<StoredSpan>> {
        let Self { changes, messages, waiters: _ } = self;
        let changes = changes.iter_mut().filter_map(|(_, reply)| reply.as_mut()?.span.as_mut());
        let messages = messages.iter_mut().filter_map(|(_, _, reply, _)| reply.span.as_mut());
        changes.chain(messages)
    }
}

/// Begins the publication to other nodes of a draft that is stored. Returns what they continue.
pub(super) fn begin_publication(span: &mut StoredSpan, draft: &Draft) -> Box<str> {
    span.record_request(SpanFact::Conversation(&draft.place.conversation));
    if let DraftAct::Say { body, .. } | DraftAct::Edit { body, .. } = &draft.act {
        span.record_request(SpanFact::BodyBytes(body.bytes()));
    }
    span.begin("bus publish", SpanKind::Producer);
    span.traceparent().into()
}
