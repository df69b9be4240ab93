//! The reference keeps the contract, and fails as it is told to.

use super::*;
use crate::bus::contract::{self, Ear, channel, news};

fn id(name: &str) -> NodeId {
    NodeId::from_raw(name)
}

fn between(from: &str, to: &str) -> Path {
    Path { from: Some(id(from)), to: Some(id(to)) }
}

/// Two nodes that listen to channel 7.
async fn two() -> (Arc<MemoryBus>, Arc<MemoryBus>) {
    let ann = MemoryBus::new(id("ann"));
    let bob = ann.beside(id("bob"));
    for (name, bus) in [("ann", &ann), ("bob", &bob)] {
        Ear::new(name, &**bus).listen([7]).await;
    }
    (ann, bob)
}

/// The numbers that wait at a node, and 0 for an opening.
async fn numbers(bus: &MemoryBus) -> Vec<u64> {
    bus.inbox.open([channel(1000)]);
    let mut numbers = Vec::new();
    loop {
        match bus.next().await.unwrap() {
            Heard::News(_, news) => numbers.push(news.number),
            Heard::Opened(channels) if channels.contains(&channel(1000)) => return numbers,
            Heard::Opened(_) => numbers.push(0),
        }
    }
}

fn say(bus: &MemoryBus, count: u64) {
    for number in 1..=count {
        bus.publish(channel(7), news(bus.node.as_raw(), number));
    }
}

#[tokio::test(start_paused = true)]
async fn keeps_the_contract() {
    contract::bus(&*MemoryBus::new(id("me"))).await;
    let ann = MemoryBus::new(id("ann"));
    let (bob, eve) = (ann.beside(id("bob")), ann.beside(id("eve")));
    contract::three_nodes([("ann", &*ann), ("bob", &*bob), ("eve", &*eve)]).await;
}

#[tokio::test]
async fn every_third_is_lost_on_one_path_alone() {
    let (ann, bob) = two().await;
    ann.order(between("ann", "bob"), Fault::DropEvery(NonZeroUsize::new(3).unwrap()));
    say(&ann, 7);
    say(&bob, 3);
    assert_eq!(numbers(&bob).await, [1, 2, 4, 5, 7]);
    assert_eq!(numbers(&ann).await, [1, 2, 3]);
}

#[tokio::test]
async fn chance_is_the_same_for_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let (ann, bob) = two().await;
        ann.seed(seed);
        ann.order(Path::default(), Fault::Drop(300));
        ann.order(Path::default(), Fault::Repeat(300));
        ann.order(Path::default(), Fault::Hold(300));
        say(&ann, 200);
        ann.release();
        runs.push(numbers(&bob).await);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    let distinct: BTreeSet<_> = runs[0].iter().collect();
    assert!((100..180).contains(&distinct.len()), "some are lost: {}", distinct.len());
    assert!(runs[0].len() > distinct.len() + 10, "some come twice");
    assert!(!runs[0].is_sorted(), "some come late");
}

#[tokio::test]
async fn a_node_that_nobody_reaches_knows_it_and_is_told_when_it_is_over() {
    let (ann, bob) = two().await;
    let ear = Ear::new("bob", &*bob);
    let to_bob = Path { from: None, to: Some(id("bob")) };
    ann.order(to_bob.clone(), Fault::Cut);
    ear.broken().await;
    assert!(ann.is_whole());
    say(&ann, 2);
    bob.listen(&BTreeSet::from([channel(7), channel(8)]));
    assert!(numbers(&bob).await.is_empty());
    ann.heal(&to_bob);
    ear.listen([7, 8]).await;
    ann.order(to_bob.clone(), Fault::Cut);
    ann.heal(&to_bob);
    ear.opened_again(&[7, 8]).await;
    say(&ann, 1);
    assert_eq!(numbers(&bob).await, [1]);
}

#[tokio::test]
async fn a_node_that_does_not_keep_up_is_told() {
    let (ann, bob) = two().await;
    let most = u64::try_from(INBOX_MAX.get()).unwrap();
    say(&ann, most + 1);
    assert!(!bob.is_whole());
    let heard = Ear::new("bob", &*bob);
    for number in 1..=most {
        assert_eq!(heard.hears().await.2, number);
    }
    assert!(matches!(bob.next().await, Some(Heard::Opened(_))), "the hole is said");
    assert!(bob.is_whole());
}

#[tokio::test]
async fn who_comes_again_puts_out_the_one_before() {
    let (ann, bob) = two().await;
    let again = ann.beside(id("bob"));
    Ear::new("bob", &*again).listen([7]).await;
    assert!(bob.next().await.is_none() && !bob.is_whole());
    bob.close().await;
    drop(bob);
    say(&ann, 1);
    assert_eq!(numbers(&again).await, [1]);
}
