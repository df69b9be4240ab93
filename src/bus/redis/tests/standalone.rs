//! One server, and all is well.

use std::num::NonZeroUsize;

use super::harness::{Node, Server, options, two_ears, until};
use crate::{
    bus::{
        contract::{self, Ear, channel, news},
        redis::RedisKind,
    },
    chat::ports::{Bus as _, Heard},
};

#[tokio::test]
async fn keeps_the_contract_alone() {
    let server = Server::start().await;
    let me = Node::start("me", &server.url());
    contract::bus(&*me.bus).await;
    assert!(me.bus.next().await.is_none());
}

#[tokio::test]
async fn keeps_the_contract_of_three_nodes() {
    let server = Server::start().await;
    let nodes = ["ann", "bob", "eve"].map(|name| Node::start(name, &server.url()));
    let [ann, bob, eve] = &nodes;
    contract::three_nodes([("ann", &*ann.bus), ("bob", &*bob.bus), ("eve", &*eve.bus)]).await;
}

#[tokio::test]
async fn what_is_not_listened_to_any_more_is_unsubscribed_from() {
    let server = Server::start().await;
    let ann = Node::start("ann", &server.url());
    let ear = ann.ear();
    ear.listen([7, 8]).await;
    ear.listen([8]).await;
    let count = || async { server.order("PUBSUB NUMSUB {roomcast:7}:7").await };
    until(|| async { count().await.contains(":0\r\n") }).await;
    ear.listen([7, 8]).await;
    assert!(count().await.contains(":1\r\n"));
}

#[tokio::test]
async fn nodes_with_another_prefix_are_not_heard() {
    let server = Server::start().await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    let mut strange = options("eve", RedisKind::Standalone, &[&server.url()]);
    "talk".clone_into(&mut strange.prefix);
    let eve = Node::start_with(&strange, "eve");
    let (ann, bob) = two_ears(&ann, &bob, &[7]).await;
    let eve = eve.ear();
    eve.listen([7]).await;
    eve.say(7, 1);
    eve.whole().await;
    ann.say(7, 2);
    assert_eq!(bob.hears().await.2, 2);
}

#[tokio::test]
async fn rubbish_on_a_channel_is_passed_over() {
    let server = Server::start().await;
    let (ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    let (ann, bob) = two_ears(&ann, &bob, &[7]).await;
    for rubbish in ["x", "{}", r#"{"v":1,"from":"a","n":-1}"#, "[[[[", "\u{1}"] {
        server.order(&format!("PUBLISH {{roomcast:7}}:7 '{rubbish}'")).await;
    }
    server.order("PUBLISH {roomcast:0}:node:bob 0:99999999999999").await;
    ann.say(7, 2);
    assert_eq!(bob.hears().await.2, 2);
}

#[tokio::test]
async fn a_consumer_that_does_not_keep_up_is_told_of_the_hole() {
    let server = Server::start().await;
    let ann = Node::start("ann", &server.url());
    let mut small = options("bob", RedisKind::Standalone, &[&server.url()]);
    small.queue_max = NonZeroUsize::new(10).unwrap();
    let bob = Node::start_with(&small, "bob");
    let (ann, ear) = two_ears(&ann, &bob, &[7]).await;
    for number in 1..=11 {
        ann.say(7, number);
    }
    ear.broken().await;
    for number in 1..=10 {
        assert_eq!(ear.hears().await.2, number);
    }
    assert!(matches!(bob.bus.next().await, Some(Heard::Opened(_))));
    ear.whole().await;
    ann.say(7, 12);
    assert_eq!(ear.hears().await.2, 12);
}

#[tokio::test]
async fn a_close_sends_what_waits_and_ends_the_run() {
    let server = Server::start().await;
    let (mut ann, bob) = (Node::start("ann", &server.url()), Node::start("bob", &server.url()));
    let ear = Ear::new("bob", &*bob.bus);
    ear.listen([7]).await;
    ann.ear().whole().await;
    for number in 1..=100 {
        ann.bus.publish(channel(7), news("ann", number));
    }
    ann.bus.close().await;
    ann.bus.publish(channel(7), news("ann", 101));
    ann.ended().await;
    for number in 1..=100 {
        assert_eq!(ear.hears().await.2, number);
    }
    assert!(ann.bus.next().await.is_none_or(|heard| matches!(heard, Heard::Opened(_))));
    assert!(!ann.bus.is_whole());
}
