//! Names in many languages, as users, rooms and spaces, on every wire, stored and read again.

use futures_util::future::join_all;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use roomcast::{
    config::StoreKind,
    domain::{RoomName, SpacePattern},
};
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

#[path = "../../src/domain/name/languages.rs"]
mod languages;

use self::languages::{EMOJI, LANGUAGES};
use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

fn names() -> Vec<&'static str> {
    LANGUAGES.iter().map(|(_, name)| *name).chain(EMOJI).collect()
}

/// The spellings of a text: composed, apart, percent-encoded.
fn spelling(text: &str, number: usize) -> String {
    match number % 3 {
        0 => text.nfc().collect(),
        1 => text.nfd().collect(),
        _ => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
    }
}

/// A server with a space for each name.
async fn server() -> TestServer {
    TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        let spaces = names().into_iter().map(|name| SpacePattern::parse(&format!("/{name}")));
        config.spaces = spaces.map(Result::unwrap).collect();
    })
    .await
}

/// The parameters of a connection to the space and the room of this name.
fn options(wire: Wire, name: &str, number: usize) -> ConnectOptions {
    let spelled = match wire {
        // The query is encoded by the client.
        Wire::WebSocket => spelling(name, number % 2),
        Wire::SocketIo | Wire::Polling => spelling(name, number),
    };
    ConnectOptions::new().space(&format!("/{spelled}"))
}

/// The user of a name joins the space and the room of the same name and talks with a guest.
/// Returns the user's token.
async fn talk(server: &TestServer, wire: Wire, (number, name): (usize, &str)) -> String {
    let (composed, apart) = (spelling(name, 0), spelling(name, 1));
    let token = server.token(&apart, &["/*"]);
    let options_of = |room: &str| options(wire, name, number).room(room);
    let open = Client::open(server, wire, options_of(&composed).token(&token));
    let mut user = open.await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let welcome = user.next("welcome").await;
    assert_eq!(welcome["user"], composed);
    assert_eq!(welcome["rooms"][0]["room"], composed);
    let mut guest = Client::named_at(server, wire, "guest", options_of(&apart)).await;
    let said = user.ask("send message", json!({ "room": apart, "msg": name })).await;
    assert_eq!((&said["room"], &said["seq"]), (&json!(composed), &json!(1)), "{said}");
    let received = guest.next("new message").await;
    assert_eq!((&received["username"], &received["room"]), (&json!(composed), &json!(composed)));
    let direct = guest.ask("SingleChat", json!({ "to": apart, "data": 1 })).await;
    assert_eq!(direct["to"], composed, "{direct}");
    assert_eq!(user.next("SingleChat").await["user"], "guest");
    assert_eq!(guest.ask("GroupList", json!({ "room": apart })).await["count"], 2);
    token
}

/// The user returns and receives what was stored.
async fn read_again(server: &TestServer, wire: Wire, (number, name): (usize, &str), token: &str) {
    let since = options(wire, name, number).token(token).since(&spelling(name, 1), 0);
    let mut user = Client::open(server, wire, since).await.ok().unwrap();
    assert_eq!(user.next("welcome").await["user"], spelling(name, 0));
    let missed = user.missed(&spelling(name, 0)).await.unwrap();
    assert_eq!((missed.len(), &missed[0]["msg"]), (1, &json!(name)));
}

/// Each name has a space of its own, so all names are used at once: they share commits and waits.
async fn every_language_works_and_is_stored(wire: Wire) {
    let server = server().await;
    let names = names();
    let numbered = || names.iter().copied().enumerate();
    let tokens = join_all(numbered().map(|it| talk(&server, wire, it))).await;
    let server = server.restart().await;
    let returns = numbered().zip(&tokens).map(|(it, token)| read_again(&server, wire, it, token));
    join_all(returns).await;
    server.stop().await;
}

// One test per wire: under load, one for all wires takes longer than a test may.

#[tokio::test]
async fn every_language_works_on_a_websocket_and_is_stored() {
    Box::pin(every_language_works_and_is_stored(Wire::WebSocket)).await;
}

#[tokio::test]
async fn every_language_works_on_socketio_and_is_stored() {
    Box::pin(every_language_works_and_is_stored(Wire::SocketIo)).await;
}

#[tokio::test]
async fn every_language_works_on_polling_and_is_stored() {
    Box::pin(every_language_works_and_is_stored(Wire::Polling)).await;
}

/// Text of what names are made of.
fn any_text() -> impl Strategy<Value = String> {
    let listed = proptest::sample::select(names()).prop_map(str::to_owned);
    let part =
        prop_oneof![3 => listed, 2 => any::<char>().prop_map(String::from), 2 => "[ -~]{1,4}"];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

#[tokio::test]
async fn an_accepted_name_comes_back_normalized_on_every_wire() {
    let mut runner = TestRunner::deterministic();
    let mut any_text = || any_text().new_tree(&mut runner).unwrap().current();
    for wire in Wire::ALL {
        let server = TestServer::start().await;
        let texts: Vec<String> = (0..40).map(|_| any_text()).collect();
        for (number, text) in texts.iter().enumerate() {
            let mut client = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
            client.ask("new user", format!("guest {number}")).await;
            let answer = client.ask("join", json!({ "room": text })).await;
            let Ok(room) = RoomName::parse(text) else {
                assert_eq!(answer["code"], "room_invalid", "{text:?}: {answer}");
                continue;
            };
            assert_eq!(answer["room"], room.as_raw(), "{text:?}: {answer}");
            client.ask("send message", json!({ "room": text, "msg": 1, "id": "a" })).await;
            let history = client.ask("history", json!({ "room": spelling(text, 1) })).await;
            assert_eq!(history["messages"][0]["id"], "a", "{text:?}: {history}");
            client.close().await;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_guest_with_a_confusable_or_invisible_name_is_refused() {
    let server = TestServer::start().await;
    let ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for wire in Wire::ALL {
        let mut other = Client::open(&server, wire, ConnectOptions::new()).await.ok().unwrap();
        for name in ["аnn", "𝔞nn", "ΑΝΝ", "АNN"] {
            assert_eq!(other.refusal("new user", name).await, "name_taken", "{name}");
        }
        for name in ["\u{301}", "\u{e000}", "\u{378}", &format!("a{}", "\u{301}".repeat(40))] {
            assert_eq!(other.refusal("new user", name).await, "name_invalid", "{name:?}");
        }
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn rooms_are_percent_encoded_in_since_and_paths() {
    let server = TestServer::start().await;
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    for room in ["Room 1", "user@example.com", "#général 😀", "a,b", "100%", "a:1"] {
        let path = format!("/ws/{}", encode(room));
        let mut ann = Client::open_at(&server, &path, "").await.ok().unwrap();
        ann.ask("new user", format!("ann {room}")).await;
        assert_eq!(ann.next("welcome").await["rooms"][0]["room"], room);
        assert_eq!(ann.post("one").await, 1);
        let since = encode(&format!("{}:0", encode(room)));
        for since in [since, format!("{}:0", encode(room))] {
            let path = format!("/ws?since={since}");
            let mut bob = Client::open_at(&server, &path, "").await.ok().unwrap();
            bob.ask("new user", format!("bob {room} {}", since.len())).await;
            assert_eq!(bob.missed(room).await.unwrap().len(), 1, "{since}");
        }
    }
    server.stop().await;
}
