//! A collector in the test process: it decodes what arrives.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as AnyValue},
    trace::v1::span::SpanKind,
};
use parking_lot::Mutex;
use prost::Message as _;
use roomcast::{
    config::{Config, SampleRatio},
    tasks::Tasks,
};
use tokio::{net::TcpListener, sync::Notify};

use crate::harness::wait_for;

/// What the collector does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Accept,
    Refuse,
    /// It never answers.
    Hang,
}

/// A span as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) trace: String,
    pub(super) id: String,
    /// Empty for the first span of a trace.
    pub(super) parent: String,
    /// Since 1970, in nanoseconds.
    pub(super) times: (u64, u64),
    pub(super) attributes: BTreeMap<String, String>,
}

impl Span {
    pub(super) fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

#[derive(Clone)]
pub(super) struct Collector {
    received: Arc<Mutex<Received>>,
    changed: Arc<Notify>,
    mode: Mode,
    tasks: Tasks,
    address: String,
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    /// What all spans of a server have in common.
    resource: BTreeMap<String, String>,
    requests: Vec<Bytes>,
}

impl Collector {
    pub(super) async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            received: Arc::default(),
            changed: Arc::default(),
            mode,
            tasks: Tasks::new(),
            address: format!("http://{}", listener.local_addr().unwrap()),
        };
        let app = Router::new()
            .route("/v1/traces", axum::routing::post(receive))
            .with_state(collector.clone());
        let tasks = collector.tasks.clone();
        collector.tasks.spawn("collector", async move {
            tokio::select! {
                served = axum::serve(listener, app) => served.unwrap(),
                () = tasks.draining() => (),
            }
        });
        collector
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Has a server send this part of its traces here.
    pub(super) fn configure(&self, config: &mut Config, ratio: f64) {
        let text = format!("otlp.endpoint = {:?}", self.address);
        config.otlp = Config::from_toml(&text).unwrap().otlp;
        config.otlp.sample_ratio = SampleRatio::new(ratio).unwrap();
    }

    /// All spans up to now.
    pub(super) fn spans(&self) -> Vec<Span> {
        self.received.lock().spans.clone()
    }

    pub(super) fn resource(&self) -> BTreeMap<String, String> {
        self.received.lock().resource.clone()
    }

    /// The bodies of all requests up to now.
    pub(super) fn requests(&self) -> Vec<Bytes> {
        self.received.lock().requests.clone()
    }

    /// Waits for a span.
    pub(super) async fn span(&self, wanted: fn(&Span) -> bool) -> Span {
        wait_for("a span", async {
            loop {
                let changed = self.changed.notified();
                if let Some(span) = self.spans().into_iter().find(wanted) {
                    return span;
                }
                changed.await;
            }
        })
        .await
    }

    /// Waits until a request has arrived.
    pub(super) async fn has_requests(&self) {
        wait_for("a request", async {
            loop {
                let changed = self.changed.notified();
                if !self.received.lock().requests.is_empty() {
                    return;
                }
                changed.await;
            }
        })
        .await;
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // The last one but those of its own task.
        if Arc::strong_count(&self.received) <= 2 {
            self.tasks.drain();
        }
    }
}

async fn receive(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers[CONTENT_TYPE], "application/x-protobuf");
    collector.received.lock().requests.push(body.clone());
    match collector.mode {
        Mode::Accept => {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            collector.received.lock().add(request);
            collector.changed.notify_waiters();
            StatusCode::OK.into_response()
        }
        Mode::Refuse => {
            collector.changed.notify_waiters();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Mode::Hang => {
            collector.changed.notify_waiters();
            std::future::pending().await
        }
    }
}

impl Received {
    fn add(&mut self, request: ExportTraceServiceRequest) {
        for of_resource in request.resource_spans {
            self.resource = texts(of_resource.resource.unwrap_or_default().attributes);
            let spans = of_resource.scope_spans.into_iter().flat_map(|it| it.spans);
            self.spans.extend(spans.map(|it| Span {
                kind: it.kind(),
                name: it.name,
                trace: hex(&it.trace_id),
                id: hex(&it.span_id),
                parent: hex(&it.parent_span_id),
                times: (it.start_time_unix_nano, it.end_time_unix_nano),
                attributes: texts(it.attributes),
            }));
        }
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Some(AnyValue::StringValue(text)) => text,
        Some(AnyValue::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|it| (it.key, text(it.value.and_then(|it| it.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
