//! A connection ends when its token expires, unless a fresh token arrives before.

use serde_json::json;
use time::Duration;

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

/// Long enough to connect, short enough to wait for.
const SHORT: Duration = Duration::milliseconds(1500);

#[tokio::test]
async fn a_connection_is_warned_and_closed_when_its_token_expires() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let token = server.token_for("ann", &[], SHORT);
        let mut ann =
            Client::open(&server, wire, ConnectOptions::new().token(&token)).await.ok().unwrap();
        let until = ann.next("welcome").await["expiresAt"].clone();
        assert!(until.is_string());
        assert_eq!(ann.next("auth expiring").await, json!({ "expiresAt": until }));
        let closing = json!({ "code": "token_expired", "reconnect": true, "afterMs": 0 });
        assert_eq!(ann.next("closing").await, closing, "{wire:?}");
        let code = ann.end().await;
        assert_eq!(code, (wire == Wire::WebSocket).then_some(4006), "{wire:?}");
        let back = Client::open(&server, wire, ConnectOptions::new().token(&token)).await;
        assert_eq!(back.err().unwrap().code, "token_expired");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_fresh_token_extends_the_connection() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let token = server.token_for("ann", &[], SHORT);
        let mut renewed = Client::with_token(&server, wire, &token).await;
        let mut other = Client::with_token(&server, wire, &token).await;
        let answer = renewed.ask("auth", json!({ "token": server.token("ann", &[]) })).await;
        assert_eq!((&answer["ok"], &answer["user"]), (&json!(true), &json!("ann")), "{answer}");
        assert!(answer["expiresAt"].is_string());
        assert_eq!(other.next("closing").await["code"], "token_expired");
        assert_eq!(renewed.post("still here").await, 1 + wire as u64);
        assert!(!renewed.has_received("closing").await);
        renewed.close().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_fresh_token_must_be_valid_and_of_the_same_user() {
    let server = TestServer::start().await;
    let (bob, over) = (server.token("bob", &[]), server.token_for("ann", &[], -Duration::MINUTE));
    let other_space = server.token("ann", &["/shop"]);
    for wire in Wire::ALL {
        let guest = Client::named(&server, wire, &format!("guest {wire:?}")).await;
        let mut ann = Client::with_token(&server, wire, &server.token("ann", &[])).await;
        for (token, code) in [
            (&*bob, "other_user"),
            (&guest.token, "other_user"),
            ("nonsense", "unauthorized"),
            (&over, "token_expired"),
            (&other_space, "space_forbidden"),
        ] {
            assert_eq!(ann.refusal("auth", json!({ "token": token })).await, code, "{wire:?}");
        }
        for bad in [json!(bob), json!({}), json!({ "token": 7 }), json!(null)] {
            assert_eq!(ann.refusal("auth", bad).await, "bad_request");
        }
        ann.post("nothing has changed").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_identifies_an_anonymous_connection() {
    let server = TestServer::start().await;
    let token = json!({ "token": server.token("ann", &[]) });
    for wire in Wire::ALL {
        let mut anonymous = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        assert_eq!(anonymous.refusal("auth", json!({ "token": "nonsense" })).await, "unauthorized");
        assert_eq!(anonymous.ask("auth", token.clone()).await["user"], "ann");
        assert_eq!(anonymous.next("welcome").await["user"], "ann");
        anonymous.post("it is me").await;
        assert_eq!(anonymous.refusal("new user", "bob").await, "already_identified");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_guest_token_expires_and_frees_the_name() {
    let server = TestServer::with(|config| {
        config.token.guest_ttl_secs = 2;
        config.limits.presence_grace_ms = 1;
    });
    let server = server.await;
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let mut ann = Client::named(&server, wire, &name).await;
        let token = ann.token.clone();
        assert_eq!(ann.next("closing").await["code"], "token_expired");
        ann.end().await;
        let back = Client::open(&server, wire, ConnectOptions::new().token(&token)).await;
        assert_eq!(back.err().unwrap().code, "token_expired");
        let mut next = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        // The name is released after the client has received the end.
        while next.ask("new user", &*name).await["ok"] == false {}
        next.close().await;
    }
    server.stop().await;
}

/// The token expires during a replay of two thousand messages: a client that does not read is
/// disconnected, too.
#[tokio::test]
async fn a_connection_in_recovery_is_closed_when_its_token_expires() {
    let server = TestServer::start().await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let body = "x".repeat(4000);
    for _ in 0..2000 {
        bob.emit("send message", body.as_str()).await;
    }
    let head = bob.post("the last").await;
    for wire in Wire::ALL {
        let token = server.token_for("ann", &[], SHORT);
        let options = ConnectOptions::new().token(&token).since("lobby", 0);
        let _ann = Client::open(&server, wire, options).await.ok().unwrap();
        server.has_connections(2).await;
        // Ann's client does not read; its connection is counted until it is closed.
        server.has_connections(1).await;
    }
    assert_eq!(head, 2001);
    drop(bob);
    server.stop().await;
}
