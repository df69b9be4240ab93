//! Bans, revocations and sign-outs on two nodes, on a bus that loses everything, and over a restart.

use async_trait::async_trait;
use roomcast::{
    auth::ApiKeyHash,
    chat::ports::{
        AcceptedConnection, Backend, BackendAnswer, BackendFailure, Clock as _, ConnectAnswer,
        ConnectCall, ConnectIdentity, EventCall, Rooms,
    },
    clock::SystemClock,
    config::{ApiKeySettings, Config, StoreKind},
    domain::{ApiScope, Token, UserName},
};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{
    clients::{Client, ConnectOptions, Wire, raw::Raw},
    harness::{TestCluster, TestServer},
};

const KEY: &str = "rcast_of-this-test-0123456789";

fn with_key(config: &mut Config) {
    config.api_keys = vec![ApiKeySettings {
        name: "test".to_owned(),
        hash: ApiKeyHash::of(&Token::from_raw(KEY)),
        scopes: [ApiScope::Manage, ApiScope::Read].into(),
        spaces: Vec::new(),
        pace: None,
    }];
}

/// Calls a route, which must do what it is asked for.
async fn call(server: &TestServer, line: &str, body: &Value) {
    let body = body.to_string();
    let headers = format!(
        "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let answer = Raw::connect(server).await.request(line, &headers, body.as_bytes()).await;
    assert_eq!((answer.status, &*answer.text()), (200, r#"{"ok":true}"#), "{line}");
}

async fn ban(server: &TestServer, user: &str) {
    call(server, "POST /api/v1/bans", &json!({ "user": user })).await;
}

/// The code with which a token is refused.
async fn refusal(server: &TestServer, wire: Wire, token: &str) -> String {
    let options = ConnectOptions::new().token(token);
    Client::open(server, wire, options).await.err().unwrap().code
}

#[tokio::test]
async fn a_ban_closes_the_user_on_every_node_and_on_every_wire() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let token = one.token(&name, &[]);
        let mut here = Client::with_token(&one, wire, &token).await;
        let mut there = Client::with_token(&other, wire, &token).await;
        ban(&one, &name).await;
        for client in [&mut here, &mut there] {
            let closing = client.next("closing").await;
            assert_eq!(
                (&closing["code"], &closing["reconnect"]),
                (&json!("banned"), &json!(false))
            );
        }
        for server in [&one, &other] {
            assert_eq!(refusal(server, wire, &token).await, "banned");
        }
    }
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn changes_lost_by_the_bus_are_read_from_the_store() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let [ann, bob] = ["ann", "bob"].map(|name| one.token(name, &[]));
    ban(&one, "bob").await;
    let mut there = Client::with_token(&other, Wire::WebSocket, &ann).await;
    cluster.cut(None);
    ban(&one, "ann").await;
    call(&one, "DELETE /api/v1/bans?user=bob", &Value::Null).await;
    assert_eq!(there.next("closing").await["code"], "banned");
    assert_eq!(refusal(&other, Wire::WebSocket, &ann).await, "banned");
    drop(Client::with_token(&other, Wire::WebSocket, &bob).await);
    cluster.heal(None);
    ban(&other, "cas").await;
    call(&other, "DELETE /api/v1/bans?user=ann", &Value::Null).await;
    drop(Client::with_token(&other, Wire::WebSocket, &ann).await);
    one.stop().await;
    other.stop().await;
}

/// Names every connection `ann`.
struct Door;

#[async_trait]
impl Backend for Door {
    async fn connect(&self, _call: ConnectCall) -> Result<ConnectAnswer, BackendFailure> {
        let identity = ConnectIdentity {
            spaces: Vec::new(),
            user: UserName::parse("ann").unwrap(),
            name: None,
            admin: false,
            rooms: Rooms::All,
            expires_at: None,
        };
        let accepted =
            AcceptedConnection { identity: Some(identity), ..AcceptedConnection::default() };
        Ok(ConnectAnswer::Accepted(accepted))
    }

    async fn event(&self, _call: EventCall) -> Result<BackendAnswer, BackendFailure> {
        Err(BackendFailure::Timeout)
    }
}

#[tokio::test]
async fn a_user_whom_a_back_end_names_is_banned_and_revoked_like_others() {
    let server = TestServer::with_backend(with_key, Door).await;
    let mut ann = Client::open(&server, Wire::SocketIo, ConnectOptions::new()).await.ok().unwrap();
    ann.next("welcome").await;
    let now = SystemClock.now() + time::Duration::seconds(1);
    let revocation = json!({ "user": "ann", "issued_before": now.format(&Rfc3339).unwrap() });
    call(&server, "POST /api/v1/revocations", &revocation).await;
    assert_eq!(ann.next("closing").await["code"], "token_revoked");
    ban(&server, "ann").await;
    let refused = Client::open(&server, Wire::SocketIo, ConnectOptions::new()).await.err().unwrap();
    assert_eq!(refused.code, "banned");
    server.stop().await;
}

#[tokio::test]
async fn bans_and_revocations_outlive_the_process() {
    let server = TestServer::with(|config| {
        with_key(config);
        config.store = StoreKind::Sqlite;
    })
    .await;
    let [ann, bob, cas] = ["ann", "bob", "cas"].map(|name| server.token(name, &[]));
    ban(&server, "ann").await;
    let soon = (SystemClock.now() + time::Duration::seconds(30)).format(&Rfc3339).unwrap();
    let revocation = json!({ "user": "bob", "issued_before": soon });
    call(&server, "POST /api/v1/revocations", &revocation).await;
    let server = server.restart().await;
    assert_eq!(refusal(&server, Wire::WebSocket, &ann).await, "banned");
    assert_eq!(refusal(&server, Wire::WebSocket, &bob).await, "token_revoked");
    drop(Client::with_token(&server, Wire::WebSocket, &cas).await);
    server.stop().await;
}
