//! A sampled request on its way through the session.

use super::Session;
use crate::chat::{
    Answer, ReplyCallback, Request,
    ports::{SpanFact, SpanHandle, SpanKind, in_span},
};

impl Session {
    /// Handles one request, as [`Session::handle`] does, and records its steps, if it is sampled.
    pub async fn handle_traced(
        &mut self,
        span: Option<SpanHandle>,
        request: Request,
        answer: ReplyCallback,
    ) {
        let Some(span) = span else { return self.handle(request, answer).await };
        span.record(SpanFact::Connection(self.connection()));
        let deciding = span.child("session", SpanKind::Internal);
        let answer = answering(SpanHandle::clone(&span), answer);
        // In a box, which requests without a span do not pay for.
        Box::pin(in_span(span, self.handle(request, answer))).await;
        drop(deciding);
    }
}

/// Answers, and records that.
fn answering(span: SpanHandle, answer: ReplyCallback) -> ReplyCallback {
    Box::new(move |reply| {
        match &reply {
            Ok(Answer::Posted { receipt, .. } | Answer::PostedTo { receipt, .. }) => {
                span.record(SpanFact::Message(&receipt.id));
                span.record(SpanFact::Seq(receipt.seq));
            }
            Ok(_) => (),
            Err(rejection) => span.record(SpanFact::Refused(rejection)),
        }
        let acknowledging = span.child("acknowledgement", SpanKind::Internal);
        answer(reply);
        drop(acknowledging);
    })
}
