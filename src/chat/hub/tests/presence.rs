//! Presence lists and counts: how often they are sent.

use super::*;

#[tokio::test(start_paused = true)]
async fn presence_lists_are_coalesced_to_one_a_second() {
    let hub = Hub::new(Limits::default(), publisher());
    let watcher = RecordingOutbox::with_capacity(999);
    let _watching = connect(&hub, "watcher", &watcher);
    run_for(&hub, Duration::from_millis(10)).await;
    let mut connected = Vec::new();
    for number in 0..50 {
        connected.push(connect(
            &hub,
            &format!("user{number}"),
            &RecordingOutbox::with_capacity(999),
        ));
        run_for(&hub, Duration::from_millis(20)).await;
    }
    run_for(&hub, Duration::from_secs(1)).await;
    let lists = watcher.events().into_iter().filter(|it| it.ends_with("users")).count();
    assert!((2..=4).contains(&lists), "{lists} lists in 2 s");
    assert_eq!(watcher.events().last().unwrap(), "51 users");
}

/// The presence events that a connection receives while the lobby has `size` connections and its
/// users change five times a second.
async fn presence_events(size: usize, time: Duration) -> Vec<String> {
    let hub = Hub::new(Limits::default(), publisher());
    let watcher = RecordingOutbox::with_capacity(999);
    let _watching = connect(&hub, "watcher", &watcher);
    let others = RecordingOutbox::with_capacity(usize::MAX);
    let mut connected: Vec<_> =
        (1..size).map(|number| connect(&hub, &format!("n{number}"), &others)).collect();
    run_for(&hub, Duration::from_secs(1)).await;
    let before = watcher.events().len();
    for number in 0..time.as_millis() / 200 {
        connected.push(connect(&hub, &format!("late{number}"), &others));
        run_for(&hub, Duration::from_millis(200)).await;
    }
    watcher.events().split_off(before)
}

#[tokio::test(start_paused = true)]
async fn the_count_of_a_large_room_is_sent_more_rarely() {
    let time = Duration::from_secs(10);
    let small = presence_events(300, time).await.len();
    assert!((9..=11).contains(&small), "{small} counts in 10 s, one a second");
    let large = presence_events(4000, time).await.len();
    assert!((4..=6).contains(&large), "{large} counts in 10 s, one in two seconds");
}
