//! The rights in a token: the rooms that it opens.

use roomcast::{
    chat::ports::{Claims, Rooms},
    domain::{RoomPattern, UserName},
};
use serde_json::{Value, json};

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

/// A token of `user` for these rooms.
fn token(server: &TestServer, user: &str, rooms: &[&str]) -> String {
    let rooms = rooms.iter().map(|it| (RoomPattern::parse(it).unwrap(), None)).collect();
    let until = time::UtcDateTime::now().to_offset(time::UtcOffset::UTC) + time::Duration::HOUR;
    let claims = Claims::of(UserName::parse(user).unwrap(), until);
    server.token_of(&Claims { rooms: Rooms::Only(rooms), ..claims })
}

fn names(welcome: &Value) -> Vec<&str> {
    let rooms = welcome["rooms"].as_array().unwrap();
    rooms.iter().map(|it| it["room"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_token_opens_only_the_rooms_that_it_names() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let ann = format!("ann {wire:?}");
        let options = ConnectOptions::new().token(&token(&server, &ann, &["team-*", "news"]));
        let mut ann = Client::open(&server, wire, options.clone()).await.ok().unwrap();
        assert_eq!(names(&ann.next("welcome").await), [""; 0], "the token does not open the lobby");
        assert_eq!(ann.refusal("send message", "hi").await, "not_member");
        for room in ["lobby", "team", "Team-a", "newsroom"] {
            assert_eq!(ann.refusal("join", room).await, "room_forbidden", "{room}");
            let refused = Client::open(&server, wire, options.clone().room(room)).await;
            assert_eq!(refused.err().unwrap().code, "room_forbidden", "{room}");
        }
        for room in ["news", "team-a"] {
            assert_eq!(ann.ask("join", room).await["ok"], true, "{room}");
        }
        assert_eq!(ann.refusal("history", json!({ "room": "lobby" })).await, "not_member");
        let options = options.room("team-b").since("lobby", 0).since("news", 0);
        let mut again = Client::open(&server, wire, options).await.ok().unwrap();
        assert_eq!(names(&again.next("welcome").await), ["team-b", "news", "team-a"], "no lobby");
        again.post("hi").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn an_empty_room_list_opens_no_room_and_a_star_opens_all() {
    let server = TestServer::start().await;
    for wire in Wire::ALL {
        let mut ann = Client::with_token(&server, wire, &token(&server, "ann", &[])).await;
        assert_eq!(ann.refusal("join", "news").await, "room_forbidden");
        let mut bob = Client::with_token(&server, wire, &token(&server, "bob", &["*"])).await;
        assert_eq!(bob.ask("join", "news").await["ok"], true);
        let private = json!({ "to": "ann", "data": "rooms are not all there is" });
        assert_eq!(bob.ask("SingleChat", private).await["ok"], true);
        assert_eq!(ann.next("SingleChat").await["user"], "bob");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_fresh_token_removes_the_connection_from_rooms_it_does_not_open() {
    let server = TestServer::start().await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    for wire in Wire::ALL {
        let mut ann = Client::with_token(&server, wire, &server.token("ann", &[])).await;
        ann.ask("join", "news").await;
        let fresh = json!({ "token": token(&server, "ann", &["news"]) });
        assert_eq!(ann.ask("auth", fresh).await["ok"], true);
        assert_eq!(ann.refusal("send message", "hi").await, "not_member");
        let in_news = json!({ "room": "news", "msg": "hi" });
        assert_eq!(ann.ask("send message", in_news).await["ok"], true);
        assert_eq!(bob.next("user left").await["user"], "ann");
        let told = ann.next("membership").await;
        assert_eq!(told, json!({ "room": "lobby", "role": null }));
        let fresh = json!({ "token": token(&server, "ann", &["*"]) });
        assert_eq!(ann.ask("auth", fresh).await["ok"], true);
        let told = ann.next("membership").await;
        assert_eq!((&told["room"], &told["role"]), (&json!("lobby"), &json!("member")));
        assert_eq!(ann.ask("send message", "hi").await["ok"], true, "the membership is restored");
    }
    drop(bob);
    server.stop().await;
}
