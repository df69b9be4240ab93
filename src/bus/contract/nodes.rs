//! What a bus with several nodes must do as long as all is well.

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

use super::{channel, news};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::{Announcement, Bus, Heard, News},
        test_support::entry,
    },
    domain::{Act, Body, Channel, Content, Kind, NodeId},
};

/// Past it a test fails.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether a bus is whole: there is nothing that tells.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// News in a row, fewer than any engine may queue.
const ROW: u64 = 1000;

/// Holds three nodes of one bus, of which none listens yet, to the port's guarantees.
pub(crate) async fn three_nodes(nodes: [(&str, &dyn Bus); 3]) {
    let [ann, bob, eve] = nodes.map(|(name, bus)| Ear::new(name, bus));
    news_arrive_with_number_and_channel([&ann, &bob, &eve]).await;
    only_what_is_listened_to_is_heard([&ann, &bob, &eve]).await;
    what_is_listened_to_again_is_opened_again(&ann, &bob).await;
    order_is_kept(&ann, &bob).await;
    every_channel_carries(&ann, &bob).await;
    large_entries_arrive_untouched(&ann, &bob).await;
}

/// A node that listens, and waits with patience.
pub(crate) struct Ear<'a> {
    name: &'a str,
    bus: &'a dyn Bus,
    channels: Mutex<BTreeSet<Channel>>,
}

impl<'a> Ear<'a> {
    pub(crate) fn new(name: &'a str, bus: &'a dyn Bus) -> Self {
        Self { name, bus, channels: Mutex::default() }
    }

    /// What the node is called.
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// Whether all is well.
    pub(crate) fn is_whole(&self) -> bool {
        self.bus.is_whole()
    }

    /// Says something on a channel.
    pub(crate) fn say(&self, on: u16, number: u64) {
        self.bus.publish(channel(on), news(self.name, number));
    }

    /// Listens to these channels, and waits until the new ones are open and all is well.
    pub(crate) async fn listen(&self, channels: impl IntoIterator<Item = u16> + Send) {
        let channels: BTreeSet<_> = channels.into_iter().map(channel).collect();
        self.bus.listen(&channels);
        let before = std::mem::replace(&mut *self.channels.lock().unwrap(), channels.clone());
        self.opened(channels.difference(&before).copied().collect()).await;
        self.whole().await;
    }

    /// Waits until these channels were said to be open once more.
    pub(crate) async fn opened_again(&self, channels: &[u16]) {
        self.opened(channels.iter().copied().map(channel).collect()).await;
    }

    /// Waits until all of these were said to be open. What else is heard is passed over.
    async fn opened(&self, mut missing: BTreeSet<Channel>) {
        while !missing.is_empty() {
            if let Heard::Opened(channels) = self.next().await {
                missing.retain(|it| !channels.contains(it));
            }
        }
    }

    /// Waits until the bus is whole.
    pub(crate) async fn whole(&self) {
        let wait = until(|| self.bus.is_whole());
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{} does not become whole", self.name);
    }

    /// Waits until the bus is not whole.
    pub(crate) async fn broken(&self) {
        let wait = until(|| !self.bus.is_whole());
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{} does not become deaf", self.name);
    }

    /// Waits for news; what is opened is passed over.
    pub(crate) async fn news(&self) -> (Channel, Announcement) {
        loop {
            if let Heard::News(channel, news) = self.next().await {
                return (channel, news);
            }
        }
    }

    /// Waits for news, and answers who said which number where.
    pub(crate) async fn hears(&self) -> (String, u16, u64) {
        let (channel, Announcement { from, number, news: _ }) = self.news().await;
        (from.as_raw().to_owned(), channel.as_raw(), number)
    }

    async fn next(&self) -> Heard {
        let heard = timeout(PATIENCE, self.bus.next()).await;
        heard.unwrap_or_else(|_| panic!("{} heard nothing", self.name)).expect("it is not closed")
    }
}

/// Waits until `is_so`.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(LOOK_EVERY).await;
    }
}

/// What [`Ear::hears`] answers.
fn said(from: &str, channel: u16, number: u64) -> (String, u16, u64) {
    (from.to_owned(), channel, number)
}

async fn news_arrive_with_number_and_channel([ann, bob, eve]: [&Ear<'_>; 3]) {
    for ear in [ann, bob, eve] {
        ear.listen([7, Channel::COUNT]).await;
    }
    ann.say(7, 41);
    ann.say(Channel::COUNT, 5);
    for ear in [bob, eve] {
        let mut heard = [ear.hears().await, ear.hears().await];
        heard.sort();
        assert_eq!(heard, [said(ann.name, 7, 41), said(ann.name, Channel::COUNT, 5)]);
    }
    bob.say(7, 1);
    assert_eq!(ann.hears().await, said(bob.name, 7, 1), "and nothing of its own");
    assert_eq!(eve.hears().await, said(bob.name, 7, 1));
}

async fn only_what_is_listened_to_is_heard([ann, bob, eve]: [&Ear<'_>; 3]) {
    bob.listen([7, 100]).await;
    eve.listen([7, 101]).await;
    // 100 and 101 are on their way beside each other, so each is followed by another of its own.
    for (channel, number) in [(100, 1), (101, 1), (100, 2), (101, 2)] {
        ann.say(channel, number);
    }
    for (ear, channel) in [(bob, 100), (eve, 101)] {
        assert_eq!(ear.hears().await, said(ann.name, channel, 1));
        assert_eq!(ear.hears().await, said(ann.name, channel, 2));
    }
}

async fn what_is_listened_to_again_is_opened_again(ann: &Ear<'_>, bob: &Ear<'_>) {
    bob.listen([7]).await;
    bob.listen([7, 100]).await;
    ann.say(100, 3);
    assert_eq!(bob.hears().await, said(ann.name, 100, 3));
}

async fn order_is_kept(ann: &Ear<'_>, bob: &Ear<'_>) {
    for number in 1..=ROW {
        ann.say(7, number);
        if number % 100 == 0 {
            yield_now().await;
        }
    }
    for number in 1..=ROW {
        assert_eq!(bob.hears().await, said(ann.name, 7, number));
    }
}

async fn every_channel_carries(ann: &Ear<'_>, bob: &Ear<'_>) {
    bob.listen(0..=Channel::COUNT).await;
    let mut missing = BTreeMap::new();
    for number in 0..=Channel::COUNT {
        ann.say(number, u64::from(number) + 1);
        missing.insert(number, u64::from(number) + 1);
    }
    while !missing.is_empty() {
        let (from, channel, number) = bob.hears().await;
        assert_eq!(from, ann.name);
        assert_eq!(missing.remove(&channel), Some(number), "once, on channel {channel}");
    }
}

async fn large_entries_arrive_untouched(ann: &Ear<'_>, bob: &Ear<'_>) {
    let json = format!("{{ \"z\": 1.50, \"text\": \"{}\"}}", "ü\\n".repeat(100_000));
    let attachments = (0..10).map(|n| Bytes::from(vec![n; 50_000])).collect();
    let body = Body::from_raw(json.into(), attachments);
    let content = Content::Body { body, edited_at: None };
    let mut sent = entry("lobby", 9);
    sent.act = Act::Said { kind: Kind::GroupChat, content };
    let news = News::Entry(Delivery::new(Event::Entry(sent.clone())));
    let from = NodeId::from_raw(ann.name);
    ann.bus.publish(channel(7), Announcement { from, number: 2000, news });
    let (_, heard) = bob.news().await;
    let News::Entry(heard) = heard.news else { panic!("{heard:?}") };
    assert_eq!(Arc::as_ref(&heard).entry(), Some(&sent));
}
