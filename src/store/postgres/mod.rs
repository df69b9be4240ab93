//! The engine that several nodes share: one PostgreSQL database.
//!
//! The database is the single point of agreement between nodes: on one `seq` per conversation, on
//! members, on guest names and on which nodes are alive. A node uses one connection for commits,
//! some for reads and two for the node registry. Every request to the server has a timeout.

mod arrays;
mod check;
mod columns;
mod commit;
mod connect;
mod denials;
mod error;
mod failure;
mod lists;
mod measure;
mod members;
mod message_commit;
mod messages;
mod nodes;
mod outbox;
mod pool;
mod presence;
mod read;
mod transfer;
mod trim;
mod users;
mod webhooks;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rust_embed::Embed;
use sqlx::{
    ConnectOptions as _, Connection as _,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};
use time::OffsetDateTime;
use tokio::time::timeout;

use self::pool::{Pool, with_connection};
pub use self::{
    error::{PostgresError, PostgresWarning},
    measure::PostgresMeasurement,
    nodes::PostgresNodes,
    transfer::{export as export_postgres, import as import_postgres},
};
use crate::{
    chat::ports::{
        Batch, Committed, Erased, Fault, MemberRow, OnlineGuest, Page, PageLimit, PageRange,
        PostedMessage, Recording, RoomRow, Store, TrimLimits, Trimmed,
    },
    domain::{
        DeviceId, DisplayNames, Epoch, Log, Member, NameKey, NodeId, Place, RoomName, RoomTopic,
        Secret, Seq, Space, UserName,
    },
    store::migrations,
};

/// The longest wait for a migration, whether this node or another one runs it.
const MIGRATION_WAIT_MAX: Duration = Duration::from_mins(10);

/// The versions of the schema.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(migrations::embedded::<Files>);

#[derive(Embed)]
#[folder = "src/store/postgres/migrations"]
struct Files;

/// Stores in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    epoch: Epoch,
    writer: Pool,
    readers: Pool,
    /// Where the next trim continues.
    trim_cursor: AtomicI64,
}

/// How to reach and use the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The address, `postgres://user:password@host:port/database?sslmode=verify-full`.
    pub url: Secret,
    /// The id of this node.
    pub node: NodeId,
    /// Connections for reads. When all are in use, the next read waits.
    pub readers_max: u32,
    /// The longest wait for the server; then the request fails.
    pub wait_max: Duration,
    /// How long the guest names of a node that left or failed are reserved.
    pub presence_grace: Duration,
}

impl PostgresOptions {
    /// The number of connections that a node opens.
    fn connections_max(&self) -> u32 {
        self.readers_max.max(1).saturating_add(1).saturating_add(nodes::CONNECTIONS)
    }
}

impl PostgresStore {
    /// Opens a database, migrates its schema, and returns the store and the node registry.
    pub async fn open(options: &PostgresOptions) -> Result<(Self, PostgresNodes), PostgresError> {
        let connect_options = check::connect_options(options)?;
        let pool = |count| Pool::new(connect_options.clone(), options.wait_max, count);
        drop(check::connect_checked(&connect_options, options.wait_max).await?);
        timeout(MIGRATION_WAIT_MAX, migrate(&connect_options))
            .await
            .unwrap_or(Err(PostgresError::TimedOut(MIGRATION_WAIT_MAX)))?;
        let readers = pool(options.readers_max.max(1));
        let epoch = with_connection!(readers, |connection| read::epoch(connection))?;
        let nodes = PostgresNodes::new(
            options.node.clone(),
            options.presence_grace,
            pool(nodes::CONNECTIONS),
        );
        let store = Self { epoch, writer: pool(1), readers, trim_cursor: AtomicI64::new(0) };
        Ok((store, nodes))
    }

    /// Connects without changing anything, and returns warnings for the operator.
    pub async fn check(options: &PostgresOptions) -> Result<Vec<PostgresWarning>, PostgresError> {
        check::warnings(options).await
    }

    /// Measures the server without changing anything.
    pub async fn measure(options: &PostgresOptions) -> Result<PostgresMeasurement, PostgresError> {
        measure::measure(options).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<Committed, Fault> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        let committed = self.writer.with_timeout(commit::commit(&self.writer, &batch)).await;
        committed.map_err(|failure| Fault::new("postgres commit failed", failure))
    }

