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
    clients::{Client, ConnectOptions, Wire, engine::Polling, raw::Raw},
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
            config.limits = wanted.limits;
            config.events = wanted.events;
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
async fn limits_of_requests_change_for_all_connections() {
    for wire in Wire::ALL {
        let server = TestServer::start().await;
        let mut ann = Client::named(&server, wire, "ann").await;
        for text in ["one", "two"] {
            ann.post(text).await;
        }
        let changes = reload(&server, "[limits]\nhistory_messages_max = 1\nrooms_per_user_max = 1");
        let live = ["limits.rooms_per_user_max", "limits.history_messages_max"];
        assert_eq!((changes.live, changes.restart), (live.to_vec(), vec![]));
        let page = ann.ask("history", json!({ "limit": 2 })).await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 1);
        assert_eq!(ann.refusal("join", json!({ "room": "other" })).await, "too_many_rooms");
        reload(&server, "[limits]\nmessages_burst_max = 1\nmessages_per_second_max = 1");
        ann.ask("join", json!({ "room": "other" })).await;
        let last = async |ann: &mut Client| ann.ask("send message", "x").await["code"].clone();
        // The first one may be within the pace.
        last(&mut ann).await;
        assert_eq!(last(&mut ann).await, "too_fast");
        server.stop().await;
    }
}

#[tokio::test]
async fn limits_of_connections_change_for_those_that_begin_next() {
    let server = TestServer::start().await;
    let limits = async |wire| {
        let options = ConnectOptions::new().token(&server.token("ann", &[]));
        let mut client = Client::open(&server, wire, options).await.unwrap();
        client.next("welcome").await["limits"]["roomsMax"].clone()
    };
    for wire in Wire::ALL {
        reload(&server, "[limits]\nrooms_per_user_max = 7");
        assert_eq!(limits(wire).await, 7);
        reload(&server, "");
        assert_ne!(limits(wire).await, 7);
    }
    let polling = async || Polling::open(&server).await;
    let mut before = polling().await;
    reload(&server, "[limits]\ninbox_requests_max = 1");
    let mut after = polling().await;
    let two = "40\x1e42[\"GroupList\",{}]";
    assert_eq!(before.post(two).await.status, 200);
    assert_eq!(after.post(two).await.status, 413);
    server.stop().await;
}

#[tokio::test]
async fn rules_for_events_change_for_all_connections() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    assert_eq!(ann.refusal("move", json!({})).await, "unknown_event");
    let changes = reload(&server, "events = [{ name = 'move', to = 'nobody' }]");
    assert_eq!((changes.live, changes.restart), (vec!["events"], vec![]));
    assert_eq!(ann.ask("move", json!({})).await["ok"], true);
    reload(&server, "");
    assert_eq!(ann.refusal("move", json!({})).await, "unknown_event");
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_to_the_settings_of_the_start_changes_nothing() {
    let server = TestServer::start().await;
    for (text, key) in [
        // The running server has larger bodies.
        ("[limits]\nbody_bytes_max = 1000\noutbox_bytes_max = 10000", "limits.outbox_bytes_max"),
        ("events = [{ name = 'buy', to = 'backend', backend = 'shop' }]", "events"),
    ] {
        let wanted = Config::from_toml(text).unwrap();
        let failed = server.reload(|config| {
            config.origins = Config::from_toml(&format!("origins = [\"{SITE}\"]")).unwrap().origins;
            config.limits = wanted.limits;
            config.events = wanted.events;
        });
        let message = failed.unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
        assert_eq!(connected(&server).await, 403);
    }
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
