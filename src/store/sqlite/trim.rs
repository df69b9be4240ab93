//! Retention: removes expired entries and guests, in bounded steps.
//!
//! Each call processes the next conversations in order of id, and starts again after the last one.
//! When a long log exceeds the limit of one call, the next call continues with it.

use std::collections::HashMap;

use sqlx::{
    Arguments as _, Row as _,
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};
use time::OffsetDateTime;

use super::{
    bind,
    commit::drop_empty_logs,
    script::{Statement, Transaction},
    users,
};
use crate::{
    chat::ports::{TrimLimits, Trimmed},
    domain::{Place, Position, Retained, Space, UserName},
    store::sql::{self, Columns as _, LogLength, RetentionCutoff, TrimCursor, row},
};

/// The largest number of entries that one call removes.
const ENTRIES_MAX: i64 = 1000;
/// The largest number of conversations that one call examines; the statement repeats it.
const LOGS_MAX: usize = 256;
/// The largest number of guests that one call removes.
const GUESTS_MAX: u32 = 64;

pub(super) const NEXT_LOGS: Statement = Statement {
    before: "SELECT id, space, kind, one, other, head, floor, \
            (SELECT at FROM message WHERE message.conversation = conversation.id \
                AND message.seq > conversation.floor ORDER BY message.seq LIMIT 1) AS oldest \
        FROM conversation WHERE id > (SELECT * FROM",
    row: "(?)",
    after: ") ORDER BY id LIMIT 256",
};

// Directly before the first entry that is kept, and at most `last`.
pub(super) const FIND_FLOOR: Statement = Statement {
    before: "SELECT message.seq, message.messages FROM",
    row: "(?,?,?,?)",
    after: "CROSS JOIN message ON message.conversation = column1 AND message.seq = coalesce( \
        (SELECT kept.seq - 1 FROM message AS kept WHERE kept.conversation = column1 \
            AND kept.seq > column2 AND kept.seq <= column3 AND kept.at > column4 \
            ORDER BY kept.seq LIMIT 1), column3)",
};

pub(super) const DROP_ENTRIES: Statement = Statement {
    before: "DELETE FROM message WHERE rowid IN (SELECT message.rowid FROM",
    row: "(?,?)",
    after: "CROSS JOIN message ON message.conversation = column1 AND message.seq <= column2)",
};

pub(super) const MOVE_FLOORS: Statement = Statement {
    before: "UPDATE conversation SET floor = column2, floor_messages = column3 FROM",
    row: "(?,?,?)",
    after: "WHERE id = column1",
};

pub(super) const TRIMMED_LOGS: Statement = Statement {
    before: "SELECT id, head, messages, floor, floor_messages, members, deleted FROM",
    row: "(?)",
    after: "CROSS JOIN conversation ON id = column1",
};

pub(super) const FIRST_GUESTS: Statement = Statement {
    before: "SELECT space, name, seen FROM user WHERE stay IS NOT NULL AND kept = 1 \
        ORDER BY seen LIMIT (SELECT * FROM",
    row: "(?)",
    after: ")",
};

pub(super) const DROP_DEVICES: Statement = Statement {
    before: "DELETE FROM device WHERE (space, user) IN (SELECT * FROM",
    row: "(?,?)",
    after: ")",
};

// Names that were registered once stay reserved.
pub(super) const DROP_GUESTS: Statement = Statement {
    before: "DELETE FROM user WHERE (space, name) IN (SELECT * FROM",
    row: "(?,?)",
    after: ") AND vouched = 0",
};

pub(super) const MARK_FORGOTTEN: Statement = Statement {
    before: "UPDATE user SET kept = 0, online_since = NULL FROM",
    row: "(?,?)",
    after: "WHERE space = column1 AND name = column2",
};

