//! The HTTP API about users, rooms and members, on two nodes: each answers for both.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roomcast::{auth::ApiKeyHash, config::Config, domain::Token};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire, raw::Raw},
    harness::{TestCluster, TestServer, wait_for},
};

const KEY: &str = "rcast_a-key-of-the-tests";

/// The most items of the lists of these tests.
const ITEMS_MAX: usize = 100;

fn with_key(config: &mut Config) {
    let hash = ApiKeyHash::of(&Token::from_raw(KEY));
    let key =
        format!("{{ name = 'a', sha256 = '{hash}', scopes = ['read', 'manage', 'publish'] }}");
    config.api_keys = Config::from_toml(&format!("api_keys = [{key}]")).unwrap().api_keys;
}

/// Sends a request without a body. Returns the status and the JSON of the answer.
async fn call(server: &TestServer, line: &str) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {KEY}\r\nContent-Length: 0\r\n");
    let (method, path) = line.split_once(' ').unwrap();
    let line = format!("{method} /api/v1/{path}");
    let answer = Raw::connect(server).await.request(&line, &headers, b"").await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

async fn get(server: &TestServer, path: &str) -> Value {
    let (status, body) = call(server, &format!("GET {path}")).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn user(server: &TestServer, name: &str, room: &str) -> Client {
    let token = server.token(name, &[]);
    let options = ConnectOptions::new().token(&token).room(room);
    let mut client = Client::open(server, Wire::WebSocket, options).await.unwrap();
    client.next("welcome").await;
    client
}

/// All items of a list, in pages of two.
async fn pages(server: &TestServer, list: &str, total: Option<u64>) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(server, &format!("{list}?limit=2{after}")).await;
        assert_eq!(page["total"].as_u64(), total);
        assert!(items.len() < ITEMS_MAX, "the cursor does not move: {page}");
        items.extend(page[list].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return items };
        after = format!("&after={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
    }
}

