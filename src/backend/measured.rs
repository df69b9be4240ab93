//! Counts the calls of a back end, whatever engine it has.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    chat::ports::{
        Backend, BackendAnswer, BackendFailure, ConnectAnswer, ConnectCall, EventCall, MetricEvent,
        Metrics, RequestAnswer, RequestCall, SpanFact, SpanHandle, SpanKind, current_span, in_span,
    },
    domain::BackendName,
};

/// See the module.
pub struct MeasuredBackend {
    inner: Arc<dyn Backend>,
    name: BackendName,
    metrics: Arc<dyn Metrics>,
}

impl MeasuredBackend {
    /// Counts the calls of `inner`.
    pub fn new(inner: Arc<dyn Backend>, name: BackendName, metrics: Arc<dyn Metrics>) -> Self {
        Self { inner, name, metrics }
    }

    async fn measure<T>(
        &self,
        call: impl Future<Output = Result<T, BackendFailure>>,
    ) -> Result<T, BackendFailure> {
        let begun_at = Instant::now();
        let outcome = match current_span() {
            None => call.await,
            Some(span) => traced(&span, call).await,
        };
        self.metrics.record(MetricEvent::BackendCalled {
            backend: &self.name,
            elapsed: begun_at.elapsed(),
            failure: outcome.as_ref().err(),
        });
        outcome
    }
}

/// Calls in a step of its own, of which the request tells the back end.
async fn traced<T>(
    request: &SpanHandle,
    call: impl Future<Output = Result<T, BackendFailure>>,
) -> Result<T, BackendFailure> {
    let calling = request.child("back end", SpanKind::Client);
    let outcome = Box::pin(in_span(SpanHandle::clone(&calling), call)).await;
    if outcome.is_err() {
        calling.record(SpanFact::Failed);
    }
    outcome
}

impl fmt::Debug for MeasuredBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredBackend").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for MeasuredBackend {
    async fn connect(&self, call: ConnectCall) -> Result<ConnectAnswer, BackendFailure> {
        self.measure(self.inner.connect(call)).await
    }

    async fn request(&self, call: RequestCall) -> Result<RequestAnswer, BackendFailure> {
        self.measure(self.inner.request(call)).await
    }

    async fn event(&self, call: EventCall) -> Result<BackendAnswer, BackendFailure> {
        self.measure(self.inner.event(call)).await
    }
}
