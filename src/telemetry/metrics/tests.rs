//! Names, labels and values, and the document.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
    time::Duration,
};

use super::*;
use crate::{
    chat::{
        EngineState,
        ports::{
            BackendFailure, Carrier, ConnectionEnd, MissedSource, ReadOutcome, SpanLoss, Traffic,
            Wire,
        },
    },
    domain::{BackendName, CloseReason, Rejection, Space, WebhookName},
};

/// Of a node without connections.
fn gauges() -> Gauges {
    Gauges {
        connections: HashMap::new(),
        waiting_bytes: 0,
        traffic: Traffic { bytes_in: 12, bytes_out: 34, ..Traffic::default() },
        users: 0,
        rooms: 0,
        journal_commands: 0,
        journal_bytes: 0,
        store: EngineState::Up,
        bus: EngineState::Up,
        is_draining: false,
    }
}

/// Metrics in which every kind of event was recorded.
fn busy() -> ProcessMetrics {
    let (metrics, millis) = (ProcessMetrics::default(), Duration::from_millis);
    let (backend, webhook) = (BackendName::from_raw("shop"), WebhookName::from_raw("audit"));
    let (name, webhook) = (Some("join"), &webhook);
    let failure = BackendFailure::Status(500);
    let read = |outcome| MetricEvent::StoreRead { read: "page", elapsed: millis(3), outcome };
    for event in [
        MetricEvent::ConnectionOpened(Wire::SocketIo),
        MetricEvent::ConnectionClosed(
            Wire::SocketIo,
            ConnectionEnd::ByServer(CloseReason::SlowReader),
        ),
        MetricEvent::HandshakeRejected(&Rejection::Draining),
        MetricEvent::RequestAnswered {
            wire: Wire::SocketIo,
            name,
            elapsed: millis(2),
            rejection: Some(&Rejection::NotMember),
        },
        MetricEvent::RequestAnswered {
            wire: Wire::WebSocket,
            name: None,
            elapsed: millis(2),
            rejection: None,
        },
        MetricEvent::Delivered { entries: 7 },
        MetricEvent::DeliveryEnded { elapsed: millis(1) },
        MetricEvent::MissedSent(MissedSource::Refused),
        MetricEvent::BatchCommitted { messages: 0, elapsed: millis(1) },
        MetricEvent::BatchCommitted { messages: 3, elapsed: millis(2) },
        MetricEvent::BatchCommitted { messages: 600, elapsed: millis(9000) },
        MetricEvent::CommitFailed,
        read(ReadOutcome::Answered),
        read(ReadOutcome::Failed),
        MetricEvent::PollReceived,
        MetricEvent::BusProbed { elapsed: millis(1) },
        MetricEvent::BackendCalled { backend: &backend, elapsed: millis(1), failure: None },
        MetricEvent::BackendCalled {
            backend: &backend,
            elapsed: millis(1),
            failure: Some(&failure),
        },
        MetricEvent::EmitterPacketDropped,
        MetricEvent::WebhookDelivered { webhook, events: 2 },
        MetricEvent::WebhookDead { webhook, events: 1 },
        MetricEvent::WebhookFailed(webhook),
        MetricEvent::SpansDropped { spans: 4, reason: SpanLoss::QueueFull },
    ] {
        metrics.record(event);
    }
    metrics
}

#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "{line} in\n{text}");
    }
}

#[test]
fn every_event_is_counted_under_its_labels() {
    assert_lines(
        &busy().text(&gauges()),
        &[
            r#"roomcast_connections_opened_total{wire="socketio"} 1"#,
            r#"roomcast_connections_closed_total{wire="socketio",reason="slow_reader"} 1"#,
            r#"roomcast_handshakes_rejected_total{code="draining"} 1"#,
            r#"roomcast_requests_total{wire="socketio",request="join",code="not_member"} 1"#,
            r#"roomcast_requests_total{wire="socketio",request="join",code="ok"} 0"#,
            r#"roomcast_requests_total{wire="websocket",request="other",code="ok"} 1"#,
            r#"roomcast_answer_seconds_bucket{le="0.0025",wire="websocket"} 1"#,
            "roomcast_entries_delivered_total 7",
            r#"roomcast_delivery_seconds_bucket{le="0.001"} 1"#,
            r#"roomcast_missed_sent_total{source="refused"} 1"#,
            "roomcast_messages_stored_total 603",
            "roomcast_received_bytes_total 12",
            "roomcast_sent_bytes_total 34",
            r#"roomcast_commit_messages_bucket{le="4.0"} 1"#,
            r#"roomcast_commit_messages_bucket{le="+Inf"} 2"#,
            r#"roomcast_commit_seconds_bucket{le="0.001"} 1"#,
            "roomcast_commit_seconds_count 3",
            "roomcast_commits_failed_total 1",
            r#"roomcast_store_read_seconds_bucket{le="0.005",read="page"} 2"#,
            r#"roomcast_store_reads_failed_total{read="page"} 1"#,
            "roomcast_polls_total 1",
            "roomcast_bus_probe_seconds_count 1",
            r#"roomcast_backend_call_seconds_count{backend="shop",outcome="status"} 1"#,
            "roomcast_emitter_packets_dropped_total 1",
            r#"roomcast_webhook_events_total{webhook="audit",outcome="delivered"} 2"#,
            r#"roomcast_webhook_events_total{webhook="audit",outcome="dead"} 1"#,
            r#"roomcast_webhook_requests_failed_total{webhook="audit"} 1"#,
            r#"roomcast_trace_spans_dropped_total{reason="queue_full"} 4"#,
            "# EOF",
        ],
    );
}

#[test]
fn spaces_with_few_connections_share_a_series() {
    let (small, large) = (Carrier::PlainWebSocket, Carrier::SocketIoPolling);
    let space = |number: usize| Space::parse(&format!("/space-{number}")).unwrap();
    let mut connections: HashMap<_, _> = (0..150).map(|it| ((space(it), small), 1)).collect();
    connections.insert((Space::parse("/large").unwrap(), large), 900);
    let text = ProcessMetrics::default().text(&Gauges { connections, ..gauges() });
    let prefix = r#"roomcast_connections{wire="websocket",transport="websocket",space=""#;
    assert_lines(
        &text,
        &[
            r#"roomcast_connections{wire="socketio",transport="polling",space="/large"} 900"#,
            &format!(r#"{prefix}other"}} 51"#),
            &format!(r#"{prefix}/"}} 0"#),
        ],
    );
    assert_eq!(text.matches(&format!("{prefix}/space-")).count(), 99);
}

/// The names in the document and those of the server.
#[tokio::test]
async fn the_document_has_all_names_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let document = fs::read_to_string(path).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> = rows.map(|row| row.split(['`', '{']).next().unwrap()).collect();
    let text = busy().text(&gauges());
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.map(|line| {
        let (name, kind) = line.split_once(' ').unwrap();
        // What Prometheus stores.
        match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        }
    });
    let names: BTreeSet<_> = names.collect();
    assert_eq!(documented, names.iter().map(String::as_str).collect());
}
