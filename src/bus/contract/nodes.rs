//! The contract of a bus with several nodes, without faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};

use super::{channel, event};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::{Announcement, Bus, BusEvent, ClusterEvent},
        test_support::entry,
    },
    domain::{Act, Body, Channel, Content, MessageKind, NodeId},
};

/// The time after which a test fails.
const TEST_WAIT_MAX: Duration = Duration::from_secs(15);
/// How often the connection state is polled: the port has no notification.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The number of events in a row, fewer than any engine may queue.
const BURST: u64 = 1000;

/// Tests three nodes of one bus, without subscriptions so far, against the port's guarantees.
pub(crate) async fn three_node_contract(nodes: [(&str, &dyn Bus); 3]) {
    let [ann, bob, eve] = nodes.map(|(name, bus)| TestListener::new(name, bus));
    events_arrive_with_number_and_channel([&ann, &bob, &eve]).await;
    only_subscribed_channels_are_received([&ann, &bob, &eve]).await;
    a_new_subscription_is_confirmed_again(&ann, &bob).await;
    order_is_kept(&ann, &bob).await;
    every_channel_delivers(&ann, &bob).await;
    large_entries_arrive_untouched(&ann, &bob).await;
}

/// A node; each wait for its events has a timeout.
pub(crate) struct TestListener<'a> {
    name: &'a str,
    bus: &'a dyn Bus,
    channels: Mutex<BTreeSet<Channel>>,
}

impl<'a> TestListener<'a> {
    pub(crate) fn new(name: &'a str, bus: &'a dyn Bus) -> Self {
        Self { name, bus, channels: Mutex::default() }
    }

    /// The name of the node.
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// Whether the node is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.bus.is_connected()
    }

    /// Publishes a message on a channel.
    pub(crate) fn publish(&self, on: u16, number: u64) {
        self.bus.publish(channel(on), event(self.name, number));
    }

    /// Subscribes to these channels, and waits until the new ones are confirmed and the node is
    /// connected.
    pub(crate) async fn listen(&self, channels: impl IntoIterator<Item = u16> + Send) {
        let channels: BTreeSet<_> = channels.into_iter().map(channel).collect();
        self.bus.set_subscriptions(&channels);
        let before = std::mem::replace(&mut *self.channels.lock().unwrap(), channels.clone());
        self.wait_subscribed(channels.difference(&before).copied().collect()).await;
        self.wait_connected().await;
    }

    /// Waits until these channels are confirmed once more.
    pub(crate) async fn wait_subscribed_again(&self, channels: &[u16]) {
        self.wait_subscribed(channels.iter().copied().map(channel).collect()).await;
    }

    /// Waits until all of these channels are confirmed. Other events are skipped.
    async fn wait_subscribed(&self, mut missing: BTreeSet<Channel>) {
        while !missing.is_empty() {
            if let BusEvent::Subscribed(channels) = self.next().await {
                missing.retain(|it| !channels.contains(it));
            }
        }
    }

    /// Waits until the bus is connected.
    pub(crate) async fn wait_connected(&self) {
        let wait = wait_until(|| self.bus.is_connected());
        assert!(timeout(TEST_WAIT_MAX, wait).await.is_ok(), "{} does not connect", self.name);
    }

    /// Waits until the bus is disconnected.
    pub(crate) async fn wait_disconnected(&self) {
        let wait = wait_until(|| !self.bus.is_connected());
        assert!(timeout(TEST_WAIT_MAX, wait).await.is_ok(), "{} does not disconnect", self.name);
    }

    /// Waits for an event; confirmations are skipped.
    pub(crate) async fn next_event(&self) -> (Channel, Announcement) {
        loop {
            if let BusEvent::Received(channel, event) = self.next().await {
                return (channel, event);
            }
        }
    }

    /// Waits for an event, and returns its publisher, channel and number.
    pub(crate) async fn receive(&self) -> (String, u16, u64) {
        let (channel, Announcement { from, number, event: _ }) = self.next_event().await;
        (from.as_raw().to_owned(), channel.as_raw(), number)
    }

    async fn next(&self) -> BusEvent {
        let received = timeout(TEST_WAIT_MAX, self.bus.next()).await;
        received
            .unwrap_or_else(|_| panic!("{} received nothing", self.name))
            .expect("the bus is open")
    }
}

