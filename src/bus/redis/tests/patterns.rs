//! Messages of other programs, from real servers that fail.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    super::{RedisKind, RedisOptionsError, RedisPatterns},
    harness::{Server, options, wait_until},
    proxy::Proxy,
};

/// A subscription that runs, and what it has received.
struct Subscriber {
    received: mpsc::Receiver<(String, String)>,
    _task: JoinSet<()>,
}

impl Subscriber {
    fn start(url: &str) -> Self {
        let options = options("ann", RedisKind::Standalone, &[url]);
        let patterns = ["io#/*", "io-request#/*"].map(str::to_owned);
        let subscription = RedisPatterns::new(&options, patterns).unwrap();
        let (sender, received) = mpsc::channel(99);
        let on_message = move |channel: &[u8], payload: &[u8]| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            sender.try_send((text(channel), text(payload))).unwrap();
        };
        let mut task = JoinSet::new();
        task.spawn(subscription.run(on_message));
        Self { received, _task: task }
    }

    async fn receive(&mut self) -> (String, String) {
        timeout(Duration::from_secs(20), self.received.recv()).await.unwrap().unwrap()
    }
}

/// Waits until this number of connections have both subscriptions.
async fn subscribed(server: &Server, connections: usize) {
    let list = || server.run_command("CLIENT LIST TYPE pubsub");
    wait_until(|| async { list().await.matches("psub=2").count() == connections }).await;
}

async fn publishes(server: &Server, subscriber: &mut Subscriber, payload: &str) {
    server.run_command(&format!("PUBLISH io#/shop# {payload}")).await;
    assert_eq!(subscriber.receive().await, ("io#/shop#".to_owned(), payload.to_owned()));
}

#[tokio::test]
async fn what_matches_a_pattern_is_received_in_order() {
    let server = Server::start().await;
    let mut subscriber = Subscriber::start(&server.url());
    subscribed(&server, 1).await;
    for (channel, payload) in [("io#/#", "1"), ("io#shop#", "2"), ("xio#/#", "3")] {
        server.run_command(&format!("PUBLISH {channel} {payload}")).await;
    }
    server.run_command("PUBLISH io-request#/# 4").await;
    for expected in [("io#/#", "1"), ("io-request#/#", "4")] {
        let (channel, payload) = subscriber.receive().await;
        assert_eq!((&*channel, &*payload), expected);
    }
}

#[tokio::test]
async fn recovers_when_the_server_restarts() {
    let mut server = Server::start().await;
    let mut subscriber = Subscriber::start(&server.url());
    for payload in ["1", "2"] {
        subscribed(&server, 1).await;
        publishes(&server, &mut subscriber, payload).await;
        server.kill();
        server.restart().await;
    }
    subscribed(&server, 1).await;
}

#[tokio::test]
async fn notices_a_connection_that_is_dead_without_a_word() {
    let server = Server::start().await;
    let proxy = Proxy::in_front_of(server.port).await;
    let mut subscriber = Subscriber::start(&proxy.url());
    subscribed(&server, 1).await;
    proxy.freeze();
    subscribed(&server, 2).await;
    publishes(&server, &mut subscriber, "1").await;
}

#[test]
fn a_list_without_a_server_is_refused() {
    let options = options("ann", RedisKind::Cluster, &[]);
    let refused = RedisPatterns::new(&options, []).map(drop);
    assert_eq!(refused, Err(RedisOptionsError::NoServer));
}
