//! Joining, leaving, and the list of a room's users.

use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

#[tokio::test]
async fn a_join_is_answered_with_the_room_state_and_announced_to_the_others() {
    // Departed users count for the grace period, which does not end in this test.
    let server = TestServer::with(|config| config.limits.presence_grace_ms = 3_600_000).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let joined = ann.ask("join", "news").await;
    let owner = json!({
        "ok": true, "room": "news", "role": "owner", "seq": 0, "unread": 0, "read": 0, "count": 1,
    });
    assert_eq!(joined, owner);
    ann.ask("send message", json!({ "room": "news", "msg": "extra" })).await;
    for (wire, count) in Wire::ALL.into_iter().zip(2..) {
        let name = format!("bob {wire:?}");
        let mut bob = Client::named(&server, wire, &name).await;
        let lobby = ann.next("user joined").await;
        assert_eq!(lobby, json!({ "room": "lobby", "user": name }));
        let joined = bob.ask("join", json!({ "room": "news" })).await;
        let member = json!({
            "ok": true, "room": "news", "role": "member", "seq": 1, "unread": 0, "read": 1,
            "count": count,
        });
        assert_eq!(joined, member);
        assert_eq!(ann.next("user joined").await, json!({ "room": "news", "user": name }));
        assert!(
            !bob.has_received("user joined").await,
            "a client does not receive its own announcement"
        );
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn messages_stay_in_their_room_and_each_room_has_its_own_seq() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    let mut bob = Client::named(&server, Wire::Polling, "bob").await;
    ann.ask("join", "red").await;
    bob.ask("join", "blue").await;
    for seq in 1..=3 {
        let red = ann.ask("send message", json!({ "room": "red", "msg": "r" })).await;
        let blue = bob.ask("send message", json!({ "room": "blue", "msg": "b" })).await;
        assert_eq!((&red["seq"], &blue["seq"]), (&json!(seq), &json!(seq)));
        assert_eq!(ann.next("new message").await["room"], "red");
        assert_eq!(bob.next("new message").await["room"], "blue");
    }
    assert_eq!(ann.refusal("GroupChat", json!({ "room": "blue", "data": 1 })).await, "not_member");
    ann.post("both").await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.next("new message").await["room"], "lobby");
        assert!(!client.has_received("new message").await);
    }
    drop((ann, bob));
    server.stop().await;
}

#[tokio::test]
async fn leaving_is_announced_at_once_and_stops_delivery() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "news").await;
    for wire in Wire::ALL {
        let name = format!("bob {wire:?}");
        let mut bob = Client::named(&server, wire, &name).await;
        bob.ask("join", "news").await;
        let left = bob.ask("leave", "news").await;
        assert_eq!((&left["ok"], &left["count"]), (&json!(true), &json!(1)));
        assert_eq!(ann.next("user left").await, json!({ "room": "news", "user": name }));
        ann.ask("send message", json!({ "room": "news", "msg": "gone?" })).await;
        ann.next("new message").await;
        ann.post("here").await;
        ann.next("new message").await;
        assert_eq!(bob.next("new message").await["msg"], "here");
        for event in ["leave", "GroupList", "history"] {
            assert_eq!(bob.refusal(event, json!({ "room": "news" })).await, "not_member");
        }
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_room_in_the_handshake_replaces_the_lobby() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let options = ConnectOptions::new().room("news");
        let mut ann = Client::named_at(&server, wire, &format!("ann {wire:?}"), options).await;
        assert_eq!(ann.ask("send message", "hi").await["room"], "news");
        assert_eq!(ann.ask("GroupList", Value::Null).await["room"], "news");
        assert_eq!(
            ann.refusal("send message", json!({ "room": "lobby", "msg": 1 })).await,
            "not_member"
        );
    }
    let mut bob = Client::open_at(&server, "/ws/caf%C3%A9", "").await.ok().unwrap();
    bob.ask("new user", "bob").await;
    assert_eq!(bob.next("welcome").await["rooms"][0]["room"], "café");
    let mut carol = Client::open_at(&server, "/ws/caf%C3%A9/", "").await.ok().unwrap();
    carol.ask("new user", "carol").await;
    assert_eq!(carol.next("welcome").await["rooms"][0]["room"], "café");
    let mut dave = Client::open_at(&server, "/ws/?room=den", "").await.ok().unwrap();
    dave.ask("new user", "dave").await;
    assert_eq!(dave.next("welcome").await["rooms"][0]["room"], "den");
    let refused = Client::open_at(&server, "/ws/a%0Ab", "").await.err().unwrap();
    assert_eq!((refused.status, &*refused.code), (Some(422), "room_invalid"));
    drop((bob, carol, dave));
    server.stop().await;
}

#[tokio::test]
async fn joining_twice_counts_once() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let room = format!("room-{wire:?}");
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        for _ in 0..2 {
            let joined = ann.ask("join", json!({ "room": room })).await;
            assert_eq!((&joined["ok"], &joined["count"]), (&json!(true), &json!(1)));
        }
        ann.ask("send message", json!({ "room": room, "msg": "once" })).await;
        ann.next("new message").await;
        assert!(!ann.has_received("new message").await);
        assert_eq!(ann.ask("leave", json!({ "room": room })).await["count"], 0);
    }
    server.stop().await;
}

#[tokio::test]
async fn members_of_a_room_can_list_its_online_users() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut bob = Client::named(&server, Wire::SocketIo, "bob").await;
    let mut cleo = Client::named(&server, Wire::Polling, "cleo").await;
    for client in [&mut ann, &mut bob, &mut cleo] {
        let list = client.ask("GroupList", json!({ "room": "lobby" })).await;
        let expected =
            json!({ "ok": true, "room": "lobby", "users": ["ann", "bob", "cleo"], "count": 3 });
        assert_eq!(list, expected);
        assert_eq!(client.refusal("GroupList", json!({ "room": "x" })).await, "not_member");
    }
    drop((ann, bob, cleo));
    server.stop().await;
}

#[tokio::test]
async fn invalid_room_names_are_refused() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        for room in ["", " ", "a\nb", "a\u{202e}b", "\u{301}", &"x".repeat(65)] {
            assert_eq!(
                ann.refusal("join", json!({ "room": room })).await,
                "room_invalid",
                "{room}"
            );
        }
        assert_eq!(ann.refusal("join", json!({ "room": 7 })).await, "bad_request");
        assert_eq!(ann.refusal("join", json!([])).await, "bad_request");
        let refused = Client::open(&server, wire, ConnectOptions::new().room("a\u{202e}"))
            .await
            .err()
            .unwrap();
        assert_eq!(refused.code, "room_invalid");
    }
    server.stop().await;
}
