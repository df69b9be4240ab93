//! Queries of the store: the memberships of a user that connects, and pages of history.

use std::{mem, sync::Arc, time::Duration};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use roomcast::{
    chat::ports::{
        Batch, Change, Draft, DraftAct, IdentityKind, MemberChange, PageLimit, PageRange, Store,
        UserSeen,
    },
    domain::{
        JoinMode, MessageId, MessageKind, Place, Role, RoomName, Seq, Space, Synchronous, UserName,
    },
    store::{SqliteOptions, SqliteStore},
};
use time::{OffsetDateTime, macros::datetime};
use tokio::runtime::{Builder, Runtime};

use super::fixtures::small_body;

const THEN: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
/// Rooms of the connecting user.
const ROOMS: usize = 500;
/// Messages in the room that is paged.
const MESSAGES: u64 = 1_000_000;
/// Messages per transaction: the maximum of the journal.
const BATCH: usize = 512;
/// A page of history.
const PAGE: PageLimit = PageLimit { messages: 50, bytes: 1 << 20, attachments: 10 };

/// Measures both queries.
pub(crate) fn measure(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let home = home.expect("the build directory can be written");
    let options = SqliteOptions {
        directory: home.path().to_owned(),
        synchronous: Synchronous::Normal,
        busy_wait_max: Duration::from_secs(2),
    };
    let store = runtime.block_on(SqliteStore::open(&options)).expect("the database can be made");
    let mut group = criterion.benchmark_group("connect with 500 rooms");
    unread(&mut group, &runtime, &store);
    group.finish();
    let mut group = criterion.benchmark_group("history of 1,000,000");
    pages(&mut group, &runtime, &store);
    group.finish();
    runtime.block_on(store.close());
}

fn user() -> UserName {
    UserName::from_raw("ann")
}

fn unread(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, store: &SqliteStore) {
    let mut is_full = false;
    let membership_queries = vec![(Space::root(), user())];
    let arrival = Arc::new(Batch { membership_queries, ..Batch::default() });
    group.throughput(Throughput::Elements(ROOMS as u64));
    group.bench_function("unread of each", |bencher| {
        if !mem::replace(&mut is_full, true) {
            runtime.block_on(join_rooms(store));
        }
        bencher.to_async(runtime).iter(async || {
            let committed = store.commit(Arc::clone(&arrival)).await.expect("the store answers");
            assert_eq!(committed.memberships.first().map(Vec::len), Some(ROOMS));
        });
    });
}

async fn join_rooms(store: &SqliteStore) {
    let room = |number| RoomName::from_raw(&format!("room-{number}"));
    let place = |number| Place::room(&Space::root(), &room(number));
    let join = |number| Change {
        place: place(number),
        user: user(),
        what: MemberChange::Join(JoinMode::As(Role::Member)),
        rooms_max: None,
    };
    let (identity_kind, device) = (IdentityKind::Registered, None);
    let seen = UserSeen {
        space: Space::root(),
        user: user(),
        identity_kind,
        display_name: None,
        device,
        at: THEN,
    };
    let changes = (0..ROOMS).map(join).collect();
    let joins = Batch { seen: vec![seen], changes, ..Batch::default() };
    store.commit(joins.into()).await.expect("the store answers");
    let draft = |number| draft(&place(number), number as u64);
    let said = Batch { drafts: (0..ROOMS).map(draft).collect(), ..Batch::default() };
    store.commit(said.into()).await.expect("the store answers");
}

fn pages(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, store: &SqliteStore) {
    let place = Place::room(&Space::root(), &RoomName::lobby());
    let mut is_full = false;
    let before = |seq| PageRange::Before(Seq::from_raw(seq));
    let depths = [
        ("the newest", PageRange::Newest),
        ("in the middle", before(MESSAGES / 2)),
        ("the oldest", before(60)),
    ];
    for (name, range) in depths {
        group.bench_function(format!("50 messages, {name}"), |bencher| {
            if !mem::replace(&mut is_full, true) {
                runtime.block_on(fill(store, &place));
            }
            bencher.to_async(runtime).iter(async || {
                let page = store.page(&place, range, PAGE).await.expect("the store answers");
                assert_eq!(page.entries.len(), 50);
            });
        });
    }
}

async fn fill(store: &SqliteStore, place: &Place) {
    for first in (0..MESSAGES).step_by(BATCH) {
        let numbers = first..(first + BATCH as u64).min(MESSAGES);
        let drafts = numbers.map(|number| draft(place, number)).collect();
        let batch = Batch { drafts, ..Batch::default() };
        store.commit(batch.into()).await.expect("the store answers");
    }
}

fn draft(place: &Place, number: u64) -> Draft {
    Draft {
        place: place.clone(),
        id: MessageId::from_raw(&format!("0197f3c0-6d5c-7a3e-8f00-{number:012}")),
        author: UserName::from_raw("bob"),
        author_name: None,
        guest_session: None,
        needs: None,
        at: THEN,
        act: DraftAct::Say { kind: MessageKind::Message, body: small_body() },
    }
}
