//! Webhooks: what a receiver in the test process is told over HTTP, and how often.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Router, extract::State};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use ring::hmac;
use roomcast::{
    chat::ports::{Claims, Clock as _, WEBHOOK_LEASE},
    clock::SystemClock,
    config::{Config, StoreKind},
    domain::UserName,
    http_client::http_client,
    tasks::Tasks,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, sync::Notify, time::Instant};

use crate::{
    clients::{Client, Wire},
    harness::{TestCluster, TestServer, wait_for},
};

/// The second one is the old one of a rotation.
const SECRETS: [&str; 2] =
    ["a secret of the receiver and Roomcast", "the secret that was before it"];
const KEY: &str = "rcast_a_key_of_the_test";

/// A request to the receiver.
#[derive(Clone, Debug)]
struct Received {
    id: String,
    body: Value,
    status: StatusCode,
}

/// Decides the status of a request, given it and the number of requests with its id before.
type Answer = dyn Fn(&Value, usize) -> StatusCode + Send + Sync;

#[derive(Clone)]
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    changed: Arc<Notify>,
    answer: Arc<Mutex<Box<Answer>>>,
    tasks: Tasks,
    url: String,
}

impl Receiver {
    /// Accepts everything.
    async fn start() -> Self {
        Self::answering(|_, _| StatusCode::OK).await
    }

    async fn answering(
        answer: impl Fn(&Value, usize) -> StatusCode + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            received: Arc::default(),
            changed: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(answer))),
            tasks: Tasks::new(),
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
        };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        let tasks = receiver.tasks.clone();
        receiver.tasks.spawn("receiver", async move {
            tokio::select! {
                served = axum::serve(listener, app) => served.unwrap(),
                () = tasks.draining() => (),
            }
        });
        receiver
    }

    /// Answers differently from now on.
    fn set_answer(&self, answer: impl Fn(&Value, usize) -> StatusCode + Send + Sync + 'static) {
        *self.answer.lock() = Box::new(answer);
    }

    /// The settings of a webhook with this receiver.
    fn configure(&self, config: &mut Config, rest: &str) {
        let webhook =
            format!("{{ name = 'test', url = '{}', secret = {SECRETS:?}, {rest} }}", self.url);
        let hash = Sha256::digest(KEY);
        let key = format!("{{ name = 'a', sha256 = '{hash:x}', scopes = ['read', 'manage'] }}");
        let text = format!("webhooks = [{webhook}]\napi_keys = [{key}]");
        let Config { webhooks, api_keys, .. } = Config::from_toml(&text).unwrap();
        (config.webhooks, config.api_keys) = (webhooks, api_keys);
        config.limits.presence_grace_ms = 50;
    }

    fn all(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    /// The accepted events, in the order in which they were.
    fn accepted(&self) -> Vec<Value> {
        let accepted = self.all().into_iter().filter(|it| it.status.is_success());
        accepted.flat_map(|it| events(&it.body)).collect()
    }

    /// Waits until `is_complete` is true of what was received.
    async fn wait_until(&self, what: &str, is_complete: impl Fn(&Self) -> bool + Send + Sync) {
        wait_for(what, async {
            loop {
                let changed = self.changed.notified();
                if is_complete(self) {
                    return;
                }
                changed.await;
            }
        })
        .await;
    }

    /// Waits for accepted events of these types, each as often as it is listed.
    async fn told(&self, types: &[&str]) {
        let count = |all: &[&str]| {
            let mut counts = BTreeMap::new();
            for it in all {
                *counts.entry((*it).to_owned()).or_insert(0) += 1;
            }
            counts
        };
        let expected = count(types);
        self.wait_until(&format!("{types:?}"), |it| {
            let accepted = it.accepted();
            let found: Vec<_> = accepted.iter().map(|it| it["type"].as_str().unwrap()).collect();
            let found = count(&found);
            expected.iter().all(|(kind, count)| found.get(kind) >= Some(count))
        })
        .await;
    }

    /// The accepted events of a type.
    fn of_type(&self, kind: &str) -> Vec<Value> {
        self.accepted().into_iter().filter(|it| it["type"] == kind).collect()
    }

    fn stop(&self) {
        self.tasks.drain();
    }
}

fn events(body: &Value) -> Vec<Value> {
    body.get("events").map_or_else(|| vec![body.clone()], |it| it.as_array().unwrap().clone())
}

/// Verifies the signatures as a receiver has to that knows one of the secrets.
async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let signatures = SECRETS.map(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(signature))
    });
    assert_eq!(header("webhook-signature"), signatures.join(" "));
    let body: Value = serde_json::from_str(&body).unwrap();
    let before = receiver.all().iter().filter(|it| it.id == id).count();
    let status = (receiver.answer.lock())(&body, before);
    receiver.received.lock().push(Received { id, body, status });
    receiver.changed.notify_waiters();
    status
}

