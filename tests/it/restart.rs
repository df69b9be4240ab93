//! The names of guests after a restart of the server.

use roomcast::{config::StoreKind, domain::GuestDevices};
use serde_json::Value;
use tokio::task::yield_now;

use crate::{
    clients::{Client, ConnectOptions, Wire},
    harness::{TestCluster, TestServer, wait_for},
};

/// A grace period that ends within the test.
const SHORT_MS: u64 = 200;
/// A grace period that does not.
const LONG_MS: u64 = 60_000;

/// A server with messages on disk, and with this grace period, that drains fast.
async fn on_disk(grace_ms: u64) -> TestServer {
    TestServer::with(|config| {
        config.store = StoreKind::Sqlite;
        config.limits.presence_grace_ms = grace_ms;
        config.drain_ms_max = 400;
    })
    .await
}

async fn anonymous(server: &TestServer, wire: Wire) -> Client {
    Client::open(server, wire, ConnectOptions::new()).await.ok().unwrap()
}

/// Claims a name until it is free. Returns the welcome.
async fn claim(client: &mut Client, name: &str) -> Value {
    wait_for("a free name", async {
        loop {
            let answer = client.ask("new user", name).await;
            if answer["ok"] == true {
                return;
            }
            assert_eq!(answer["code"], "name_taken");
        }
    })
    .await;
    client.next("welcome").await
}

#[tokio::test]
async fn the_name_of_an_online_guest_is_reserved_after_a_restart() {
    for wire in Wire::ALL {
        let server = on_disk(LONG_MS).await;
        let mut ann = Client::named(&server, wire, "Ann").await;
        ann.ask("join", "den").await;
        let token = ann.token.clone();
        let server = server.restart().await;
        let mut other = anonymous(&server, wire).await;
        for name in ["Ann", "ann", "\u{410}nn"] {
            assert_eq!(other.refusal("new user", name).await, "name_taken", "{wire:?} {name}");
        }
        let options = ConnectOptions::new().token(&token);
        let mut back = Client::open(&server, wire, options).await.ok().unwrap();
        let welcome = back.next("welcome").await;
        assert_eq!(welcome["user"], "Ann");
        let rooms = welcome["rooms"].as_array().unwrap().iter().map(|it| &it["room"]);
        assert_eq!(rooms.collect::<Vec<_>>(), ["lobby", "den"]);
        drop((ann, other, back));
        server.stop().await;
    }
}

