//! Events that are recorded for webhooks, in the transactions that they are about.

use rusqlite::Connection;

use super::{failure::SqliteFailure, statement::execute_each};
use crate::{chat::ports::NewOutboxEvent, store::sql::outbox_row};

pub(super) const INSERT_EVENT: &str = "INSERT INTO webhook_event \
    (webhook, subject, space, type, fields, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Records events, in an open transaction.
pub(super) fn insert(
    connection: &Connection,
    events: &[NewOutboxEvent],
) -> Result<(), SqliteFailure> {
    execute_each(connection, INSERT_EVENT, events.iter().map(outbox_row::event_columns))
}
