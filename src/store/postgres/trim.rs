//! Retention: removes expired entries and guests, in bounded steps.
//!
//! Each call processes the next conversations in order of id, and starts again after the last one.
//! The search for expired entries takes no locks. Then the conversations' rows are locked in the
//! same order as in a commit, and only what still exists is removed: several processes may trim at
//! the same time.

use std::collections::HashMap;

use sqlx::postgres::{PgConnection, PgRow};

use super::{
    arrays::bind_users, connect::run_statement, failure::PostgresFailure, members, outbox,
};
use crate::{
    chat::ports::{Erased, Recording, TrimLimits, Trimmed},
    domain::{Place, Position, Retained, Seq, Space, UserName},
    store::sql::{
        Columns as _, ENTRIES_REMOVED_MAX, LogLength, RetentionCutoff, TrimCursor, erasable, row,
    },
};

/// The largest number of conversations that one call examines.
const LOGS_MAX: usize = 256;
/// The largest number of guests that one call removes.
const GUESTS_MAX: usize = 64;

const NEXT_LOGS: &str = "SELECT id, space, kind, one, other, head, floor,
        (SELECT at FROM message WHERE message.conversation = conversation.id
            AND message.seq > conversation.floor ORDER BY message.seq LIMIT 1) AS oldest
    FROM conversation WHERE id > $1 ORDER BY id LIMIT $2";

// Directly before the first entry that is kept, and at most `last`.
const FIND_FLOORS: &str = r#"SELECT message.conversation, message.seq, message.messages
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (conversation, "from", last)
    JOIN message ON message.conversation = given.conversation AND message.seq = coalesce(
        (SELECT kept.seq - 1 FROM message AS kept WHERE kept.conversation = given.conversation
            AND kept.seq > given."from" AND kept.seq <= given.last AND kept.at > $4
            ORDER BY kept.seq LIMIT 1), given.last)"#;

const LOCK_LOGS: &str =
    "SELECT id, floor FROM conversation WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";

const MOVE_FLOORS: &str = "WITH dropped AS (
        DELETE FROM message USING unnest($1::bigint[], $2::bigint[]) AS given (conversation, seq)
        WHERE message.conversation = given.conversation AND message.seq <= given.seq
    )
    UPDATE conversation SET floor = given.floor, floor_messages = given.messages
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (id, floor, messages)
    WHERE conversation.id = given.id";

const TRIMMED_LOGS: &str = "SELECT id, head, messages, floor, floor_messages, members, deleted
    FROM conversation WHERE id = ANY ($1)";

// A guest that another transaction has locked is left to that transaction.
const FIRST_GUESTS: &str = r#"SELECT space, name FROM "user"
    WHERE stay IS NOT NULL AND kept AND seen <= $1
    ORDER BY seen LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"#;

const LOCK_MEMBERSHIPS: &str = r#"SELECT id FROM conversation WHERE id = ANY (ARRAY(
        SELECT member.conversation FROM unnest($1::text[], $2::text[]) AS given (space, name)
        JOIN member ON member.space = given.space AND member."user" = given.name
    ))
    ORDER BY id FOR NO KEY UPDATE"#;

// Names that were registered once stay reserved.
const FORGET_GUESTS: &str = r#"WITH given AS (
        SELECT * FROM unnest($1::text[], $2::text[]) AS given (space, name)
    ), dropped AS (
        DELETE FROM member USING given
        WHERE member.space = given.space AND member."user" = given.name
        RETURNING member.conversation
    ), devices AS (
        DELETE FROM device USING given
        WHERE device.space = given.space AND device."user" = given.name
    ), guests AS (
        DELETE FROM "user" USING given
        WHERE "user".space = given.space AND "user".name = given.name AND NOT vouched
    ), registered AS (
        UPDATE "user" SET kept = false, revision = revision + 1 FROM given
        WHERE "user".space = given.space AND "user".name = given.name AND vouched
    )
    UPDATE conversation SET members = conversation.members - lost.members
    FROM (SELECT conversation AS id, count(*) AS members FROM dropped GROUP BY 1) AS lost
    WHERE conversation.id = lost.id
    RETURNING conversation.id"#;

