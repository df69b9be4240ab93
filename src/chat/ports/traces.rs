//! The port of the tracer: which steps a sampled request takes, and how long each of them is.
//!
//! What a span may say is one closed list, [`SpanFact`]: no body, no token and no name of a user or a
//! room can get into it. A request that is not sampled has no span, so its steps cost one check.

use std::{fmt, sync::Arc};

use super::Wire;
use crate::domain::{ConnectionId, Conversation, MessageId, Rejection, Seq};

tokio::task_local! {
    /// The span of the request that the task handles.
    static CURRENT: SpanHandle;
}

/// A span that is not ended. The last clone ends it when it is dropped.
pub type SpanHandle = Arc<dyn Span>;

/// Begins traces, and sends their spans to a collector.
///
/// # Guarantees
/// - No call waits: spans that the collector does not take in time are dropped, and counted.
///
/// Not guaranteed: that a span arrives.
pub trait Tracer: Send + Sync + 'static {
    /// Begins a trace, or continues that of `parent`, a value of the W3C header `traceparent`. `None` if
    /// it is not sampled. What cannot be read is no parent.
    fn begin(&self, name: &'static str, kind: SpanKind, parent: Option<&str>)
    -> Option<SpanHandle>;
}

/// A step of a request.
pub trait Span: Send + Sync + 'static {
    /// Begins a step of this one.
    fn child(&self, name: &'static str, kind: SpanKind) -> SpanHandle;

    /// Replaces the name.
    fn rename(&self, name: &'static str);

    /// Adds what is known of the step.
    fn record(&self, fact: SpanFact<'_>);

    /// The value of the header `traceparent` for requests that belong to this step.
    fn traceparent(&self) -> String;
}

/// The part that this process has in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// It answers a request.
    Server,
    /// It waits for the answer to a request.
    Client,
    /// It sends what other nodes receive.
    Producer,
    /// It receives what another node sent.
    Consumer,
    /// All others.
    Internal,
}

/// What a span says of its step.
#[derive(Clone, Copy, Debug)]
pub enum SpanFact<'a> {
    /// The protocol of the request.
    Wire(Wire),
    /// The connection that sent the request.
    Connection(ConnectionId),
    /// Which of the three kinds the conversation is. Its name may be personal.
    Conversation(&'a Conversation),
    /// The message that is sent.
    Message(&'a MessageId),
    /// Its position in the log.
    Seq(Seq),
    /// The size of the body.
    BodyBytes(usize),
    /// The messages of the transaction.
    BatchMessages(usize),
    /// The connections of this node that receive the entry.
    Sockets(usize),
    /// The events of a request to a webhook.
    Events(usize),
    /// Why the request was refused.
    Refused(&'a Rejection),
    /// A call of a back end or a webhook failed.
    Failed,
}

/// The span of the request that this task handles, if it is sampled.
pub fn current_span() -> Option<SpanHandle> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Performs a step of the request with this span.
pub async fn in_span<T>(span: SpanHandle, step: impl Future<Output = T>) -> T {
    CURRENT.scope(span, step).await
}

/// A request of a client that is read: its span, and the step that ends when it is parsed.
pub struct ReceivedRequest {
    span: SpanHandle,
    decoding: SpanHandle,
}

impl ReceivedRequest {
    /// Begins the trace of a request over `wire`, if it is sampled.
    pub(super) fn begin(tracer: &dyn Tracer, wire: Wire) -> Option<Self> {
        let span = tracer.begin("request", SpanKind::Server, None)?;
        span.record(SpanFact::Wire(wire));
        let decoding = span.child("decode", SpanKind::Internal);
        Some(Self { span, decoding })
    }

    /// The span of the request, which is parsed. `name` is the event that carried it, if it is one of
    /// the protocol.
    pub fn decoded(self, name: Option<&'static str>) -> SpanHandle {
        let Self { span, decoding } = self;
        drop(decoding);
        span.rename(name.unwrap_or("other"));
        span
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest").finish_non_exhaustive()
    }
}

/// The span of a request that waits for the store, and its present step.
pub(crate) struct StoredSpan {
    request: SpanHandle,
    step: Option<SpanHandle>,
}

impl StoredSpan {
    /// Begins the wait in the journal's queue, if the request that this task handles is sampled. In a
    /// box, so that the others pay for a pointer.
    pub(crate) fn queued() -> Option<Box<Self>> {
        let request = current_span()?;
        let step = request.child("journal queue", SpanKind::Internal);
        Some(Box::new(Self { request, step: Some(step) }))
    }

    /// Ends the present step, and begins the next one.
    pub(crate) fn begin(&mut self, name: &'static str, kind: SpanKind) {
        self.end_step();
        self.step = Some(self.request.child(name, kind));
    }

    /// Adds what is known of the present step.
    pub(crate) fn record(&self, fact: SpanFact<'_>) {
        if let Some(step) = &self.step {
            step.record(fact);
        }
    }

    /// Adds what is known of the request.
    pub(crate) fn record_request(&self, fact: SpanFact<'_>) {
        self.request.record(fact);
    }

    /// Ends the present step.
    pub(crate) fn end_step(&mut self) {
        self.step = None;
    }

    /// The value of the header `traceparent` for what the request causes.
    pub(crate) fn request_traceparent(&self) -> String {
        self.request.traceparent()
    }

    /// The value of the header `traceparent` for the present step.
    pub(crate) fn traceparent(&self) -> String {
        self.step.as_ref().unwrap_or(&self.request).traceparent()
    }
}
