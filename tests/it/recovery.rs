//! Recovery: exactly the missed messages, or a notice that the gap is too large.

use std::num::NonZeroUsize;

use roomcast::config::{Config, StoreKind};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::TestServer,
};

/// The seqs of messages.
fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|it| it["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn recovery_delivers_exactly_the_missed_messages_and_then_live_ones() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut live = Vec::new();
    for number in 1..=5 {
        ann.post(&format!("number {number}")).await;
        live.push(ann.next("new message").await);
    }
    ann.ask("GroupChat", json!({ "data": "six" })).await;
    for wire in Wire::ALL {
        let token = server.token(&format!("bob {wire:?}"), &[]);
        let options = ConnectOptions::new().token(&token).since("lobby", 2);
        let mut bob = Client::open(&server, wire, options).await.ok().unwrap();
        let welcome = bob.next("welcome").await;
        let head = welcome["rooms"][0]["seq"].as_u64().unwrap();
        assert_eq!(welcome["rooms"][0]["unread"], 0, "a new member has nothing to read");
        let missed = bob.missed("lobby").await.unwrap();
        assert_eq!(seqs(&missed), (3..=head).collect::<Vec<_>>());
        for (message, live) in missed.iter().zip(&live[2..]) {
            let mut flat = live.clone();
            flat["event"] = "new message".into();
            assert_eq!(*message, flat, "flat, with the fields of the live event");
        }
        assert_eq!((&missed[3]["event"], &missed[3]["data"]), (&json!("GroupChat"), &json!("six")));
        assert_eq!(ann.post("live").await, head + 1);
        assert_eq!(bob.next("new message").await["seq"], head + 1);
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn recovery_without_missed_messages_is_an_empty_run() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.post("one").await;
    for wire in Wire::ALL {
        let options = ConnectOptions::new().since("lobby", 1).since("other", 0);
        let mut bob = Client::named_at(&server, wire, &format!("bob {wire:?}"), options).await;
        assert_eq!(bob.missed("lobby").await, Ok(Vec::new()));
        assert_eq!(bob.missed("other").await, Ok(Vec::new()));
        let list = bob.ask("GroupList", json!({ "room": "other" })).await;
        assert_eq!(list["ok"], true, "a room named in since is joined");
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_gap_at_the_limit_is_recovered_and_a_larger_one_is_not() {
    let server = TestServer::with(|config| config.limits.recover_messages_max = 5).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for _ in 0..6 {
        ann.post("x").await;
    }
    for wire in Wire::ALL {
        let options = |since| ConnectOptions::new().since("lobby", since);
        let name = |which: &str| format!("{which} {wire:?}");
        let mut at = Client::named_at(&server, wire, &name("at"), options(1)).await;
        assert_eq!(seqs(&at.missed("lobby").await.unwrap()), [2, 3, 4, 5, 6]);
        let mut past = Client::named_at(&server, wire, &name("past"), options(0)).await;
        assert_eq!(past.missed("lobby").await, Err(6));
        let mut ahead = Client::named_at(&server, wire, &name("ahead"), options(7)).await;
        assert_eq!(ahead.missed("lobby").await, Err(6));
        // The notice is sent once, and live events follow.
        for client in [&mut past, &mut ahead] {
            let page = client.ask("history", json!({ "after": 0 })).await;
            assert_eq!(page["messages"].as_array().unwrap().len(), 6);
            assert!(
                !client.has_received("missed").await && !client.has_received("new message").await
            );
        }
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn missed_messages_arrive_in_parts_within_the_attachment_limit() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let bytes = json!([{ "base64": "AAEC" }, { "base64": "/w==" }, { "base64": "" }]);
    for _ in 0..10 {
        ann.ask("send message", json!({ "msg": bytes })).await;
    }
    for wire in Wire::ALL {
        let options = ConnectOptions::new().since("lobby", 0);
        let mut bob = Client::named_at(&server, wire, &format!("bob {wire:?}"), options).await;
        let mut parts = Vec::new();
        while parts.last().is_none_or(|part: &Value| part["more"] == true) {
            parts.push(bob.next("missed").await);
        }
        let mut all = Vec::new();
        for part in &parts {
            let messages = part["messages"].as_array().unwrap();
            assert!(messages.len() * 3 <= 10, "{} messages with 3 each", messages.len());
            all.extend(messages.iter().cloned());
        }
        assert_eq!(seqs(&all), (1..=10).collect::<Vec<_>>());
        assert!(all.iter().all(|it| it["msg"] == bytes));
        let page = bob.ask("history", json!({ "limit": 200 })).await;
        assert_eq!((page["messages"].as_array().unwrap().len(), &page["more"]), (3, &json!(true)));
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_join_with_since_recovers_missed_messages() {
    let server = TestServer::start().await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    ann.ask("join", "news").await;
    for _ in 0..4 {
        ann.ask("send message", json!({ "room": "news", "msg": "x" })).await;
    }
    for wire in Wire::ALL {
        let mut bob = Client::named(&server, wire, &format!("bob {wire:?}")).await;
        for since in [1, 3] {
            let joined = bob.ask("join", json!({ "room": "news", "since": since })).await;
            assert_eq!((&joined["ok"], &joined["seq"]), (&json!(true), &json!(4)));
            let missed = bob.missed("news").await.unwrap();
            assert_eq!(seqs(&missed), (since + 1..=4).collect::<Vec<_>>());
        }
        bob.ask("leave", "news").await;
    }
    drop(ann);
    server.stop().await;
}

/// Posts until `stop`. Returns how many.
async fn post_until(mut client: Client, mut stop: watch::Receiver<bool>) -> u64 {
    while !*stop.borrow_and_update() {
        client.post("on and on").await;
    }
    client.post("the last").await
}

/// Reconnects `times` times, and disconnects after a few events; then receives everything to the
/// end.
async fn reconnect_repeatedly(
    server: &TestServer,
    times: usize,
    stop: watch::Sender<bool>,
) -> Vec<u64> {
    let token = server.token("bob", &[]);
    let mut received: Vec<u64> = Vec::new();
    for time in 0..=times {
        let since = received.last().copied().unwrap_or(0);
        let options = ConnectOptions::new().token(&token).since("lobby", since);
        let wire = Wire::ALL[time % 3];
        let mut bob = Client::open(server, wire, options).await.ok().unwrap();
        received.extend(seqs(&bob.missed("lobby").await.expect("a gap that can be sent")));
        if time == times {
            stop.send_replace(true);
        }
        let mut left = if time == times { usize::MAX } else { time % 7 };
        while left > 0 {
            let message = bob.next("new message").await;
            received.push(message["seq"].as_u64().unwrap());
            left = if message["msg"] == "the last" { 0 } else { left - 1 };
        }
        bob.close().await;
    }
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_reconnects_lose_and_repeat_no_message() {
    // The ring is too short for most gaps, so that the store is read, too.
    let short = |config: &mut Config| {
        config.limits.ring_messages_max = NonZeroUsize::new(8).unwrap();
    };
    let short_on_disk = |config: &mut Config| {
        short(config);
        config.store = StoreKind::Sqlite;
    };
    let servers = [
        TestServer::start().await,
        TestServer::with(short).await,
        TestServer::with(short_on_disk).await,
    ];
    for server in servers {
        let (stop, stopped) = watch::channel(false);
        let ann = Client::named(&server, Wire::WebSocket, "ann").await;
        let poster = tokio::task::JoinSet::from_iter([post_until(ann, stopped)]);
        let received = reconnect_repeatedly(&server, 50, stop).await;
        let said = poster.join_all().await[0];
        assert_eq!(received, (1..=said).collect::<Vec<_>>());
        server.stop().await;
    }
}
