//! One server, and something goes wrong: the bus says so, and heals by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    harness::{Node, Server, healed, two_ears},
    proxy::Proxy,
};
use crate::{
    bus::contract::{channel, news},
    chat::ports::Bus as _,
};

const CHANNELS: [u16; 4] = [7, 8, 100, 1024];

/// Two nodes of a server, all well.
async fn two() -> (Server, Node, Node) {
    let server = Server::start().await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    (server, ann, bob)
}

#[tokio::test]
async fn a_server_may_start_again() {
    let (mut server, ann, bob) = two().await;
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    server.kill();
    ann.broken().await;
    bob.broken().await;
    server.start_again().await;
    healed(&ann, &bob, &CHANNELS).await;
}

#[tokio::test]
async fn a_server_may_come_late() {
    let mut server = Server::start().await;
    server.kill();
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    assert!(!ann.bus.is_whole());
    server.start_again().await;
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    ann.say(8, 3);
    assert_eq!(bob.hears().await.2, 3);
}

#[tokio::test]
async fn a_server_may_stand_still() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    server.signal("-STOP");
    ann.broken().await;
    bob.broken().await;
    server.signal("-CONT");
    healed(&ann, &bob, &CHANNELS).await;
}

#[tokio::test]
async fn a_server_may_sleep() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    let _sleeps = server.order_and_go("DEBUG SLEEP 4").await;
    ann.broken().await;
    bob.broken().await;
    healed(&ann, &bob, &CHANNELS).await;
}

#[tokio::test]
async fn connections_may_be_killed() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    for _ in 0..3 {
        let answer = server.order("CLIENT KILL TYPE pubsub").await;
        assert!(answer.starts_with(":2"), "{answer}");
        healed(&ann, &bob, &CHANNELS).await;
    }
}

#[tokio::test]
async fn a_server_may_be_emptied() {
    let (server, ann, bob) = two().await;
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    server.order("FLUSHALL").await;
    assert!(ann.is_whole() && bob.is_whole());
    ann.say(7, 2);
    assert_eq!(bob.hears().await, ("ann".to_owned(), 7, 2));
}

/// Nobody tells of the end of a connection whose packets go nowhere.
#[tokio::test]
async fn a_connection_may_become_a_black_hole() {
    let server = Server::start().await;
    let proxy = Proxy::before(server.port).await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &proxy.url()));
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    proxy.freeze();
    bob.broken().await;
    assert!(ann.is_whole());
    bob.opened_again(&CHANNELS).await;
    bob.whole().await;
    ann.say(7, 1);
    assert_eq!(bob.hears().await, ("ann".to_owned(), 7, 1));
}

#[tokio::test]
async fn who_publishes_does_not_wait_for_a_server() {
    let (mut server, ann, bob) = two().await;
    let (ears, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    server.signal("-STOP");
    let begin = Instant::now();
    for number in 1..=20_000 {
        ann.bus.publish(channel(7), news("ann", number));
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    ears.broken().await;
    server.signal("-CONT");
    server.kill();
    server.start_again().await;
    healed(&ears, &bob, &CHANNELS).await;
}
