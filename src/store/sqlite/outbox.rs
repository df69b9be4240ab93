//! The outbox of webhooks.

use std::collections::HashSet;

use rusqlite::Connection;
use time::OffsetDateTime;

use super::{
    commit::{BEGIN, COMMIT},
    failure::SqliteFailure,
    recorded_events,
    statement::{all, execute, execute_each},
};
use crate::{
    chat::ports::{
        AttemptOutcome, ConnectionEnd, DeadLetters, OutboxEvent, PresenceRecord, PresenceSubject,
        PresentClient,
    },
    domain::WebhookName,
    store::sql::{Columns as _, outbox_row, row},
};

/// Subjects of lost nodes that one transaction removes.
const LOST_MAX: i64 = 1000;

pub(super) const IS_PRESENT: &str =
    "SELECT 1 FROM webhook_presence WHERE space = ?1 AND kind = ?2 AND name = ?3";

pub(super) const UPSERT_PRESENCE: &str = "INSERT INTO webhook_presence \
        (space, kind, name, node, client) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO UPDATE SET client = excluded.client";

pub(super) const DELETE_PRESENCE: &str = "DELETE FROM webhook_presence \
    WHERE space = ?1 AND kind = ?2 AND name = ?3 AND node = ?4 RETURNING client";

const LOST_PRESENCE: &str =
    "SELECT space, kind, name, node FROM webhook_presence WHERE node <> ?1 LIMIT ?2";

pub(super) const COUNT_PRESENCE: &str =
    "SELECT count(*) AS count FROM webhook_presence WHERE node = ?1";

/// The columns of an event.
macro_rules! find_events {
    ($condition:literal) => {
        concat!(
            "SELECT id, webhook, subject, space, type, fields, at, batch, attempts, failure, \
                dead_at FROM webhook_event WHERE ",
            $condition
        )
    };
}

pub(super) const FIND_WAITING: &str =
    find_events!("webhook = ?1 AND dead_at IS NULL ORDER BY batch IS NULL, id");

pub(super) const FIND_DEAD: &str = find_events!(
    "dead_at IS NOT NULL AND id > ?1 AND (?2 IS NULL OR webhook = ?2) ORDER BY id LIMIT ?3"
);

pub(super) const ASSIGN_BATCH: &str = "UPDATE webhook_event SET batch = ?2 WHERE id = ?1";

pub(super) const DELETE_EVENT: &str = "DELETE FROM webhook_event WHERE id = ?1";

pub(super) const COUNT_FAILURE: &str = "UPDATE webhook_event \
    SET attempts = attempts + 1, failure = ?2, dead_at = ?3 WHERE id = ?1";

pub(super) const RESEND: &str = "UPDATE webhook_event SET batch = NULL, attempts = 0, \
    dead_at = NULL WHERE id = ?1 AND dead_at IS NOT NULL";

pub(super) const RESEND_ALL: &str = "UPDATE webhook_event SET batch = NULL, attempts = 0, \
    dead_at = NULL WHERE webhook = ?1 AND dead_at IS NOT NULL";

pub(super) const REMOVE_BEFORE: &str = "DELETE FROM webhook_event WHERE at < ?1";

/// Applies changes of a node's presence.
pub(super) fn record_presence(
    connection: &Connection,
    record: &PresenceRecord,
) -> Result<(), SqliteFailure> {
    let PresenceRecord { node, appeared, gone, .. } = record;
    execute(connection, BEGIN)?;
    let mut events = Vec::new();
    let mut upsert = connection.prepare_cached(UPSERT_PRESENCE)?;
    for (subject, client) in appeared {
        if !is_present(connection, subject)? {
            events.extend(record.appeared(subject));
        }
        let (space, kind, name) = outbox_row::subject_columns(subject);
        let client = outbox_row::client_column(client);
        upsert.execute((space, kind, name, node.as_raw(), client))?;
    }
    for (subject, reason) in gone {
        if let Some(client) = remove_presence(connection, subject, node.as_raw())? {
            events.extend(record.gone(subject, client, *reason));
        }
    }
    recorded_events::insert(connection, &events)?;
    execute(connection, COMMIT)
}

