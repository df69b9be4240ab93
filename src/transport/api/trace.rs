//! The traces of what back ends publish: each continues that of its `traceparent`.

use http::HeaderMap;

use crate::{
    chat::{
        Chat,
        ports::{SpanFact, SpanHandle, in_span},
    },
    domain::Rejection,
};

/// Performs what a request asks for, and records its steps, if it is sampled. The key was checked
/// before: not everybody may begin traces.
pub(super) async fn traced<T>(
    chat: &Chat,
    (name, headers): (&'static str, &HeaderMap),
    step: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    let parent = headers.get("traceparent").and_then(|it| it.to_str().ok());
    let Some(span) = chat.begin_trace(name, parent) else { return step.await };
    let outcome = Box::pin(in_span(SpanHandle::clone(&span), step)).await;
    if let Err(rejection) = &outcome {
        span.record(SpanFact::Refused(rejection));
    }
    outcome
}
