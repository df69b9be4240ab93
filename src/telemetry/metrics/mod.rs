//! The metrics of this process, for Prometheus. docs/metrics.md has their names; a test compares them.

mod gauges;
mod instruments;
mod process;
#[cfg(test)]
mod tests;

use prometheus_client::{encoding::text, metrics::gauge::Gauge, registry::Registry};
use tracing::error;

use self::instruments::Instruments;
use crate::chat::{
    Gauges,
    ports::{MetricEvent, Metrics},
};

/// What the names of all metrics but those of the process begin with.
const PREFIX: &str = "roomcast";

/// Counts the events of this process.
#[derive(Debug)]
pub struct ProcessMetrics {
    registry: Registry,
    instruments: Instruments,
}

impl Default for ProcessMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let instruments = Instruments::register(&mut registry);
        Self { registry, instruments }
    }
}

impl ProcessMetrics {
    /// All metrics with what the chat holds now, in the text form of OpenMetrics. The values are not all
    /// of the same moment.
    pub fn text(&self, gauges: &Gauges) -> String {
        let mut text = String::new();
        let written = text::encode_registry(&mut text, &self.registry)
            .and_then(|()| text::encode_registry(&mut text, &gauges::registry(gauges)))
            .and_then(|()| text::encode_registry(&mut text, &process::registry()))
            .and_then(|()| text::encode_eof(&mut text));
        if let Err(error) = written {
            error!(%error, "metrics not written");
        }
        text
    }
}

/// A gauge with this value.
fn gauge(value: impl TryInto<i64>) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value.try_into().unwrap_or(i64::MAX));
    gauge
}

impl Metrics for ProcessMetrics {
    fn record(&self, event: MetricEvent<'_>) {
        self.instruments.record(event);
    }
}
