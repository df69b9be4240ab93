//! A thousand users reconnect after a restart; each has missed a hundred messages.

use std::{sync::Arc, time::Duration};

use criterion::{Criterion, Throughput};
use futures_util::future::join_all;
use roomcast::{
    chat::{Session, ports::Store},
    domain::{Seq, Synchronous},
    store::{SqliteOptions, SqliteStore},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use super::fixtures::{CountingOutbox, EntryCounter, Fixture, bench_limits, post, small_body};

const USERS: usize = 1000;
const MISSED: u64 = 100;

/// Measures from the first reconnect to the last missed message.
pub(crate) fn measure(criterion: &mut Criterion) {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let home = home.expect("the build directory can be written");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let mut runtime = Some(runtime.expect("a runtime can be made"));
    let options = SqliteOptions {
        directory: home.path().to_owned(),
        synchronous: Synchronous::Full,
        busy_wait_max: Duration::from_secs(2),
    };
    let mut opened = None;
    let mut group = criterion.benchmark_group("reconnect");
    group.throughput(Throughput::Elements(USERS as u64 * MISSED));
    group.bench_function(format!("{USERS} users, {MISSED} messages each"), |bencher| {
        bencher.iter_custom(|times| {
            let store = opened.get_or_insert_with(|| fill(&mut runtime, &options));
            (0..times).map(|_| reconnect_all(&mut runtime, store)).sum()
        });
    });
    group.finish();
    if let (Some(runtime), Some(store)) = (runtime, opened) {
        runtime.block_on(store.close());
    }
}

/// Fills a database: the users connect, and messages follow.
fn fill(runtime: &mut Option<Runtime>, options: &SqliteOptions) -> Arc<dyn Store> {
    let free = runtime.take().expect("one at a time");
    let store = free.block_on(SqliteStore::open(options)).expect("the database can be made");
    let store: Arc<dyn Store> = Arc::new(store);
    let fixture = Fixture::with_store(free, Arc::clone(&store), bench_limits());
    let counter = Arc::new(EntryCounter::default());
    fixture.runtime.block_on(async {
        let mut users = connect_all(&fixture, None, &counter).await;
        let (sender, body) = (users.first_mut().expect("there are some"), small_body());
        for _ in 0..MISSED {
            sender.handle(post(&body), Box::new(drop)).await;
        }
        counter.wait_for_more(USERS as u64 * MISSED).await;
    });
    *runtime = Some(fixture.end());
    store
}

/// Opens a new chat each time, so that nothing is cached in memory.
fn reconnect_all(runtime: &mut Option<Runtime>, store: &Arc<dyn Store>) -> Duration {
    let free = runtime.take().expect("one at a time");
    let fixture = Fixture::with_store(free, Arc::clone(store), bench_limits());
    let counter = Arc::new(EntryCounter::default());
    let taken = fixture.runtime.block_on(async {
        let start = Instant::now();
        let users = connect_all(&fixture, Some(Seq::ZERO), &counter).await;
        counter.wait_for_more(USERS as u64 * MISSED).await;
        let taken = start.elapsed();
        drop(users);
        taken
    });
    *runtime = Some(fixture.end());
    taken
}

async fn connect_all(
    fixture: &Fixture,
    since: Option<Seq>,
    counter: &Arc<EntryCounter>,
) -> Vec<Session> {
    let enter =
        |number| fixture.connect_user(number, since, CountingOutbox::new(counter, |_, _| 0));
    join_all((0..USERS).map(enter)).await
}
