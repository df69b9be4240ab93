//! The commit: a batch in one transaction.
//!
//! A batch of new messages alone is one statement if possible, see `message_commit.rs`. Any other
//! one takes these steps:
//!
//! Begin · (lock the rows of users) · lock the rows of conversations · (read members) · read what
//! drafts depend on · (plan) · write · commit. The plan (`store/sql/draft_plan.rs`) assigns `seq`.
//! The statements for empty parts of a batch are left out.
//!
//! Several processes commit at the same time. A transaction holds the lock of a conversation's row
//! until it commits, so commits are ordered by `seq`, and reads after the lock see the latest
//! state. All processes lock rows in the same order: users by name, then conversations by id. A new
//! conversation's row is inserted in a transaction of its own, before the one that locks it, so
//! that no transaction with locks waits for an insert.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
};

use sqlx::postgres::PgConnection;

use super::{
    arrays::{bind_places, bind_users},
    connect::run_statement,
    failure::PostgresFailure,
    members,
    message_commit::NewMessages,
    messages, outbox,
    pool::Pool,
    users,
};
use crate::{
    chat::ports::{Batch, Committed, Outcome},
    domain::{Place, Space},
    store::sql::{
        Columns as _, StoredLog, StoredLogs, Topics,
        draft_plan::{DraftPlan, plan_drafts},
        member_plan::{self, SpaceUser},
        row, unique,
        write::users_of_entries,
    },
};

/// The number of attempts at a transaction that loses against concurrent ones.
const ATTEMPTS_MAX: u32 = 10;

const LOCK_LOGS: &str = r#"SELECT id, space, kind, one, other,
        head, messages, floor, floor_messages, members, deleted, topic
    FROM conversation WHERE id = ANY (ARRAY(
        SELECT conversation.id
        FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
            AS given (space, kind, one, other)
        JOIN conversation ON conversation.space = given.space AND conversation.kind = given.kind
            AND conversation.one = given.one AND conversation.other = given.other
        UNION ALL
        SELECT member.conversation
        FROM unnest($5::text[], $6::text[]) AS given (space, name)
        JOIN member ON member.space = given.space AND member."user" = given.name
    ))
    ORDER BY id FOR NO KEY UPDATE"#;

// The arrays are sorted, so that concurrent inserts of the same rows do not deadlock.
const INSERT_LOGS: &str = "INSERT INTO conversation (space, kind, one, other)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING";

// Commits a record of the write-ahead log, which no table has: the server answers when it is on disk. No
// row is locked, so no node waits for another one. The sequence is what a read-only server refuses.
const PROBE: &str = "SELECT pg_logical_emit_message(true, 'roomcast', ''), nextval('ticket')";

/// The result of an attempt without errors.
enum Attempt {
    Committed(Committed),
    /// At most rows of conversations were inserted: the transaction has to start again.
    Restart,
}

/// Stores a batch.
pub(super) async fn commit(pool: &Pool, batch: &Batch) -> Result<Committed, PostgresFailure> {
    let Some(messages) = NewMessages::of(batch) else {
        return commit_in_transaction(pool, batch).await;
    };
    let mut pooled = pool.acquire().await?;
    match messages.commit(pooled.connection()).await.map_err(PostgresFailure::from) {
        Ok(Some(outcomes)) => {
            pooled.release();
            return Ok(Committed { outcomes, ..Committed::default() });
        }
        Ok(None) => pooled.release(),
        // The server has rolled back, and no transaction is open.
        Err(failure) if failure.is_contention() => pooled.release(),
        Err(failure) if failure.is_broken_connection() && !pooled.is_new() => {
            drop(pooled);
            pool.discard_idle();
            return commit_again(pool, batch, failure).await;
        }
        Err(failure) => return Err(failure),
    }
    commit_in_transaction(pool, batch).await
}

/// Commits what [`PROBE`] writes.
pub(super) async fn probe(connection: &mut PgConnection) -> Result<(), PostgresFailure> {
    run_statement(connection, PROBE).await
}

/// Stores messages whose commit may have succeeded already: its answer was lost with the
/// connection.
///
/// A batch is stored whole: if a message is new now, the first commit has failed. Otherwise the
/// messages may be those of the first commit, which nobody has delivered, or repeats of delivered
/// ones. Then the outcome is unknown, as after a `COMMIT` without an answer.
async fn commit_again(
    pool: &Pool,
    batch: &Batch,
    lost: PostgresFailure,
) -> Result<Committed, PostgresFailure> {
    let committed = commit_in_transaction(pool, batch).await?;
    let is_new = |outcome: &Outcome| matches!(outcome, Outcome::Stored(_));
    if committed.outcomes.iter().any(is_new) { Ok(committed) } else { Err(lost) }
}

