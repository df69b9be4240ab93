//! The event `clock`.

use super::*;

/// Runs the timers with a clock of one second while `time` passes. The time is the number of calls.
async fn run_clock_for(hub: &Arc<Hub>, time: Duration) {
    let calls = AtomicU64::new(0);
    let now = || {
        let seconds = 1 + calls.fetch_add(1, Ordering::Relaxed);
        OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds)
    };
    tokio::select! {
        () = Arc::clone(hub).run_timers(|| (), Some(Duration::from_secs(1)), now) => unreachable!(),
        () = sleep(time) => (),
    }
}

fn ticks(recorder: &RecordingOutbox) -> Vec<String> {
    recorder.events().into_iter().filter(|it| it.starts_with("clock")).collect()
}

#[tokio::test(start_paused = true)]
async fn connections_in_a_room_receive_the_clock_and_others_do_not() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorders = [(); 4].map(|()| RecordingOutbox::with_capacity(99));
    let [phone, laptop, left, anonymous] = &recorders;
    let _connected = [connect(&hub, "ann", phone), connect(&hub, "ann", laptop)];
    let _gone = connect(&hub, "bob", left);
    change(&hub, "bob", Some(Member::new(Role::Member, Position::ZERO)), None, &Cause::default());
    let outbox = Arc::clone(anonymous) as Arc<dyn Outbox>;
    let _registration = hub.connections.register(Space::root(), outbox, NOW);
    run_clock_for(&hub, Duration::from_millis(3500)).await;
    for it in [phone, laptop] {
        assert_eq!(ticks(it), ["clock 1", "clock 2", "clock 3"]);
    }
    assert_eq!(ticks(left), [""; 0]);
    assert_eq!(anonymous.events(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_misses_the_clock_and_stays_connected() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorder = RecordingOutbox::with_capacity(3);
    let _connected = connect(&hub, "ann", &recorder);
    run_clock_for(&hub, Duration::from_secs(9)).await;
    let closed = recorder.events().iter().any(|it| it.starts_with("closed"));
    assert!(ticks(&recorder).len() < 2 && !closed, "{:?}", recorder.events());
}
