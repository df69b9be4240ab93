//! Two nodes in one process, on a bus that a test may disturb: changes of a user apply on all
//! nodes.

use roomcast::{config::Config, domain::DevicePolicy};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestCluster, TestServer, wait_for},
};

/// A short grace period.
const SHORT_MS: u64 = 50;

/// Connects a user of the back end to one node.
async fn user(server: &TestServer, wire: Wire, name: &str) -> Client {
    let token = server.token(name, &[]);
    Client::with_token(server, wire, &token).await
}

/// Waits until a user is in the list of the lobby.
async fn wait_until_online(client: &mut Client, name: &str) {
    wait_for("a user of another node", async {
        loop {
            let list = client.ask("GroupList", Value::Null).await;
            if list["users"].as_array().unwrap().iter().any(|it| it == name) {
                return;
            }
        }
    })
    .await;
}

fn default_settings(_: &mut Config) {}

#[tokio::test]
async fn a_message_reaches_members_on_every_node() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    for wire in Wire::ALL {
        let mut ann = user(&one, wire, &format!("ann {wire:?}")).await;
        let mut bob = user(&other, wire, &format!("bob {wire:?}")).await;
        let first = ann.post("from one").await;
        assert_eq!(bob.next("new message").await["seq"], first);
        let second = bob.post("from the other").await;
        assert_eq!(second, first + 1);
        assert_eq!(ann.next("new message").await["seq"], first);
        assert_eq!(ann.next("new message").await["seq"], second);
        ann.ask("GroupChat", "not for me").await;
        assert_eq!(bob.next("GroupChat").await["data"], "not for me");
        assert!(!ann.has_received("GroupChat").await, "also not from the other node");
    }
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn messages_lost_by_the_bus_are_read_from_the_store() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let mut bob = user(&other, Wire::SocketIo, "bob").await;
    wait_until_online(&mut ann, "bob").await;
    wait_until_online(&mut bob, "ann").await;
    // First the bus is disconnected for all nodes, and they detect it. Then the events of one node
    // are lost, and that node does not detect it.
    for from in [None, Some("one")] {
        cluster.cut(from);
        let lost = ann.post("the last message of a quiet room").await;
        assert_eq!(bob.next("new message").await["seq"], lost);
        let direct = ann.ask("SingleChat", json!({ "to": "bob", "data": "psst" })).await;
        assert_eq!((&direct["ok"], &direct["online"]), (&json!(true), &json!(true)));
        assert_eq!(bob.next("SingleChat").await["data"], "psst");
        cluster.heal(from);
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn presence_is_known_on_all_nodes() {
    let (cluster, one, other) =
        TestCluster::pair(|config| config.limits.presence_grace_ms = SHORT_MS);
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let mut bob = user(&other, Wire::SocketIo, "bob").await;
    wait_until_online(&mut ann, "bob").await;
    wait_until_online(&mut bob, "ann").await;
    let eve = user(&other, Wire::Polling, "eve").await;
    while ann.next("user joined").await["user"] != "eve" {}
    // A second device connects on the other node, and one of the two disconnects: neither is
    // announced.
    let second = user(&one, Wire::WebSocket, "eve").await;
    eve.close().await;
    other.has_connections(1).await;
    ann.post("after a possible announcement").await;
    bob.next("new message").await;
    assert!(!ann.has_received("user left").await && !bob.has_received("user left").await);
    second.close().await;
    assert_eq!(bob.next("user left").await["user"], "eve");
    assert_eq!(ann.next("user left").await["user"], "eve");
    wait_for("the user to be offline", async {
        while devices(&mut ann, "eve").await != 0 || devices(&mut bob, "eve").await != 0 {}
    })
    .await;
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_new_connection_is_counted_at_once_and_each_device_once() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let mut bob = user(&other, Wire::SocketIo, "bob").await;
    wait_until_online(&mut ann, "bob").await;
    let token = one.token("eve", &[]);
    let mut eves = Vec::new();
    let connections =
        [(&other, "phone", 1), (&one, "phone", 1), (&one, "desk", 2), (&other, "desk", 2)];
    for (server, device, count) in connections {
        let options = ConnectOptions::new().token(&token).device(device);
        let mut eve = Client::open(server, Wire::WebSocket, options).await.unwrap();
        eve.next("welcome").await;
        eves.push(eve);
        assert_eq!([devices(&mut ann, "eve").await, devices(&mut bob, "eve").await], [count; 2]);
    }
    eves.push(user(&other, Wire::WebSocket, "eve").await);
    assert_eq!(devices(&mut ann, "eve").await, 3, "a device without an id counts as its own");
    drop((cluster, eves));
    one.stop().await;
    other.stop().await;
}

/// The number of a user's devices that `presence` returns.
async fn devices(client: &mut Client, user: &str) -> u64 {
    let answer = client.ask("presence", json!({ "users": [user] })).await;
    answer["users"][0]["devices"].as_u64().unwrap()
}

#[tokio::test]
async fn a_guest_name_is_unique_across_nodes() {
    let (cluster, one, other) =
        TestCluster::pair(|config| config.limits.presence_grace_ms = SHORT_MS);
    let ann = Client::named(&one, Wire::WebSocket, "ann").await;
    let mut late = Client::open(&other, Wire::SocketIo, ConnectOptions::new()).await.unwrap();
    assert_eq!(late.refusal("new user", "Ann").await, "name_taken");
    // The guest may be on both nodes; the name is free when the guest is on neither.
    let moved = Client::with_token(&other, Wire::WebSocket, &ann.token).await;
    ann.close().await;
    one.has_connections(0).await;
    assert_eq!(late.refusal("new user", "ann").await, "name_taken");
    moved.close().await;
    wait_for("the name", async { while late.ask("new user", "ann").await["ok"] != true {} }).await;
    // A token's user takes precedence over guests on any node.
    let mut user = user(&one, Wire::Polling, "ann").await;
    assert_eq!(late.next("closing").await["code"], "name_taken");
    assert_eq!(user.ask("GroupList", Value::Null).await["ok"], true);
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn memberships_and_read_positions_reach_a_users_devices_on_other_nodes() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    let named = [&one, &other].map(|it| it.token_named("ann", "Ann Lee"));
    let mut here = Client::with_token(&one, Wire::WebSocket, &named[0]).await;
    let mut there = Client::with_token(&other, Wire::SocketIo, &named[1]).await;
    let mut bob = user(&other, Wire::WebSocket, "bob").await;
    assert_eq!(here.ask("join", "den").await["role"], "owner");
    assert_eq!(there.next("membership").await["room"], "den");
    bob.ask("join", "den").await;
    let seq = bob.ask("send message", json!({ "room": "den", "msg": "hi" })).await["seq"].clone();
    assert_eq!(here.next("new message").await["seq"], seq);
    here.ask("read", json!({ "room": "den", "seq": seq })).await;
    let mut read = json!({ "room": "den", "user": "ann", "name": "Ann Lee", "seq": seq });
    assert_eq!(bob.next("read").await, read);
    read["unread"] = json!(0);
    assert_eq!(there.next("read").await, read);
    here.ask("typing", json!({ "room": "den", "typing": true })).await;
    assert_eq!(bob.next("typing").await["user"], "ann");
    here.ask("kick", json!({ "room": "den", "user": "bob" })).await;
    let out = bob.next("membership").await;
    assert_eq!((&out["room"], &out["by"]), (&json!("den"), &json!("ann")), "{out}");
    let gone = bob.refusal("send message", json!({ "room": "den", "msg": "still?" })).await;
    assert_eq!(gone, "not_member");
    // The same while the nodes receive nothing from each other.
    cluster.cut(None);
    here.ask("leave", "den").await;
    while there.next("membership").await["role"] != Value::Null {}
    cluster.heal(None);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn roles_are_read_from_the_store_while_the_other_node_is_unreachable() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let mut bob = user(&other, Wire::SocketIo, "bob").await;
    let mut eve = user(&other, Wire::WebSocket, "eve").await;
    assert_eq!(ann.ask("join", "den").await["role"], "owner");
    for client in [&mut bob, &mut eve] {
        assert_eq!(client.ask("join", "den").await["role"], "member");
    }
    let message = json!({ "room": "den", "msg": "hi" });
    assert_eq!(ann.ask("send message", message.clone()).await["seq"], 1);
    bob.next("new message").await;
    cluster.cut(Some("one"));
    let invite = |role: &str| json!({ "room": "den", "user": "bob", "role": role });
    let (kick_bob, kick_eve) =
        (json!({ "room": "den", "user": "bob" }), json!({ "room": "den", "user": "eve" }));
    assert_eq!(ann.ask("invite", invite("admin")).await["ok"], true);
    let deletion = json!({ "room": "den", "seq": 1 });
    assert_eq!(bob.ask("delete message", deletion).await["ok"], true, "the new role applies");
    assert_eq!(ann.ask("invite", invite("member")).await["ok"], true);
    assert_eq!(
        bob.refusal("kick", kick_eve.clone()).await,
        "forbidden",
        "the old role applies again"
    );
    assert_eq!(ann.ask("invite", invite("admin")).await["ok"], true);
    assert_eq!(ann.ask("kick", kick_bob).await["ok"], true);
    assert_eq!(bob.refusal("kick", kick_eve).await, "not_member");
    assert_eq!(bob.ask("join", "den").await["role"], "member");
    assert_eq!(bob.ask("send message", message).await["ok"], true, "the user has joined again");
    drop((cluster, eve));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn requests_of_a_user_kicked_on_an_unreachable_node_are_rejected() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    for wire in Wire::ALL {
        let (name, den) = (format!("bob {wire:?}"), format!("den-{wire:?}"));
        let mut ann = user(&one, wire, &format!("ann {wire:?}")).await;
        assert_eq!(ann.ask("join", den.as_str()).await["role"], "owner");
        let mut bob = user(&other, wire, &name).await;
        assert_eq!(bob.ask("join", den.as_str()).await["role"], "member");
        let message = json!({ "room": den, "msg": "hi" });
        assert_eq!(bob.ask("send message", message.clone()).await["seq"], 1);
        cluster.cut(Some("one"));
        let kick = json!({ "room": den, "user": name });
        assert_eq!(ann.ask("kick", kick).await["ok"], true);
        let group_chat = json!({ "room": den, "data": "hi" });
        let deletion = json!({ "room": den, "seq": 1 });
        assert_eq!(bob.refusal("send message", message).await, "not_member");
        assert_eq!(bob.refusal("GroupChat", group_chat).await, "not_member");
        assert_eq!(bob.refusal("delete message", deletion).await, "not_member");
        // The user receives the reason, too.
        while bob.next("membership").await["role"] != Value::Null {}
        cluster.heal(Some("one"));
        let history = ann.ask("history", json!({ "room": den })).await;
        assert_eq!(history["messages"].as_array().unwrap().len(), 1, "{history}");
    }
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn with_newest_only_the_newest_device_stays_across_nodes() {
    let (cluster, one, other) = TestCluster::pair(|config| config.devices = DevicePolicy::Newest);
    let token = one.token("ann", &[]);
    let open = async |server: &TestServer, device: String| {
        let options = ConnectOptions::new().token(&token).device(&device);
        let mut client = Client::open(server, Wire::WebSocket, options).await.unwrap();
        client.next("welcome").await;
        client
    };
    let mut last = open(&one, "phone-0".to_owned()).await;
    for n in 1..6 {
        let server = if n % 2 == 0 { &one } else { &other };
        let next = open(server, format!("phone-{n}")).await;
        assert_eq!(last.next("closing").await["code"], "replaced");
        last = next;
    }
    assert_eq!(last.ask("GroupList", Value::Null).await["ok"], true);
    // A user that connects during the partition is announced after it.
    let mut before = last;
    cluster.cut(None);
    let last = open(&one, "tablet".to_owned()).await;
    cluster.heal(None);
    assert_eq!(before.next("closing").await["code"], "replaced");
    drop(last);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn users_of_a_stopped_node_go_offline() {
    let (cluster, one, other) = TestCluster::pair(default_settings);
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let bob = user(&other, Wire::WebSocket, "bob").await;
    wait_until_online(&mut ann, "bob").await;
    other.drain().await;
    assert_eq!(ann.next("user left").await["user"], "bob");
    let third = cluster.start("third");
    let mut eve = user(&third, Wire::SocketIo, "eve").await;
    wait_until_online(&mut eve, "ann").await;
    let list = eve.ask("GroupList", Value::Null).await;
    assert_eq!(list["users"], json!(["ann", "eve"]));
    drop(bob);
    one.stop().await;
    third.stop().await;
}
