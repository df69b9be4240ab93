//! Retention: removes expired entries and guests, in bounded steps.
//!
//! Each call processes the next conversations in order of id, and starts again after the last one.
//! When a long log exceeds the limit of one call, the next call continues with it.

use rusqlite::Connection;
use time::OffsetDateTime;

use super::{
    commit::{BEGIN, COMMIT, DROP_EMPTY_LOGS},
    failure::SqliteFailure,
    intake::{self, Intake, IntakeContent, Waiting},
    statement::{all, execute, execute_each, first},
    users,
};
use crate::{
    chat::ports::{Erased, Recording, TrimLimits, Trimmed},
    domain::{Log, Place, Position, Retained, Seq, Space, UserName},
    store::sql::{
        ColumnError, Columns as _, ENTRIES_REMOVED_MAX, LogLength, RetentionCutoff, TrimCursor,
        erasable, row,
    },
};

/// The largest number of conversations that one call examines; the statement repeats it.
const LOGS_MAX: usize = 256;
/// The largest number of guests that one call removes.
const GUESTS_MAX: i64 = 64;

pub(super) const NEXT_LOGS: &str = "SELECT id, space, kind, one, other, head, floor, \
        (SELECT at FROM message WHERE message.conversation = conversation.id \
            AND message.seq > conversation.floor ORDER BY message.seq LIMIT 1) AS oldest \
    FROM conversation WHERE id > ?1 ORDER BY id LIMIT 256";

// Directly before the first entry that is kept, and at most ?3.
pub(super) const FIND_FLOOR: &str = "SELECT message.seq, message.messages FROM message \
    WHERE message.conversation = ?1 AND message.seq = coalesce( \
        (SELECT kept.seq - 1 FROM message AS kept WHERE kept.conversation = ?1 \
            AND kept.seq > ?2 AND kept.seq <= ?3 AND kept.at > ?4 \
            ORDER BY kept.seq LIMIT 1), ?3)";

pub(super) const DROP_ENTRIES: &str = "DELETE FROM message WHERE conversation = ?1 AND seq <= ?2";

pub(super) const MOVE_FLOOR: &str =
    "UPDATE conversation SET floor = ?2, floor_messages = ?3 WHERE id = ?1";

pub(super) const TRIMMED_LOG: &str = "SELECT head, messages, floor, floor_messages, members, \
        deleted \
    FROM conversation WHERE id = ?1";

// Guests without a time are first in the order.
pub(super) const FIRST_GUESTS: &str = "SELECT space, name, seen FROM user \
    WHERE stay IS NOT NULL AND kept = 1 ORDER BY seen LIMIT ?1";

pub(super) const DROP_DEVICES: &str = "DELETE FROM device WHERE space = ?1 AND user = ?2";

// Names that were registered once stay reserved.
pub(super) const DROP_GUEST: &str =
    "DELETE FROM user WHERE space = ?1 AND name = ?2 AND vouched = 0";

pub(super) const MARK_FORGOTTEN: &str =
    "UPDATE user SET kept = 0, online_since = NULL WHERE space = ?1 AND name = ?2";

const FIND_LENGTH: &str = "SELECT id, head, floor FROM conversation \
    WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4";

pub(super) const FIND_POSITION: &str =
    "SELECT seq, messages FROM message WHERE conversation = ?1 AND seq = ?2";

/// Removes the oldest entries of a place. An error leaves the transaction open: the connection must
/// be closed.
pub(super) fn erase(
    connection: &Connection,
    intake: &Intake,
    place: &Place,
    up_to: Seq,
) -> Result<Erased, SqliteFailure> {
    let content = IntakeContent::of(intake.take().as_ref());
    execute(connection, BEGIN)?;
    intake::move_all(connection, content)?;
    let mut statement = connection.prepare_cached(FIND_LENGTH)?;
    let length = first(&mut statement, row::place_columns(place), |row| {
        Ok::<_, ColumnError>((row.int("id")?, row.int("head")?, row.int("floor")?))
    })?;
    let mut erased = Erased::default();
    if let Some((id, head, floor)) = length {
        let (last, more) = erasable(floor, head, up_to);
        let mut statement = connection.prepare_cached(FIND_POSITION)?;
        let position = first(&mut statement, (id, last), |row| {
            row::position(row.int("seq")?, row.int("messages")?)
        })?;
        if let Some(position) = position.filter(|_| last > floor) {
            let left = trim_log(connection, id, position)?;
            erased = Erased { retained: left.map(|it| it.retained()), more };
        }
    }
    execute(connection, COMMIT)?;
    intake.put(Waiting::default());
    Ok(erased)
}