#[tokio::test]
async fn users_of_all_nodes_are_listed_once() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let mut connected = Vec::new();
    for (server, name) in
        [(&one, "ann"), (&other, "bob"), (&one, "cleo"), (&other, "cleo"), (&other, "dan")]
    {
        connected.push(user(server, name, "lobby").await);
    }
    let expected = [("ann", 1), ("bob", 1), ("cleo", 2), ("dan", 1)];
    let expected = expected
        .map(|(user, devices)| json!({ "user": user, "devices": devices, "deviceIds": [] }));
    for server in [&one, &other] {
        assert_eq!(pages(server, "users", Some(4)).await, expected);
    }
    drop((connected, cluster));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn rooms_of_all_nodes_count_who_is_online_anywhere() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let ann = user(&one, "ann", "a").await;
    let bob = user(&other, "bob", "b").await;
    let cleo = user(&one, "cleo", "b").await;
    for server in [&one, &other] {
        let rooms = pages(server, "rooms", None).await;
        let count =
            |room: &Value| (room["room"].clone(), room["members"].clone(), room["online"].clone());
        let expected = [("a", 1, 1), ("b", 2, 2)].map(|(a, b, c)| (json!(a), json!(b), json!(c)));
        assert_eq!(rooms.iter().map(count).collect::<Vec<_>>(), expected);
        assert_eq!(get(server, "rooms/b").await["online"], 2);
        let members = get(server, "rooms/b/members").await;
        let online = |it: &Value| it["online"] == true;
        assert!(members["members"].as_array().unwrap().iter().all(online), "{members}");
    }
    drop((ann, bob, cleo, cluster));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn members_and_rooms_are_found_by_a_word() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let ann = user(&one, "ann", "sales of may").await;
    let bob = user(&other, "bob", "sales of may").await;
    let token = one.token_named("u1", "Annette May");
    let options = ConnectOptions::new().token(&token).room("sales of may");
    let mut named = Client::open(&other, Wire::WebSocket, options).await.unwrap();
    named.next("welcome").await;
    let cas = user(&one, "cas", "mayfly").await;
    for server in [&one, &other] {
        let found =
            async |query: &str| get(server, &format!("rooms/sales%20of%20may/{query}")).await;
        let all = found("members?query=ANN").await;
        let users: Vec<_> =
            all["members"].as_array().unwrap().iter().map(|it| &it["user"]).collect();
        assert_eq!(users, [&json!("ann"), &json!("u1")], "of both names");
        assert_eq!((&all["total"], &all["next"]), (&json!(3), &Value::Null), "{all}");
        assert_eq!(all["names"], json!({ "u1": "Annette May" }));
        assert_eq!(all["members"][1]["online"], true);
        let first = found("members?query=ann&limit=1").await;
        assert_eq!((&first["members"][0]["user"], &first["next"]), (&json!("ann"), &json!("ann")));
        let second = found("members?query=ann&limit=1&after=ann").await;
        assert_eq!((&second["members"][0]["user"], &second["next"]), (&json!("u1"), &Value::Null));
        let none = found("members?query=nobody").await;
        assert_eq!((&none["members"], &none["total"]), (&json!([]), &json!(3)));
        let rooms = get(server, "rooms?query=may").await;
        let rooms: Vec<_> =
            rooms["rooms"].as_array().unwrap().iter().map(|it| &it["room"]).collect();
        assert_eq!(rooms, [&json!("mayfly"), &json!("sales of may")]);
        assert_eq!(get(server, "rooms?query=fly").await["rooms"], json!([]));
        for list in ["rooms", "rooms/mayfly/members"] {
            let (status, refused) = call(server, &format!("GET {list}?query=%20")).await;
            assert_eq!((status, &refused["code"]), (400, &json!("bad_request")), "{refused}");
        }
    }
    drop((ann, bob, cas, named, cluster));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn connections_of_all_nodes_are_listed_once() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let mut connected = Vec::new();
    for (server, name) in
        [(&other, "ann"), (&one, "bob"), (&other, "cleo"), (&one, "ann"), (&other, "dan")]
    {
        connected.push(user(server, name, "lobby").await);
    }
    let item = |it: &Value| format!("{} on {}", it["user"], it["node"]).replace('"', "");
    let here = ["bob on one", "ann on one"];
    let there = ["ann on other", "cleo on other", "dan on other"];
    for server in [&one, &other] {
        let items: Vec<_> = pages(server, "connections", Some(5)).await.iter().map(item).collect();
        assert_eq!(items, [&here[..], &there[..]].concat());
        let list = async |query: &str| {
            let list = get(server, &format!("connections?{query}")).await;
            assert_eq!((&list["complete"], &list["next"]), (&json!(true), &Value::Null));
            let items = list["connections"].as_array().unwrap().iter().map(item);
            (items.collect::<Vec<_>>(), list["total"].clone())
        };
        let anns = vec!["ann on one".to_owned(), "ann on other".to_owned()];
        assert_eq!(list("user=ann").await, (anns, json!(2)));
        // Nodes that are gone, before, between and after these.
        assert_eq!(list("after=o.c1").await.0.len(), 5);
        assert_eq!(list("after=onf.cff").await, (there.map(str::to_owned).into(), json!(5)));
        assert_eq!(list("after=p.c1").await, (Vec::new(), json!(5)));
    }
    drop((connected, cluster));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn connections_of_a_node_that_does_not_answer_are_missing() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let ann = user(&one, "ann", "lobby").await;
    let bob = user(&other, "bob", "lobby").await;
    let list = async || {
        let list = get(&one, "connections").await;
        (
            list["connections"].as_array().unwrap().len(),
            list["total"].clone(),
            list["complete"].clone(),
        )
    };
    assert_eq!(list().await, (2, json!(2), json!(true)));
    cluster.cut(Some("other"));
    assert_eq!(list().await, (1, json!(1), json!(false)));
    cluster.heal(Some("other"));
    assert_eq!(list().await, (2, json!(2), json!(true)));
    drop((ann, bob, cluster));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn an_emptied_room_is_empty_on_all_nodes_and_its_numbers_continue() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let mut ann = user(&one, "ann", "lobby").await;
    let mut bob = user(&other, "bob", "lobby").await;
    for text in ["one", "two", "three"] {
        ann.post(text).await;
        bob.next("new message").await;
    }
    assert_eq!(call(&one, "POST rooms/lobby/empty").await, (200, json!({ "ok": true })));
    let room = get(&other, "rooms/lobby").await;
    assert_eq!((&room["seq"], &room["messages"]), (&json!(3), &json!(0)), "{room}");
    assert_eq!(room["at"], Value::Null);
    // What follows on the channel shows that the other node has received the removal.
    assert_eq!(ann.post("four").await, 4);
    bob.next("new message").await;
    for (server, name) in [(&one, "ann"), (&other, "bob")] {
        let token = server.token(name, &[]);
        let options = ConnectOptions::new().token(&token).since("lobby", 1);
        let mut back = Client::open(server, Wire::SocketIo, options).await.unwrap();
        let welcome = back.next("welcome").await;
        assert_eq!(welcome["rooms"][0]["seq"], 4);
        assert_eq!(back.missed("lobby").await, Err(4), "the entries between are gone");
        let history = back.ask("history", json!({})).await;
        let seqs: Vec<_> = history["messages"].as_array().unwrap().iter().collect();
        assert_eq!(seqs.iter().map(|it| &it["seq"]).collect::<Vec<_>>(), [4]);
        let options = ConnectOptions::new().token(&token).since("lobby", 3);
        let mut recent = Client::open(server, Wire::SocketIo, options).await.unwrap();
        assert_eq!(recent.missed("lobby").await.unwrap().len(), 1, "from the floor on");
    }
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_deleted_room_has_no_members_on_any_node() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let mut ann = user(&one, "ann", "project").await;
    let mut bob = user(&other, "bob", "project").await;
    let seq = ann.send("send message", json!({ "room": "project", "msg": "x" })).await;
    assert_eq!(bob.next("new message").await["seq"], seq);
    // Many more members, none of whom is online.
    let names: BTreeSet<_> = (0..250).map(|n| format!("user {n}")).collect();
    for name in &names {
        let token = one.token(name, &[]);
        let options = ConnectOptions::new().token(&token).room("project");
        Client::open(&one, Wire::WebSocket, options).await.unwrap().next("welcome").await;
    }
    assert_eq!(get(&other, "rooms/project").await["members"], names.len() + 2);
    assert_eq!(call(&one, "DELETE rooms/project").await, (200, json!({ "ok": true })));
    for client in [&mut ann, &mut bob] {
        let membership = client.next("membership").await;
        assert_eq!((&membership["room"], &membership["role"]), (&json!("project"), &Value::Null));
    }
    for server in [&one, &other] {
        for line in ["GET rooms/project", "GET rooms/project/members", "DELETE rooms/project"] {
            let (status, body) = call(server, line).await;
            assert_eq!((status, &body["code"]), (404, &json!("no_such_room")), "{line}");
        }
        assert!(pages(server, "rooms", None).await.iter().all(|it| it["room"] != "project"));
    }
    assert!(!cluster.is_member("project", "user 7").await);
    let joined = wait_for("to join anew", bob.ask("join", json!({ "room": "project" }))).await;
    assert_eq!((&joined["seq"], &joined["role"]), (&json!(1), &json!("owner")), "{joined}");
    drop(cluster);
    one.stop().await;
    other.stop().await;
}
