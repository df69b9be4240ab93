//! `POST /api/v1/ask`: on every wire, and on nodes that do not receive each other's announcements.

use std::net::SocketAddr;

use roomcast::{
    auth::ApiKeyHash,
    config::{ApiKeySettings, Config},
    domain::{ApiScope, Token},
};
use serde_json::{Value, json};

use crate::{
    clients::{Client, Wire, raw::Raw},
    harness::{TestCluster, TestServer},
};

const KEY: &str = "a key for tests alone";
const LONG_MS: u64 = 30_000;
const SHORT_MS: u64 = 300;

fn with_key(config: &mut Config) {
    config.api_keys = vec![ApiKeySettings {
        name: "tests".to_owned(),
        hash: ApiKeyHash::of(&Token::from_raw(KEY)),
        scopes: [ApiScope::Publish].into(),
        spaces: Vec::new(),
        pace: None,
    }];
}

/// Asks everybody in the space. Returns the answers' users and arguments, and the rest.
async fn ask(server: &TestServer, timeout_ms: u64) -> (Vec<(Value, Value)>, Value, Value) {
    ask_at(server.address(), timeout_ms).await
}

/// The same at the address of a server.
async fn ask_at(address: SocketAddr, timeout_ms: u64) -> (Vec<(Value, Value)>, Value, Value) {
    let to = json!({ "space": true });
    let body = json!({ "event": "whoami", "to": to, "timeout_ms": timeout_ms }).to_string();
    let headers = format!(
        "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let mut raw = Raw::to(address).await;
    let answer = raw.request("POST /api/v1/ask", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
    let answers = body["answers"].as_array_mut().unwrap().iter_mut();
    let answers = answers.map(|it| (it["user"].take(), it["args"].take())).collect();
    (answers, body["missing"].take(), body["complete"].take())
}

#[tokio::test]
async fn every_wire_answers_with_bytes() {
    let server = TestServer::with(with_key).await;
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let mut ann = Client::named(&server, wire, &name).await;
        for args in [json!([]), json!([1, { "base64": "AAE=" }, null])] {
            let answering = async {
                let number = ann.asked("whoami").await;
                ann.answer_ask(number, args.clone()).await;
            };
            let (outcome, ()) = tokio::join!(ask(&server, LONG_MS), answering);
            assert_eq!(outcome, (vec![(json!(name), args.clone())], json!(0), json!(true)));
        }
        ann.close().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_closes_is_missing_at_once() {
    let server = TestServer::with(with_key).await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let closing = async {
            ann.asked("whoami").await;
            ann.close().await;
        };
        let (outcome, ()) = tokio::join!(ask(&server, LONG_MS), closing);
        assert_eq!(outcome, (vec![], json!(1), json!(true)), "{wire:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn connections_of_another_node_answer_unless_it_cannot_be_reached() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let mut ann = Client::named(&one, Wire::SocketIo, "ann").await;
    let mut bob = Client::named(&other, Wire::WebSocket, "bob").await;
    let answering = async |client: &mut Client| {
        let number = client.asked("whoami").await;
        client.answer_ask(number, json!(["here"])).await;
    };
    let (mut outcome, (), ()) =
        tokio::join!(ask(&one, LONG_MS), answering(&mut ann), answering(&mut bob));
    outcome.0.sort_by_key(|(user, _)| user.to_string());
    let answer_of = |user: &str| (json!(user), json!(["here"]));
    assert_eq!(outcome, (vec![answer_of("ann"), answer_of("bob")], json!(0), json!(true)));

    cluster.cut(None);
    let (outcome, ()) = tokio::join!(ask(&one, SHORT_MS), answering(&mut ann));
    assert_eq!(outcome, (vec![answer_of("ann")], json!(0), json!(false)));
    cluster.heal(None);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_drain_ends_an_ask_though_connections_of_another_node_may_answer() {
    let (_cluster, one, other) = TestCluster::pair(with_key);
    let mut bob = Client::named(&other, Wire::WebSocket, "bob").await;
    // The node knows the other one when it has given out a name.
    Client::named(&one, Wire::SocketIo, "ann").await.close().await;
    let mut asking = std::pin::pin!(ask_at(one.address(), LONG_MS));
    tokio::select! {
        outcome = asking.as_mut() => panic!("it waits for bob: {outcome:?}"),
        _number = bob.asked("whoami") => (),
    }
    let ((answers, ..), ()) = tokio::join!(asking, one.drain());
    assert_eq!(answers, []);
    other.stop().await;
}
