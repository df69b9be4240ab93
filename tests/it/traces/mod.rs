//! The traces that a collector in the test process receives.

mod collector;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use axum::{Router, extract::State};
use http::HeaderMap;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use parking_lot::Mutex;
use roomcast::{config::Config, http_client::http_client, tasks::Tasks};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::yield_now};

use self::collector::{Collector, Mode, Span};
use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestCluster, TestServer, wait_for},
};

const KEY: &str = "rcast_a_key_of_the_test";
/// The trace and the step of a back end.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const STEP: &str = "b7ad6b7169203331";
/// What no payload may contain.
const BODY: &str = "the-text-of-a-message";
const ROOM: &str = "the-name-of-a-room";
const USER: &str = "the-name-of-a-user";

/// The spans of a trace but the first one, by name.
fn steps(spans: &[Span], first: &Span) -> BTreeMap<String, Span> {
    let of_trace = spans.iter().filter(|it| it.trace == first.trace && it.id != first.id);
    let by_name: Vec<_> = of_trace.map(|it| (it.name.clone(), it.clone())).collect();
    let steps: BTreeMap<_, _> = by_name.iter().cloned().collect();
    assert_eq!(steps.len(), by_name.len(), "each step once: {by_name:?}");
    steps
}

/// The only span with this name.
fn only(spans: &[Span], name: &str) -> Span {
    let found: Vec<_> = spans.iter().filter(|it| it.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {spans:?}");
    found[0].clone()
}

#[tokio::test]
async fn a_message_is_one_trace_with_its_steps() {
    for (wire, label) in
        [(Wire::WebSocket, "websocket"), (Wire::SocketIo, "socketio"), (Wire::Polling, "socketio")]
    {
        let collector = Collector::start(Mode::Accept).await;
        let server = TestServer::with(|config| collector.configure(config, 1.0)).await;
        let options = ConnectOptions::new().room(ROOM);
        let mut ann = Client::named_at(&server, wire, USER, options).await;
        let id = "the-id-of-the-message";
        let answer = ann.ask("send message", json!({ "msg": BODY, "id": id })).await;
        assert_eq!(answer["ok"], true, "{answer}");
        let token = ann.token.clone();
        ann.close().await;
        server.stop().await;

        let spans = collector.spans();
        let first = only(&spans, "send message");
        assert_eq!(first.parent, "");
        assert_eq!(first.attribute("roomcast.wire"), label);
        assert_eq!(first.attribute("roomcast.conversation"), "room");
        assert_eq!(first.attribute("messaging.message.id"), id);
        assert_eq!(first.attribute("roomcast.seq"), "1");
        let steps = steps(&spans, &first);
        let order = [
            "decode",
            "journal queue",
            "store commit",
            "bus publish",
            "fan-out",
            "acknowledgement",
        ];
        let mut names: Vec<_> = order.into_iter().chain(["session"]).collect();
        names.sort_unstable();
        assert_eq!(steps.keys().collect::<Vec<_>>(), names, "{wire:?}");
        assert!(steps.values().all(|it| it.parent == first.id), "{steps:?}");
        for pair in order.windows(2) {
            assert!(steps[pair[0]].times.1 <= steps[pair[1]].times.0, "{pair:?}: {steps:?}");
        }
        assert!(
            steps.values().all(|it| first.times.0 <= it.times.0 && it.times.1 <= first.times.1)
        );
        assert_eq!(steps["store commit"].attribute("messaging.batch.message_count"), "1");
        assert_eq!(steps["fan-out"].attribute("roomcast.sockets"), "1");
        assert_eq!(collector.resource()["service.name"], "roomcast");

        let sent: Vec<u8> = collector.requests().concat();
        let sent = String::from_utf8_lossy(&sent);
        for secret in [BODY, ROOM, USER, &token] {
            assert!(!token.is_empty() && !sent.contains(secret), "{secret} in {sent}");
        }
    }
}

#[tokio::test]
async fn spans_are_sent_while_the_server_runs() {
    let collector = Collector::start(Mode::Accept).await;
    let server = TestServer::with(|config| collector.configure(config, 1.0)).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.post("hello").await;
    collector.span(|it| it.name == "send message").await;
    server.stop().await;
}

#[tokio::test]
async fn other_requests_and_refusals_are_traced() {
    let collector = Collector::start(Mode::Accept).await;
    let server = TestServer::with(|config| collector.configure(config, 1.0)).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    assert_eq!(ann.refusal("send message", json!({ "msg": "" })).await, "message_empty");
    assert_eq!(
        ann.refusal("edit message", json!({ "seq": 9, "msg": "a" })).await,
        "no_such_message"
    );
    assert_eq!(ann.refusal("no such event", json!(1)).await, "unknown_event");
    assert_eq!(ann.ask("leave", json!({})).await["ok"], true);
    ann.close().await;
    server.stop().await;

    let spans = collector.spans();
    let codes = |name| only(&spans, name).attribute("error.type").to_owned();
    assert_eq!(codes("send message"), "message_empty");
    assert_eq!(codes("edit message"), "no_such_message");
    // No name of an event that a client has chosen.
    assert_eq!(codes("other"), "unknown_event");
    let leave = only(&spans, "leave");
    let steps = steps(&spans, &leave);
    for name in ["decode", "session", "journal queue", "store commit", "acknowledgement"] {
        assert_eq!(steps[name].parent, leave.id, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_sampled_is_not_traced() {
    let collector = Collector::start(Mode::Accept).await;
    let server = TestServer::with(|config| collector.configure(config, 0.0)).await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        ann.post("hello").await;
        ann.close().await;
    }
    server.stop().await;
    assert!(collector.requests().is_empty(), "{:?}", collector.spans());
}

/// A server of back ends: keeps the header `traceparent` by the path of the request.
#[derive(Clone, Default)]
struct BackEnd {
    received: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    tasks: Tasks,
}

impl BackEnd {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self.clone());
        let tasks = self.tasks.clone();
        self.tasks.spawn("back end", async move {
            tokio::select! {
                served = axum::serve(listener, app) => served.unwrap(),
                () = tasks.draining() => (),
            }
        });
        url
    }

    /// The header of the request to this path, once there is one.
    async fn traceparent(&self, path: &str) -> Option<String> {
        wait_for("a request to the back end", async {
            loop {
                let found = self.received.lock().get(path).cloned();
                if let Some(found) = found {
                    return found;
                }
                yield_now().await;
            }
        })
        .await
    }
}

async fn answer(
    State(back_end): State<BackEnd>,
    uri: http::Uri,
    headers: HeaderMap,
) -> &'static str {
    let header = headers.get("traceparent").map(|it| it.to_str().unwrap().to_owned());
    back_end.received.lock().insert(uri.path().to_owned(), header);
    "{}"
}

