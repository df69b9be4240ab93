//! The engine that stores on disk: one SQLite database in a directory of its own.
//!
//! One thread writes and some read, each with its own connection, so that reads and commits run
//! concurrently. The directory belongs to one process at a time: a file in it is locked by the
//! operating system, which releases the lock however the process ends.

mod backup;
mod columns;
mod commit;
mod connect;
mod denials;
mod directory;
mod failure;
mod intake;
mod lists;
mod members;
mod messages;
mod migrate;
mod outbox;
mod read;
mod recorded_events;
mod registered;
mod statement;
mod threads;
mod transfer;
mod trim;
mod users;
mod webhooks;

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::Connection;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;

pub use self::{
    backup::{backup as backup_sqlite, inspect as inspect_sqlite, restore as restore_sqlite},
    failure::SqliteError,
    migrate::MigrationError,
    transfer::{export as export_sqlite, import as import_sqlite},
};
use self::{
    connect::Connector, failure::SqliteFailure, intake::Intake, registered::RegisteredNames,
    threads::ConnectionThreads,
};
use crate::{
    chat::ports::{
        Batch, Committed, Draft, DraftAct, Erased, Fault, IdentityKind, MemberRow, OnlineGuest,
        Page, PageLimit, PageRange, PostedMessage, Recording, RoomRow, Store, TrimLimits, Trimmed,
        UserSeen,
    },
    domain::{
        DeviceId, DisplayNames, Epoch, Log, Member, NameKey, Place, RoomName, RoomTopic, Seq,
        Space, Synchronous, UserName,
    },
};

/// Threads for reads. When all are busy, the next read waits.
const READERS: usize = 4;

/// Stores in `roomcast.db`.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: Epoch,
    writer: ConnectionThreads,
    readers: ConnectionThreads,
    intake: Arc<Intake>,
    lock: File,
    registered: RegisteredNames,
    /// Where the next trim continues.
    trim_cursor: AtomicI64,
    /// Whether the write-ahead log may still hold removed content.
    wal_needs_truncation: AtomicBool,
}

/// Where and how to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The directory of the database and its lock. It is created if it is missing.
    pub directory: PathBuf,
    /// The failures that a commit survives.
    pub synchronous: Synchronous,
    /// The longest wait for another program's lock on the database; then a commit fails.
    pub busy_wait_max: Duration,
}

impl SqliteStore {
    /// Opens the database in a directory, and creates both if they are missing.
    pub async fn open(options: &SqliteOptions) -> Result<Self, SqliteError> {
        let (options, connector) = (options.clone(), Connector::writer(options));
        let path = connector.path().to_owned();
        let opened = spawn_blocking(move || Self::open_blocking(&options, &connector)).await;
        opened.unwrap_or_else(|error| Err(SqliteError::Database { path, source: error.into() }))
    }

    fn open_blocking(options: &SqliteOptions, connector: &Connector) -> Result<Self, SqliteError> {
        let path = connector.path();
        let lock = connect::prepare_directory(options)?;
        let database_error = |source: Box<dyn Error + Send + Sync>| SqliteError::Database {
            path: path.to_owned(),
            source,
        };
        let sql_error = |error: rusqlite::Error| database_error(error.into());
        let failure = |error: SqliteFailure| database_error(error.into());
        let mut connection = connector.connect().map_err(sql_error)?;
        migrate::migrate(&mut connection, &migrate::MIGRATIONS.migrations)
            .map_err(|source| SqliteError::Migration { path: path.to_owned(), source })?;
        users::renew_keys(&mut connection).map_err(sql_error)?;
        let reading = connector.reader();
        let reader = reading.connect().map_err(sql_error)?;
        let epoch = read::epoch(&reader).map_err(sql_error)?;
        let intake = Intake::load(&reader).map_err(failure)?;
        let registered = RegisteredNames::load(&reader).map_err(sql_error)?;
        let start = |name, count, connector, connection| {
            let threads = ConnectionThreads::start(name, count, connector, connection);
            threads.map_err(|error| database_error(error.into()))
        };
        Ok(Self {
            epoch,
            writer: start("sqlite-writer", 1, connector, connection)?,
            readers: start("sqlite-reader", READERS, &reading, reader)?,
            intake: Arc::new(intake),
            lock,
            registered,
            trim_cursor: AtomicI64::new(0),
            wal_needs_truncation: AtomicBool::new(true),
        })
    }

    /// Runs a query on a read connection. `doing` is the text of its fault.
    async fn query<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> Result<T, Fault> {
        self.readers.run(query).await.map_err(|error| Fault::new(doing, error))
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        let changes = |draft: &Draft| !matches!(draft.act, DraftAct::Say { .. });
        // Set first: a batch is also stored when its caller is cancelled.
        let has_changes = batch.drafts.iter().any(changes);
        self.wal_needs_truncation.fetch_or(has_changes, Ordering::Relaxed);
        let registered = |it: &&UserSeen| it.identity_kind == IdentityKind::Registered;
        for seen in batch.seen.iter().filter(registered) {
            self.registered.insert(&seen.space, &seen.user.key());
        }
        let intake = Arc::clone(&self.intake);
        let commit = move |it: &Connection| commit::commit(it, &intake, &batch);
        let committed = self.writer.run(commit).await;
        committed.map_err(|error| Fault::new("sqlite commit failed", error))
    }

