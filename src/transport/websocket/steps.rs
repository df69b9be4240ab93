//! The steps that the translator of a dialect asks for.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    close::SocketEnd,
    outbox::WebSocketOutbox,
    translator::{Translator, encode},
};
use crate::{
    chat::{
        ReplyCallback, Session,
        ports::{Outbox as _, RequestMetrics, SpanHandle},
    },
    wire::dialect::{Effect, Purpose, Step},
};

/// Performs steps one after the other. An end of the connection ends them. `span` is of the frame that
/// they follow from, if it is sampled.
pub(super) async fn perform(
    steps: Vec<Step>,
    (session, span): (&mut Session, Option<SpanHandle>),
    translator: &Arc<Translator>,
    (outbox, metrics): (&Arc<WebSocketOutbox>, &Arc<RequestMetrics>),
) -> Result<(), SocketEnd> {
    for step in steps {
        match step {
            Step::Effect(Effect::Send(frame)) => outbox.send(encode(&frame)),
            Step::Effect(Effect::Close(reason)) => {
                outbox.close(reason);
                return Ok(());
            }
            Step::Ask(purpose, request) => {
                let callback = reply_callback(translator, purpose, outbox, metrics);
                let Some(callback) = callback else { return Ok(()) };
                session.handle_traced(span.clone(), request, callback).await;
            }
            Step::Finish => return Err(SocketEnd::Finished),
        }
    }
    Ok(())
}

/// The callback that translates the reply to a request. `None` once the close has begun.
fn reply_callback(
    translator: &Arc<Translator>,
    purpose: Purpose,
    outbox: &Arc<WebSocketOutbox>,
    metrics: &Arc<RequestMetrics>,
) -> Option<ReplyCallback> {
    let (unanswered, begun_at) = (outbox.count_request()?, Instant::now());
    let translator = Arc::clone(translator);
    let (outbox, metrics) = (Arc::clone(outbox), Arc::clone(metrics));
    Some(Box::new(move |reply| {
        metrics.answered(None, begun_at, &reply);
        let close = translator.queue_reply(&purpose, &reply, |frame| outbox.send(frame));
        drop(unanswered);
        if let Some(reason) = close {
            outbox.close(reason);
        }
    }))
}
