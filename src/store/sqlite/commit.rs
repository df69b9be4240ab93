//! The commit: a batch in one transaction.
//!
//! Begin, write users, read the conversations · read members, and messages that drafts change ·
//! (plan) · write, move heads, commit. A decision depends only on what this transaction has read,
//! never on memory of an earlier one: after a commit with unknown outcome, no seq is given twice.
//!
//! Few messages are repetitions, so they are not searched for: the index of message ids refuses
//! them. Then the transaction is rolled back, and another one reads the stored messages first.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{
    failure::SqliteFailure,
    members,
    messages::{self, Repetitions},
    statement::{execute, execute_each, first},
    users,
};
use crate::{
    chat::ports::{Batch, Change, Committed, MemberChange},
    domain::Place,
    store::sql::{
        ColumnError, Columns as _, StoredLog, StoredLogs, draft_plan::plan_drafts, member_plan,
        row, unique,
    },
};

/// Takes the write lock at once: no later statement fails because another program has written.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

pub(super) const FIND_LOG: &str = "SELECT id, head, messages, floor, floor_messages, members, \
        deleted \
    FROM conversation WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4";

pub(super) const INSERT_LOG: &str =
    "INSERT INTO conversation (space, kind, one, other) VALUES (?1, ?2, ?3, ?4)";

// A seq of these logs was never assigned.
pub(super) const DROP_EMPTY_LOGS: &str = "DELETE FROM conversation WHERE head = 0 AND members = 0";

/// Stores a batch. An error leaves the transaction open: the connection must be closed.
pub(super) fn commit(connection: &Connection, batch: &Batch) -> Result<Committed, SqliteFailure> {
    if let Some(committed) = attempt(connection, batch, Repetitions::Unexpected)? {
        return Ok(committed);
    }
    execute(connection, ROLLBACK)?;
    let committed = attempt(connection, batch, Repetitions::Searched)?;
    committed.ok_or_else(|| ColumnError::new("a message id is stored and not found").into())
}

/// Stores a batch in a transaction. `None` when a message is an unexpected repetition: the
/// transaction is still open.
fn attempt<'a>(
    connection: &Connection,
    batch: &'a Batch,
    repetitions: Repetitions,
) -> Result<Option<Committed>, SqliteFailure> {
    let Batch { seen, departed, expired, changes, drafts, membership_queries } = batch;
    execute(connection, BEGIN)?;
    users::upsert_seen(connection, seen)?;
    users::update_last_seen(connection, departed)?;
    users::forget_guests(connection, expired)?;

    let places = changes.iter().map(|it| &it.place).chain(drafts.iter().map(|it| &it.place));
    let mut logs = find_logs(connection, &unique(places))?;
    let members = members::find(connection, changes, &logs)?;
    let known = messages::find(connection, drafts, &logs, repetitions)?;
    let before = |it: &'a Change| logs.get(&it.place).map(|log| (&it.place, log.state));
    let logs_before = changes.iter().filter_map(before).collect();
    let rooms = members::count_rooms(connection, changes, &members)?;
    let change_plan = member_plan::plan_changes(changes, logs_before, &members, rooms);
    let heads = logs.iter().map(|(place, log)| (*place, log.state.head)).collect();
    let plan = plan_drafts(drafts, heads, &change_plan.roles(), known);

    let used = change_plan.members.iter().map(|((place, _), _)| *place);
    let used = used.chain(plan.stored.iter().map(|(draft, _)| &draft.place));
    insert_logs(connection, used, &mut logs)?;
    members::apply_changes(connection, &change_plan, &logs)?;
    if !messages::write(connection, &plan, &logs)? {
        return Ok(None);
    }
    if !expired.is_empty() || changes.iter().any(|it| it.what == MemberChange::Leave) {
        execute(connection, DROP_EMPTY_LOGS)?;
    }
    members::update_members(connection, &plan.stored, &logs)?;
    let memberships = members::memberships(connection, membership_queries)?;
    execute(connection, COMMIT)?;
    let (changed, outcomes) = (change_plan.changed, plan.outcomes);
    Ok(Some(Committed { changed, outcomes, memberships }))
}

fn find_logs<'a>(
    connection: &Connection,
    places: &[&'a Place],
) -> Result<StoredLogs<'a>, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_LOG)?;
    let mut logs = HashMap::with_capacity(places.len());
    for place in places {
        let log = first(&mut statement, row::place_columns(place), |row| {
            Ok::<_, SqliteFailure>(StoredLog { id: row.int("id")?, state: row::log(row)? })
        })?;
        logs.extend(log.map(|log| (*place, log)));
    }
    Ok(logs)
}

/// Inserts the rows of new conversations.
fn insert_logs<'a>(
    connection: &Connection,
    used: impl Iterator<Item = &'a Place>,
    logs: &mut StoredLogs<'a>,
) -> Result<(), SqliteFailure> {
    let new = unique(used.filter(|place| !logs.contains_key(place)));
    execute_each(connection, INSERT_LOG, new.iter().map(|place| row::place_columns(place)))?;
    logs.extend(find_logs(connection, &new)?);
    Ok(())
}
