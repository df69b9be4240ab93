//! The commit: a batch in one transaction.
//!
//! Begin, write users, read the conversations · read members, and messages that drafts change ·
//! (plan) · write, move heads, commit. A decision depends only on what this transaction has read,
//! never on memory of an earlier one: after a commit with unknown outcome, no seq is given twice.
//!
//! New messages go to the intake where the batch allows it. Otherwise the intake is moved first, and
//! they go to their places. There few messages are repetitions, so they are not searched for: the
//! index of message ids refuses them. Then the transaction is rolled back, and another one reads the
//! stored messages first.

use std::{collections::HashMap, mem};

use rusqlite::Connection;

use super::{
    failure::SqliteFailure,
    intake::{self, Intake, IntakeContent, Waiting},
    members,
    messages::{self, Repetitions},
    recorded_events,
    statement::{execute, execute_each, first},
    users,
};
use crate::{
    chat::ports::{Batch, Change, Committed, MemberChange},
    domain::Place,
    store::sql::{
        ColumnError, Columns as _, StoredLog, StoredLogs, Topics, draft_plan::plan_drafts,
        member_plan, row, unique, write::MemberUpdates,
    },
};

/// Takes the write lock at once: no later statement fails because another program has written.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

pub(super) const FIND_LOG: &str = "SELECT id, head, messages, floor, floor_messages, members, \
        deleted, topic \
    FROM conversation WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4";

pub(super) const INSERT_LOG: &str =
    "INSERT INTO conversation (space, kind, one, other) VALUES (?1, ?2, ?3, ?4)";

// A seq of these logs was never assigned.
pub(super) const DROP_EMPTY_LOGS: &str = "DELETE FROM conversation WHERE head = 0 AND members = 0";

/// Where a commit stores new messages.
enum Way<'a> {
    /// In the intake, which has these.
    Intake(&'a mut Waiting),
    /// In their places, after what is in the intake.
    Places(IntakeContent, Repetitions),
}

/// Stores a batch. An error leaves the transaction open: the connection must be closed.
pub(super) fn commit(
    connection: &Connection,
    intake: &Intake,
    batch: &Batch,
) -> Result<Committed, SqliteFailure> {
    let (committed, waiting) = match intake.take() {
        Some(mut waiting) if waiting.admits(batch) => {
            intake.expect(batch.drafts.iter().map(|draft| &draft.place));
            (attempt(connection, batch, Way::Intake(&mut waiting))?, waiting)
        }
        waiting => {
            let content = IntakeContent::of(waiting.as_ref());
            (commit_to_places(connection, batch, content)?, Waiting::default())
        }
    };
    intake.put(waiting);
    committed.ok_or_else(|| ColumnError::new("a message id is stored and not found").into())
}

/// Writes the number that SQLite keeps in the first page for applications, and that has no meaning here.
/// An error leaves the transaction open: the connection must be closed.
pub(super) fn probe(connection: &Connection) -> Result<(), SqliteFailure> {
    execute(connection, BEGIN)?;
    let number: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // An equal number would not be written.
    connection.pragma_update(None, "user_version", number.wrapping_add(1))?;
    execute(connection, COMMIT)
}

fn commit_to_places(
    connection: &Connection,
    batch: &Batch,
    content: IntakeContent,
) -> Result<Option<Committed>, SqliteFailure> {
    let committed = attempt(connection, batch, Way::Places(content, Repetitions::Unexpected))?;
    if committed.is_some() {
        return Ok(committed);
    }
    execute(connection, ROLLBACK)?;
    attempt(connection, batch, Way::Places(content, Repetitions::Searched))
}