/// Trims from `cursor` on. An error leaves the transaction open: the connection must be closed.
pub(super) async fn trim(
    connection: &mut SqliteConnection,
    retention: &TrimLimits,
    cursor: TrimCursor,
) -> Result<(Trimmed, TrimCursor), sqlx::Error> {
    let mut transaction = Transaction::begin(connection);
    let (logs, cursor) = match RetentionCutoff::of(retention) {
        Some(cutoff) => trim_logs(&mut transaction, &cutoff, cursor).await?,
        None => (Vec::new(), 0),
    };
    let guests = find_expired_guests(&mut transaction, retention.guests_after).await?;
    let bind = |arguments: &mut SqliteArguments, (space, user): &(Space, UserName)| {
        bind::user(arguments, (space, user))
    };
    for statement in [users::FORGET_USERS, DROP_DEVICES, DROP_GUESTS, MARK_FORGOTTEN] {
        transaction.execute(statement, &guests, bind).await?;
    }
    drop_empty_logs(&mut transaction).await?;
    transaction.commit().await?;
    let more = cursor > 0 || guests.len() == GUESTS_MAX as usize;
    Ok((Trimmed { logs, more }, cursor))
}

/// Writes the write-ahead log into the database and truncates it, because removed content is still
/// readable in it. Returns whether no reader prevented that.
pub(super) async fn truncate_wal(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    let busy: i64 = row.try_get(0)?;
    Ok(busy == 0)
}

/// Trims the next logs. Returns the next cursor: 0 after the last conversation.
async fn trim_logs(
    transaction: &mut Transaction<'_>,
    cutoff: &RetentionCutoff,
    cursor: TrimCursor,
) -> Result<(Vec<(Place, Retained)>, TrimCursor), sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, cursor: &TrimCursor| arguments.add(*cursor);
    let rows = transaction.query(NEXT_LOGS, &[cursor], bind).await?;
    let mut next = if rows.len() == LOGS_MAX { rows.last() } else { None }
        .map_or(Ok(0), |row| row.int("id"))?;
    let (mut places, mut moved, mut left) = (HashMap::new(), Vec::new(), ENTRIES_MAX);
    for row in &rows {
        let log = LogLength::of(row)?;
        if !log.is_too_long(cutoff) {
            continue;
        }
        let Some(floor) = find_floor(transaction, cutoff, &log, left).await? else { continue };
        left -= row::seq_number(floor.seq) - log.floor;
        moved.push((log.id, floor));
        places.insert(log.id, log.place);
        if left == 0 {
            next = log.id - 1;
            break;
        }
    }
    let bind = |arguments: &mut SqliteArguments, (conversation, floor): &(i64, Position)| {
        arguments.add(*conversation)?;
        arguments.add(row::seq_number(floor.seq))
    };
    transaction.execute(DROP_ENTRIES, &moved, bind).await?;
    let bind = |arguments: &mut SqliteArguments, (conversation, floor): &(i64, Position)| {
        arguments.add(*conversation)?;
        bind::position(arguments, *floor)
    };
    transaction.execute(MOVE_FLOORS, &moved, bind).await?;
    let bind = |arguments: &mut SqliteArguments, row: &(i64, Position)| arguments.add(row.0);
    let rows = transaction.query(TRIMMED_LOGS, &moved, bind).await?;
    Ok((sql::trimmed_logs(&rows, places)?, next))
}

/// The last entry to remove, limited to `entries_max` entries.
async fn find_floor(
    transaction: &mut Transaction<'_>,
    cutoff: &RetentionCutoff,
    log: &LogLength,
    entries_max: i64,
) -> Result<Option<Position>, sqlx::Error> {
    let (from, last) = log.bounds(cutoff, entries_max);
    let bind = |arguments: &mut SqliteArguments, row: &[i64; 4]| {
        row.iter().try_for_each(|number| arguments.add(*number))
    };
    let row = [log.id, from, last, cutoff.after];
    let rows = transaction.query(FIND_FLOOR, &[row], bind).await?;
    let floor = |row: &SqliteRow| row::position(row.int("seq")?, row.int("messages")?);
    rows.first().map(floor).transpose()
}

/// The guests that were seen longest ago and have expired.
async fn find_expired_guests(
    transaction: &mut Transaction<'_>,
    after: OffsetDateTime,
) -> Result<Vec<(Space, UserName)>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, limit: &u32| arguments.add(*limit);
    let mut guests = Vec::new();
    for row in transaction.query(FIRST_GUESTS, &[GUESTS_MAX], bind).await? {
        let seen = row.maybe_int("seen")?;
        // Guests without a time are first in the order.
        if seen.is_some_and(|seen| seen > row::millis(after)) {
            break;
        }
        let (space, user) = (row.text("space")?, row.text("name")?);
        guests.push((Space::from_raw(space), UserName::from_raw(user)));
    }
    Ok(guests)
}
