//! What every bus must do, also one on which a node is alone. Each engine's tests run this.
//! `nodes` holds those to more that carry between several.

mod nodes;

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use crate::{
    chat::{
        ports::{Announcement, Bus, Heard, News},
        test_support::said,
    },
    domain::{Channel, NodeId},
};

pub(crate) use self::nodes::{Ear, three_nodes};

/// More announcements than any engine may queue.
const MANY: u64 = 20_000;
/// Long enough for an engine to deliver what it wrongly would.
const A_WHILE: Duration = Duration::from_secs(1);

/// Holds `bus`, the only node on it, to the port's guarantees.
pub(crate) async fn bus(bus: &dyn Bus) {
    let channel = channel(7);
    bus.listen(&BTreeSet::from([channel, Channel::EVERYBODY]));
    for number in 1..=MANY {
        bus.publish(channel, news("me", number));
    }
    a_node_does_not_hear_itself(bus).await;
    bus.close().await;
    bus.publish(channel, news("me", 1));
}

async fn a_node_does_not_hear_itself(bus: &dyn Bus) {
    let heard = timeout(A_WHILE, async {
        while let Some(heard) = bus.next().await {
            assert!(!matches!(heard, Heard::News(..)), "{heard:?}");
        }
    });
    heard.await.unwrap_or(());
}

/// The channel with this number.
pub(crate) fn channel(number: u16) -> Channel {
    Channel::from_raw(number).unwrap()
}

/// A message as the news with this number.
pub(crate) fn news(from: &str, number: u64) -> Announcement {
    let news = News::Entry(said("lobby", number));
    Announcement { from: NodeId::from_raw(from), number, news }
}
