//! Topics of rooms: who sets them, who is told, and what is left of them.

use roomcast::{auth::ApiKeyHash, config::Config, domain::Token};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire, raw::Raw},
    harness::{TestCluster, TestServer},
};

const KEY: &str = "rcast_a-key-of-the-tests";

fn with_key(config: &mut Config) {
    let hash = ApiKeyHash::of(&Token::from_raw(KEY));
    let key =
        format!("{{ name = 'a', sha256 = '{hash}', scopes = ['read', 'manage', 'publish'] }}");
    config.api_keys = Config::from_toml(&format!("api_keys = [{key}]")).unwrap().api_keys;
}

/// Sends a request of the API. Returns the status and the JSON of the answer.
async fn call(server: &TestServer, line: &str, body: &str) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let headers = format!(
        "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let line = format!("{method} /api/v1/{path}");
    let answer = Raw::connect(server).await.request(&line, &headers, body.as_bytes()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// Connects a user of the back end.
async fn user(server: &TestServer, wire: Wire, name: &str) -> Client {
    Client::with_token(server, wire, &server.token(name, &[])).await
}

/// A room of this wire, and two users.
async fn room_and_users(server: &TestServer, wire: Wire) -> (String, [Client; 2]) {
    let users = [user(server, wire, "ann").await, user(server, wire, "bob").await];
    (format!("room {wire:?}"), users)
}

/// The topic of a room in the `welcome` of a new connection.
async fn topic_in_welcome(server: &TestServer, wire: Wire, name: &str, room: &str) -> Value {
    let options = ConnectOptions::new().token(&server.token(name, &[]));
    let mut client = Client::open(server, wire, options).await.unwrap();
    let welcome = client.next("welcome").await;
    let rooms = welcome["rooms"].as_array().unwrap();
    rooms.iter().find(|it| it["room"] == room).unwrap()["topic"].clone()
}

#[tokio::test]
async fn everybody_in_the_room_is_told_in_order_with_messages() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (room, [mut ann, mut bob]) = room_and_users(&server, wire).await;
        let room = room.as_str();
        let joined = ann.ask("join", room).await;
        assert_eq!((&joined["role"], &joined["topic"]), (&json!("owner"), &Value::Null));
        bob.ask("join", room).await;
        bob.ask("send message", json!({ "room": room, "msg": "before" })).await;
        let set = ann.ask("topic", json!({ "room": room, "topic": "  Plans for May " })).await;
        assert_eq!(set, json!({ "ok": true, "room": room, "topic": "Plans for May" }));
        bob.ask("send message", json!({ "room": room, "msg": "after" })).await;
        for client in [&mut ann, &mut bob] {
            assert_eq!(client.next("new message").await["seq"], 1);
            let mut told = client.next("topic").await;
            let fields = told.as_object_mut().unwrap();
            assert!(fields.remove("id").is_some() && fields.remove("at").is_some());
            let topic = "Plans for May";
            let expected = json!({ "room": room, "seq": 2, "user": "ann", "topic": topic });
            assert_eq!(told, expected);
            assert_eq!(client.next("new message").await["seq"], 3);
        }
        let again = ann.ask("topic", json!({ "room": room, "topic": "Plans for May" })).await;
        assert_eq!(again, set, "it is the same");
        let removed = ann.ask("topic", json!({ "room": room, "topic": "" })).await;
        assert_eq!(removed, json!({ "ok": true, "room": room, "topic": "" }));
        for client in [&mut ann, &mut bob] {
            let told = client.next("topic").await;
            assert_eq!((&told["topic"], &told["seq"]), (&json!(""), &json!(4)), "told once");
        }
        let page = bob.ask("history", json!({ "room": room, "after": 1, "limit": 1 })).await;
        assert_eq!(page["messages"][0]["event"], "topic");
        assert_eq!(page["messages"][0]["topic"], "Plans for May");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_admins_set_topics_of_rooms_that_they_are_in() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let (room, [mut ann, mut bob]) = room_and_users(&server, wire).await;
        let room = room.as_str();
        let topic = json!({ "room": room, "topic": "Plans" });
        assert_eq!(ann.refusal("topic", topic.clone()).await, "not_member");
        ann.ask("join", room).await;
        bob.ask("join", room).await;
        assert_eq!(bob.refusal("topic", topic.clone()).await, "forbidden");
        assert_eq!(bob.refusal("topic", json!({ "topic": "x" })).await, "forbidden", "the lobby");
        let admin = json!({ "room": room, "user": "bob", "role": "admin" });
        assert_eq!(ann.ask("invite", admin).await["ok"], true);
        assert_eq!(bob.ask("topic", topic).await["ok"], true);
        ann.next("topic").await;
        for bad in ["a\nb", "a\u{7}b", &*"x".repeat(251)] {
            let bad = json!({ "room": room, "topic": bad });
            assert_eq!(ann.refusal("topic", bad).await, "bad_request");
        }
        let others = [json!({ "with": "bob", "topic": "x" }), json!({ "room": room })];
        for bad in others {
            assert_eq!(ann.refusal("topic", bad).await, "bad_request", "no conversation, no text");
        }
        let state = ann.ask("join", room).await;
        assert_eq!((&state["topic"], &state["seq"]), (&json!("Plans"), &json!(1)), "unchanged");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_comes_later_sees_the_topic() {
    let server = TestServer::with(with_key).await;
    for wire in Wire::ALL {
        let (room, [mut ann, mut bob]) = room_and_users(&server, wire).await;
        let room = room.as_str();
        ann.ask("join", room).await;
        let [first, second] = ["Ideas", "Plans"].map(|it| json!({ "room": room, "topic": it }));
        ann.ask("topic", first).await;
        assert_eq!(bob.ask("join", room).await["topic"], "Ideas");
        bob.close().await;
        ann.ask("topic", second).await;
        let options = ConnectOptions::new().token(&server.token("bob", &[])).since(room, 1);
        let mut bob = Client::open(&server, wire, options).await.unwrap();
        let welcome = bob.next("welcome").await;
        assert!(welcome["rooms"].to_string().contains("\"topic\":\"Plans\""), "{welcome}");
        let missed = bob.next("missed").await;
        assert_eq!(missed["messages"].as_array().unwrap().len(), 1, "{missed}");
        assert_eq!(missed["messages"][0]["topic"], "Plans");
        let mut cas = user(&server, wire, "cas").await;
        let found = cas.ask("rooms", json!({ "query": "plan" })).await;
        let of_room = found["rooms"].as_array().unwrap().iter().find(|it| it["room"] == room);
        assert_eq!(of_room.unwrap()["topic"], "Plans", "found by a word of the topic");
        assert_eq!(cas.ask("rooms", json!({ "query": "ideas" })).await["rooms"], json!([]));
        let invited = json!({ "room": room, "user": "cas" });
        ann.ask("invite", invited).await;
        assert_eq!(cas.next("membership").await["topic"], "Plans");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_topic_outlives_a_restart() {
    let server = TestServer::on_disk().await;
    let mut ann = user(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "den").await;
    ann.ask("topic", json!({ "room": "den", "topic": "Plans" })).await;
    let server = server.restart().await;
    assert_eq!(topic_in_welcome(&server, Wire::SocketIo, "ann", "den").await, "Plans");
    server.stop().await;
}

#[tokio::test]
async fn a_topic_is_told_on_all_nodes_also_if_the_bus_loses_it() {
    let (cluster, one, other) = TestCluster::pair(with_key);
    let mut ann = user(&one, Wire::WebSocket, "ann").await;
    let mut bob = user(&other, Wire::SocketIo, "bob").await;
    ann.ask("join", "den").await;
    bob.ask("join", "den").await;
    ann.next("user joined").await;
    for (text, from) in [("told", None), ("lost", Some("one"))] {
        if from.is_some() {
            cluster.cut(from);
        }
        let set = ann.ask("topic", json!({ "room": "den", "topic": text })).await;
        assert_eq!(set["ok"], true, "{set}");
        assert_eq!(bob.next("topic").await["topic"], text);
        if from.is_some() {
            cluster.heal(from);
        }
        for server in [&one, &other] {
            assert_eq!(topic_in_welcome(server, Wire::Polling, "bob", "den").await, text);
        }
    }
    assert_eq!(ann.ask("join", "den").await["topic"], "lost");
    drop(cluster);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_back_end_sets_topics_and_reads_them() {
    let server = TestServer::with(with_key).await;
    let mut ann = user(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "den").await;
    let body = r#"{"topic":" Plans ","user":"boss"}"#;
    for _ in 0..2 {
        let (status, answer) = call(&server, "PUT rooms/den/topic", body).await;
        assert_eq!((status, answer), (200, json!({ "ok": true })));
    }
    let told = ann.next("topic").await;
    assert_eq!((&told["topic"], &told["user"]), (&json!("Plans"), &json!("boss")));
    let (_, room) = call(&server, "GET rooms/den", "").await;
    assert_eq!((&room["topic"], &room["seq"]), (&json!("Plans"), &json!(1)), "set once");
    let (_, list) = call(&server, "GET rooms", "").await;
    let topics: Vec<_> = list["rooms"].as_array().unwrap().iter().map(|it| &it["topic"]).collect();
    assert_eq!(topics, [&json!("Plans"), &Value::Null], "of the lobby, too");
    for (path, body, status, code) in [
        ("nowhere", body, 404, "no_such_room"),
        ("den", r#"{"topic":"a\nb","user":"boss"}"#, 400, "bad_request"),
        ("den", r#"{"topic":"x"}"#, 400, "bad_request"),
        ("den", "", 400, "bad_request"),
    ] {
        let refused = call(&server, &format!("PUT rooms/{path}/topic"), body).await;
        assert_eq!((refused.0, &refused.1["code"]), (status, &json!(code)), "{body}");
    }
    let removed = call(&server, "PUT rooms/den/topic", r#"{"topic":"","user":"boss"}"#).await;
    assert_eq!(removed.0, 200);
    assert_eq!(ann.next("topic").await["topic"], "");
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_room_has_no_topic_and_an_emptied_one_keeps_it() {
    let server = TestServer::with(with_key).await;
    let mut ann = user(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "den").await;
    ann.ask("topic", json!({ "room": "den", "topic": "Plans" })).await;
    assert_eq!(call(&server, "POST rooms/den/empty", "").await.0, 200);
    assert_eq!(ann.ask("join", "den").await["topic"], "Plans");
    assert_eq!(call(&server, "DELETE rooms/den", "").await.0, 200);
    assert_eq!(ann.next("membership").await["role"], Value::Null);
    assert_eq!(call(&server, "GET rooms/den", "").await.0, 404);
    let again = ann.ask("join", "den").await;
    assert_eq!((&again["topic"], &again["role"]), (&Value::Null, &json!("owner")));
    server.stop().await;
}
