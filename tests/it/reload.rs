//! Settings that change while the server runs.

use std::sync::Arc;

use roomcast::{
    auth::{KeyLocation, KeyTokens},
    chat::ports::{Claims, Clock as _, Tokens as _},
    clock::SystemClock,
    config::{Changes, Config},
    domain::{Secret, UserName},
};
use serde_json::json;

use crate::{
    clients::{Client, ConnectOptions, Wire, raw::Raw},
    harness::TestServer,
};

/// The SHA-256 of `abc`.
const KEY: &str = "[[api_keys]]
    name = \"reader\"
    sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"
    scopes = [\"read\"]";
const SITE: &str = "https://pages.example";
const SECRET: &str = "a secret of a back end, of thirty-two bytes";

/// The settings in a text, over those of the server.
fn reload(server: &TestServer, text: &str) -> Changes {
    let wanted = Config::from_toml(text).unwrap();
    server
        .reload(|config| {
            config.api_keys = wanted.api_keys;
            config.origins = wanted.origins;
            config.rooms = wanted.rooms;
            config.token.keys = wanted.token.keys;
            config.clock_secs = wanted.clock_secs;
        })
        .unwrap()
}

/// The status of a question with the key `abc`.
async fn asked(server: &TestServer) -> u16 {
    let mut raw = Raw::connect(server).await;
    raw.request("GET /api/v1/users", "Authorization: Bearer abc\r\n", b"").await.status
}

/// The status of a handshake of a page.
async fn connected(server: &TestServer) -> u16 {
    Raw::connect(server).await.handshake("/ws", &format!("Origin: {SITE}\r\n")).await.status
}

#[tokio::test]
async fn keys_and_origins_change_for_the_next_request_and_connections_stay() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for wire in Wire::ALL {
        clients.push(Client::named(&server, wire, &format!("ann {wire:?}")).await);
    }
    assert_eq!((asked(&server).await, connected(&server).await), (401, 403));
    let changes = reload(&server, &format!("origins = [\"{SITE}\"]\n{KEY}"));
    assert_eq!((changes.live, changes.restart), (vec!["api_keys", "origins"], vec![]));
    assert_eq!((asked(&server).await, connected(&server).await), (200, 101));
    let changes = reload(&server, "clock_secs = 5");
    assert_eq!((changes.live, changes.restart), (vec!["api_keys", "origins"], vec!["clock_secs"]));
    assert_eq!((asked(&server).await, connected(&server).await), (401, 403));
    let changes = reload(&server, "clock_secs = 5");
    assert_eq!((changes.live, changes.restart), (vec![], vec!["clock_secs"]), "it is named again");
    for client in &mut clients {
        client.post("still here").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn rules_of_rooms_change_for_those_who_join_next() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", json!({ "room": "news" })).await;
    reload(&server, "rooms.read_only = [\"news\"]");
    let mut bob = Client::named(&server, Wire::SocketIo, "bob").await;
    bob.ask("join", json!({ "room": "news" })).await;
    let post = json!({ "room": "news", "msg": "hello" });
    assert_eq!(bob.refusal("send message", post.clone()).await, "read_only");
    ann.ask("send message", post).await;
    server.stop().await;
}

#[tokio::test]
async fn keys_of_tokens_change_for_those_who_connect_next() {
    let server = TestServer::start().await;
    let keys = KeyTokens::new(&Secret::from_raw(SECRET.as_bytes()), Arc::new(SystemClock));
    let expires_at = SystemClock.now() + time::Duration::HOUR;
    let claims = Claims::of(UserName::parse("ann").unwrap(), expires_at);
    let token = keys.issue(&claims).unwrap().expose().to_owned();
    let refusal = async || {
        let options = ConnectOptions::new().token(&token);
        Client::open(&server, Wire::WebSocket, options).await.err().map(|refused| refused.code)
    };
    assert_eq!(refusal().await.as_deref(), Some("unauthorized"));
    reload(&server, &format!("[token]\nkeys = [{{ secret = \"{SECRET}\" }}]"));
    let mut ann = Client::with_token(&server, Wire::SocketIo, &token).await;
    reload(&server, "");
    assert_eq!(refusal().await.as_deref(), Some("unauthorized"));
    ann.post("until the token expires").await;
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_changes_nothing() {
    let server = TestServer::start().await;
    let wanted = Config::from_toml(&format!(
        "origins = [\"{SITE}\"]\n{KEY}\n[token]\nkeys = [{{ secret = \"{SECRET}\" }}]"
    ))
    .unwrap();
    let failed = server.reload(|config| {
        config.api_keys = wanted.api_keys;
        config.origins = wanted.origins;
        config.token.keys = wanted.token.keys;
        config.token.keys[0].location =
            KeyLocation::SecretFile("/nowhere".into(), roomcast::auth::Algorithm::HS256);
    });
    let message = failed.unwrap_err().to_string();
    assert!(message.contains("token.keys") && message.contains("/nowhere"), "{message}");
    assert_eq!((asked(&server).await, connected(&server).await), (401, 403));
    server.stop().await;
}