#[tokio::test]
async fn the_device_of_an_online_guest_is_known_after_a_restart() {
    for wire in Wire::ALL {
        let server = on_disk(LONG_MS).await;
        let phone = || ConnectOptions::new().device("phone");
        let mut ann = Client::open(&server, wire, phone()).await.ok().unwrap();
        ann.identify("ann").await;
        ann.ask("join", "den").await;
        ann.close().await;
        let server = server.restart().await;
        let mut back = Client::open(&server, wire, phone()).await.ok().unwrap();
        let buffered = back.send("send message", "buffered").await;
        let welcome = back.identify("ann").await;
        assert_eq!(welcome["rooms"].as_array().map(Vec::len), Some(2), "{welcome}");
        assert_eq!(back.answer(buffered).await["ok"], true);
        back.close().await;
        let ignored = server.restart_with(|it| it.token.guest_devices = GuestDevices::Ignored);
        let server = ignored.await;
        let mut back = Client::open(&server, wire, phone()).await.ok().unwrap();
        assert_eq!(back.refusal("new user", "ann").await, "name_taken");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_reserved_name_is_free_after_the_grace_period() {
    let server = on_disk(SHORT_MS).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.ask("join", "den").await;
    let token = ann.token.clone();
    let server = server.restart().await;
    let mut other = anonymous(&server, Wire::WebSocket).await;
    let welcome = claim(&mut other, "ann").await;
    assert_eq!(welcome["rooms"].as_array().map(Vec::len), Some(1), "of the next guest: {welcome}");
    let back = Client::open(&server, Wire::WebSocket, ConnectOptions::new().token(&token)).await;
    assert_eq!(back.err().unwrap().code, "name_taken");
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_guest_that_returns_after_the_grace_period_begins_anew() {
    let server = on_disk(SHORT_MS).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let bob = Client::named(&server, Wire::WebSocket, "bob").await;
    ann.ask("join", "den").await;
    let token = ann.token.clone();
    let server = server.restart().await;
    // Both names are free at the same time.
    claim(&mut anonymous(&server, Wire::WebSocket).await, "bob").await;
    let options = ConnectOptions::new().token(&token);
    let mut back = Client::open(&server, Wire::WebSocket, options).await.ok().unwrap();
    let rooms = back.next("welcome").await["rooms"].as_array().map(Vec::len);
    assert_eq!(rooms, Some(1), "the membership in the other room ended");
    drop((ann, bob));
    server.stop().await;
}

#[tokio::test]
async fn a_back_end_user_takes_a_reserved_name() {
    let server = on_disk(LONG_MS).await;
    let ann = Client::named(&server, Wire::WebSocket, "Ann").await;
    let old = ann.token.clone();
    let server = server.restart().await;
    let user = Client::with_token(&server, Wire::WebSocket, &server.token("ann", &[])).await;
    let back = Client::open(&server, Wire::WebSocket, ConnectOptions::new().token(&old)).await;
    assert_eq!(back.err().unwrap().code, "name_taken");
    drop((ann, user));
    server.stop().await;
}

#[tokio::test]
async fn the_other_nodes_reserve_the_names_of_a_node_that_left() {
    for wire in Wire::ALL {
        let (cluster, one, other) = TestCluster::pair(|config| {
            config.limits.presence_grace_ms = LONG_MS;
            config.drain_ms_max = 400;
        });
        let mut ann = Client::named(&one, wire, "Ann").await;
        ann.ask("join", "den").await;
        let token = ann.token.clone();
        one.drain().await;
        let third = cluster.start_with("third", |config| {
            config.limits.presence_grace_ms = LONG_MS;
            config.drain_ms_max = 400;
        });
        for node in [&other, &third] {
            let mut late = anonymous(node, wire).await;
            for name in ["Ann", "ann"] {
                assert_eq!(late.refusal("new user", name).await, "name_taken", "{wire:?} {name}");
            }
        }
        let options = ConnectOptions::new().token(&token);
        let mut back = Client::open(&other, wire, options).await.ok().unwrap();
        let rooms = back.next("welcome").await["rooms"].as_array().map(Vec::len);
        assert_eq!(rooms, Some(2), "{wire:?}");
        drop((ann, back));
        other.stop().await;
        third.stop().await;
    }
}

#[tokio::test]
async fn the_device_of_a_guest_is_known_on_the_other_nodes() {
    let (_cluster, one, other) = TestCluster::pair(|config| {
        config.limits.presence_grace_ms = LONG_MS;
        config.drain_ms_max = 400;
    });
    for wire in Wire::ALL {
        let (name, device) = (format!("ann {wire:?}"), format!("phone-{wire:?}"));
        let with = |device: &str| ConnectOptions::new().device(device);
        let mut ann = Client::open(&one, wire, with(&device)).await.ok().unwrap();
        ann.identify(&name).await;
        ann.ask("join", "den").await;
        ann.close().await;
        let mut late = Client::open(&other, wire, with("another")).await.ok().unwrap();
        assert_eq!(late.refusal("new user", name.as_str()).await, "name_taken", "{wire:?}");
        let mut back = Client::open(&other, wire, with(&device)).await.ok().unwrap();
        let welcome = back.identify(&name).await;
        assert_eq!(welcome["rooms"].as_array().map(Vec::len), Some(2), "{wire:?}");
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn the_names_of_a_node_that_left_are_free_after_the_grace_period() {
    let (cluster, one, other) = TestCluster::pair(|config| {
        config.limits.presence_grace_ms = SHORT_MS;
        config.drain_ms_max = 400;
    });
    let mut ann = Client::named(&one, Wire::WebSocket, "ann").await;
    ann.ask("join", "den").await;
    assert!(cluster.is_member("den", "ann").await);
    one.drain().await;
    wait_for("the end of the guest's membership", async {
        while cluster.is_member("den", "ann").await {
            yield_now().await;
        }
    })
    .await;
    claim(&mut anonymous(&other, Wire::WebSocket).await, "ann").await;
    drop(ann);
    other.stop().await;
}
