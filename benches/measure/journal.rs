//! Commits of messages: the journal over each engine, with few and with many senders.

use std::{fs, sync::Arc, time::Duration};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use futures_util::future::join_all;
use roomcast::{
    chat::Session,
    domain::{Body, RoomName, Synchronous},
    store::{PostgresStore, SqliteOptions, SqliteStore},
};
use tokio::time::Instant;

use super::{
    fixtures::{CountingOutbox, EntryCounter, Fixture, post_and_wait, small_body},
    postgres::Postgres,
};

/// Connections that send; each one sends one message at a time.
const SENDERS: [usize; 3] = [1, 16, 256];
/// What a commit of SQLite waits for.
const SYNCHRONOUS: [(&str, Synchronous); 2] =
    [("full", Synchronous::Full), ("normal", Synchronous::Normal)];

/// Measures acknowledged messages.
pub(crate) fn measure(criterion: &mut Criterion) {
    for (name, synchronous) in SYNCHRONOUS {
        // In the build directory, which is on a disk; a temporary directory may be in memory.
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let home = home.expect("the build directory can be written");
        let mut group = criterion.benchmark_group(format!("journal/synchronous {name}"));
        each(&mut group, |count| {
            let directory = home.path().join(format!("{count}-senders"));
            fs::create_dir(&directory).expect("a new directory can be written");
            let busy_wait_max = Duration::from_secs(2);
            let options = SqliteOptions { directory, synchronous, busy_wait_max };
            Fixture::open(async || SqliteStore::open(&options).await.expect("it can be made"))
        });
        group.finish();
    }
    // Started on first use: the other benchmarks do not require PostgreSQL.
    let mut server = None;
    let mut group = criterion.benchmark_group("journal/postgresql");
    each(&mut group, |count| {
        let server = server.get_or_insert_with(Postgres::start);
        let options = server.make_database(&format!("senders_{count}"));
        Fixture::open(async || PostgresStore::open(&options).await.expect("it can be made").0)
    });
    group.finish();
}

/// With few and with many senders, each number on a server of its own.
fn each(group: &mut BenchmarkGroup<'_, WallTime>, mut open: impl FnMut(usize) -> Fixture) {
    group.throughput(Throughput::Elements(1));
    for count in SENDERS {
        let mut connected = None;
        group.bench_function(format!("{count} senders"), |bencher| {
            let (fixture, senders) =
                connected.get_or_insert_with(|| connect_senders(open(count), count));
            bencher.iter_custom(|times| all_send(fixture, senders, times));
        });
        if let Some((fixture, senders)) = connected {
            fixture.runtime.block_on(async { drop(senders) });
            fixture.close();
        }
    }
}

/// Each sender is alone in a room, so that storing is measured and not delivery.
fn connect_senders(fixture: Fixture, count: usize) -> (Fixture, Vec<Session>) {
    let counter = Arc::new(EntryCounter::default());
    let senders = fixture.runtime.block_on(async {
        let mut senders = Vec::with_capacity(count);
        for number in 0..count {
            let room = RoomName::from_raw(&format!("room-{number}"));
            let outbox = CountingOutbox::new(&counter, |_, _| 0);
            senders.push(fixture.connect_guest(number, &room, outbox).await);
        }
        senders
    });
    (fixture, senders)
}

/// The time of `messages` messages from all senders together.
fn all_send(fixture: &Fixture, senders: &mut [Session], messages: u64) -> Duration {
    let body = small_body();
    let rounds = messages.div_ceil(senders.len() as u64);
    let sent = rounds * senders.len() as u64;
    let taken = fixture.runtime.block_on(async {
        let start = Instant::now();
        join_all(senders.iter_mut().map(|sender| send(sender, rounds, &body))).await;
        start.elapsed()
    });
    share(taken, messages, sent)
}

async fn send(sender: &mut Session, messages: u64, body: &Body) {
    for _ in 0..messages {
        post_and_wait(sender, body).await;
    }
}

/// The share of `taken` for `messages` out of `sent`: rounds are whole, but criterion may request a
/// part of one.
fn share(taken: Duration, messages: u64, sent: u64) -> Duration {
    let nanos = taken.as_nanos() * u128::from(messages) / u128::from(sent);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
