//! The contract of every bus, also of one with a single node. Each engine's tests run it. `nodes`
//! is the contract of buses with several nodes.

mod nodes;

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use crate::{
    chat::{
        ports::{Announcement, Bus, BusEvent, ClusterEvent},
        test_support::message_delivery,
    },
    domain::{Channel, NodeId},
};

pub(crate) use self::nodes::{TestListener, three_node_contract};

/// More announcements than any engine may queue.
const MANY: u64 = 20_000;
/// The time after which a probe counts as lost.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(15);
/// Long enough for an engine to deliver an event that it must not deliver.
const QUIET_TIME: Duration = Duration::from_secs(1);

/// Tests `bus`, the only node on it, against the port's guarantees.
pub(crate) async fn single_node_contract(bus: &dyn Bus) {
    let channel = channel(7);
    bus.set_subscriptions(&BTreeSet::from([channel, Channel::BROADCAST]));
    a_probe_returns(bus).await;
    for number in 1..=MANY {
        bus.publish(channel, event("me", number));
    }
    a_node_does_not_receive_its_own_events(bus).await;
    bus.close().await;
    bus.publish(channel, event("me", 1));
}

async fn a_probe_returns(bus: &dyn Bus) {
    for number in [7, 8] {
        bus.probe(number);
        let returned = timeout(PROBE_WAIT_MAX, async {
            loop {
                match bus.next().await {
                    Some(BusEvent::Probe(returned)) if returned == number => return,
                    Some(BusEvent::Subscribed(_)) => (),
                    other => panic!("{other:?}"),
                }
            }
        });
        returned.await.expect("the probe returns");
    }
}

async fn a_node_does_not_receive_its_own_events(bus: &dyn Bus) {
    let received = timeout(QUIET_TIME, async {
        while let Some(received) = bus.next().await {
            assert!(!matches!(received, BusEvent::Received(..)), "{received:?}");
        }
    });
    received.await.unwrap_or(());
}

/// The channel with this number.
pub(crate) fn channel(number: u16) -> Channel {
    Channel::from_raw(number).unwrap()
}

/// A message as the event with this number.
pub(crate) fn event(from: &str, number: u64) -> Announcement {
    let event = ClusterEvent::Entry(message_delivery("lobby", number));
    Announcement { from: NodeId::from_raw(from), number, event }
}
