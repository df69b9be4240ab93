//! Processor time of SQLite alone for each message of a commit.
//!
//! Not a criterion benchmark: the result is processor time, because the time of a commit is mostly
//! that of the disk.

use std::{sync::Arc, time::Duration};

use roomcast::{
    chat::ports::{
        Batch, Change, Draft, DraftAct, IdentityKind, MemberChange, Outcome, Store, UserSeen,
    },
    domain::{
        JoinMode, MessageId, MessageKind, Place, Role, RoomName, Space, Synchronous, UserName,
    },
    store::{SqliteOptions, SqliteStore},
};
use time::{OffsetDateTime, macros::datetime};
use tokio::runtime::Builder;

use super::{fixtures::small_body, processor_time::processor_time};

/// The name that `cargo bench -- …` filters by.
pub(crate) const NAME: &str = "store cost";

/// Files by name: rooms, and messages that they hold before the measurement.
const FILES: [(&str, u64, u64); 2] =
    [("1,000 rooms", 1000, 0), ("20,000 rooms, 400,000 messages", 20_000, 400_000)];
/// Messages in a commit, and commits.
const COMMITS: [(u64, u64); 4] = [(1, 2000), (16, 500), (64, 250), (256, 100)];
/// Commits before the measurement.
const WARM_UP: u64 = 20;
/// Messages or users of a commit that fills the file: the maximum of the journal.
const FILLING: u64 = 512;
/// Successive messages are in distant rooms. Prime to the numbers of rooms, so that all rooms have
/// equally many.
const STRIDE: u64 = 7919;
const THEN: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

/// Measures, and prints a line for each file and size of commit.
pub(crate) fn measure() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    for (name, rooms, messages) in FILES {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let home = home.expect("the build directory can be written");
        let options = SqliteOptions {
            directory: home.path().to_owned(),
            synchronous: Synchronous::Full,
            busy_wait_max: Duration::from_secs(2),
        };
        runtime.block_on(async {
            let store = SqliteStore::open(&options).await.expect("the database can be made");
            let mut file = File { store: &store, rooms, next: 0 };
            file.join_rooms().await;
            while file.next < messages {
                file.commit(file.batch(FILLING)).await;
                file.next += FILLING;
            }
            for (size, commits) in COMMITS {
                report(name, size, file.measure(size, commits).await);
            }
            store.close().await;
        });
    }
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn report(file: &str, size: u64, commit: Duration) {
    let micros = commit.as_secs_f64() * 1e6;
    println!(
        "{NAME}/{file}, {size} in a commit: {:.1} µs of processor time a message, {micros:.0} µs a \
         commit",
        micros / size as f64,
    );
}

/// A database with one member in each room.
struct File<'a> {
    store: &'a SqliteStore,
    rooms: u64,
    /// The number of the next message.
    next: u64,
}

impl File<'_> {
    async fn join_rooms(&self) {
        let numbers: Vec<_> = (0..self.rooms).collect();
        for part in numbers.chunks(256) {
            let seen = part.iter().map(|number| user_seen(*number)).collect();
            let changes = part.iter().map(|number| join(*number)).collect();
            let joins = Batch { seen, changes, ..Batch::default() };
            self.store.commit(joins.into()).await.expect("the store answers");
        }
    }

    /// The processor time of a commit of `size` messages, each in another room.
    async fn measure(&mut self, size: u64, commits: u64) -> Duration {
        // Made before the measurement, so that only the store is measured.
        let mut batches = Vec::new();
        for _ in 0..WARM_UP + commits {
            batches.push(self.batch(size));
            self.next += size;
        }
        let measured = batches.split_off(usize::try_from(WARM_UP).expect("it is small"));
        for batch in batches {
            self.commit(batch).await;
        }
        let before = processor_time();
        for batch in measured {
            self.commit(batch).await;
        }
        let taken = processor_time().saturating_sub(before);
        taken / u32::try_from(commits).expect("it is small")
    }

    async fn commit(&self, batch: Arc<Batch>) {
        let committed = self.store.commit(batch).await.expect("the store answers");
        let is_stored = committed.outcomes.iter().all(|it| matches!(it, Outcome::Stored(_)));
        assert!(is_stored, "every message is stored");
    }

    fn batch(&self, size: u64) -> Arc<Batch> {
        let drafts = (self.next..self.next + size)
            .map(|number| draft(number * STRIDE % self.rooms, number))
            .collect();
        Arc::new(Batch { drafts, ..Batch::default() })
    }
}

fn place(room: u64) -> Place {
    Place::room(&Space::root(), &RoomName::from_raw(&format!("room {room}")))
}

fn user(room: u64) -> UserName {
    UserName::from_raw(&format!("user {room}"))
}

fn user_seen(room: u64) -> UserSeen {
    let (identity_kind, device) = (IdentityKind::Registered, None);
    UserSeen {
        space: Space::root(),
        user: user(room),
        identity_kind,
        display_name: None,
        device,
        at: THEN,
    }
}

fn join(room: u64) -> Change {
    let what = MemberChange::Join(JoinMode::As(Role::Member));
    Change { place: place(room), user: user(room), what, rooms_max: None }
}

fn draft(room: u64, number: u64) -> Draft {
    Draft {
        place: place(room),
        id: MessageId::from_raw(&format!("0197f3c0-6d5c-7a3e-8f00-{number:012}")),
        author: user(room),
        author_name: None,
        guest_session: None,
        needs: Some(Role::Member),
        at: THEN,
        act: DraftAct::Say { kind: MessageKind::Message, body: small_body() },
    }
}
