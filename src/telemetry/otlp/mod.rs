//! Traces for a collector that speaks OTLP over HTTP.
//!
//! The library samples, makes ids and encodes. What may wait is ours: spans go into a bounded queue,
//! and one task sends them, so that a collector that is slow or gone costs spans and nothing else
//! (docs/decisions/0019-traces-through-a-port.md).

mod export;
mod span;

use std::sync::Arc;

use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator as _},
    trace::TracerProvider as _,
};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracer, SdkTracerProvider, SpanExporter as _},
};
use reqwest::Client;

pub use self::export::TraceExport;
use self::{export::Queue, span::OtlpSpan};
use crate::{
    chat::ports::{Metrics, SpanHandle, SpanKind, Tracer},
    domain::NodeId,
};

/// The name of the service where the environment has none.
const SERVICE: &str = "roomcast";
/// What the specification adds to the address of a collector.
const PATH: &str = "/v1/traces";

/// The collector, and what it is sent.
#[derive(Debug)]
pub struct OtlpOptions {
    /// The client that requests are sent with.
    pub client: Client,
    /// The address of the collector. It may be secret.
    pub endpoint: String,
    /// The part of the requests that are traced: 0 to 1.
    pub sample_ratio: f64,
    /// This process among the nodes.
    pub node: NodeId,
}

/// See the module.
#[derive(Debug)]
pub struct OtlpTracer {
    tracer: SdkTracer,
}

impl OtlpTracer {
    /// A tracer, and the task that sends its spans. The library reads `OTEL_SERVICE_NAME`,
    /// `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS` from the environment.
    pub fn new(
        options: OtlpOptions,
        metrics: Arc<dyn Metrics>,
    ) -> Result<(Self, TraceExport), ExporterBuildError> {
        let OtlpOptions { client, endpoint, sample_ratio, node } = options;
        let resource = resource(&node);
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(address(&endpoint))
            .with_protocol(Protocol::HttpBinary)
            // It would sleep on a thread of the runtime.
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        exporter.set_resource(&resource);
        let (queue, spans) = Queue::new(Arc::clone(&metrics));
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let tracer = provider.tracer(SERVICE);
        Ok((Self { tracer }, TraceExport::new(spans, exporter, metrics)))
    }
}

impl Tracer for OtlpTracer {
    fn begin(
        &self,
        name: &'static str,
        kind: SpanKind,
        parent: Option<&str>,
    ) -> Option<SpanHandle> {
        let context = parent.map(context_of).unwrap_or_default();
        let span = OtlpSpan::begin(&self.tracer, name, kind, &context)?;
        Some(Arc::new(span))
    }
}

/// The context that a header `traceparent` names.
fn context_of(parent: &str) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Traceparent(parent))
}

struct Traceparent<'a>(&'a str);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

/// What all spans of this process have in common. A name of the environment is not replaced.
fn resource(node: &NodeId) -> Resource {
    let detected = Resource::builder().build();
    let name = detected.get(&"service.name".into());
    let is_named = name.is_some_and(|it| !it.as_str().starts_with("unknown_service"));
    let own = Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", node.as_raw().to_owned()));
    let own = if is_named { own } else { own.with_service_name(SERVICE) };
    let detected = detected.iter().filter(|(key, _)| is_named || key.as_str() != "service.name");
    let attributes = detected.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    own.with_attributes(attributes.collect::<Vec<_>>()).build()
}

/// The address of traces at a collector: as it is, if it has a path of its own.
fn address(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_once() {
        for (endpoint, all) in [
            ("http://a:4318", "http://a:4318/v1/traces"),
            ("http://a:4318/", "http://a:4318/v1/traces"),
            ("https://a/otlp", "https://a/otlp/v1/traces"),
            ("https://a/otlp/v1/traces", "https://a/otlp/v1/traces"),
        ] {
            assert_eq!(address(endpoint), all);
        }
    }
}
