//! What a probe finds, and how many there are.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::{Instant, advance};

use super::{CountingStore, Fixture, with_chat_on};
use crate::{
    chat::{FailureCause, NodePart, PartFailure, Readiness},
    domain::Limits,
};

/// The longest time to notice a failure.
const NOTICED_MAX: Duration = Duration::from_secs(5);

/// Runs a test with a chat that sends and receives probes.
async fn with_probes(store: &Arc<CountingStore>, test: impl AsyncFnOnce(&Fixture)) {
    with_chat_on(store, Limits::default(), async |fixture| {
        tokio::select! {
            () = Arc::clone(&fixture.chat).run_probes() => unreachable!("it runs for ever"),
            () = Arc::clone(&fixture.chat).receive() => unreachable!("the bus does not end"),
            () = test(fixture) => (),
        }
    })
    .await;
}

/// The failed part, which is the only one.
async fn failure(fixture: &Fixture) -> PartFailure {
    let begun_at = Instant::now();
    let readiness = fixture.chat.readiness().await;
    assert!(begun_at.elapsed() <= NOTICED_MAX, "{:?}", begun_at.elapsed());
    match readiness {
        Readiness::Unready(failures) if failures.len() == 1 => failures[0],
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn many_questions_are_one_probe_a_second() {
    let store = Arc::new(CountingStore::default());
    with_probes(&store, async |fixture| {
        for round in 1..=3 {
            let answers = join_all((0..100).map(|_| fixture.chat.readiness())).await;
            assert!(answers.iter().all(|it| *it == Readiness::Ready), "{answers:?}");
            assert_eq!(store.probes.load(Ordering::SeqCst), round);
            advance(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert_eq!(store.probes.load(Ordering::SeqCst), 3, "nobody asks, so nothing is stored");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_noticed_and_forgotten_when_it_answers() {
    let store = Arc::new(CountingStore::default());
    with_probes(&store, async |fixture| {
        assert_eq!(fixture.chat.readiness().await, Readiness::Ready);
        let permit = store.probe_barrier.0.acquire().await.unwrap();
        advance(Duration::from_secs(1)).await;
        let first = failure(fixture).await;
        assert_eq!((first.part, first.cause), (NodePart::Store, FailureCause::Timeout));
        advance(Duration::from_secs(1)).await;
        let second = failure(fixture).await;
        assert_eq!((second.part, second.cause), (first.part, first.cause));
        assert!(second.since >= first.since + Duration::from_secs(3), "{second:?}");
        drop(permit);
        advance(Duration::from_secs(1)).await;
        assert_eq!(fixture.chat.readiness().await, Readiness::Ready);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_returns_nothing_is_noticed() {
    with_chat_on(&Arc::default(), Limits::default(), async |fixture| {
        tokio::select! {
            () = Arc::clone(&fixture.chat).run_probes() => unreachable!("it runs for ever"),
            found = failure(fixture) => {
                assert_eq!((found.part, found.cause), (NodePart::Bus, FailureCause::Timeout));
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_takes_nothing_is_noticed() {
    let (fixture, _writer) = Fixture::on(&Arc::default(), Limits::default());
    tokio::select! {
        () = Arc::clone(&fixture.chat).run_probes() => unreachable!("it runs for ever"),
        found = failure(&fixture) => {
            assert_eq!((found.part, found.cause), (NodePart::Journal, FailureCause::Timeout));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_sends_no_probe() {
    let store = Arc::new(CountingStore::default());
    with_probes(&store, async |fixture| {
        fixture.chat.drain();
        let found = failure(fixture).await;
        assert_eq!((found.part, found.cause), (NodePart::Node, FailureCause::Draining));
    })
    .await;
    assert_eq!(store.probes.load(Ordering::SeqCst), 0);
}
