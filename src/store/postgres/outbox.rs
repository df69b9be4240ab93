//! The outbox of webhooks.
//!
//! The presence of a subject is decided under an advisory lock of the subject, so that of two nodes
//! one is the first, and the events of a subject have the order of their transactions.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use time::OffsetDateTime;

use super::{
    arrays::{PgQuery, number},
    connect::run_statement,
    failure::PostgresFailure,
    presence,
};
use crate::{
    chat::ports::{
        AttemptOutcome, ConnectionEnd, DeadLetters, NewOutboxEvent, OutboxEvent, PresenceRecord,
        PresenceSubject, PresentClient, WEBHOOK_LEASE,
    },
    domain::{NodeId, WebhookName},
    store::sql::{Columns as _, outbox_row, row},
};

/// Subjects of lost nodes that one transaction removes.
const LOST_MAX: i64 = 1000;

const INSERT_EVENTS: &str = "INSERT INTO webhook_event (webhook, subject, space, type, fields, at)
    SELECT webhook, subject, space, type, fields, at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        WITH ORDINALITY AS given (webhook, subject, space, type, fields, at, number)
    ORDER BY number";

// In one order, so that transactions do not wait for each other in a circle.
const LOCK_SUBJECTS: &str = "SELECT pg_advisory_xact_lock(lock) FROM (
        SELECT DISTINCT hashtextextended(space || E'\\n' || kind || E'\\n' || name, 1) AS lock
        FROM unnest($1::text[], $2::bigint[], $3::text[]) AS given (space, kind, name) ORDER BY 1
    ) AS locks";

// The first part sees the rows before the second one.
const APPEAR: &str = "WITH given AS (
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
            WITH ORDINALITY AS given (space, kind, name, client, number)
    ), upserted AS (
        INSERT INTO webhook_presence (space, kind, name, node, client)
        SELECT space, kind, name, $5, client FROM given
        ON CONFLICT (space, kind, name, node) DO UPDATE SET client = excluded.client
    )
    SELECT number - 1 AS number FROM given WHERE NOT EXISTS (
        SELECT 1 FROM webhook_presence AS present
        WHERE present.space = given.space AND present.kind = given.kind
            AND present.name = given.name
    ) ORDER BY number";

const DISAPPEAR: &str = "DELETE FROM webhook_presence AS present
    USING unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
        WITH ORDINALITY AS given (space, kind, name, node, number)
    WHERE present.space = given.space AND present.kind = given.kind
        AND present.name = given.name AND present.node = given.node
    RETURNING number - 1 AS number, client";

const STILL_PRESENT: &str = "SELECT number - 1 AS number
    FROM unnest($1::text[], $2::bigint[], $3::text[])
        WITH ORDINALITY AS given (space, kind, name, number)
    WHERE EXISTS (
        SELECT 1 FROM webhook_presence AS present
        WHERE present.space = given.space AND present.kind = given.kind
            AND present.name = given.name
    )";

const LOST_PRESENCE: &str = "SELECT space, kind, name, node FROM webhook_presence
    WHERE node <> $1 AND NOT EXISTS (
        SELECT 1 FROM node WHERE node.id = webhook_presence.node AND NOT node.gone
            AND node.beat > clock_timestamp() - $2 * interval '1 millisecond'
    ) LIMIT $3";

const COUNT_PRESENCE: &str = "SELECT count(*) AS count FROM webhook_presence WHERE node = $1";

const ACQUIRE_LEASE: &str = "INSERT INTO webhook_lease AS lease (webhook, node, until)
    VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
    ON CONFLICT (webhook) DO UPDATE SET node = excluded.node, until = excluded.until
        WHERE lease.node = excluded.node OR lease.until <= clock_timestamp()
    RETURNING 1";

const RELEASE_LEASES: &str = "DELETE FROM webhook_lease WHERE node = $1";

/// The columns of an event.
macro_rules! find_events {
    ($condition:literal) => {
        concat!(
            "SELECT id, webhook, subject, space, type, fields, at, batch, attempts, failure,
                dead_at FROM webhook_event WHERE ",
            $condition
        )
    };
}

const FIND_WAITING: &str = find_events!(
    "webhook = $1 AND dead_at IS NULL AND subject <> ALL ($2) ORDER BY (batch IS NULL), id LIMIT $3"
);

const FIND_DEAD: &str = find_events!(
    "dead_at IS NOT NULL AND id > $1 AND ($2::text IS NULL OR webhook = $2) ORDER BY id LIMIT $3"
);

const ASSIGN_BATCH: &str = "UPDATE webhook_event SET batch = $2 WHERE id = ANY ($1)";

const DELETE_EVENTS: &str = "DELETE FROM webhook_event WHERE id = ANY ($1)";

const COUNT_FAILURE: &str = "UPDATE webhook_event
    SET attempts = attempts + 1, failure = $2, dead_at = $3 WHERE id = ANY ($1)";

