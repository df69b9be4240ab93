//! One server without failures.

use std::num::NonZeroUsize;

use super::harness::{Node, Server, options, two_listeners, wait_until};
use crate::{
    bus::{
        contract::{self, TestListener, channel, event},
        redis::RedisKind,
    },
    chat::ports::{Bus as _, BusEvent},
};

#[tokio::test]
async fn keeps_the_contract_of_a_single_node() {
    let server = Server::start().await;
    let me = Node::start("me", &server.url());
    contract::single_node_contract(&*me.bus).await;
    assert!(me.bus.next().await.is_none());
}

#[tokio::test]
async fn keeps_the_contract_of_three_nodes() {
    let server = Server::start().await;
    let nodes = ["ann", "bob", "eve"].map(|name| Node::start(name, &server.url()));
    let [ann, bob, eve] = &nodes;
    contract::three_node_contract([("ann", &*ann.bus), ("bob", &*bob.bus), ("eve", &*eve.bus)])
        .await;
}

#[tokio::test]
async fn removed_channels_are_unsubscribed() {
    let server = Server::start().await;
    let ann = Node::start("ann", &server.url());
    let listener = ann.listener();
    listener.listen([7, 8]).await;
    listener.listen([8]).await;
    let count = || async { server.run_command("PUBSUB NUMSUB {roomcast:7}:7").await };
    wait_until(|| async { count().await.contains(":0\r\n") }).await;
    listener.listen([7, 8]).await;
    assert!(count().await.contains(":1\r\n"));
}

#[tokio::test]
async fn nodes_with_another_prefix_are_ignored() {
    let server = Server::start().await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    let mut strange = options("eve", RedisKind::Standalone, &[&server.url()]);
    "talk".clone_into(&mut strange.prefix);
    let eve = Node::start_with(&strange, "eve");
    let (ann, bob) = two_listeners(&ann, &bob, &[7]).await;
    let eve = eve.listener();
    eve.listen([7]).await;
    eve.publish(7, 1);
    eve.wait_connected().await;
    ann.publish(7, 2);
    assert_eq!(bob.receive().await.2, 2);
}

#[tokio::test]
async fn malformed_payloads_are_ignored() {
    let server = Server::start().await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    let (ann, bob) = two_listeners(&ann, &bob, &[7]).await;
    for rubbish in ["x", "{}", r#"{"v":1,"from":"a","n":-1}"#, "[[[[", "\u{1}"] {
        server.run_command(&format!("PUBLISH {{roomcast:7}}:7 '{rubbish}'")).await;
    }
    server.run_command("PUBLISH {roomcast:0}:node:bob 0:99999999999999").await;
    ann.publish(7, 2);
    assert_eq!(bob.receive().await.2, 2);
}

#[tokio::test]
async fn a_slow_consumer_is_notified_of_the_gap() {
    let server = Server::start().await;
    let ann = Node::start("ann", &server.url());
    let mut small = options("bob", RedisKind::Standalone, &[&server.url()]);
    small.queue_max = NonZeroUsize::new(10).unwrap();
    let bob = Node::start_with(&small, "bob");
    let (ann, listener) = two_listeners(&ann, &bob, &[7]).await;
    for number in 1..=11 {
        ann.publish(7, number);
    }
    listener.wait_disconnected().await;
    for number in 1..=10 {
        assert_eq!(listener.receive().await.2, number);
    }
    assert!(matches!(bob.bus.next().await, Some(BusEvent::Subscribed(_))));
    listener.wait_connected().await;
    ann.publish(7, 12);
    assert_eq!(listener.receive().await.2, 12);
}

#[tokio::test]
async fn a_close_flushes_the_queue_and_ends_the_run() {
    let server = Server::start().await;
    let (mut ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    let listener = TestListener::new("bob", &*bob.bus);
    listener.listen([7]).await;
    ann.listener().wait_connected().await;
    for number in 1..=100 {
        ann.bus.publish(channel(7), event("ann", number));
    }
    ann.bus.close().await;
    ann.bus.publish(channel(7), event("ann", 101));
    ann.wait_ended().await;
    for number in 1..=100 {
        assert_eq!(listener.receive().await.2, number);
    }
    assert!(
        ann.bus.next().await.is_none_or(|received| matches!(received, BusEvent::Subscribed(_)))
    );
    assert!(!ann.bus.is_connected());
}