/// Trims from `cursor` on. An error leaves the transaction open: the connection must be closed.
pub(super) fn trim(
    connection: &Connection,
    intake: &Intake,
    (retention, recording): (&TrimLimits, Option<&Recording>),
    cursor: TrimCursor,
) -> Result<(Trimmed, TrimCursor), SqliteFailure> {
    let content = IntakeContent::of(intake.take().as_ref());
    execute(connection, BEGIN)?;
    intake::move_all(connection, content)?;
    let (logs, cursor) = match RetentionCutoff::of(retention) {
        Some(cutoff) => trim_logs(connection, &cutoff, cursor)?,
        None => (Vec::new(), 0),
    };
    let guests = find_expired_guests(connection, retention.guests_after)?;
    for (space, user) in &guests {
        users::record_end(connection, recording, (space, user))?;
    }
    for sql in [users::FORGET_USER, DROP_DEVICES, DROP_GUEST, MARK_FORGOTTEN] {
        let guests = guests.iter().map(|(space, user)| users::user_columns((space, user)));
        execute_each(connection, sql, guests)?;
    }
    execute(connection, DROP_EMPTY_LOGS)?;
    execute(connection, COMMIT)?;
    intake.put(Waiting::default());
    let more = cursor > 0 || row::number(guests.len() as u64) == GUESTS_MAX;
    Ok((Trimmed { logs, more }, cursor))
}

/// Writes the write-ahead log into the database and truncates it, because removed content is still
/// readable in it. Returns whether no reader prevented that.
pub(super) fn truncate_wal(connection: &Connection) -> Result<bool, SqliteFailure> {
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    Ok(connection.query_row(checkpoint, (), |row| row.get::<_, i64>(0))? == 0)
}

/// Trims the next logs. Returns the next cursor: 0 after the last conversation.
fn trim_logs(
    connection: &Connection,
    cutoff: &RetentionCutoff,
    cursor: TrimCursor,
) -> Result<(Vec<(Place, Retained)>, TrimCursor), SqliteFailure> {
    let mut statement = connection.prepare_cached(NEXT_LOGS)?;
    let logs = all(&mut statement, [cursor], |row| LogLength::of(row))?;
    let last = if logs.len() == LOGS_MAX { logs.last() } else { None };
    let mut next = last.map_or(0, |log| log.id);
    let (mut trimmed, mut left) = (Vec::new(), ENTRIES_REMOVED_MAX);
    for log in logs {
        if !log.is_too_long(cutoff) {
            continue;
        }
        let Some(floor) = find_floor(connection, cutoff, &log, left)? else { continue };
        left -= row::seq_number(floor.seq) - log.floor;
        let (id, state) = (log.id, trim_log(connection, log.id, floor)?);
        trimmed.extend(state.map(|state| (log.place, state.retained())));
        if left == 0 {
            next = id - 1;
            break;
        }
    }
    Ok((trimmed, next))
}

/// The last entry to remove, limited to `entries_max` entries.
fn find_floor(
    connection: &Connection,
    cutoff: &RetentionCutoff,
    log: &LogLength,
    entries_max: i64,
) -> Result<Option<Position>, SqliteFailure> {
    let (from, last) = log.bounds(cutoff, entries_max);
    let mut statement = connection.prepare_cached(FIND_FLOOR)?;
    first(&mut statement, (log.id, from, last, cutoff.after), |row| {
        row::position(row.int("seq")?, row.int("messages")?)
    })
}

/// Removes a log's entries up to `floor`. Returns the state of what is left.
fn trim_log(
    connection: &Connection,
    id: i64,
    floor: Position,
) -> Result<Option<Log>, SqliteFailure> {
    let (seq, messages) = (row::seq_number(floor.seq), row::number(floor.messages));
    execute_each(connection, DROP_ENTRIES, [(id, seq)])?;
    execute_each(connection, MOVE_FLOOR, [(id, seq, messages)])?;
    let mut statement = connection.prepare_cached(TRIMMED_LOG)?;
    first(&mut statement, [id], |row| row::log(row))
}

/// The guests that were seen longest ago and have expired.
fn find_expired_guests(
    connection: &Connection,
    after: OffsetDateTime,
) -> Result<Vec<(Space, UserName)>, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIRST_GUESTS)?;
    let mut rows = statement.query([GUESTS_MAX])?;
    let mut guests = Vec::new();
    while let Some(row) = rows.next()? {
        if row.maybe_int("seen")?.is_some_and(|seen| seen > row::millis(after)) {
            break;
        }
        guests.push((Space::from_raw(row.text("space")?), UserName::from_raw(row.text("name")?)));
    }
    Ok(guests)
}