const RESEND: &str = "UPDATE webhook_event SET batch = NULL, attempts = 0, dead_at = NULL
    WHERE id = ANY ($1) AND dead_at IS NOT NULL";

const RESEND_ALL: &str = "UPDATE webhook_event SET batch = NULL, attempts = 0, dead_at = NULL
    WHERE webhook = $1 AND dead_at IS NOT NULL";

const REMOVE_BEFORE: &str = "DELETE FROM webhook_event WHERE at < $1";

/// A subject that is gone from a node, and why.
type Departure = (PresenceSubject, NodeId, ConnectionEnd);

/// Records events, in an open transaction.
pub(super) async fn record(
    connection: &mut PgConnection,
    events: &[NewOutboxEvent],
) -> Result<(), PostgresFailure> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = events.iter().map(outbox_row::event_columns).collect();
    let query = sqlx::query(INSERT_EVENTS)
        .bind(rows.iter().map(|it| it.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.1.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.2).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.3).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.4.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.5).collect::<Vec<_>>());
    query.execute(connection).await?;
    Ok(())
}

/// Applies changes of a node's presence.
pub(super) async fn record_presence(
    connection: &mut PgConnection,
    record: &PresenceRecord,
) -> Result<(), PostgresFailure> {
    let PresenceRecord { node, appeared, gone, .. } = record;
    let gone: Vec<_> =
        gone.iter().map(|(subject, reason)| (subject.clone(), node.clone(), *reason)).collect();
    run_statement(connection, "BEGIN").await?;
    let subjects = appeared.iter().map(|(subject, _)| subject);
    lock_subjects(connection, subjects.chain(gone.iter().map(|(subject, ..)| subject))).await?;
    let mut events = appear(connection, record).await?;
    events.extend(disappear(connection, record, &gone).await?);
    self::record(connection, &events).await?;
    run_statement(connection, "COMMIT").await
}

/// Ends the presence on nodes whose leases have ended, and counts that on this one.
pub(super) async fn end_lost_presence(
    connection: &mut PgConnection,
    record: &PresenceRecord,
) -> Result<u64, PostgresFailure> {
    let node = record.node.as_raw();
    let query = sqlx::query(LOST_PRESENCE).bind(node).bind(presence::lease()).bind(LOST_MAX);
    let mut lost = Vec::new();
    for row in query.fetch_all(&mut *connection).await? {
        let node = NodeId::from_raw(row.text("node")?);
        lost.push((outbox_row::subject(&row)?, node, ConnectionEnd::NodeLost));
    }
    if !lost.is_empty() {
        run_statement(connection, "BEGIN").await?;
        lock_subjects(connection, lost.iter().map(|(subject, ..)| subject)).await?;
        let events = disappear(connection, record, &lost).await?;
        self::record(connection, &events).await?;
        run_statement(connection, "COMMIT").await?;
    }
    let row = sqlx::query(COUNT_PRESENCE).bind(node).fetch_one(connection).await?;
    Ok(row::count(row.int("count")?)?)
}

async fn lock_subjects(
    connection: &mut PgConnection,
    subjects: impl Iterator<Item = &PresenceSubject>,
) -> Result<(), PostgresFailure> {
    bind_subjects(sqlx::query(LOCK_SUBJECTS), subjects).execute(connection).await?;
    Ok(())
}

async fn appear(
    connection: &mut PgConnection,
    record: &PresenceRecord,
) -> Result<Vec<NewOutboxEvent>, PostgresFailure> {
    let PresenceRecord { node, appeared, .. } = record;
    if appeared.is_empty() {
        return Ok(Vec::new());
    }
    let clients: Vec<_> =
        appeared.iter().map(|(_, client)| outbox_row::client_column(client)).collect();
    let query = bind_subjects(sqlx::query(APPEAR), appeared.iter().map(|(subject, _)| subject));
    let rows = query.bind(clients).bind(node.as_raw()).fetch_all(connection).await?;
    let mut events = Vec::new();
    for row in &rows {
        if let Some((subject, _)) = appeared.get(number(row)?) {
            events.extend(record.appeared(subject));
        }
    }
    Ok(events)
}

/// Removes presence. Returns the events of subjects that are on no node any more.
async fn disappear(
    connection: &mut PgConnection,
    record: &PresenceRecord,
    gone: &[Departure],
) -> Result<Vec<NewOutboxEvent>, PostgresFailure> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let query = bind_subjects(sqlx::query(DISAPPEAR), gone.iter().map(|(subject, ..)| subject));
    let nodes: Vec<_> = gone.iter().map(|(_, node, _)| node.as_raw()).collect();
    // A subject that was on several of these nodes is gone once.
    let mut removed: BTreeMap<&PresenceSubject, (PresentClient, ConnectionEnd)> = BTreeMap::new();
    for row in query.bind(nodes).fetch_all(&mut *connection).await? {
        if let Some((subject, _, reason)) = gone.get(number(&row)?) {
            removed.insert(subject, (outbox_row::client(&row)?, *reason));
        }
    }
    let subjects: Vec<_> = removed.keys().copied().collect();
    let query = bind_subjects(sqlx::query(STILL_PRESENT), subjects.iter().copied());
    for row in query.fetch_all(connection).await? {
        if let Some(subject) = subjects.get(number(&row)?) {
            removed.remove(subject);
        }
    }
    let events =
        removed.into_iter().map(|(subject, (client, reason))| record.gone(subject, client, reason));
    Ok(events.flatten().collect())
}

