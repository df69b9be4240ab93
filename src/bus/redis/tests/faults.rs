//! One server with failures: the bus reports them and recovers by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    harness::{Node, Server, two_listeners, wait_recovered},
    proxy::Proxy,
};
use crate::{
    bus::contract::{channel, event},
    chat::ports::Bus as _,
};

const CHANNELS: [u16; 4] = [7, 8, 100, 1024];

/// Two connected nodes of a server.
async fn two() -> (Server, Node, Node) {
    let server = Server::start().await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    (server, ann, bob)
}

#[tokio::test]
async fn recovers_when_the_server_restarts() {
    let (mut server, ann, bob) = two().await;
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    server.kill();
    ann.wait_disconnected().await;
    bob.wait_disconnected().await;
    server.restart().await;
    wait_recovered(&ann, &bob, &CHANNELS).await;
}

#[tokio::test]
async fn connects_when_the_server_starts_late() {
    let mut server = Server::start().await;
    server.kill();
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    assert!(!ann.bus.is_connected());
    server.restart().await;
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    ann.publish(8, 3);
    assert_eq!(bob.receive().await.2, 3);
}

#[tokio::test]
async fn recovers_when_the_server_is_stopped_for_a_while() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    server.signal("-STOP");
    ann.wait_disconnected().await;
    bob.wait_disconnected().await;
    server.signal("-CONT");
    wait_recovered(&ann, &bob, &CHANNELS).await;
}

#[tokio::test]
async fn recovers_when_the_server_blocks() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    let _sleeps = server.start_command("DEBUG SLEEP 4").await;
    ann.wait_disconnected().await;
    bob.wait_disconnected().await;
    wait_recovered(&ann, &bob, &CHANNELS).await;
}

#[tokio::test]
async fn recovers_when_connections_are_killed() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    for _ in 0..3 {
        let answer = server.run_command("CLIENT KILL TYPE pubsub").await;
        assert!(answer.starts_with(":2"), "{answer}");
        wait_recovered(&ann, &bob, &CHANNELS).await;
    }
}

#[tokio::test]
async fn stays_connected_when_the_server_is_flushed() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    server.run_command("FLUSHALL").await;
    assert!(ann.is_connected() && bob.is_connected());
    ann.publish(7, 2);
    assert_eq!(bob.receive().await, ("ann".to_owned(), 7, 2));
}

/// The end of a connection is not signalled when its packets are dropped.
#[tokio::test]
async fn recovers_when_packets_are_dropped_silently() {
    let server = Server::start().await;
    let proxy = Proxy::in_front_of(server.port).await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &proxy.url()));
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    proxy.freeze();
    bob.wait_disconnected().await;
    assert!(ann.is_connected());
    bob.wait_subscribed_again(&CHANNELS).await;
    bob.wait_connected().await;
    ann.publish(7, 1);
    assert_eq!(bob.receive().await, ("ann".to_owned(), 7, 1));
}

#[tokio::test]
async fn publish_does_not_wait_for_the_server() {
    let (mut server, ann, bob) = two().await;
    let (ann_listener, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    server.signal("-STOP");
    let begin = Instant::now();
    for number in 1..=20_000 {
        ann.bus.publish(channel(7), event("ann", number));
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    ann_listener.wait_disconnected().await;
    server.signal("-CONT");
    server.kill();
    server.restart().await;
    wait_recovered(&ann_listener, &bob, &CHANNELS).await;
}