/// Ends the presence on all other nodes, which are earlier processes, and counts that on this one.
pub(super) fn end_lost_presence(
    connection: &Connection,
    record: &PresenceRecord,
) -> Result<u64, SqliteFailure> {
    let node = record.node.as_raw();
    let mut statement = connection.prepare_cached(LOST_PRESENCE)?;
    let lost = all(&mut statement, (node, LOST_MAX), |row| {
        Ok::<_, SqliteFailure>((outbox_row::subject(row)?, row.text("node")?.to_owned()))
    })?;
    if !lost.is_empty() {
        execute(connection, BEGIN)?;
        let mut events = Vec::new();
        for (subject, node) in &lost {
            if let Some(client) = remove_presence(connection, subject, node)? {
                events.extend(record.gone(subject, client, ConnectionEnd::NodeLost));
            }
        }
        recorded_events::insert(connection, &events)?;
        execute(connection, COMMIT)?;
    }
    let mut statement = connection.prepare_cached(COUNT_PRESENCE)?;
    let count: i64 = statement.query_row([node], |row| row.get("count"))?;
    Ok(row::count(count)?)
}

fn is_present(connection: &Connection, subject: &PresenceSubject) -> Result<bool, SqliteFailure> {
    let mut statement = connection.prepare_cached(IS_PRESENT)?;
    Ok(statement.exists(outbox_row::subject_columns(subject))?)
}

/// Removes the presence of a subject on a node. Returns its client if it was the last presence.
fn remove_presence(
    connection: &Connection,
    subject: &PresenceSubject,
    node: &str,
) -> Result<Option<PresentClient>, SqliteFailure> {
    let (space, kind, name) = outbox_row::subject_columns(subject);
    let mut statement = connection.prepare_cached(DELETE_PRESENCE)?;
    let removed = all(&mut statement, (space, kind, name, node), |row| outbox_row::client(row))?;
    match removed.into_iter().next() {
        Some(client) if !is_present(connection, subject)? => Ok(Some(client)),
        Some(_) | None => Ok(None),
    }
}

/// See [`WebhookOutbox::waiting`](crate::chat::ports::WebhookOutbox::waiting).
pub(super) fn waiting(
    connection: &Connection,
    webhook: &WebhookName,
    without: &HashSet<String>,
    events_max: usize,
) -> Result<Vec<OutboxEvent>, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_WAITING)?;
    let mut rows = statement.query([webhook.as_raw()])?;
    let mut events = Vec::new();
    while events.len() < events_max
        && let Some(row) = rows.next()?
    {
        if !without.contains(row.text("subject")?) {
            events.push(outbox_row::event(row)?);
        }
    }
    Ok(events)
}

pub(super) fn assign_batch(
    connection: &Connection,
    events: &[u64],
    batch: &str,
) -> Result<(), SqliteFailure> {
    execute(connection, BEGIN)?;
    let rows = events.iter().map(|id| (row::number(*id), batch));
    execute_each(connection, ASSIGN_BATCH, rows)?;
    execute(connection, COMMIT)
}

pub(super) fn settle(
    connection: &Connection,
    outcomes: &[AttemptOutcome],
) -> Result<(), SqliteFailure> {
    execute(connection, BEGIN)?;
    for outcome in outcomes {
        match outcome {
            AttemptOutcome::Delivered(ids) => {
                let ids = ids.iter().map(|id| [row::number(*id)]);
                execute_each(connection, DELETE_EVENT, ids)?;
            }
            AttemptOutcome::Failed { events, failure, dead_at } => {
                let dead_at = dead_at.map(row::millis);
                let rows = events.iter().map(|id| (row::number(*id), &**failure, dead_at));
                execute_each(connection, COUNT_FAILURE, rows)?;
            }
        }
    }
    execute(connection, COMMIT)
}

pub(super) fn dead_letters(
    connection: &Connection,
    webhook: Option<&WebhookName>,
    after: u64,
    events_max: usize,
) -> Result<Vec<OutboxEvent>, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_DEAD)?;
    let webhook = webhook.map(WebhookName::as_raw);
    let parameters = (row::number(after), webhook, row::number(events_max as u64));
    all(&mut statement, parameters, |row| outbox_row::event(row))
}

pub(super) fn resend(connection: &Connection, letters: &DeadLetters) -> Result<u64, SqliteFailure> {
    execute(connection, BEGIN)?;
    let resent = match letters {
        DeadLetters::Of(webhook) => {
            connection.prepare_cached(RESEND_ALL)?.execute([webhook.as_raw()])?
        }
        DeadLetters::Ids(ids) => {
            let mut statement = connection.prepare_cached(RESEND)?;
            let mut resent = 0;
            for id in ids {
                resent += statement.execute([row::number(*id)])?;
            }
            resent
        }
    };
    execute(connection, COMMIT)?;
    Ok(resent as u64)
}

pub(super) fn remove_before(
    connection: &Connection,
    time: OffsetDateTime,
) -> Result<(), SqliteFailure> {
    connection.prepare_cached(REMOVE_BEFORE)?.execute([row::millis(time)])?;
    Ok(())
}
