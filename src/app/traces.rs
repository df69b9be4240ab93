//! The tracer that the settings name, and the task that sends its spans.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::AppError;
use crate::{
    chat::ports::{Metrics, Tracer},
    config::Config,
    domain::NodeId,
    tasks::Tasks,
};
#[cfg(feature = "otlp")]
use crate::{
    config::BackendUrl,
    http_client::http_client,
    telemetry::otlp::{OtlpOptions, OtlpTracer},
};

/// How long the task may take to end. It sends what it has for a shorter time.
const FINISH_WAIT_MAX: Duration = Duration::from_secs(1);

/// The traces of a server.
pub(super) struct Traces {
    /// `None` without a collector.
    pub(super) tracer: Option<Arc<dyn Tracer>>,
    tasks: Tasks,
    finish: CancellationToken,
}

impl Traces {
    /// Starts to send what the tracer records, if the settings name a collector.
    pub(super) fn start(
        config: &Config,
        node: &NodeId,
        metrics: Arc<dyn Metrics>,
    ) -> Result<Self, AppError> {
        let (tasks, finish) = (Tasks::new(), CancellationToken::new());
        let tracer = open(config, (node, metrics), (&tasks, &finish))?;
        Ok(Self { tracer, tasks, finish })
    }

    /// Sends what is left, for a bounded time. What is recorded later is dropped.
    pub(super) async fn finish(&self) {
        self.finish.cancel();
        // What is left is named in the log, and holds nothing that a client was told of.
        self.tasks.finish(FINISH_WAIT_MAX).await.ok();
    }
}

#[cfg(feature = "otlp")]
fn open(
    config: &Config,
    (node, metrics): (&NodeId, Arc<dyn Metrics>),
    (tasks, finish): (&Tasks, &CancellationToken),
) -> Result<Option<Arc<dyn Tracer>>, AppError> {
    /// The setting in errors.
    const KEY: &str = "otlp.endpoint";
    let Some(endpoint) = config.otlp.endpoint.as_ref().map(BackendUrl::expose) else {
        return Ok(None);
    };
    let options = OtlpOptions {
        client: http_client([endpoint.scheme_str()]).map_err(super::setting_error(KEY))?,
        endpoint: endpoint.to_string(),
        sample_ratio: config.otlp.sample_ratio.as_raw(),
        node: node.clone(),
    };
    let (tracer, export) = OtlpTracer::new(options, metrics).map_err(super::setting_error(KEY))?;
    tasks.spawn("trace export", export.run(finish.clone()));
    let (host, ratio) = (endpoint.host().unwrap_or_default(), config.otlp.sample_ratio.as_raw());
    tracing::info!(collector = host, sample_ratio = ratio, "requests are traced");
    Ok(Some(Arc::new(tracer)))
}

/// Settings that name a collector were refused.
#[cfg(not(feature = "otlp"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one may fail")]
fn open(
    _config: &Config,
    _own: (&NodeId, Arc<dyn Metrics>),
    _task: (&Tasks, &CancellationToken),
) -> Result<Option<Arc<dyn Tracer>>, AppError> {
    Ok(None)
}