#[tokio::test]
async fn a_receiver_is_told_of_what_happens() {
    let receiver = Receiver::start().await;
    let server = TestServer::with(|config| receiver.configure(config, "events = ['*']")).await;
    let ann = UserName::from_raw("ann");
    let claims = Claims::of(ann, SystemClock.now() + time::Duration::HOUR);
    // Notifications need an administrator.
    let token = server.token_of(&Claims { admin: true, ..claims });
    let mut ann = Client::with_token(&server, Wire::WebSocket, &token).await;
    receiver.told(&["user.online", "room.occupied", "member.joined"]).await;
    ann.post("hello").await;
    for (request, data) in [
        ("edit message", json!({ "room": "lobby", "seq": 1, "msg": "hello!" })),
        ("delete message", json!({ "room": "lobby", "seq": 1 })),
        ("notify", json!({ "to": "ann", "data": { "n": 1 } })),
    ] {
        let answer = ann.ask(request, data).await;
        assert_eq!(answer["ok"], true, "{request}: {answer}");
    }
    receiver.told(&["message.stored", "message.stored", "message.edited", "message.deleted"]).await;
    let joined = &receiver.of_type("member.joined")[0];
    assert_eq!((&joined["space"], &joined["data"]["user"]), (&json!("/"), &json!("ann")));
    let deleted = &receiver.of_type("message.deleted")[0]["data"];
    assert_eq!((&deleted["room"], &deleted["of"]), (&json!("lobby"), &json!(1)));
    let notified = receiver.of_type("message.stored");
    let notified = notified.iter().find(|it| it["data"]["inbox"] == "ann").unwrap();
    assert_eq!(notified["data"]["msg"], json!({ "n": 1 }));
    assert_eq!(notified["data"]["event"], "notification");
    ann.close().await;
    receiver.told(&["connection.closed", "user.offline", "room.vacated"]).await;
    let closed = &receiver.of_type("connection.closed")[0]["data"];
    assert_eq!(
        (&closed["user"], &closed["reason"]),
        (&json!("ann"), &json!("client_namespace_disconnect"))
    );
    assert_eq!(closed["address"], "127.0.0.1");
    let delivered =
        server.metric(r#"roomcast_webhook_events_total{webhook="test",outcome="delivered"}"#);
    assert!((1..=receiver.accepted().len() as u64).contains(&delivered), "{delivered}");
    assert_eq!(server.metric(r#"roomcast_webhook_requests_failed_total{webhook="test"}"#), 0);
    server.stop().await;
    receiver.stop();
}

#[tokio::test]
async fn a_request_is_repeated_with_its_id_and_later_events_of_the_subject_wait() {
    let receiver = Receiver::answering(|body, before| {
        let is_first = body["data"]["seq"] == 1 && body["data"]["room"] == "lobby";
        if is_first && before < 2 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    })
    .await;
    let events = "events = ['message.stored']";
    let server = TestServer::with(|config| receiver.configure(config, events)).await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    for text in ["one", "two", "three"] {
        ann.post(text).await;
    }
    ann.ask("SingleChat", json!({ "to": "ann", "data": "to myself" })).await;
    receiver.told(&["message.stored"; 4]).await;
    let accepted = receiver.accepted();
    assert!(accepted[0]["data"].get("direct").is_some(), "another subject does not wait");
    let seqs: Vec<_> = accepted[1..].iter().map(|it| it["data"]["seq"].clone()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    let all = receiver.all();
    let first: Vec<_> = all.iter().filter(|it| it.body["data"]["msg"] == "one").collect();
    let ids: BTreeSet<_> = first.iter().map(|it| &it.id).collect();
    assert_eq!((first.len(), ids.len()), (3, 1), "repeated with the same id");
    let ids: BTreeSet<_> = all.iter().map(|it| &it.id).collect();
    assert_eq!(ids.len(), 4);
    assert!(all.iter().all(|it| it.body["id"] == it.id.as_str()));
    server.stop().await;
    receiver.stop();
}

#[tokio::test]
async fn a_batch_has_several_events_and_is_repeated_as_it_was() {
    let receiver = Receiver::answering(|_, _| StatusCode::SERVICE_UNAVAILABLE).await;
    let settings = "events = ['message.stored'], batch_max = 4, in_flight_max = 1";
    let server = TestServer::with(|config| receiver.configure(config, settings)).await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    ann.post("0").await;
    receiver.wait_until("the first request", |it| !it.all().is_empty()).await;
    for text in 1..10 {
        ann.post(&text.to_string()).await;
    }
    receiver.set_answer(|body, before| {
        let is_later = body["events"].as_array().unwrap().len() > 1 && before == 0;
        if is_later { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    });
    receiver.told(&["message.stored"; 10]).await;
    let texts: Vec<_> = receiver
        .accepted()
        .iter()
        .map(|it| it["data"]["msg"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    let mut by_id: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for it in receiver.all() {
        by_id.entry(it.id).or_default().push(it.body);
    }
    assert!(by_id.values().all(|bodies| bodies.iter().all(|body| *body == bodies[0])));
    let sizes: BTreeSet<_> = by_id.values().map(|bodies| events(&bodies[0]).len()).collect();
    assert!(sizes.contains(&4) && *sizes.last().unwrap() == 4, "{sizes:?}");
    server.stop().await;
    receiver.stop();
}

/// A request of the API.
async fn api(server: &TestServer, method: http::Method, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}{path}", server.address());
    let client = http_client([Some("http")]).unwrap();
    let request = client.request(method, url).bearer_auth(KEY);
    let request = request.header("content-type", "application/json").body(body.to_string());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn dead_letters_are_listed_and_sent_again() {
    let receiver = Receiver::answering(|body, _| {
        if body["data"]["msg"] == "bad" { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    })
    .await;
    let settings = "events = ['message.stored'], retry_secs_max = 1";
    let server = TestServer::with(|config| receiver.configure(config, settings)).await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    ann.post("bad").await;
    ann.post("good").await;
    receiver.told(&["message.stored"]).await;
    assert_eq!(receiver.accepted()[0]["data"]["msg"], "good", "it waited for the dead letter");
    let (get, post, none) = (http::Method::GET, http::Method::POST, Value::Null);
    let list =
        async || api(&server, get.clone(), "/api/v1/webhooks/dead?webhook=test", &none).await;
    let (status, dead) = list().await;
    let letter = &dead["dead"][0];
    assert_eq!(
        (status, dead["dead"].as_array().unwrap().len(), &dead["next"]),
        (200, 1, &json!(null))
    );
    assert_eq!((&letter["webhook"], &letter["type"]), (&json!("test"), &json!("message.stored")));
    assert_eq!(letter["failure"], "it answered with the status 400");
    assert!(letter["attempts"].as_u64().unwrap() >= 2 && letter["deadAt"].is_string(), "{letter}");
    let dead = r#"roomcast_webhook_events_total{webhook="test",outcome="dead"}"#;
    assert_eq!(server.metric(dead), 1);

    receiver.set_answer(|_, _| StatusCode::OK);
    let again = json!({ "ids": [letter["id"]] });
    let (status, resent) = api(&server, post.clone(), "/api/v1/webhooks/resend", &again).await;
    assert_eq!((status, resent), (200, json!({ "ok": true, "resent": 1 })));
    receiver.told(&["message.stored"; 2]).await;
    let ids: BTreeSet<_> = receiver
        .all()
        .iter()
        .filter(|it| it.body["data"]["msg"] == "bad")
        .map(|it| it.id.clone())
        .collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), [letter["id"].as_str().unwrap()]);
    wait_for("the end of the dead letter", async { while list().await.1["dead"] != json!([]) {} })
        .await;
    let all = json!({ "webhook": "test" });
    let (status, resent) = api(&server, post, "/api/v1/webhooks/resend", &all).await;
    assert_eq!((status, resent["resent"].clone()), (200, json!(0)));
    server.stop().await;
    receiver.stop();
}

#[tokio::test]
async fn one_node_of_two_sends_and_the_other_one_takes_over() {
    let receiver = Receiver::start().await;
    let settings = "events = ['message.stored', 'user.online', 'user.offline']";
    let (cluster, one, other) = TestCluster::pair(|config| receiver.configure(config, settings));
    let mut ann = Client::with_token(&one, Wire::WebSocket, &one.token("ann", &[])).await;
    let mut again = Client::with_token(&other, Wire::WebSocket, &other.token("ann", &[])).await;
    for text in ["1", "2"] {
        ann.post(text).await;
        again.post(text).await;
    }
    receiver.told(&["message.stored"; 4]).await;
    ann.close().await;
    again.post("after the first connection").await;
    one.stop().await;
    let stopped = Instant::now();
    again.post("from the node that is left").await;
    receiver.told(&["message.stored"; 6]).await;
    assert!(stopped.elapsed() < WEBHOOK_LEASE / 2, "the lease ends with the stop");
    again.close().await;
    receiver.told(&["user.online", "user.offline"]).await;
    let all = receiver.all();
    let ids: BTreeSet<_> = all.iter().map(|it| &it.id).collect();
    assert_eq!((all.len(), ids.len()), (8, 8), "each is sent by one node: {all:?}");
    let seqs: Vec<_> =
        receiver.of_type("message.stored").iter().map(|it| it["data"]["seq"].clone()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    other.stop().await;
    receiver.stop();
    drop(cluster);
}

#[tokio::test]
async fn a_clean_stop_records_that_everything_is_gone() {
    let receiver = Receiver::start().await;
    let server = TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        receiver.configure(config, "events = ['*']");
        config.limits.presence_grace_ms = 60_000;
    })
    .await;
    let token = server.token("ann", &[]);
    let mut ann = Client::with_token(&server, Wire::SocketIo, &token).await;
    ann.post("hello").await;
    receiver.told(&["user.online", "room.occupied", "message.stored"]).await;
    let server = server.restart().await;
    receiver.told(&["connection.closed", "user.offline", "room.vacated"]).await;
    assert_eq!(receiver.of_type("connection.closed")[0]["data"]["reason"], "draining");
    for (kind, count) in [("user.online", 1), ("user.offline", 1), ("room.vacated", 1)] {
        assert_eq!(receiver.of_type(kind).len(), count, "{kind}");
    }
    server.stop().await;
    receiver.stop();
}