/// Waits until `is_so`.
async fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(POLL_INTERVAL).await;
    }
}

/// The result of [`TestListener::receive`].
fn sent(from: &str, channel: u16, number: u64) -> (String, u16, u64) {
    (from.to_owned(), channel, number)
}

async fn events_arrive_with_number_and_channel([ann, bob, eve]: [&TestListener<'_>; 3]) {
    for listener in [ann, bob, eve] {
        listener.listen([7, Channel::COUNT]).await;
    }
    ann.publish(7, 41);
    ann.publish(Channel::COUNT, 5);
    for listener in [bob, eve] {
        let mut received = [listener.receive().await, listener.receive().await];
        received.sort();
        assert_eq!(received, [sent(ann.name, 7, 41), sent(ann.name, Channel::COUNT, 5)]);
    }
    bob.publish(7, 1);
    assert_eq!(ann.receive().await, sent(bob.name, 7, 1), "and nothing of its own");
    assert_eq!(eve.receive().await, sent(bob.name, 7, 1));
}

async fn only_subscribed_channels_are_received([ann, bob, eve]: [&TestListener<'_>; 3]) {
    bob.listen([7, 100]).await;
    eve.listen([7, 101]).await;
    // 100 and 101 are concurrent, so each is followed by another message of its own channel.
    for (channel, number) in [(100, 1), (101, 1), (100, 2), (101, 2)] {
        ann.publish(channel, number);
    }
    for (listener, channel) in [(bob, 100), (eve, 101)] {
        assert_eq!(listener.receive().await, sent(ann.name, channel, 1));
        assert_eq!(listener.receive().await, sent(ann.name, channel, 2));
    }
}

async fn a_new_subscription_is_confirmed_again(ann: &TestListener<'_>, bob: &TestListener<'_>) {
    bob.listen([7]).await;
    bob.listen([7, 100]).await;
    ann.publish(100, 3);
    assert_eq!(bob.receive().await, sent(ann.name, 100, 3));
}

async fn order_is_kept(ann: &TestListener<'_>, bob: &TestListener<'_>) {
    for number in 1..=BURST {
        ann.publish(7, number);
        if number % 100 == 0 {
            yield_now().await;
        }
    }
    for number in 1..=BURST {
        assert_eq!(bob.receive().await, sent(ann.name, 7, number));
    }
}

async fn every_channel_delivers(ann: &TestListener<'_>, bob: &TestListener<'_>) {
    bob.listen(0..=Channel::COUNT).await;
    let mut missing = BTreeMap::new();
    for number in 0..=Channel::COUNT {
        ann.publish(number, u64::from(number) + 1);
        missing.insert(number, u64::from(number) + 1);
    }
    while !missing.is_empty() {
        let (from, channel, number) = bob.receive().await;
        assert_eq!(from, ann.name);
        assert_eq!(missing.remove(&channel), Some(number), "once, on channel {channel}");
    }
}

async fn large_entries_arrive_untouched(ann: &TestListener<'_>, bob: &TestListener<'_>) {
    let json = format!("{{ \"z\": 1.50, \"text\": \"{}\"}}", "ü\\n".repeat(100_000));
    let attachments = (0..10).map(|n| Bytes::from(vec![n; 50_000])).collect();
    let body = Body::from_raw(json.into(), attachments);
    let content = Content::Body { body, edited_at: None };
    let mut sent = entry("lobby", 9);
    sent.act = Act::Said { kind: MessageKind::GroupChat, content };
    let event = ClusterEvent::Entry(Delivery::new(Event::Entry(sent.clone())));
    let from = NodeId::from_raw(ann.name);
    ann.bus.publish(channel(7), Announcement { from, number: 2000, event });
    let (_, received) = bob.next_event().await;
    let ClusterEvent::Entry(received) = received.event else { panic!("{received:?}") };
    assert_eq!(Arc::as_ref(&received).entry(), Some(&sent));
}
