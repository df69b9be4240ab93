//! The pace at which a node closes its connections.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    join,
    time::{Instant, interval_at},
};

use super::{Fixture, with_chat};
use crate::chat::test_support::RecordingOutbox;

const WINDOW: Duration = Duration::from_secs(4);
/// The time between two portions.
const INTERVAL: Duration = Duration::from_millis(50);

/// Enters `count` connections, begins a drain, and returns how many were closed after each interval.
async fn closed_over_time(fixture: &Fixture, count: usize) -> Vec<usize> {
    let entered = join_all((0..count).map(|_| fixture.enter(None))).await;
    let outboxes: Vec<_> = entered.iter().map(|(_, outbox)| Arc::clone(outbox)).collect();
    fixture.chat.drain();
    let is_closed =
        |it: &&Arc<RecordingOutbox>| it.events().iter().any(|it| it == "closed Draining");
    let closed = || outboxes.iter().filter(is_closed).count();
    assert_eq!(closed(), 0, "the node is unready before it closes the first one");
    let counts = async {
        let mut between = interval_at(Instant::now() + INTERVAL / 2, INTERVAL);
        let mut counts = Vec::new();
        while counts.last() != Some(&count) {
            between.tick().await;
            counts.push(closed());
        }
        counts
    };
    join!(fixture.chat.close_connections(WINDOW), counts).1
}

#[tokio::test(start_paused = true)]
async fn a_thousand_connections_are_closed_evenly_over_the_window() {
    with_chat(async |fixture| {
        let counts = closed_over_time(fixture, 1000).await;
        assert!((70..=80).contains(&counts.len()), "{counts:?}");
        let portions =
            counts.iter().zip([0].iter().chain(&counts)).map(|(now, before)| now - before);
        assert!(portions.clone().all(|it| it <= 13), "{counts:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_few_connections_are_closed_at_once() {
    with_chat(async |fixture| assert_eq!(closed_over_time(fixture, 10).await, [10])).await;
}
