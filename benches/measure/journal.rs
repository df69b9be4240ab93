//! Messages on their way to the disk: the journal over SQLite, with few and many senders.

use std::{path::Path, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput};
use futures_util::future::join_all;
use roomcast::{
    chat::Session,
    domain::{Body, RoomName},
    store::{SqliteOptions, SqliteStore, Synchronous},
};
use tokio::time::Instant;

use super::house::{CountingOutbox, House, Tally, say, small_body};

/// Connections that send, each one message after the other.
const SENDERS: [usize; 3] = [1, 16, 256];
/// What a commit waits for.
const SYNCHRONOUS: [(&str, Synchronous); 2] =
    [("full", Synchronous::Full), ("normal", Synchronous::Normal)];

/// Measures acknowledged messages.
pub(crate) fn measure(criterion: &mut Criterion) {
    for (name, synchronous) in SYNCHRONOUS {
        let mut group = criterion.benchmark_group(format!("journal/synchronous {name}"));
        group.throughput(Throughput::Elements(1));
        for count in SENDERS {
            // Where cargo builds: on a disk, as a temporary directory need not be.
            let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
            let home = home.expect("the build directory can be written");
            let (house, mut senders) = seat(home.path(), synchronous, count);
            group.bench_function(format!("{count} senders"), |bencher| {
                bencher.iter_custom(|times| all_send(&house, &mut senders, times));
            });
            house.runtime.block_on(async { drop(senders) });
            house.close();
        }
        group.finish();
    }
}

/// Each sender alone in a room: what is measured is storing, not telling.
fn seat(directory: &Path, synchronous: Synchronous, count: usize) -> (House, Vec<Session>) {
    let options = SqliteOptions {
        directory: directory.to_owned(),
        synchronous,
        busy_wait_max: Duration::from_secs(2),
    };
    let open = async || SqliteStore::open(&options).await.expect("the database can be made");
    let house = House::open(open);
    let tally = Arc::new(Tally::default());
    let senders = house.runtime.block_on(async {
        let mut senders = Vec::with_capacity(count);
        for number in 0..count {
            let room = RoomName::from_raw(&format!("room-{number}"));
            let outbox = CountingOutbox::new(&tally, |_, _| 0);
            senders.push(house.guest(number, &room, outbox).await);
        }
        senders
    });
    (house, senders)
}

/// The time that `messages` take, of all senders together.
fn all_send(house: &House, senders: &mut [Session], messages: u64) -> Duration {
    let body = small_body();
    let rounds = messages.div_ceil(senders.len() as u64);
    let sent = rounds * senders.len() as u64;
    let taken = house.runtime.block_on(async {
        let start = Instant::now();
        join_all(senders.iter_mut().map(|sender| send(sender, rounds, &body))).await;
        start.elapsed()
    });
    share(taken, messages, sent)
}

async fn send(sender: &mut Session, messages: u64, body: &Body) {
    for _ in 0..messages {
        say(sender, body).await;
    }
}

/// The part of `taken` for `messages` out of `sent`: rounds are whole, what criterion asks for may
/// not be.
fn share(taken: Duration, messages: u64, sent: u64) -> Duration {
    let nanos = taken.as_nanos() * u128::from(messages) / u128::from(sent);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
