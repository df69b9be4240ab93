//! The commit: a batch in one transaction.
//!
//! Begin, write users, read the conversations · read members, and drafts that are stored already ·
//! (plan) · write, move heads, commit. The statements for empty parts of a batch are left out. A
//! decision depends only on what this transaction has read, never on memory of an earlier one:
//! after a commit with unknown outcome, no seq is given twice.

use std::collections::HashMap;

use sqlx::{
    Arguments as _,
    sqlite::{SqliteArguments, SqliteConnection},
};

use super::{
    bind, members, messages,
    script::{Statement, Transaction},
    users,
};
use crate::{
    chat::ports::{Batch, Committed, MemberChange},
    domain::Place,
    store::sql::{
        Columns as _, StoredLog, StoredLogs, draft_plan::plan_drafts, member_plan, number,
        numbered, row, unique,
    },
};

// CROSS JOIN keeps the join order: one index search per row.
pub(super) const FIND_LOGS: Statement = Statement {
    before: "SELECT column1 AS number, id, head, messages, floor, floor_messages, members, \
        deleted FROM",
    row: "(?,?,?,?,?)",
    after: "CROSS JOIN conversation \
        ON space = column2 AND kind = column3 AND one = column4 AND other = column5",
};

pub(super) const INSERT_LOGS: Statement = Statement {
    before: "INSERT INTO conversation (space, kind, one, other) SELECT * FROM",
    row: "(?,?,?,?)",
    after: "WHERE column1 IS NOT NULL",
};

// A seq of these logs was never assigned.
pub(super) const DROP_EMPTY_LOGS: Statement = Statement {
    before: "DELETE FROM conversation WHERE id IN (SELECT conversation.id FROM",
    row: "(?)",
    after: "CROSS JOIN conversation WHERE column1 IS NOT NULL AND head = 0 AND members = 0)",
};

/// Stores a batch. An error leaves the transaction open: the connection must be closed.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<Committed, sqlx::Error> {
    let Batch { seen, departed, expired, changes, drafts, membership_queries } = batch;
    let mut transaction = Transaction::begin(connection);
    users::upsert_seen(&mut transaction, seen).await?;
    users::update_last_seen(&mut transaction, departed).await?;
    users::forget_guests(&mut transaction, expired).await?;

    let places = changes.iter().map(|it| &it.place).chain(drafts.iter().map(|it| &it.place));
    let mut logs = find_logs(&mut transaction, &unique(places)).await?;
    let members = members::find(&mut transaction, changes, &logs).await?;
    let known = messages::find(&mut transaction, drafts, &logs).await?;
    let logs_before = logs.iter().map(|(place, log)| (*place, log.state)).collect();
    let rooms = members::count_rooms(&mut transaction, changes, &members).await?;
    let change_plan = member_plan::plan_changes(changes, logs_before, &members, rooms);
    let heads = logs.iter().map(|(place, log)| (*place, log.state.head)).collect();
    let plan = plan_drafts(drafts, heads, &change_plan.roles(), known);

    let used = change_plan.members.iter().map(|((place, _), _)| *place);
    let used = used.chain(plan.stored.iter().map(|(draft, _)| &draft.place));
    insert_logs(&mut transaction, used, &mut logs).await?;
    members::apply_changes(&mut transaction, &change_plan, &logs).await?;
    messages::write(&mut transaction, &plan, &logs).await?;
    if !expired.is_empty() || changes.iter().any(|it| it.what == MemberChange::Leave) {
        drop_empty_logs(&mut transaction).await?;
    }
    members::update_members(&mut transaction, &plan.stored, &logs).await?;
    let memberships = members::memberships(&mut transaction, membership_queries).await?;
    transaction.commit().await?;
    Ok(Committed { changed: change_plan.changed, outcomes: plan.outcomes, memberships })
}

async fn find_logs<'a>(
    transaction: &mut Transaction<'_>,
    places: &[&'a Place],
) -> Result<StoredLogs<'a>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, (number, place): &(i64, &&Place)| {
        arguments.add(*number)?;
        bind::place(arguments, place)
    };
    let mut logs = HashMap::with_capacity(places.len());
    for row in transaction.query(FIND_LOGS, &numbered(places), bind).await? {
        let log = StoredLog { id: row.int("id")?, state: row::log(&row)? };
        logs.extend(places.get(number(&row)?).map(|place| (*place, log)));
    }
    Ok(logs)
}

/// Deletes conversations without entries and members.
pub(super) async fn drop_empty_logs(transaction: &mut Transaction<'_>) -> Result<(), sqlx::Error> {
    transaction.execute(DROP_EMPTY_LOGS, &[true], |arguments, row| arguments.add(*row)).await
}

/// Inserts the rows of new conversations.
async fn insert_logs<'a>(
    transaction: &mut Transaction<'_>,
    used: impl Iterator<Item = &'a Place>,
    logs: &mut StoredLogs<'a>,
) -> Result<(), sqlx::Error> {
    let new = unique(used.filter(|place| !logs.contains_key(place)));
    transaction
        .execute(INSERT_LOGS, &new, |arguments, place| bind::place(arguments, place))
        .await?;
    logs.extend(find_logs(transaction, &new).await?);
    Ok(())
}