/// Binds `space, kind, name`.
fn bind_subjects<'q, 'a>(
    query: PgQuery<'q>,
    subjects: impl Iterator<Item = &'a PresenceSubject>,
) -> PgQuery<'q> {
    let (mut spaces, mut kinds, mut names) = (vec![], vec![], vec![]);
    for subject in subjects {
        let (space, kind, name) = outbox_row::subject_columns(subject);
        spaces.push(space.to_owned());
        kinds.push(kind);
        names.push(name);
    }
    query.bind(spaces).bind(kinds).bind(names)
}

pub(super) async fn acquire_lease(
    connection: &mut PgConnection,
    webhook: &WebhookName,
    node: &NodeId,
) -> Result<bool, PostgresFailure> {
    let query = sqlx::query(ACQUIRE_LEASE).bind(webhook.as_raw()).bind(node.as_raw());
    let millis = i64::try_from(WEBHOOK_LEASE.as_millis()).unwrap_or(i64::MAX);
    Ok(query.bind(millis).fetch_optional(connection).await?.is_some())
}

pub(super) async fn release_leases(
    connection: &mut PgConnection,
    node: &NodeId,
) -> Result<(), PostgresFailure> {
    sqlx::query(RELEASE_LEASES).bind(node.as_raw()).execute(connection).await?;
    Ok(())
}

pub(super) async fn waiting(
    connection: &mut PgConnection,
    webhook: &WebhookName,
    without: &[String],
    events_max: usize,
) -> Result<Vec<OutboxEvent>, PostgresFailure> {
    let query = sqlx::query(FIND_WAITING).bind(webhook.as_raw()).bind(without);
    let rows = query.bind(row::number(events_max as u64)).fetch_all(connection).await?;
    Ok(rows.iter().map(outbox_row::event).collect::<Result<_, _>>()?)
}

pub(super) async fn assign_batch(
    connection: &mut PgConnection,
    events: &[u64],
    batch: &str,
) -> Result<(), PostgresFailure> {
    sqlx::query(ASSIGN_BATCH).bind(numbers(events)).bind(batch).execute(connection).await?;
    Ok(())
}

pub(super) async fn settle(
    connection: &mut PgConnection,
    outcomes: &[AttemptOutcome],
) -> Result<(), PostgresFailure> {
    let mut delivered = Vec::new();
    for outcome in outcomes {
        match outcome {
            AttemptOutcome::Delivered(ids) => delivered.extend(numbers(ids)),
            AttemptOutcome::Failed { events, failure, dead_at } => {
                let query = sqlx::query(COUNT_FAILURE).bind(numbers(events)).bind(&**failure);
                query.bind(dead_at.map(row::millis)).execute(&mut *connection).await?;
            }
        }
    }
    if !delivered.is_empty() {
        sqlx::query(DELETE_EVENTS).bind(delivered).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn dead_letters(
    connection: &mut PgConnection,
    webhook: Option<&WebhookName>,
    after: u64,
    events_max: usize,
) -> Result<Vec<OutboxEvent>, PostgresFailure> {
    let query = sqlx::query(FIND_DEAD).bind(row::number(after));
    let query = query.bind(webhook.map(WebhookName::as_raw));
    let rows = query.bind(row::number(events_max as u64)).fetch_all(connection).await?;
    Ok(rows.iter().map(outbox_row::event).collect::<Result<_, _>>()?)
}

pub(super) async fn resend(
    connection: &mut PgConnection,
    letters: &DeadLetters,
) -> Result<u64, PostgresFailure> {
    let query = match letters {
        DeadLetters::Ids(ids) => sqlx::query(RESEND).bind(numbers(ids)),
        DeadLetters::Of(webhook) => sqlx::query(RESEND_ALL).bind(webhook.as_raw()),
    };
    Ok(query.execute(connection).await?.rows_affected())
}

pub(super) async fn remove_before(
    connection: &mut PgConnection,
    time: OffsetDateTime,
) -> Result<(), PostgresFailure> {
    sqlx::query(REMOVE_BEFORE).bind(row::millis(time)).execute(connection).await?;
    Ok(())
}

fn numbers(ids: &[u64]) -> Vec<i64> {
    ids.iter().map(|id| row::number(*id)).collect()
}