/// Stores a batch in a transaction. `None` when a message is an unexpected repetition: the
/// transaction is still open.
fn attempt<'a>(
    connection: &Connection,
    batch: &'a Batch,
    mut way: Way<'_>,
) -> Result<Option<Committed>, SqliteFailure> {
    let Batch { departed, expired, changes, drafts, membership_queries, .. } = batch;
    execute(connection, BEGIN)?;
    if let Way::Places(content, _) = way {
        intake::move_all(connection, content)?;
    }
    users::upsert_seen(connection, batch)?;
    users::update_last_seen(connection, departed)?;
    users::forget_guests(connection, batch)?;

    let places = changes.iter().map(|it| &it.place).chain(drafts.iter().map(|it| &it.place));
    let (mut logs, topics) = find_logs(connection, &unique(places), way.waiting())?;
    let members = members::find(connection, changes, &logs)?;
    let known = messages::find(connection, drafts, &logs, way.repetitions())?;
    let before = |it: &'a Change| logs.get(&it.place).map(|log| (&it.place, log.state));
    let logs_before = changes.iter().filter_map(before).collect();
    let rooms = members::count_rooms(connection, changes, &members)?;
    let mut change_plan = member_plan::plan_changes(changes, logs_before, topics, &members, rooms);
    let heads = logs.iter().map(|(place, log)| (*place, log.state.head)).collect();
    let topics = mem::take(&mut change_plan.topics);
    let plan = plan_drafts(drafts, heads, topics, &change_plan.roles(), known);

    let used = change_plan.members.iter().map(|((place, _), _)| *place);
    let used = used.chain(plan.stored.iter().map(|(draft, _)| &draft.place));
    insert_logs(connection, used, &mut logs)?;
    members::apply_changes(connection, &change_plan, batch.changed_at.map(row::millis), &logs)?;
    let updates = MemberUpdates::of(&plan.stored, &logs)?;
    members::add_participants(connection, updates.new)?;
    match &mut way {
        Way::Intake(waiting) => waiting.append(connection, &plan.stored, &logs)?,
        Way::Places(..) if !messages::write(connection, &plan, &logs)? => return Ok(None),
        Way::Places(..) => members::move_reads(connection, updates.reads)?,
    }
    if !expired.is_empty() || changes.iter().any(|it| it.what == MemberChange::Leave) {
        execute(connection, DROP_EMPTY_LOGS)?;
    }
    let memberships = members::memberships(connection, membership_queries)?;
    let (changed, outcomes) = (change_plan.changed, plan.outcomes);
    recorded_events::insert(connection, &batch.events(&changed, &outcomes))?;
    execute(connection, COMMIT)?;
    Ok(Some(Committed { changed, outcomes, memberships }))
}

impl Way<'_> {
    /// What waits is searched before, so only stored messages can be repeated.
    fn repetitions(&self) -> Repetitions {
        match self {
            Self::Intake(_) => Repetitions::Searched,
            Self::Places(_, repetitions) => *repetitions,
        }
    }

    fn waiting(&self) -> Option<&Waiting> {
        match self {
            Self::Intake(waiting) => Some(waiting),
            Self::Places(..) => None,
        }
    }
}

/// The logs that exist, and their topics. The logs of the intake are known; its messages do not depend
/// on topics.
fn find_logs<'a>(
    connection: &Connection,
    places: &[&'a Place],
    waiting: Option<&Waiting>,
) -> Result<(StoredLogs<'a>, Topics<'a>), SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_LOG)?;
    let (mut logs, mut topics) = (HashMap::with_capacity(places.len()), Topics::new());
    for place in places {
        if let Some(log) = waiting.and_then(|it| it.log(place)) {
            logs.insert(*place, log);
            continue;
        }
        let log = first(&mut statement, row::place_columns(place), |row| {
            let log = StoredLog { id: row.int("id")?, state: row::log(row)? };
            Ok::<_, SqliteFailure>((log, row::topic(row)?))
        })?;
        let Some((log, topic)) = log else { continue };
        logs.insert(*place, log);
        topics.extend(topic.map(|topic| (*place, topic)));
    }
    Ok((logs, topics))
}

/// Inserts the rows of new conversations.
fn insert_logs<'a>(
    connection: &Connection,
    used: impl Iterator<Item = &'a Place>,
    logs: &mut StoredLogs<'a>,
) -> Result<(), SqliteFailure> {
    let new = unique(used.filter(|place| !logs.contains_key(place)));
    execute_each(connection, INSERT_LOG, new.iter().map(|place| row::place_columns(place)))?;
    logs.extend(find_logs(connection, &new, None)?.0);
    Ok(())
}
