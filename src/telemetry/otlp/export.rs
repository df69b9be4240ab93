//! The queue of ended spans, and the task that sends them.

use std::{sync::Arc, time::Duration};

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter as _, SpanProcessor},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::chat::ports::{MetricEvent, Metrics, SpanLoss};

/// Spans that wait to be sent: those of a list of a thousand messages. More are dropped.
const QUEUE_SPANS_MAX: usize = 4096;
/// Spans of one request.
const BATCH_SPANS_MAX: usize = 512;
/// How long spans wait for others of the same request.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// How long a request may take. After it, its spans are dropped.
const EXPORT_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the last requests of a server that stops may take, all together.
const FLUSH_WAIT_MAX: Duration = Duration::from_millis(500);
/// The time between two lines of the log about failures.
const WARN_INTERVAL: Duration = Duration::from_mins(1);

/// The sending end: what the library calls when a span has ended.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    metrics: Counter,
}

/// Counts what is dropped. Metrics have no `Debug`.
struct Counter(Arc<dyn Metrics>);

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Counter {
    fn dropped(&self, spans: usize, reason: SpanLoss) {
        self.0.record(MetricEvent::SpansDropped { spans, reason });
    }
}

impl Queue {
    pub(super) fn new(metrics: Arc<dyn Metrics>) -> (Self, mpsc::Receiver<SpanData>) {
        let (spans, waiting) = mpsc::channel(QUEUE_SPANS_MAX);
        (Self { spans, metrics: Counter(metrics) }, waiting)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.dropped(1, SpanLoss::QueueFull);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The task that sends spans. See the module.
#[derive(Debug)]
pub struct TraceExport {
    spans: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    metrics: Counter,
    failures: Failures,
}

/// Failures that the log has a line about, from time to time.
#[derive(Debug, Default)]
struct Failures {
    warned_at: Option<Instant>,
    /// The spans that were dropped since.
    dropped: usize,
}

impl TraceExport {
    pub(super) fn new(
        spans: mpsc::Receiver<SpanData>,
        exporter: SpanExporter,
        metrics: Arc<dyn Metrics>,
    ) -> Self {
        Self { spans, exporter, metrics: Counter(metrics), failures: Failures::default() }
    }

    /// Sends spans until `finish`, and what is in the queue then, for a bounded time.
    pub async fn run(mut self, finish: CancellationToken) {
        let overdue = async {
            finish.cancelled().await;
            sleep(FLUSH_WAIT_MAX).await;
        };
        tokio::select! {
            () = self.export_until(&finish) => (),
            () = overdue => (),
        }
    }

    async fn export_until(&mut self, finish: &CancellationToken) {
        loop {
            let mut batch = Vec::new();
            // Both are cancel-safe.
            tokio::select! {
                taken = self.spans.recv_many(&mut batch, BATCH_SPANS_MAX) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = finish.cancelled(), if !self.spans.is_closed() => {
                    self.spans.close();
                    continue;
                }
            }
            if batch.len() < BATCH_SPANS_MAX {
                tokio::select! {
                    () = sleep(BATCH_WAIT) => (),
                    () = finish.cancelled() => (),
                }
            }
            while batch.len() < BATCH_SPANS_MAX
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            self.export(batch).await;
        }
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len();
        let error = match timeout(EXPORT_WAIT_MAX, self.exporter.export(batch)).await {
            Ok(Ok(())) => return self.failures.end(),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("no answer within {} s", EXPORT_WAIT_MAX.as_secs()),
        };
        self.metrics.dropped(spans, SpanLoss::ExportFailed);
        self.failures.add(spans, &error);
    }
}

impl Failures {
    fn add(&mut self, spans: usize, error: &str) {
        self.dropped += spans;
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            warn!(spans = self.dropped, error, "trace export failed");
            *self = Self { warned_at: Some(Instant::now()), dropped: 0 };
        }
    }

    fn end(&mut self) {
        // The interval goes on, so that a collector that comes and goes does not fill the log.
        if self.warned_at.is_some_and(|at| at.elapsed() >= WARN_INTERVAL) {
            info!(spans = self.dropped, "trace export restored");
            *self = Self::default();
        }
    }
}
