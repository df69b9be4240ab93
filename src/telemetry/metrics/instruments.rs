//! The counters and histograms that events change.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{
    chat::ports::{BackendFailure, MetricEvent, MissedSource, ReadOutcome, SpanLoss, Wire},
    domain::Rejection,
    wire::{REQUESTS, code},
};

/// Upper bounds of the buckets for messages per transaction. The journal takes up to 512 commands.
const BATCH_BOUNDS: [f64; 10] = [1., 2., 4., 8., 16., 32., 64., 128., 256., 512.];
/// Upper bounds of the buckets for durations, in seconds.
const SECONDS_BOUNDS: [f64; 15] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 10.,
];
/// The label of requests that are no event of the protocol: events of the application, and what
/// dialects ask for.
const OTHER: &str = "other";
/// The label of requests that were not refused.
const OK: &str = "ok";

/// The wires, in the order of what is kept for each: see [`of_wire`].
const WIRES: [Wire; 2] = [Wire::SocketIo, Wire::WebSocket];

/// The labels of a metric, with values of a closed table.
type Labels<const N: usize> = [(&'static str, &'static str); N];
/// The labels of a metric, of which one is a name of the settings.
type NamedLabels<const N: usize> = [(&'static str, Box<str>); N];
/// Durations by label.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// See the module.
#[derive(Debug)]
pub(super) struct Instruments {
    opened: Family<Labels<1>, Counter>,
    closed: Family<Labels<2>, Counter>,
    handshakes_rejected: Family<Labels<1>, Counter>,
    requests: Family<Labels<3>, Counter>,
    /// Those of `requests` without a refusal, by wire: looked up for every request.
    accepted: [Vec<(&'static str, Counter)>; WIRES.len()],
    answers: [Histogram; WIRES.len()],
    delivered: Counter,
    deliveries: Histogram,
    missed: Family<Labels<1>, Counter>,
    messages: Counter,
    commit_messages: Histogram,
    commits: Histogram,
    commits_failed: Counter,
    reads: Durations<Labels<1>>,
    reads_failed: Family<Labels<1>, Counter>,
    polls: Counter,
    bus: Histogram,
    backend_calls: Durations<NamedLabels<2>>,
    emitter_packets_dropped: Counter,
    webhook_events: Family<NamedLabels<2>, Counter>,
    webhook_failures: Family<NamedLabels<1>, Counter>,
    spans_dropped: Family<Labels<1>, Counter>,
}

impl Instruments {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests: Family<Labels<3>, Counter> = Family::default();
        let answers: Durations<Labels<1>> = Family::new_with_constructor(durations);
        let instruments = Self {
            opened: Family::default(),
            closed: Family::default(),
            handshakes_rejected: Family::default(),
            accepted: WIRES.map(|wire| accepted(&requests, wire)),
            answers: WIRES.map(|wire| answers.get_or_create_owned(&[("wire", wire.as_str())])),
            requests,
            delivered: Counter::default(),
            deliveries: durations(),
            missed: Family::default(),
            messages: Counter::default(),
            commit_messages: Histogram::new(BATCH_BOUNDS),
            commits: durations(),
            commits_failed: Counter::default(),
            reads: Family::new_with_constructor(durations),
            reads_failed: Family::default(),
            polls: Counter::default(),
            bus: durations(),
            backend_calls: Family::new_with_constructor(durations),
            emitter_packets_dropped: Counter::default(),
            webhook_events: Family::default(),
            webhook_failures: Family::default(),
            spans_dropped: Family::default(),
        };
        instruments.add_to(registry, answers);
        instruments
    }

    fn add_to(&self, registry: &mut Registry, answers: Durations<Labels<1>>) {
        let it = self;
        registry.register(
            "connections_opened",
            "Connections that were admitted",
            it.opened.clone(),
        );
        registry.register("connections_closed", "Connections that ended", it.closed.clone());
        let help = "Handshakes that were refused";
        registry.register("handshakes_rejected", help, it.handshakes_rejected.clone());
        registry.register("requests", "Requests that were answered", it.requests.clone());
        let help =
            "From the reading of a request to its answer; for a message, until it is on disk";
        registry.register_with_unit("answer", help, Unit::Seconds, answers);
        let help = "Stored entries that were queued for connections, one for each";
        registry.register("entries_delivered", help, it.delivered.clone());
        let help = "From the commit of an entry until the last connection of this node has it";
        registry.register_with_unit("delivery", help, Unit::Seconds, it.deliveries.clone());
        let help = "Times that clients which came back to a room were sent what they had missed";
        registry.register("missed_sent", help, it.missed.clone());
        registry.register("messages_stored", "Messages on disk", it.messages.clone());
        let help = "Messages in a transaction, of those with messages";
        registry.register("commit_messages", help, it.commit_messages.clone());
        let help = "The time of a transaction";
        registry.register_with_unit("commit", help, Unit::Seconds, it.commits.clone());
        let help = "Transactions that the store refused";
        registry.register("commits_failed", help, it.commits_failed.clone());
        let help = "Reads of the store";
        registry.register_with_unit("store_read", help, Unit::Seconds, it.reads.clone());
        let help = "Reads of the store that failed";
        registry.register("store_reads_failed", help, it.reads_failed.clone());
        registry.register("polls", "Polls of Socket.IO clients", it.polls.clone());
        let help = "From the commit of a probe until it has come back through the bus";
        registry.register_with_unit("bus_probe", help, Unit::Seconds, it.bus.clone());
        let help = "Calls of back ends";
        registry.register_with_unit("backend_call", help, Unit::Seconds, it.backend_calls.clone());
        let help = "Packets of Redis emitters that were not understood";
        registry.register("emitter_packets_dropped", help, it.emitter_packets_dropped.clone());
        let help = "Events that webhooks have accepted, or that were given up";
        registry.register("webhook_events", help, it.webhook_events.clone());
        let help = "Requests to webhooks that failed";
        registry.register("webhook_requests_failed", help, it.webhook_failures.clone());
        let help = "Spans of traces that were not exported";
        registry.register("trace_spans_dropped", help, it.spans_dropped.clone());
    }

    pub(super) fn record(&self, event: MetricEvent<'_>) {
        match event {
            MetricEvent::ConnectionOpened(wire) => {
                self.opened.get_or_create(&[("wire", wire.as_str())]).inc();
            }
            MetricEvent::ConnectionClosed(wire, end) => {
                let labels = [("wire", wire.as_str()), ("reason", code::connection_end(end))];
                self.closed.get_or_create(&labels).inc();
            }
            MetricEvent::HandshakeRejected(rejection) => {
                let labels = [("code", code::rejection(rejection).code)];
                self.handshakes_rejected.get_or_create(&labels).inc();
            }
            MetricEvent::RequestAnswered { wire, name, elapsed, rejection } => {
                self.count_request(wire, name, rejection);
                of_wire(&self.answers, wire).observe(elapsed.as_secs_f64());
            }
            MetricEvent::Delivered { entries } => {
                self.delivered.inc_by(entries);
            }
            MetricEvent::DeliveryEnded { elapsed } => {
                self.deliveries.observe(elapsed.as_secs_f64());
            }
            MetricEvent::MissedSent(source) => {
                self.missed.get_or_create(&[("source", source_label(source))]).inc();
            }
            MetricEvent::BatchCommitted { messages, elapsed } => {
                self.record_commit(messages, elapsed);
            }
            MetricEvent::CommitFailed => {
                self.commits_failed.inc();
            }
            MetricEvent::StoreRead { read, elapsed, outcome } => {
                self.record_read(read, elapsed, outcome);
            }
            MetricEvent::PollReceived => {
                self.polls.inc();
            }
            MetricEvent::BusProbed { elapsed } => self.bus.observe(elapsed.as_secs_f64()),
            MetricEvent::BackendCalled { backend, elapsed, failure } => {
                self.record_call(backend.as_raw(), elapsed, failure);
            }
            MetricEvent::EmitterPacketDropped => {
                self.emitter_packets_dropped.inc();
            }
            MetricEvent::WebhookDelivered { webhook, events } => {
                self.count_webhook_events(webhook.as_raw(), "delivered", events);
            }
            MetricEvent::WebhookFailed(webhook) => {
                let labels = [("webhook", webhook.as_raw().into())];
                self.webhook_failures.get_or_create(&labels).inc();
            }
            MetricEvent::WebhookDead { webhook, events } => {
                self.count_webhook_events(webhook.as_raw(), "dead", events);
            }
            MetricEvent::SpansDropped { spans, reason } => {
                let labels = [("reason", loss_label(reason))];
                self.spans_dropped.get_or_create(&labels).inc_by(spans as u64);
            }
        }
    }

    fn count_request(&self, wire: Wire, name: Option<&'static str>, rejection: Option<&Rejection>) {
        let name = name.unwrap_or(OTHER);
        if let Some(rejection) = rejection {
            let code = code::rejection(rejection).code;
            self.requests.get_or_create(&request_labels(wire, name, code)).inc();
        } else {
            let counter = of_wire(&self.accepted, wire).iter().find(|(it, _)| *it == name);
            if let Some((_, counter)) = counter {
                counter.inc();
            }
        }
    }

    fn record_commit(&self, messages: usize, elapsed: Duration) {
        self.messages.inc_by(messages as u64);
        if messages > 0 {
            let messages = u32::try_from(messages).unwrap_or(u32::MAX);
            self.commit_messages.observe(messages.into());
        }
        self.commits.observe(elapsed.as_secs_f64());
    }

    fn record_call(&self, backend: &str, elapsed: Duration, failure: Option<&BackendFailure>) {
        let outcome = failure.map_or("answered", failure_label);
        let labels = [("backend", backend.into()), ("outcome", outcome.into())];
        self.backend_calls.get_or_create(&labels).observe(elapsed.as_secs_f64());
    }

    fn record_read(&self, read: &'static str, elapsed: Duration, outcome: ReadOutcome) {
        let labels = [("read", read)];
        self.reads.get_or_create(&labels).observe(elapsed.as_secs_f64());
        if outcome == ReadOutcome::Failed {
            self.reads_failed.get_or_create(&labels).inc();
        }
    }

    fn count_webhook_events(&self, webhook: &str, outcome: &str, events: usize) {
        let labels = [("webhook", webhook.into()), ("outcome", outcome.into())];
        self.webhook_events.get_or_create(&labels).inc_by(events as u64);
    }
}

/// The counters of accepted requests, for each name.
fn accepted(requests: &Family<Labels<3>, Counter>, wire: Wire) -> Vec<(&'static str, Counter)> {
    let names = REQUESTS.iter().map(|row| row.name).chain([OTHER]);
    names
        .map(|name| (name, requests.get_or_create_owned(&request_labels(wire, name, OK))))
        .collect()
}

fn request_labels(wire: Wire, name: &'static str, code: &'static str) -> Labels<3> {
    [("wire", wire.as_str()), ("request", name), ("code", code)]
}

/// What is kept for a wire.
fn of_wire<T>([socketio, websocket]: &[T; WIRES.len()], wire: Wire) -> &T {
    match wire {
        Wire::SocketIo => socketio,
        Wire::WebSocket => websocket,
    }
}

fn durations() -> Histogram {
    Histogram::new(SECONDS_BOUNDS)
}

fn source_label(source: MissedSource) -> &'static str {
    match source {
        MissedSource::Ring => "ring",
        MissedSource::Store => "store",
        MissedSource::Refused => "refused",
    }
}

fn loss_label(reason: SpanLoss) -> &'static str {
    match reason {
        SpanLoss::QueueFull => "queue_full",
        SpanLoss::ExportFailed => "export_failed",
    }
}

fn failure_label(failure: &BackendFailure) -> &'static str {
    match failure {
        BackendFailure::Timeout => "timeout",
        BackendFailure::Unreachable(_) => "unreachable",
        BackendFailure::Status(_) => "status",
        BackendFailure::Malformed(_) => "malformed",
        BackendFailure::CircuitOpen => "circuit_open",
    }
}