const FIND_LENGTH: &str = "SELECT id, head, floor FROM conversation
    WHERE space = $1 AND kind = $2 AND one = $3 AND other = $4";

const FIND_POSITION: &str =
    "SELECT seq, messages FROM message WHERE conversation = $1 AND seq = $2";

/// Removes the oldest entries of a place. An error leaves the transaction open: the connection must
/// be closed.
pub(super) async fn erase(
    connection: &mut PgConnection,
    place: &Place,
    up_to: Seq,
) -> Result<Erased, PostgresFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(FIND_LENGTH).bind(space).bind(kind).bind(one).bind(other);
    let Some(length) = query.fetch_optional(&mut *connection).await? else {
        return Ok(Erased::default());
    };
    let (id, head, floor) = (length.int("id")?, length.int("head")?, length.int("floor")?);
    let (last, more) = erasable(floor, head, up_to);
    if last <= floor {
        return Ok(Erased::default());
    }
    let query = sqlx::query(FIND_POSITION).bind(id).bind(last);
    let Some(found) = query.fetch_optional(&mut *connection).await? else {
        // Another process has removed it meanwhile.
        return Ok(Erased { retained: None, more: true });
    };
    let position = row::position(found.int("seq")?, found.int("messages")?)?;
    let left = move_floors(connection, vec![(id, place.clone(), position)]).await?;
    Ok(Erased { retained: left.into_iter().map(|(_, it)| it).next(), more })
}

/// Trims from `cursor` on. An error leaves the transaction open: the connection must be closed.
pub(super) async fn trim(
    connection: &mut PgConnection,
    (retention, recording): (&TrimLimits, Option<&Recording>),
    cursor: TrimCursor,
) -> Result<(Trimmed, TrimCursor), PostgresFailure> {
    let (logs, cursor) = match RetentionCutoff::of(retention) {
        Some(cutoff) => trim_logs(connection, cutoff, cursor).await?,
        None => (Vec::new(), 0),
    };
    let guests = forget_guests(connection, row::millis(retention.guests_after), recording).await?;
    let more = cursor > 0 || guests == GUESTS_MAX;
    Ok((Trimmed { logs, more }, cursor))
}

/// Trims the next logs. Returns the next cursor: 0 after the last conversation.
async fn trim_logs(
    connection: &mut PgConnection,
    cutoff: RetentionCutoff,
    cursor: TrimCursor,
) -> Result<(Vec<(Place, Retained)>, TrimCursor), PostgresFailure> {
    let query = sqlx::query(NEXT_LOGS).bind(cursor).bind(row::number(LOGS_MAX as u64));
    let rows = query.fetch_all(&mut *connection).await?;
    let mut next = if rows.len() == LOGS_MAX { rows.last() } else { None }
        .map_or(Ok(0), |row| row.int("id"))?;
    let logs = rows.iter().map(LogLength::of).collect::<Result<Vec<_>, _>>()?;
    let logs: Vec<_> = logs.into_iter().filter(|log| log.is_too_long(&cutoff)).collect();
    if logs.is_empty() {
        return Ok((Vec::new(), next));
    }
    let mut found = find_floors(connection, cutoff, &logs).await?;
    let (mut new_floors, mut left) = (Vec::new(), ENTRIES_REMOVED_MAX);
    for log in logs {
        let Some(floor) = found.remove(&log.id) else { continue };
        let entries = row::seq_number(floor.seq) - log.floor;
        if entries > left {
            next = log.id - 1;
            break;
        }
        left -= entries;
        new_floors.push((log.id, log.place, floor));
        if left == 0 {
            next = log.id - 1;
            break;
        }
    }
    Ok((move_floors(connection, new_floors).await?, next))
}

/// The last entry to remove in each log, limited to what one call may remove.
async fn find_floors(
    connection: &mut PgConnection,
    cutoff: RetentionCutoff,
    logs: &[LogLength],
) -> Result<HashMap<i64, Position>, PostgresFailure> {
    let (froms, lasts): (Vec<_>, Vec<_>) =
        logs.iter().map(|log| log.bounds(&cutoff, ENTRIES_REMOVED_MAX)).unzip();
    let query = sqlx::query(FIND_FLOORS).bind(logs.iter().map(|log| log.id).collect::<Vec<_>>());
    let query = query.bind(froms).bind(lasts).bind(cutoff.after);
    let mut floors = HashMap::new();
    for row in query.fetch_all(connection).await? {
        let floor = row::position(row.int("seq")?, row.int("messages")?)?;
        floors.insert(row.int("conversation")?, floor);
    }
    Ok(floors)
}

