//! The commit: a batch in one transaction.
//!
//! Begin · (the rows of users) · the rows of conversations, locked · (who is a member) · what drafts
//! depend on · (the plans) · what is new · commit. Parts of which a batch has none are not asked
//! about.
//!
//! Several processes commit at once. Whoever gets a conversation's row has it until their commit, so
//! the order of the commits is that of the seqs, and what is read after that is as new as can be.
//! Rows are locked in one order by all: users by name, then conversations by number. What a
//! conversation's first message needs is its row: it is made in a transaction of its own, before the
//! one that locks it, so that nobody who has locks waits for a row that somebody makes.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgConnection;

use super::{
    arrays::{bind_places, bind_users},
    failure::Failure,
    lane::Lane,
    members, messages, users,
};
use crate::{
    chat::ports::{Batch, Committed},
    domain::{Place, Space},
    store::sql::{
        Columns as _, Log, Logs,
        changes::{self, User},
        plan::{Plan, plan},
        row, unique,
        write::party,
    },
};

/// How often a batch is begun anew because others were in the way.
const ATTEMPTS_MAX: u32 = 10;

const LOCK_LOGS: &str = r#"SELECT id, space, kind, one, other,
        head, messages, floor, floor_messages, members
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

// The arrays are in order: who makes the same rows waits for the other and not the other for them.
const OPEN_LOGS: &str = "INSERT INTO conversation (space, kind, one, other)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING";

/// What came of an attempt in which nothing went wrong.
enum Attempt {
    Committed(Committed),
    /// Conversations were made, and nothing else: it is to be begun anew.
    Opened,
}

/// Stores a batch.
pub(super) async fn commit(lane: &Lane, batch: &Batch) -> Result<Committed, Failure> {
    let mut attempts = 0;
    while attempts < ATTEMPTS_MAX {
        let mut turn = lane.turn().await?;
        match run(turn.connection(), "BEGIN").await {
            // Nothing was done yet.
            Err(failure) if failure.is_broken_connection() && !turn.is_new() => {
                lane.forget();
                continue;
            }
            begun => begun?,
        }
        attempts += 1;
        match attempt(turn.connection(), batch).await {
            Ok(Attempt::Committed(committed)) => {
                turn.finish();
                return Ok(committed);
            }
            Ok(Attempt::Opened) => turn.finish(),
            Err(failure) if failure.is_in_the_way() => {
                tracing::debug!(%failure, attempts, "a batch is begun anew");
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Crowded(attempts))
}

/// Goes through a transaction that was begun. On an error it is left open: the connection must be
/// closed.
async fn attempt(connection: &mut PgConnection, batch: &Batch) -> Result<Attempt, Failure> {
    let Batch { seen: _, went: _, gone, changes, drafts, arrivals } = batch;
    let locked = users::lock(connection, batch).await?;
    let stayed = users::stayed(connection, gone).await?;
    let forgotten = users::forgotten(batch, &locked, &stayed);
    users::remember(connection, batch, &locked).await?;

    let places = changes.iter().map(|it| &it.place).chain(drafts.iter().map(|it| &it.place));
    let mut logs = lock_logs(connection, &unique(places), &forgotten).await?;
    members::forget(connection, &forgotten, &mut logs).await?;
    let members = members::find(connection, changes, &logs).await?;
    let known = messages::find(connection, drafts, &logs).await?;
    let rooms = members::rooms(connection, changes, &members).await?;
    let stands = logs.iter().map(|(place, log)| (*place, log.stands)).collect();
    let change_plan = changes::plan(changes, stands, &members, rooms);
    let heads = logs.iter().map(|(place, log)| (*place, log.stands.head)).collect();
    let plan = plan(drafts, heads, &change_plan.roles(), known);

    let used = change_plan.members.iter().map(|((place, _), _)| *place);
    let used = used.chain(plan.stored.iter().map(|(draft, _)| &draft.place));
    let new = unique(used.filter(|place| !logs.contains_key(place)));
    if !new.is_empty() {
        run(connection, "ROLLBACK").await?;
        open_logs(connection, new).await?;
        return Ok(Attempt::Opened);
    }
    let revised = revised(forgotten, &change_plan, &plan);
    members::change(connection, &change_plan, &logs).await?;
    messages::write(connection, &plan, &logs, &revised).await?;
    let memberships = members::memberships(connection, arrivals).await?;
    run(connection, "COMMIT").await?;
    let (changed, outcomes) = (change_plan.changed, plan.outcomes);
    Ok(Attempt::Committed(Committed { changed, outcomes, memberships }))
}

/// Sends a word of transactions.
pub(super) async fn run(connection: &mut PgConnection, word: &'static str) -> Result<(), Failure> {
    sqlx::raw_sql(word).execute(connection).await?;
    Ok(())
}

/// Locks conversations: those of the batch that are there, and those of which users are members who
/// are to be forgotten. Answers how those of the batch stand.
async fn lock_logs<'a>(
    connection: &mut PgConnection,
    places: &[&'a Place],
    forgotten: &BTreeSet<User<'_>>,
) -> Result<Logs<'a>, sqlx::Error> {
    if places.is_empty() && forgotten.is_empty() {
        return Ok(Logs::new());
    }
    let known: HashMap<&Place, &'a Place> = places.iter().map(|place| (*place, *place)).collect();
    let query = bind_places(sqlx::query(LOCK_LOGS), places.iter().copied());
    let rows = bind_users(query, forgotten.iter().copied()).fetch_all(connection).await?;
    let mut logs = Logs::with_capacity(rows.len());
    for row in rows {
        let place = row::place(&row, Space::from_raw(row.text("space")?))?;
        let log = Log { id: row.int("id")?, stands: row::log(&row)? };
        logs.extend(known.get(&place).map(|place| (*place, log)));
    }
    Ok(logs)
}

/// Makes conversations in which nothing was ever done.
async fn open_logs(connection: &mut PgConnection, mut new: Vec<&Place>) -> Result<(), sqlx::Error> {
    new.sort_unstable();
    bind_places(sqlx::query(OPEN_LOGS), new).execute(connection).await.map(drop)
}

/// Those for whom something is new: what they are a member of, or what was said to them alone.
fn revised<'a>(
    forgotten: BTreeSet<User<'a>>,
    changes: &changes::Plan<'a>,
    plan: &Plan<'a>,
) -> BTreeSet<User<'a>> {
    let mut revised = forgotten;
    revised.extend(changes.members.iter().map(|((place, user), _)| (&place.space, *user)));
    let heard = |place: &'a Place| party(place).map(|user| (&place.space, user));
    revised.extend(plan.stored.iter().flat_map(|(draft, _)| heard(&draft.place)));
    revised
}