/// A key, a back end that decides about messages, and a webhook.
fn configure_back_ends(config: &mut Config, url: &str) {
    let hash = Sha256::digest(KEY);
    let text = format!(
        "api_keys = [{{ name = 'test', sha256 = '{hash:x}', scopes = ['publish'] }}]\n\
         backends = [{{ name = 'shop', url = '{url}/hook', hooks = ['message'] }}]\n\
         webhooks = [{{ name = 'audit', url = '{url}/webhook', events = ['message.stored'] }}]\n"
    );
    let Config { api_keys, backends, webhooks, .. } = Config::from_toml(&text).unwrap();
    (config.api_keys, config.backends, config.webhooks) = (api_keys, backends, webhooks);
}

#[tokio::test]
async fn back_ends_and_webhooks_are_told_of_the_trace() {
    for (ratio, is_told) in [(1.0, true), (0.0, false)] {
        let (collector, back_end) = (Collector::start(Mode::Accept).await, BackEnd::default());
        let url = back_end.start().await;
        let server = TestServer::with(|config| {
            collector.configure(config, ratio);
            configure_back_ends(config, &url);
        })
        .await;
        let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
        ann.post("hello").await;
        let [hook, webhook] =
            [back_end.traceparent("/hook").await, back_end.traceparent("/webhook").await];
        assert_eq!((hook.is_some(), webhook.is_some()), (is_told, is_told), "{ratio}");
        server.stop().await;
        if is_told {
            let spans = collector.spans();
            let header = |it: &Span| Some(format!("00-{}-{}-01", it.trace, it.id));
            let (call, sending) = (only(&spans, "back end"), only(&spans, "webhook"));
            assert_eq!((hook, webhook), (header(&call), header(&sending)));
            assert_eq!(call.parent, only(&spans, "send message").id);
            assert_eq!(sending.parent, only(&spans, "send message").id);
            assert_eq!(sending.attribute("roomcast.events"), "1");
        }
        back_end.tasks.drain();
    }
}

/// Posts a message with a header `traceparent`.
async fn publish(server: &TestServer, traceparent: &str) {
    let client = http_client([Some("http")]).unwrap();
    let response = client
        .post(format!("http://{}/api/v1/messages", server.address()))
        .bearer_auth(KEY)
        .header("content-type", "application/json")
        .header("traceparent", traceparent)
        .body(json!({ "user": "shop", "items": [{ "room": "lobby", "msg": "hello" }] }).to_string())
        .send()
        .await
        .unwrap();
    let results: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(results["results"][0]["ok"], true, "{results}");
}

