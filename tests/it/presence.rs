//! Presence: a user is online while connected, and for a grace period after that.

use serde_json::{Value, json};

use crate::{
    clients::{Client, Wire},
    harness::TestServer,
};

/// A short grace period.
const SHORT_MS: u64 = 50;
/// A grace period that does not end in a test.
const LONG_MS: u64 = 60 * 60 * 1000;

#[tokio::test]
async fn all_members_of_the_lobby_receive_the_user_list() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    assert_eq!(ann.next("get users").await, json!(["ann"]));
    let mut bob = Client::named(&server, Wire::SocketIo, "bob").await;
    let mut cleo = Client::named(&server, Wire::Polling, "cleo").await;
    for client in [&mut ann, &mut bob, &mut cleo] {
        while client.next("get users").await != json!(["ann", "bob", "cleo"]) {}
    }
    drop((ann, bob, cleo));
    server.stop().await;
}

#[tokio::test]
async fn only_the_first_and_the_last_connection_of_a_user_are_announced() {
    let server = TestServer::with(|config| config.limits.presence_grace_ms = SHORT_MS).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for wire in Wire::ALL {
        let name = format!("bob {wire:?}");
        let bob = Client::named(&server, wire, &name).await;
        assert_eq!(ann.next("user joined").await["user"], name);
        let mut second = Client::with_token(&server, wire, &bob.token).await;
        bob.close().await;
        server.has_connections(2).await;
        // Events of another user would arrive after those of bob.
        let other = Client::named(&server, Wire::WebSocket, "other").await;
        assert_eq!(ann.next("user joined").await["user"], "other");
        other.close().await;
        assert_eq!(ann.next("user left").await["user"], "other");
        let list = second.ask("GroupList", Value::Null).await;
        assert_eq!(list["users"], json!(["ann", name]));
        second.close().await;
        assert_eq!(ann.next("user left").await, json!({ "room": "lobby", "user": name }));
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_reconnect_within_the_grace_period_is_not_announced() {
    let server = TestServer::with(|config| config.limits.presence_grace_ms = LONG_MS).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for wire in Wire::ALL {
        let name = format!("bob {wire:?}");
        let bob = Client::named(&server, wire, &name).await;
        assert_eq!(ann.next("user joined").await["user"], name);
        let token = bob.token.clone();
        bob.close().await;
        server.has_connections(1).await;
        let mut bob = Client::with_token(&server, wire, &token).await;
        bob.post("back").await;
        assert_eq!(ann.next("new message").await["username"], name);
        assert!(!ann.has_received("user joined").await && !ann.has_received("user left").await);
        bob.close().await;
        server.has_connections(1).await;
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_room_above_the_list_limit_reports_a_count() {
    let server = TestServer::with(|config| config.limits.presence_list_max = 2).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut bob = Client::named(&server, Wire::SocketIo, "bob").await;
    let listed = bob.ask("GroupList", Value::Null).await;
    assert_eq!((&listed["users"], &listed["count"]), (&json!(["ann", "bob"]), &json!(2)));
    assert_eq!(ann.next("user joined").await["user"], "bob");
    let mut cleo = Client::named(&server, Wire::Polling, "cleo").await;
    for client in [&mut ann, &mut bob, &mut cleo] {
        let presence = client.next("presence").await;
        assert_eq!(presence, json!({ "room": "lobby", "count": 3 }));
        let counted = client.ask("GroupList", Value::Null).await;
        assert_eq!((&counted["users"], &counted["count"]), (&json!([]), &json!(3)));
        assert!(!client.has_received("user joined").await);
    }
    drop((ann, bob, cleo));
    server.stop().await;
}

#[tokio::test]
async fn messages_stay_after_the_last_member_leaves_a_room() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "attic").await;
    ann.ask("send message", json!({ "room": "attic", "msg": "dust" })).await;
    assert_eq!(ann.ask("leave", "attic").await["count"], 0);
    let joined = ann.ask("join", "attic").await;
    assert_eq!((&joined["seq"], &joined["count"]), (&json!(1), &json!(1)));
    let page = ann.ask("history", json!({ "room": "attic" })).await;
    assert_eq!(page["messages"][0]["msg"], "dust");
    drop(ann);
    server.stop().await;
}
