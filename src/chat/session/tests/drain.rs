//! The pace at which a node closes its connections, and at which their clients return.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    join,
    time::{Instant, interval_at},
};

use super::{Fixture, with_chat};
use crate::chat::{DrainPace, session::Session, test_support::RecordingOutbox};

const PACE: DrainPace =
    DrainPace { closes_within: Duration::from_secs(4), returns_within: Duration::from_secs(8) };
/// The time between two portions.
const INTERVAL: Duration = Duration::from_millis(50);

/// How long the client of a connection was asked to wait, if it was closed.
fn wait_of(outbox: &Arc<RecordingOutbox>) -> Option<Duration> {
    let events = outbox.events();
    let mut waits = events.iter().filter_map(|it| it.strip_prefix("closed Draining { after: "));
    let seconds = waits.next()?.strip_suffix("s }").unwrap();
    Some(Duration::from_secs_f64(seconds.parse().unwrap()))
}

/// Enters `count` connections.
async fn enter(fixture: &Fixture, count: usize) -> (Vec<Session>, Vec<Arc<RecordingOutbox>>) {
    join_all((0..count).map(|_| fixture.enter(None))).await.into_iter().unzip()
}

/// Begins a drain, and returns how many connections were closed after each interval.
async fn closed_over_time(fixture: &Fixture, outboxes: &[Arc<RecordingOutbox>]) -> Vec<usize> {
    fixture.chat.drain();
    let closed = || outboxes.iter().filter_map(wait_of).count();
    assert_eq!(closed(), 0, "the node is unready before it closes the first one");
    let counts = async {
        let mut between = interval_at(Instant::now() + INTERVAL / 2, INTERVAL);
        let mut counts = Vec::new();
        while counts.last() != Some(&outboxes.len()) {
            between.tick().await;
            counts.push(closed());
        }
        counts
    };
    join!(fixture.chat.close_connections(PACE), counts).1
}

#[tokio::test(start_paused = true)]
async fn a_thousand_connections_are_closed_evenly_over_the_window() {
    with_chat(async |fixture| {
        let (_sessions, outboxes) = enter(fixture, 1000).await;
        let counts = closed_over_time(fixture, &outboxes).await;
        assert!((70..=80).contains(&counts.len()), "{counts:?}");
        let portions =
            counts.iter().zip([0].iter().chain(&counts)).map(|(now, before)| now - before);
        assert!(portions.clone().all(|it| it <= 13), "{counts:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_few_connections_are_closed_at_once() {
    with_chat(async |fixture| {
        let (_sessions, outboxes) = enter(fixture, 10).await;
        assert_eq!(closed_over_time(fixture, &outboxes).await, [10]);
        assert!(outboxes.iter().filter_map(wait_of).all(|it| it.as_millis() < 1050));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_clients_return_over_the_whole_time() {
    with_chat(async |fixture| {
        let (_sessions, outboxes) = enter(fixture, 1000).await;
        fixture.chat.drain();
        let begun_at = Instant::now();
        let mut closed_at = vec![None; outboxes.len()];
        let observe = async {
            let mut between = interval_at(begun_at + INTERVAL / 2, INTERVAL);
            while closed_at.iter().any(Option::is_none) {
                let now = between.tick().await;
                let pairs = outboxes.iter().zip(&mut closed_at);
                let closed = pairs.filter(|(outbox, at)| at.is_none() && wait_of(outbox).is_some());
                closed.for_each(|(_, at)| *at = Some(now));
            }
        };
        join!(fixture.chat.close_connections(PACE), observe);
        let mut returns = [0; 8];
        for (outbox, closed_at) in outboxes.iter().zip(closed_at) {
            let return_at = closed_at.unwrap() + wait_of(outbox).unwrap();
            returns[usize::try_from((return_at - begun_at).as_secs()).unwrap()] += 1;
        }
        assert_eq!(returns[0], 0, "the next process may not accept connections yet");
        assert!(returns.iter().all(|it| *it <= 260), "{returns:?}");
        assert!(returns[1..].iter().all(|it| *it >= 20), "{returns:?}");
    })
    .await;
}