#[tokio::test]
async fn the_trace_of_a_back_end_is_continued() {
    let collector = Collector::start(Mode::Accept).await;
    let server = TestServer::with(|config| {
        collector.configure(config, 0.0);
        configure_back_ends(config, "http://127.0.0.1:9");
    })
    .await;
    for traceparent in [
        format!("00-{TRACE}-{STEP}-00"),
        format!("00-{TRACE}-{STEP}"),
        "00-nonsense-01".to_owned(),
        String::new(),
        format!("00-{TRACE}-{STEP}-01"),
    ] {
        publish(&server, &traceparent).await;
    }
    let first = collector.span(|it| it.name == "POST /api/v1/messages").await;
    server.stop().await;
    let spans = collector.spans();
    assert_eq!((&*first.trace, &*first.parent), (TRACE, STEP));
    let steps = steps(&spans, &first);
    let names = ["bus publish", "fan-out", "journal queue", "store commit"];
    assert_eq!(steps.keys().collect::<Vec<_>>(), names);
    assert!(steps.values().all(|it| it.parent == first.id));
    assert!(spans.iter().all(|it| it.trace == TRACE), "{spans:?}");
}

#[tokio::test]
async fn another_node_continues_the_trace() {
    let [one, other] = [Collector::start(Mode::Accept).await, Collector::start(Mode::Accept).await];
    let cluster = TestCluster::new();
    let first_node = cluster.start_with("one", |config| one.configure(config, 1.0));
    // It traces nothing of its own.
    let second_node = cluster.start_with("other", |config| other.configure(config, 0.0));
    let mut ann = Client::named(&first_node, Wire::WebSocket, "ann").await;
    let mut bob = Client::named(&second_node, Wire::WebSocket, "bob").await;
    ann.post("hello").await;
    bob.next("new message").await;
    let remote = other.span(|it| it.name == "remote fan-out").await;
    assert_eq!(remote.attribute("roomcast.sockets"), "1");
    first_node.stop().await;
    second_node.stop().await;
    let published = only(&one.spans(), "bus publish");
    assert_eq!((remote.trace, remote.parent), (published.trace, published.id));
    assert_eq!((published.kind, remote.kind), (SpanKind::Producer, SpanKind::Consumer));
    assert_eq!(other.spans().len(), 1, "{:?}", other.spans());
}

#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else() {
    const MESSAGES: usize = 900;
    let collector = Collector::start(Mode::Hang).await;
    let server = TestServer::with(|config| collector.configure(config, 1.0)).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    collector.has_requests().await;
    for number in 0..MESSAGES {
        ann.send("send message", number.to_string()).await;
    }
    assert_eq!(ann.count_stored(MESSAGES).await, MESSAGES as u64);
    let dropped = server.metric(r#"roomcast_trace_spans_dropped_total{reason="queue_full"}"#);
    assert!(dropped > 0, "{MESSAGES} messages have more spans than may wait");
    // It asserts that the server stops in time.
    server.stop().await;
}

#[tokio::test]
async fn spans_that_a_collector_refuses_are_counted() {
    let collector = Collector::start(Mode::Refuse).await;
    let server = TestServer::with(|config| collector.configure(config, 1.0)).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.post("hello").await;
    wait_for("the refused spans to be counted", async {
        let series = r#"roomcast_trace_spans_dropped_total{reason="export_failed"}"#;
        while server.metric(series) < 7 {
            yield_now().await;
        }
    })
    .await;
    server.stop().await;
}

/// A process, which ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn the_variables_of_the_specification_are_read() {
    let (collector, folder) = (Collector::start(Mode::Accept).await, TempDir::new().unwrap());
    let mut process = Process(
        Command::new(env!("CARGO_BIN_EXE_roomcast"))
            .args(["--listen", "127.0.0.1:0", "--set", "store=memory", "--data"])
            .arg(folder.path())
            .args(["--set", "otlp.sample_ratio=1"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address())
            .env("OTEL_SERVICE_NAME", "the-chat-of-the-shop")
            .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line = line.trim();
    let address = line.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned();
    let client = http_client([Some("http")]).unwrap();
    let base = format!("http://{address}/socket.io/?EIO=4&transport=polling");
    let open = client.get(&base).send().await.unwrap().text().await.unwrap();
    let sid = open.split(r#""sid":""#).nth(1).unwrap().split('"').next().unwrap();
    let session = format!("{base}&sid={sid}");
    client.post(&session).body("40").send().await.unwrap();
    // Requests are handled after the answer to CONNECT.
    client.get(&session).send().await.unwrap();
    client.post(&session).body(r#"420["new user","ann"]"#).send().await.unwrap();
    collector.span(|it| it.name == "new user").await;
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "the-chat-of-the-shop");
    assert_eq!(resource["deployment.environment"], "test");
}