    async fn probe(&self) -> Result<(), Fault> {
        let probed = self.writer.run(commit::probe).await;
        probed.map_err(|error| Fault::new("sqlite probe failed", error))
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        let (place, intake) = (place.clone(), Arc::clone(&self.intake));
        self.query("sqlite log query failed", move |it| read::log(it, &intake, &place)).await
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        let (places, intake) = (places.to_vec(), Arc::clone(&self.intake));
        self.query("sqlite logs query failed", move |it| read::logs(it, &intake, &places)).await
    }

    /// The directory belongs to one process, so no other process changes memberships.
    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        Ok(vec![0; users.len()])
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        let (place, intake) = (place.clone(), Arc::clone(&self.intake));
        let page = move |it: &Connection| read::page(it, &intake, &place, range, limit);
        self.query("sqlite page query failed", page).await
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        let (place, user, intake) = (place.clone(), user.clone(), Arc::clone(&self.intake));
        let member = move |it: &Connection| read::member(it, &intake, &place, &user);
        self.query("sqlite member query failed", member).await
    }

    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault> {
        let (place, after) = (place.clone(), after.cloned());
        let members = move |it: &Connection| lists::members(it, &place, after.as_ref(), count_max);
        self.query("sqlite members query failed", members).await
    }

    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault> {
        let (space, after) = (space.clone(), after.cloned());
        let rooms = move |it: &Connection| lists::rooms(it, &space, after.as_ref(), count_max);
        self.query("sqlite rooms query failed", rooms).await
    }

    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault> {
        let place = place.clone();
        self.query("sqlite topic query failed", move |it| read::topic(it, &place)).await
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        let (space, user) = (space.clone(), user.clone());
        let exists = move |it: &Connection| read::user_exists(it, &space, &user);
        self.query("sqlite user query failed", exists).await
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        if !self.registered.may_contain(space, key) {
            return Ok(false);
        }
        let (space, key) = (space.clone(), key.clone());
        let registered = move |it: &Connection| read::is_registered(it, &space, &key);
        self.query("sqlite name query failed", registered).await
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        let (space, users) = (space.clone(), users.to_vec());
        let seen = move |it: &Connection| read::last_seen(it, &space, &users);
        self.query("sqlite last-seen query failed", seen).await
    }

    async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Fault> {
        let (space, users) = (space.clone(), users.to_vec());
        let names = move |it: &Connection| read::display_names(it, &space, &users);
        self.query("sqlite display name query failed", names).await
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let (space, user, device) = (space.clone(), user.clone(), device.clone());
        let seen = move |it: &Connection| read::device_seen(it, &space, &user, &device);
        self.query("sqlite device query failed", seen).await
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        let (place, intake) = (place.clone(), Arc::clone(&self.intake));
        let message = move |it: &Connection| read::message(it, &intake, &place, seq);
        self.query("sqlite message query failed", message).await
    }

    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        self.query("sqlite online guests query failed", users::online_guests).await
    }

    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault> {
        let (retention, recording) = (*retention, recording.cloned());
        let cursor = self.trim_cursor.load(Ordering::Relaxed);
        let wal_needs_truncation = self.wal_needs_truncation.swap(true, Ordering::Relaxed);
        let intake = Arc::clone(&self.intake);
        let trim = move |it: &Connection| {
            let (trimmed, cursor) =
                trim::trim(it, &intake, (&retention, recording.as_ref()), cursor)?;
            let wal_needs_truncation = wal_needs_truncation || !trimmed.logs.is_empty();
            let is_clean = !wal_needs_truncation || trim::truncate_wal(it)?;
            Ok((trimmed, cursor, is_clean))
        };
        let trimmed = self.writer.run(trim).await;
        let (trimmed, cursor, is_clean) =
            trimmed.map_err(|error| Fault::new("sqlite trim failed", error))?;
        self.trim_cursor.store(cursor, Ordering::Relaxed);
        self.wal_needs_truncation.store(!is_clean, Ordering::Relaxed);
        Ok(trimmed)
    }

    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault> {
        // The next trim truncates the write-ahead log.
        self.wal_needs_truncation.store(true, Ordering::Relaxed);
        let (place, intake) = (place.clone(), Arc::clone(&self.intake));
        let erase = move |it: &Connection| trim::erase(it, &intake, &place, up_to);
        self.writer.run(erase).await.map_err(|error| Fault::new("sqlite erase failed", error))
    }

    /// The writer is closed last: the last connection to close empties the write-ahead log into the
    /// database, and a reader must not write.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "data directory unlock failed");
        }
    }
}