    async fn probe(&self) -> Result<(), Fault> {
        let probed = with_connection!(self.writer, |connection| commit::probe(connection));
        probed.map_err(|failure| Fault::new("postgres probe failed", failure))
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        let logs = self.logs(std::slice::from_ref(place)).await?;
        Ok(logs.first().copied().unwrap_or_default())
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        let answer = with_connection!(self.readers, |connection| read::logs(connection, places));
        answer.map_err(|failure| Fault::new("postgres logs query failed", failure))
    }

    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        let answer =
            with_connection!(self.readers, |connection| read::revisions(connection, users));
        answer.map_err(|failure| Fault::new("postgres revision query failed", failure))
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        let answer = with_connection!(self.readers, |connection| read::page(
            connection, place, range, limit
        ));
        answer.map_err(|failure| Fault::new("postgres page query failed", failure))
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        let answer =
            with_connection!(self.readers, |connection| read::message(connection, place, seq));
        answer.map_err(|failure| Fault::new("postgres message query failed", failure))
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        let answer =
            with_connection!(self.readers, |connection| read::member(connection, place, user));
        answer.map_err(|failure| Fault::new("postgres member query failed", failure))
    }

    async fn members(
        &self,
        place: &Place,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<Vec<MemberRow>, Fault> {
        let page = (after, count_max);
        let answer =
            with_connection!(self.readers, |connection| lists::members(connection, place, page));
        answer.map_err(|failure| Fault::new("postgres members query failed", failure))
    }

    async fn rooms(
        &self,
        space: &Space,
        after: Option<&RoomName>,
        count_max: usize,
    ) -> Result<Vec<RoomRow>, Fault> {
        let page = (after, count_max);
        let answer =
            with_connection!(self.readers, |connection| lists::rooms(connection, space, page));
        answer.map_err(|failure| Fault::new("postgres rooms query failed", failure))
    }

    async fn topic(&self, place: &Place) -> Result<Option<RoomTopic>, Fault> {
        let answer = with_connection!(self.readers, |connection| read::topic(connection, place));
        answer.map_err(|failure| Fault::new("postgres topic query failed", failure))
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        let answer =
            with_connection!(self.readers, |connection| read::user_exists(connection, space, user));
        answer.map_err(|failure| Fault::new("postgres user query failed", failure))
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        let answer = with_connection!(self.readers, |connection| read::is_registered(
            connection, space, key
        ));
        answer.map_err(|failure| Fault::new("postgres name query failed", failure))
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        let answer =
            with_connection!(self.readers, |connection| read::last_seen(connection, space, users));
        answer.map_err(|failure| Fault::new("postgres last-seen query failed", failure))
    }

    async fn display_names(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<DisplayNames, Fault> {
        let answer = with_connection!(self.readers, |connection| read::display_names(
            connection, space, users
        ));
        answer.map_err(|failure| Fault::new("postgres display name query failed", failure))
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let answer = with_connection!(self.readers, |connection| read::device_seen(
            connection, space, user, device
        ));
        answer.map_err(|failure| Fault::new("postgres device query failed", failure))
    }

    /// The names of the guests outlive this process in the node registry.
    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        Ok(Vec::new())
    }

    async fn trim(
        &self,
        retention: &TrimLimits,
        recording: Option<&Recording>,
    ) -> Result<Trimmed, Fault> {
        let cursor = self.trim_cursor.load(Ordering::Relaxed);
        let trimmed = with_connection!(self.writer, |connection| {
            trim::trim(connection, (retention, recording), cursor)
        });
        let (trimmed, cursor) =
            trimmed.map_err(|failure| Fault::new("postgres trim failed", failure))?;
        self.trim_cursor.store(cursor, Ordering::Relaxed);
        Ok(trimmed)
    }

    async fn erase(&self, place: &Place, up_to: Seq) -> Result<Erased, Fault> {
        let erased =
            with_connection!(self.writer, |connection| trim::erase(connection, place, up_to));
        erased.map_err(|failure| Fault::new("postgres erase failed", failure))
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Several nodes may call this at the same time: one holds the lock, and the others wait and find
/// the schema migrated.
async fn migrate(options: &PgConnectOptions) -> Result<(), PostgresError> {
    let mut connection = options.connect().await?;
    // The operator may have set global timeouts; and notices would be logged.
    let settings =
        "SET client_min_messages = error; SET statement_timeout = 0; SET lock_timeout = 0";
    sqlx::raw_sql(settings).execute(&mut connection).await?;
    let migrated = MIGRATIONS.run(&mut connection).await;
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) => error.into(),
        error => PostgresError::Migration(error),
    })?;
    users::renew_keys(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
