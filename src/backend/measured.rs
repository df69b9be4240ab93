//! Counts the calls of a back end, whatever engine it has.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    chat::ports::{
        Backend, BackendAnswer, BackendFailure, ConnectAnswer, ConnectCall, EventCall, MetricEvent,
        Metrics, RequestAnswer, RequestCall,
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
        let outcome = call.await;
        self.metrics.record(MetricEvent::BackendCalled {
            backend: &self.name,
            elapsed: begun_at.elapsed(),
            failure: outcome.as_ref().err(),
        });
        outcome
    }
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
