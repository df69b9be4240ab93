//! Gauges of what is wrong: each is seen with a value, and at rest again.

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::{
    clients::{Client, Wire, raw::Raw},
    harness::{TestCluster, TestServer, wait_for},
};

/// Waits until a gauge has a value that fits.
async fn until(server: &TestServer, gauge: &str, fits: impl Fn(u64) -> bool + Send + Sync) {
    wait_for(gauge, async {
        while !fits(server.metric(gauge)) {
            yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_bus_is_down_while_it_is_cut() {
    let (cluster, one, other) = TestCluster::pair(|_| ());
    for server in [&one, &other] {
        assert_eq!(server.metric("roomcast_bus_up"), 1);
    }
    cluster.cut(None);
    for server in [&one, &other] {
        until(server, "roomcast_bus_up", |it| it == 0).await;
    }
    cluster.heal(None);
    for server in [&one, &other] {
        until(server, "roomcast_bus_up", |it| it == 1).await;
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn the_store_is_down_and_the_journal_waits_while_the_database_is_locked() {
    let server = TestServer::with(|config| {
        config.store = roomcast::config::StoreKind::Sqlite;
    })
    .await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    ann.post("before").await;
    let lock = Connection::open(server.config().data.join("roomcast.db")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut numbers = Vec::new();
    for text in ["first", "second"] {
        numbers.push(ann.send("send message", json!({ "msg": text })).await);
        until(&server, "roomcast_journal_bytes", |it| it > 0).await;
        if text == "first" {
            // The store has it, so the second one waits.
            until(&server, "roomcast_journal_waiting", |it| it == 0).await;
        }
    }
    until(&server, "roomcast_journal_waiting", |it| it > 0).await;
    for number in numbers {
        assert_eq!(ann.answer(number).await["code"], Value::from("unavailable"));
    }
    assert_eq!(server.metric("roomcast_store_up"), 0);
    assert!(server.metric("roomcast_commits_failed_total") > 0);
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ann.post("after").await, 2);
    assert_eq!(server.metric("roomcast_store_up"), 1);
    for gauge in ["roomcast_journal_waiting", "roomcast_journal_bytes"] {
        until(&server, gauge, |it| it == 0).await;
    }
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn polls_and_probes_are_counted() {
    let server = TestServer::start().await;
    let mut polly = Client::named(&server, Wire::Polling, "polly").await;
    let before = server.metric("roomcast_polls_total");
    assert!(before > 0);
    polly.post("one more answer, and so one more poll").await;
    assert!(server.metric("roomcast_polls_total") > before);
    assert_eq!(server.metric("roomcast_bus_probe_seconds_count"), 0, "nobody has asked");
    assert_eq!(Raw::connect(&server).await.get("/health/ready").await.status, 200);
    assert_eq!(server.metric("roomcast_bus_probe_seconds_count"), 1);
    drop(polly);
    server.stop().await;
}

#[tokio::test]
async fn bytes_wait_for_a_client_that_reads_nothing() {
    let server = TestServer::start().await;
    let token = server.token("stuck", &[]);
    let mut stuck = Raw::with_small_buffer(&server).await;
    stuck.handshake(&format!("/ws?token={token}"), "").await;
    server.has_connections(1).await;
    let mut ann = Client::named(&server, Wire::SocketIo, "ann").await;
    let large = "x".repeat(200 << 10);
    // The first ones are in the buffers of the system.
    for _ in 0..100 {
        ann.post(&large).await;
        ann.next("new message").await;
        if server.metric("roomcast_outbox_bytes") > 0 {
            break;
        }
    }
    assert!(server.metric("roomcast_outbox_bytes") > 0);
    drop(stuck);
    until(&server, "roomcast_outbox_bytes", |it| it == 0).await;
    drop(ann);
    server.stop().await;
}
