//! The memory bus keeps the contract, and has the faults that are configured.

use super::*;
use crate::bus::contract::{self, TestListener, channel, event};

fn id(name: &str) -> NodeId {
    NodeId::from_raw(name)
}

fn between(from: &str, to: &str) -> BusPath {
    BusPath { from: Some(id(from)), to: Some(id(to)) }
}

/// Two nodes that subscribe to channel 7.
async fn two() -> (Arc<MemoryBus>, Arc<MemoryBus>) {
    let ann = MemoryBus::new(id("ann"));
    let bob = ann.add_node(id("bob"));
    for (name, bus) in [("ann", &ann), ("bob", &bob)] {
        TestListener::new(name, &**bus).listen([7]).await;
    }
    (ann, bob)
}

/// The numbers in a node's inbox; 0 stands for a confirmed subscription.
async fn numbers(bus: &MemoryBus) -> Vec<u64> {
    bus.inbox.push_subscribed([channel(1000)]);
    let mut numbers = Vec::new();
    loop {
        match bus.next().await.unwrap() {
            BusEvent::Received(_, event) => numbers.push(event.number),
            BusEvent::Subscribed(channels) if channels.contains(&channel(1000)) => return numbers,
            BusEvent::Subscribed(_) => numbers.push(0),
            BusEvent::Probe(number) => panic!("probe {number}"),
        }
    }
}

fn publish(bus: &MemoryBus, count: u64) {
    for number in 1..=count {
        bus.publish(channel(7), event(bus.node.as_raw(), number));
    }
}

#[tokio::test(start_paused = true)]
async fn keeps_the_contract() {
    contract::single_node_contract(&*MemoryBus::new(id("me"))).await;
    let ann = MemoryBus::new(id("ann"));
    let (bob, eve) = (ann.add_node(id("bob")), ann.add_node(id("eve")));
    contract::three_node_contract([("ann", &*ann), ("bob", &*bob), ("eve", &*eve)]).await;
}

#[tokio::test]
async fn drop_every_affects_one_path_only() {
    let (ann, bob) = two().await;
    ann.inject_fault(between("ann", "bob"), BusFault::DropEvery(NonZeroUsize::new(3).unwrap()));
    publish(&ann, 7);
    publish(&bob, 3);
    assert_eq!(numbers(&bob).await, [1, 2, 4, 5, 7]);
    assert_eq!(numbers(&ann).await, [1, 2, 3]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let (ann, bob) = two().await;
        ann.seed(seed);
        ann.inject_fault(BusPath::default(), BusFault::Drop(300));
        ann.inject_fault(BusPath::default(), BusFault::Duplicate(300));
        ann.inject_fault(BusPath::default(), BusFault::Delay(300));
        publish(&ann, 200);
        ann.release_delayed();
        runs.push(numbers(&bob).await);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    let distinct: BTreeSet<_> = runs[0].iter().collect();
    assert!((100..180).contains(&distinct.len()), "some are lost: {}", distinct.len());
    assert!(runs[0].len() > distinct.len() + 10, "some are repeated");
    assert!(!runs[0].is_sorted(), "some are reordered");
}

#[tokio::test]
async fn an_isolated_node_is_disconnected_and_resubscribes_afterwards() {
    let (ann, bob) = two().await;
    let listener = TestListener::new("bob", &*bob);
    let to_bob = BusPath { from: None, to: Some(id("bob")) };
    ann.inject_fault(to_bob.clone(), BusFault::Cut);
    listener.wait_disconnected().await;
    assert!(ann.is_connected());
    publish(&ann, 2);
    bob.set_subscriptions(&BTreeSet::from([channel(7), channel(8)]));
    assert!(numbers(&bob).await.is_empty());
    ann.clear_faults(&to_bob);
    listener.listen([7, 8]).await;
    ann.inject_fault(to_bob.clone(), BusFault::Cut);
    ann.clear_faults(&to_bob);
    listener.wait_subscribed_again(&[7, 8]).await;
    publish(&ann, 1);
    assert_eq!(numbers(&bob).await, [1]);
}

#[tokio::test]
async fn a_slow_node_is_notified_of_the_gap() {
    let (ann, bob) = two().await;
    let most = u64::try_from(INBOX_MAX.get()).unwrap();
    publish(&ann, most + 1);
    assert!(!bob.is_connected());
    let listener = TestListener::new("bob", &*bob);
    for number in 1..=most {
        assert_eq!(listener.receive().await.2, number);
    }
    assert!(matches!(bob.next().await, Some(BusEvent::Subscribed(_))), "the gap is reported");
    assert!(bob.is_connected());
}

#[tokio::test]
async fn a_new_node_with_the_same_id_replaces_the_old_one() {
    let (ann, bob) = two().await;
    let again = ann.add_node(id("bob"));
    TestListener::new("bob", &*again).listen([7]).await;
    assert!(bob.next().await.is_none() && !bob.is_connected());
    bob.close().await;
    drop(bob);
    publish(&ann, 1);
    assert_eq!(numbers(&again).await, [1]);
}