async fn commit_in_transaction(pool: &Pool, batch: &Batch) -> Result<Committed, PostgresFailure> {
    let mut attempts = 0;
    while attempts < ATTEMPTS_MAX {
        let mut pooled = pool.acquire().await?;
        match run_statement(pooled.connection(), "BEGIN").await {
            // Nothing was written yet.
            Err(failure) if failure.is_broken_connection() && !pooled.is_new() => {
                pool.discard_idle();
                continue;
            }
            begun => begun?,
        }
        attempts += 1;
        match attempt(pooled.connection(), batch).await {
            Ok(Attempt::Committed(committed)) => {
                pooled.release();
                return Ok(committed);
            }
            Ok(Attempt::Restart) => pooled.release(),
            Err(failure) if failure.is_contention() => {
                tracing::debug!(%failure, attempts, "postgres commit retried");
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(PostgresFailure::Contended(attempts))
}

/// Runs a transaction that was begun. An error leaves it open: the connection must be closed.
async fn attempt(connection: &mut PgConnection, batch: &Batch) -> Result<Attempt, PostgresFailure> {
    let Batch { expired, changes, drafts, membership_queries, .. } = batch;
    let locked = users::lock(connection, batch).await?;
    if !users::are_locked(&batch.seen, &locked) {
        // Another process has deleted the row of a guest meanwhile.
        run_statement(connection, "ROLLBACK").await?;
        return Ok(Attempt::Restart);
    }
    let guests_on_other_nodes = users::guests_on_other_nodes(connection, expired).await?;
    let users_to_forget = users::users_to_forget(batch, &locked, &guests_on_other_nodes);
    users::save_users(connection, batch, &locked).await?;

    let places = changes.iter().map(|it| &it.place).chain(drafts.iter().map(|it| &it.place));
    let (mut logs, mut topics) = lock_logs(connection, &unique(places), &users_to_forget).await?;
    let mut events = match batch.recording.as_ref().filter(|it| it.records_ends()) {
        Some(recording) => {
            recording.end_events(members::rooms_of(connection, &users_to_forget).await?)
        }
        None => Vec::new(),
    };
    let mut emptied = members::remove_memberships(connection, &users_to_forget, &mut logs).await?;
    topics.retain(|place, _| logs.get(place).is_some_and(|log| !log.state.is_unused()));
    let members = members::find(connection, changes, &logs).await?;
    let known = messages::find(connection, drafts, &logs).await?;
    let rooms = members::count_rooms(connection, changes, &members).await?;
    let logs_before = logs.iter().map(|(place, log)| (*place, log.state)).collect();
    let mut change_plan = member_plan::plan_changes(changes, logs_before, topics, &members, rooms);
    let heads = logs.iter().map(|(place, log)| (*place, log.state.head)).collect();
    let topics = mem::take(&mut change_plan.topics);
    let plan = plan_drafts(drafts, heads, topics, &change_plan.roles(), known);

    let used = change_plan.members.iter().map(|((place, _), _)| *place);
    let used = used.chain(plan.stored.iter().map(|(draft, _)| &draft.place));
    let new = unique(used.filter(|place| !logs.contains_key(place)));
    if !new.is_empty() {
        run_statement(connection, "ROLLBACK").await?;
        insert_logs(connection, new).await?;
        return Ok(Attempt::Restart);
    }
    let users_to_revise = users_to_revise(users_to_forget, &change_plan, &plan);
    let changed_at = batch.changed_at.map(row::millis);
    emptied.extend(members::apply_changes(connection, &change_plan, changed_at, &logs).await?);
    messages::write(connection, &plan, &logs, &users_to_revise).await?;
    members::drop_empty_logs(connection, &emptied).await?;
    let memberships = members::memberships(connection, membership_queries).await?;
    let (changed, outcomes) = (change_plan.changed, plan.outcomes);
    events.extend(batch.events(&changed, &outcomes));
    outbox::record(connection, &events).await?;
    run_statement(connection, "COMMIT").await?;
    Ok(Attempt::Committed(Committed { changed, outcomes, memberships }))
}

/// Locks the conversations of the batch that exist, and those of which `users_to_forget` are
/// members. Returns the state of those of the batch, and their topics.
async fn lock_logs<'a>(
    connection: &mut PgConnection,
    places: &[&'a Place],
    users_to_forget: &BTreeSet<SpaceUser<'_>>,
) -> Result<(StoredLogs<'a>, Topics<'a>), sqlx::Error> {
    if places.is_empty() && users_to_forget.is_empty() {
        return Ok((StoredLogs::new(), Topics::new()));
    }
    let known: HashMap<&Place, &'a Place> = places.iter().map(|place| (*place, *place)).collect();
    let query = bind_places(sqlx::query(LOCK_LOGS), places.iter().copied());
    let rows = bind_users(query, users_to_forget.iter().copied()).fetch_all(connection).await?;
    let (mut logs, mut topics) = (StoredLogs::with_capacity(rows.len()), Topics::new());
    for row in rows {
        let place = row::place(&row, Space::from_raw(row.text("space")?))?;
        let log = StoredLog { id: row.int("id")?, state: row::log(&row)? };
        let Some(place) = known.get(&place) else { continue };
        logs.insert(*place, log);
        topics.extend(row::topic(&row)?.map(|topic| (*place, topic)));
    }
    Ok((logs, topics))
}

/// Inserts the rows of new conversations.
async fn insert_logs(
    connection: &mut PgConnection,
    mut new: Vec<&Place>,
) -> Result<(), sqlx::Error> {
    new.sort_unstable();
    bind_places(sqlx::query(INSERT_LOGS), new).execute(connection).await.map(drop)
}

/// The users with a new revision: their memberships changed, or one of their conversations has a
/// new entry.
fn users_to_revise<'a>(
    users_to_forget: BTreeSet<SpaceUser<'a>>,
    changes: &member_plan::MemberPlan<'a>,
    plan: &DraftPlan<'a>,
) -> BTreeSet<SpaceUser<'a>> {
    let mut users_to_revise = users_to_forget;
    users_to_revise.extend(changes.members.iter().map(|((place, user), _)| (&place.space, *user)));
    users_to_revise.extend(users_of_entries(plan));
    users_to_revise
}
