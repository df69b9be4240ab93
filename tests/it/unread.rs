//! Unread counts: deleted messages do not count.

use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestCluster, TestServer},
};

async fn user(server: &TestServer, wire: Wire, name: &str) -> Client {
    Client::with_token(server, wire, &server.token(name, &[])).await
}

/// The unread counts in `welcome`: of a room, and of the first direct conversation.
async fn unread(server: &TestServer, wire: Wire, name: &str, room: &str) -> [Value; 2] {
    let options = ConnectOptions::new().token(&server.token(name, &[]));
    let mut client = Client::open(server, wire, options).await.ok().unwrap();
    let welcome = client.next("welcome").await;
    let room = welcome["rooms"].as_array().unwrap().iter().find(|it| it["room"] == room);
    [room.unwrap()["unread"].clone(), welcome["directs"][0]["unread"].clone()]
}

/// Posts three messages to a room with one and one to a user; deletes two of the three and the last.
async fn post_and_delete(author: &mut Client, room: &str, to: &str) {
    for text in ["one", "two", "three"] {
        author.ask("send message", json!({ "room": room, "msg": text })).await;
    }
    author.ask("SingleChat", json!({ "to": to, "data": "one" })).await;
    for (seq, again) in [(2, false), (4, false), (2, true)] {
        let answer = author.ask("delete message", json!({ "room": room, "seq": seq })).await;
        assert_eq!(answer["duplicate"] == true, again);
    }
    author.ask("delete message", json!({ "with": to, "seq": 1 })).await;
}

#[tokio::test]
async fn deleted_messages_are_not_unread_live_and_after_a_restart() {
    let mut server = TestServer::on_disk().await;
    let names = |wire| ["ann", "bob", "den"].map(|name| format!("{name}-{wire:?}"));
    for wire in Wire::ALL {
        let [ann_name, bob_name, den] = names(wire);
        let mut ann = user(&server, wire, &ann_name).await;
        let mut bob = user(&server, wire, &bob_name).await;
        for client in [&mut ann, &mut bob] {
            client.ask("join", den.as_str()).await;
        }
        bob.ask("send message", json!({ "room": den, "msg": "zero" })).await;
        post_and_delete(&mut ann, &den, &bob_name).await;
        assert_eq!(unread(&server, wire, &bob_name, &den).await, [1, 0]);
        assert_eq!(unread(&server, wire, &ann_name, &den).await, [0, 0], "one's own");
        assert_eq!(bob.ask("join", den.as_str()).await["unread"], 1);
    }
    server = server.restart().await;
    for wire in Wire::ALL {
        let [ann_name, bob_name, den] = names(wire);
        assert_eq!(unread(&server, wire, &bob_name, &den).await, [1, 0], "after a restart");
        let mut ann = user(&server, wire, &ann_name).await;
        let mut bob = user(&server, wire, &bob_name).await;
        for (seq, left) in [(2, 1), (1, 1), (3, 0)] {
            let answer = bob.ask("read", json!({ "room": den, "seq": seq })).await;
            assert_eq!(answer["unread"], left, "read to {seq}");
        }
        ann.ask("send message", json!({ "room": den, "msg": "four" })).await;
        ann.ask("delete message", json!({ "room": den, "seq": 3 })).await;
        assert_eq!(unread(&server, wire, &bob_name, &den).await, [1, 0], "3 was read before");
    }
    server.stop().await;
}

#[tokio::test]
async fn deleted_messages_are_not_unread_on_any_node() {
    let (cluster, one, other) = TestCluster::pair(|_| ());
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let mut bob = user(&other, Wire::SocketIo, "bob").await;
    for client in [&mut ann, &mut bob] {
        client.ask("join", "den").await;
    }
    bob.ask("send message", json!({ "room": "den", "msg": "zero" })).await;
    post_and_delete(&mut ann, "den", "bob").await;
    while bob.next("message deleted").await.get("to").is_none() {}
    for server in [&one, &other] {
        assert_eq!(unread(server, Wire::WebSocket, "bob", "den").await, [1, 0]);
    }
    // The events of one node are lost, and the other one reads them from the store.
    cluster.cut(Some("one"));
    ann.ask("send message", json!({ "room": "den", "msg": "four" })).await;
    ann.ask("delete message", json!({ "room": "den", "seq": 3 })).await;
    while bob.next("message deleted").await["of"] != 3 {}
    assert_eq!(unread(&other, Wire::WebSocket, "bob", "den").await, [1, 0], "the fourth");
    cluster.heal(Some("one"));
    assert_eq!(unread(&one, Wire::WebSocket, "bob", "den").await, [1, 0]);
    drop(cluster);
    one.stop().await;
    other.stop().await;
}
