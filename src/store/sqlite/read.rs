//! Queries on the read connections. Each is one statement or one transaction, so each sees one
//! snapshot.

use rusqlite::Connection;
use time::OffsetDateTime;

use super::{
    commit::{COMMIT, FIND_LOG},
    failure::SqliteFailure,
    statement::{execute, first},
};
use crate::{
    chat::ports::{Page, PageLimit, PageRange, PostedMessage},
    domain::{DeviceId, Epoch, Log, Member, NameKey, Place, Seq, Space, UserName},
    store::sql::{Columns as _, row},
};

const EPOCH: &str = "SELECT epoch FROM meta";

/// A transaction that reads: all its statements see one snapshot.
const BEGIN_READ: &str = "BEGIN";

pub(super) const MEMBER: &str = "SELECT role, joined, read, read_messages, muted \
    FROM conversation CROSS JOIN member ON member.space = conversation.space \
        AND member.user = ?5 AND member.conversation = conversation.id \
    WHERE conversation.space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4";

pub(super) const MESSAGE: &str = "SELECT id, author, stay, kind FROM message \
    WHERE conversation = (SELECT id FROM conversation \
        WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4) \
        AND seq = ?5 AND target IS NULL";

/// A page from either end. The last edit of a message carries its body.
macro_rules! page {
    ($from:literal) => {
        concat!(
            "SELECT entry.seq, entry.messages, entry.at, entry.kind, entry.target, \
                entry.edited_at, entry.author, entry.id, coalesce(entry.body, said.body) AS body, \
                coalesce(entry.attachments, said.attachments) AS attachments \
            FROM message AS entry LEFT JOIN message AS said \
                ON said.conversation = entry.conversation AND said.seq = entry.target \
                    AND said.edit = entry.seq \
            WHERE entry.conversation = (SELECT id FROM conversation \
                WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4) AND entry.seq ",
            $from,
            " LIMIT ?6"
        )
    };
}

pub(super) const OLDEST_AFTER: &str = page!("> ?5 ORDER BY entry.seq");

pub(super) const NEWEST_BEFORE: &str = page!("< ?5 ORDER BY entry.seq DESC");

pub(super) const USER_EXISTS: &str = "SELECT 1 FROM user WHERE space = ?1 AND name = ?2";

pub(super) const IS_REGISTERED: &str =
    "SELECT 1 FROM user WHERE space = ?1 AND key = ?2 AND vouched = 1 LIMIT 1";

pub(super) const LAST_SEEN: &str = "SELECT seen FROM user WHERE space = ?1 AND name = ?2";

pub(super) const DEVICE_SEEN: &str =
    "SELECT seen FROM device WHERE space = ?1 AND user = ?2 AND id = ?3";

pub(super) fn epoch(connection: &Connection) -> Result<Epoch, rusqlite::Error> {
    let epoch: String = connection.query_row(EPOCH, (), |row| row.get(0))?;
    Ok(Epoch::from_raw(&epoch))
}

pub(super) fn log(connection: &Connection, place: &Place) -> Result<Log, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_LOG)?;
    Ok(first(&mut statement, row::place_columns(place), |row| row::log(row))?.unwrap_or_default())
}

pub(super) fn logs(connection: &Connection, places: &[Place]) -> Result<Vec<Log>, SqliteFailure> {
    execute(connection, BEGIN_READ)?;
    let logs = places.iter().map(|place| log(connection, place)).collect::<Result<_, _>>()?;
    execute(connection, COMMIT)?;
    Ok(logs)
}

pub(super) fn member(
    connection: &Connection,
    place: &Place,
    user: &UserName,
) -> Result<Option<Member>, SqliteFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let mut statement = connection.prepare_cached(MEMBER)?;
    first(&mut statement, (space, kind, one, other, user.as_raw()), |row| row::member(row))
}

pub(super) fn message(
    connection: &Connection,
    place: &Place,
    seq: Seq,
) -> Result<Option<PostedMessage>, SqliteFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let mut statement = connection.prepare_cached(MESSAGE)?;
    let message = (space, kind, one, other, row::seq_number(seq));
    first(&mut statement, message, |row| row::posted_message(row))
}

pub(super) fn page(
    connection: &Connection,
    place: &Place,
    range: PageRange,
    limit: PageLimit,
) -> Result<Page, SqliteFailure> {
    let (sql, edge) = match range {
        PageRange::Newest => (NEWEST_BEFORE, i64::MAX),
        PageRange::Before(seq) => (NEWEST_BEFORE, row::seq_number(seq)),
        PageRange::After(seq) => (OLDEST_AFTER, row::seq_number(seq)),
    };
    let (space, kind, one, other) = row::place_columns(place);
    // One entry more than the limit shows whether there are more; the first one is always returned.
    let rows_max = i64::from(limit.messages.max(1)) + 1;
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((space, kind, one, other, edge, rows_max))?;
    let (mut page, mut used) = (Page::default(), PageLimit::NOTHING);
    while let Some(row) = rows.next()? {
        let entry = row::entry(row, place)?;
        if !limit.admits(&mut used, entry.body()) {
            page.more = true;
            break;
        }
        page.entries.push(entry);
    }
    if sql == NEWEST_BEFORE {
        page.entries.reverse();
    }
    Ok(page)
}

pub(super) fn user_exists(
    connection: &Connection,
    space: &Space,
    user: &UserName,
) -> Result<bool, SqliteFailure> {
    let mut statement = connection.prepare_cached(USER_EXISTS)?;
    Ok(statement.exists((space.as_raw(), user.as_raw()))?)
}

pub(super) fn is_registered(
    connection: &Connection,
    space: &Space,
    key: &NameKey,
) -> Result<bool, SqliteFailure> {
    let mut statement = connection.prepare_cached(IS_REGISTERED)?;
    Ok(statement.exists((space.as_raw(), key.as_raw()))?)
}

pub(super) fn last_seen(
    connection: &Connection,
    space: &Space,
    users: &[UserName],
) -> Result<Vec<Option<OffsetDateTime>>, SqliteFailure> {
    execute(connection, BEGIN_READ)?;
    let mut statement = connection.prepare_cached(LAST_SEEN)?;
    let of_user = |user: &UserName| {
        let user = (space.as_raw(), user.as_raw());
        let seen =
            first(&mut statement, user, |row| row.maybe_int("seen")?.map(row::time).transpose());
        Ok::<_, SqliteFailure>(seen?.flatten())
    };
    let last_seen = users.iter().map(of_user).collect::<Result<_, _>>()?;
    execute(connection, COMMIT)?;
    Ok(last_seen)
}

pub(super) fn device_seen(
    connection: &Connection,
    space: &Space,
    user: &UserName,
    device: &DeviceId,
) -> Result<Option<OffsetDateTime>, SqliteFailure> {
    let mut statement = connection.prepare_cached(DEVICE_SEEN)?;
    let device = (space.as_raw(), user.as_raw(), device.as_raw());
    first(&mut statement, device, |row| row::time(row.int("seen")?))
}
