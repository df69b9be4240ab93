//! Identification by a guest name or by a token.

use roomcast::{config::StoreKind, domain::Guests};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectError, ConnectOptions, Wire},
    harness::TestServer,
};

/// A refused connection and its error.
async fn refused(server: &TestServer, wire: Wire, options: ConnectOptions) -> ConnectError {
    Client::open(server, wire, options).await.err().unwrap()
}

#[tokio::test]
async fn welcome_has_user_rooms_inbox_and_limits() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        let name = format!("ann {wire:?}");
        let welcome = ann.identify(&format!("  {name} ")).await;
        assert_eq!((&welcome["user"], &welcome["token"]), (&json!(name), &json!(ann.token)));
        assert_eq!(
            welcome["rooms"],
            json!([{ "room": "lobby", "role": "member", "seq": 0, "unread": 0, "read": 0 }])
        );
        assert_eq!(welcome["directs"], json!([]));
        assert_eq!(welcome["inbox"], json!({ "seq": 0, "unread": 0, "read": 0 }));
        assert!(welcome["epoch"].is_string());
        let limits = json!({
            "bodyBytesMax": 524_288, "frameBytesMax": 4_194_304, "attachmentsMax": 10,
            "historyMax": 200, "roomsMax": 1000,
        });
        assert_eq!(welcome["limits"], limits);
        assert!(welcome["connection"].is_string() && welcome["node"].is_string());
        let mut other = Client::open(&server, wire, ConnectOptions::new().token(&ann.token))
            .await
            .ok()
            .unwrap();
        let again = other.next("welcome").await;
        assert_eq!((&again["user"], &again["node"]), (&json!(name), &welcome["node"]));
        assert_ne!(again["connection"], welcome["connection"]);
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_before_identification_are_refused() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for wire in Wire::ALL {
        let mut anonymous = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        for (event, data) in [
            ("send message", json!("x")),
            ("GroupChat", json!("x")),
            ("SingleChat", json!({ "to": "ann", "data": 1 })),
            ("GroupList", Value::Null),
            ("join", json!("news")),
            ("leave", Value::Null),
            ("history", json!({})),
            ("history", json!({ "with": "ann" })),
        ] {
            assert_eq!(anonymous.refusal(event, data).await, "not_identified", "{wire:?} {event}");
        }
        ann.post("hi").await;
        ann.next("new message").await;
        assert!(!anonymous.has_received("new message").await);
        assert!(!ann.has_received("user joined").await);
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_name_in_use_is_refused_and_a_connection_identifies_once() {
    let server = TestServer::start().await;
    let ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for wire in Wire::ALL {
        let mut other = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        assert_eq!(other.refusal("new user", "ann").await, "name_taken");
        assert_eq!(other.refusal("new user", json!({ "name": " ann" })).await, "name_taken");
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(33)] {
            assert_eq!(other.refusal("new user", bad).await, "name_invalid", "{bad:?}");
        }
        assert_eq!(other.refusal("new user", json!({})).await, "bad_request");
        other.identify(&format!("bob {wire:?}")).await;
        assert_eq!(other.refusal("new user", "cleo").await, "already_identified");
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_name_is_reserved_for_the_grace_period_and_then_free() {
    let server = TestServer::with(|config| config.limits.presence_grace_ms = 50).await;
    let mut watcher = Client::named(&server, Wire::WebSocket, "watcher").await;
    for wire in Wire::ALL {
        let ann = Client::named(&server, wire, "ann").await;
        let first = ann.token.clone();
        ann.close().await;
        assert_eq!(watcher.next("user left").await["user"], "ann");
        // The user leaves the room before the name is released, so this may take a moment.
        let mut second = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        while second.ask("new user", "ann").await["ok"] == false {}
        // The name has another owner: the token of the first one is refused.
        assert_eq!(
            refused(&server, wire, ConnectOptions::new().token(&first)).await.code,
            "name_taken"
        );
        second.close().await;
        assert_eq!(watcher.next("user left").await["user"], "ann");
        let first = loop {
            match Client::open(&server, wire, ConnectOptions::new().token(&first)).await {
                Ok(client) => break client,
                Err(refused) => assert_eq!(refused.code, "name_taken"),
            }
        };
        first.close().await;
        assert_eq!(watcher.next("user left").await["user"], "ann");
    }
    drop(watcher);
    server.stop().await;
}

#[tokio::test]
async fn an_invalid_token_refuses_the_connection() {
    let server = TestServer::start().await;
    let good = server.token("ann", &[]);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9.";
    let other = TestServer::start().await.token("ann", &[]);
    let over = server.token_for("ann", &[], -time::Duration::MINUTE);
    for (token, code) in [
        ("nonsense", "unauthorized"),
        (none, "unauthorized"),
        (&format!("{head}."), "unauthorized"),
        (&format!("{head}x.{signature}"), "unauthorized"),
        (&*other, "unauthorized"),
        (&*over, "token_expired"),
    ] {
        for wire in Wire::ALL {
            let refused = refused(&server, wire, ConnectOptions::new().token(token)).await;
            assert_eq!(refused.code, code, "{wire:?} {token}");
            assert!(refused.status.is_none_or(|status| status == 401));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn with_guests_off_a_token_is_required() {
    let server = TestServer::with(|config| config.guests = Guests::Off).await;
    let token = server.token("ann", &[]);
    for wire in Wire::ALL {
        if wire == Wire::WebSocket {
            let mut anonymous =
                Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
            assert_eq!(anonymous.next("closing").await["code"], "invalid_user");
        } else {
            assert_eq!(refused(&server, wire, ConnectOptions::new()).await.code, "token_required");
        }
        let mut ann = Client::with_token(&server, wire, &token).await;
        assert_eq!(
            ann.post("hi").await,
            1 + Wire::ALL.iter().position(|it| *it == wire).unwrap() as u64
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_back_end_user_and_a_guest_never_share_a_name() {
    let server = TestServer::start().await;
    let user = server.token("ann", &[]);
    for wire in Wire::ALL {
        let (ann, bob) = (server.token("ann", &[]), format!("bob {wire:?}"));
        let mut ann = Client::with_token(&server, wire, &ann).await;
        let _her_other = Client::with_token(&server, wire, &user).await;
        let mut guest = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        assert_eq!(guest.refusal("new user", "ann").await, "name_taken");
        guest.identify(&bob).await;
        drop(Client::with_token(&server, wire, &server.token(&bob, &[])).await);
        assert_eq!(guest.next("closing").await["code"], "name_taken", "the user takes precedence");
        assert_eq!(ann.refusal("new user", "ann").await, "already_identified");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_name_that_a_back_end_user_has_used_is_refused_to_guests() {
    let server = TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        config.limits.presence_grace_ms = 1;
    });
    let server = server.await;
    let token = server.token("ann", &[]);
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let mut ann = Client::with_token(&server, Wire::WebSocket, &token).await;
    let private = json!({ "to": "bob", "data": "for you alone" });
    assert_eq!(ann.ask("SingleChat", private).await["ok"], true);
    ann.close().await;
    assert_eq!(bob.next("user left").await["user"], "ann");
    for wire in Wire::ALL {
        let mut guest = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        assert_eq!(guest.refusal("new user", "ann").await, "name_taken", "{wire:?}");
        drop(Client::with_token(&server, wire, &token).await);
    }
    drop(bob);
    let server = server.restart().await;
    let mut guest =
        Client::open(&server, Wire::WebSocket, ConnectOptions::new()).await.ok().unwrap();
    assert_eq!(guest.refusal("new user", "ann").await, "name_taken");
    drop(guest);
    server.stop().await;
}

#[tokio::test]
async fn a_guest_token_is_refused_once_its_name_is_taken() {
    let server = TestServer::with(|config| config.limits.presence_grace_ms = 1).await;
    let mut watcher = Client::named(&server, Wire::WebSocket, "watcher").await;
    for wire in Wire::ALL {
        let name = format!("ann {wire:?}");
        let guest = Client::named(&server, wire, &name).await;
        let old = guest.token.clone();
        guest.close().await;
        assert_eq!(watcher.next("user left").await["user"], name);
        let user = server.token(&name, &[]);
        let mut ann = loop {
            match Client::open(&server, wire, ConnectOptions::new().token(&user)).await {
                Ok(client) => break client,
                // The user leaves the room before the name is released.
                Err(refused) => assert_eq!(refused.code, "name_taken"),
            }
        };
        ann.post("it is me").await;
        ann.close().await;
        assert_eq!(watcher.next("user left").await["user"], name);
        assert_eq!(
            refused(&server, wire, ConnectOptions::new().token(&old)).await.code,
            "name_taken"
        );
    }
    drop(watcher);
    server.stop().await;
}

#[tokio::test]
async fn a_token_in_the_header_overrides_one_in_the_query() {
    let server = TestServer::start().await;
    let (ann, bob) = (server.token("ann", &[]), server.token("bob", &[]));
    let header = format!("Authorization: Bearer {ann}\r\n");
    let path = format!("/ws?token={bob}");
    let mut client = Client::open_at(&server, &path, &header).await.ok().unwrap();
    assert_eq!(client.next("welcome").await["user"], "ann");
    let bad = "Authorization: bearer nonsense\r\n";
    let refused = Client::open_at(&server, &path, bad).await.err().unwrap();
    assert_eq!((refused.status, &*refused.code), (Some(401), "unauthorized"));
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn connections_from_unlisted_origins_are_refused() {
    let site = "https://shop.example";
    let origin = roomcast::config::Config::from_toml(&format!("origins = [\"{site}\"]")).unwrap();
    let server = TestServer::with(|config| config.origins = origin.origins).await;
    let header = |origin: &str| format!("Origin: {origin}\r\n");
    for evil in
        ["https://evil.example", "null", "https://shop.example.evil.com", "http://here.evil"]
    {
        let refused = Client::open_at(&server, "/ws", &header(evil)).await.err().unwrap();
        assert_eq!((refused.status, &*refused.code), (Some(403), "origin_forbidden"), "{evil}");
        let mut raw = crate::clients::raw::Raw::connect(&server).await;
        let path = "GET /socket.io/?EIO=4&transport=polling";
        let answer = raw.request(path, &header(evil), b"").await;
        assert_eq!((answer.status, answer.code()), (403, json!("origin_forbidden")));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let answer = raw.handshake("/socket.io/?EIO=4&transport=websocket", &header(evil)).await;
        assert_eq!(answer.status, 403);
    }
    for own in [site, "http://here", "https://HERE"] {
        assert!(Client::open_at(&server, "/ws", &header(own)).await.is_ok(), "{own}");
        let mut raw = crate::clients::raw::Raw::connect(&server).await;
        let path = "GET /socket.io/?EIO=4&transport=polling";
        let answer = raw.request(path, &header(own), b"").await;
        assert_eq!(answer.status, 200);
        let named = answer.header("access-control-allow-origin");
        assert_eq!(named, (own == site).then_some(site));
    }
    server.stop().await;
}