/// Removes entries up to the new floors, unless another process has done it. Returns what is left
/// of the logs that changed.
async fn move_floors(
    connection: &mut PgConnection,
    mut new_floors: Vec<(i64, Place, Position)>,
) -> Result<Vec<(Place, Retained)>, PostgresFailure> {
    if new_floors.is_empty() {
        return Ok(Vec::new());
    }
    run_statement(connection, "BEGIN").await?;
    let ids: Vec<_> = new_floors.iter().map(|(id, ..)| *id).collect();
    let mut floors = HashMap::new();
    for row in sqlx::query(LOCK_LOGS).bind(ids).fetch_all(&mut *connection).await? {
        floors.insert(row.int("id")?, row.int("floor")?);
    }
    new_floors.retain(|(id, _, floor)| {
        floors.get(id).is_some_and(|before| *before < row::seq_number(floor.seq))
    });
    let query = sqlx::query(MOVE_FLOORS)
        .bind(new_floors.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(new_floors.iter().map(|(.., it)| row::seq_number(it.seq)).collect::<Vec<_>>())
        .bind(new_floors.iter().map(|(.., it)| row::number(it.messages)).collect::<Vec<_>>());
    query.execute(&mut *connection).await?;
    let ids: Vec<_> = new_floors.iter().map(|(id, ..)| *id).collect();
    let rows = sqlx::query(TRIMMED_LOGS).bind(ids).fetch_all(&mut *connection).await?;
    run_statement(connection, "COMMIT").await?;
    let places = new_floors.into_iter().map(|(id, place, _)| (id, place)).collect();
    Ok(trimmed_logs(&rows, places)?)
}

/// Removes the guests that were seen longest ago. Returns their number.
async fn forget_guests(
    connection: &mut PgConnection,
    until: i64,
    recording: Option<&Recording>,
) -> Result<usize, PostgresFailure> {
    run_statement(connection, "BEGIN").await?;
    let query = sqlx::query(FIRST_GUESTS).bind(until).bind(row::number(GUESTS_MAX as u64));
    let rows = query.fetch_all(&mut *connection).await?;
    let guests = rows.iter().map(guest).collect::<Result<Vec<_>, _>>()?;
    if !guests.is_empty() {
        let users = || guests.iter().map(|(space, user)| (space, user));
        bind_users(sqlx::query(LOCK_MEMBERSHIPS), users()).execute(&mut *connection).await?;
        if let Some(recording) = recording.filter(|it| it.records_ends()) {
            let rooms = members::rooms_of(connection, &users().collect()).await?;
            outbox::record(connection, &recording.end_events(rooms)).await?;
        }
        let query = bind_users(sqlx::query(FORGET_GUESTS), users());
        let left = query.fetch_all(&mut *connection).await?;
        let left = left.iter().map(|row| row.int("id")).collect::<Result<Vec<_>, _>>()?;
        members::drop_empty_logs(connection, &left).await?;
    }
    run_statement(connection, "COMMIT").await?;
    Ok(guests.len())
}

fn guest(row: &PgRow) -> Result<(Space, UserName), sqlx::Error> {
    Ok((Space::from_raw(row.text("space")?), UserName::from_raw(row.text("name")?)))
}

/// What is left of trimmed logs, from rows with the state of each. `places` are their places by id.
fn trimmed_logs(
    rows: &[PgRow],
    mut places: HashMap<i64, Place>,
) -> Result<Vec<(Place, Retained)>, sqlx::Error> {
    let mut trimmed = Vec::with_capacity(rows.len());
    for row in rows {
        let log = row::log(row)?;
        trimmed.extend(places.remove(&row.int("id")?).map(|place| (place, log.retained())));
    }
    Ok(trimmed)
}
