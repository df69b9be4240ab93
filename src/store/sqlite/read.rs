//! Queries on the read connections. Each is one statement, so each sees one snapshot.

use futures_util::TryStreamExt as _;
use sqlx::{Arguments as _, SqlitePool, sqlite::SqliteArguments};
use time::OffsetDateTime;

use super::{
    bind,
    commit::FIND_LOGS,
    script::{self, Statement},
};
use crate::{
    chat::ports::{Page, PageLimit, PageRange, PostedMessage},
    domain::{DeviceId, Epoch, Log, Member, NameKey, Place, Seq, Space, UserName},
    store::sql::{Columns as _, member_plan::SpaceUser, number, numbered, row},
};

const EPOCH: &str = "SELECT epoch FROM meta";

const LOG: &str = "SELECT head, messages, floor, floor_messages, members, deleted FROM conversation \
    WHERE space = ? AND kind = ? AND one = ? AND other = ?";

const MEMBER: &str = "SELECT role, joined, read, read_messages, muted FROM conversation \
    CROSS JOIN member ON member.space = conversation.space AND member.user = ? \
        AND member.conversation = conversation.id \
    WHERE conversation.space = ? AND kind = ? AND one = ? AND other = ?";

pub(super) const MESSAGE: &str = "SELECT id, author, stay, kind FROM message \
    WHERE conversation = (SELECT id FROM conversation \
        WHERE space = ? AND kind = ? AND one = ? AND other = ?) \
        AND seq = ? AND target IS NULL";

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
                WHERE space = ? AND kind = ? AND one = ? AND other = ?) AND entry.seq ",
            $from,
            " LIMIT ?"
        )
    };
}

pub(super) const OLDEST_AFTER: &str = page!("> ? ORDER BY entry.seq");

pub(super) const NEWEST_BEFORE: &str = page!("< ? ORDER BY entry.seq DESC");

const USER_EXISTS: &str = "SELECT 1 FROM user WHERE space = ? AND name = ?";

const IS_REGISTERED: &str =
    "SELECT 1 FROM user WHERE space = ? AND key = ? AND vouched = 1 LIMIT 1";

pub(super) const LAST_SEEN: Statement = Statement {
    before: "SELECT column1 AS number, seen FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN user ON space = column2 AND name = column3",
};

const DEVICE_SEEN: &str = "SELECT seen FROM device WHERE space = ? AND user = ? AND id = ?";

pub(super) async fn epoch(readers: &SqlitePool) -> Result<Epoch, sqlx::Error> {
    let epoch: String = sqlx::query_scalar(EPOCH).fetch_one(readers).await?;
    Ok(Epoch::from_raw(&epoch))
}

pub(super) async fn log(readers: &SqlitePool, place: &Place) -> Result<Log, sqlx::Error> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(LOG).bind(space).bind(kind).bind(one).bind(other);
    query.fetch_optional(readers).await?.map_or(Ok(Log::default()), |row| row::log(&row))
}

pub(super) async fn logs(readers: &SqlitePool, places: &[Place]) -> Result<Vec<Log>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, (number, place): &(i64, &Place)| {
        arguments.add(*number)?;
        bind::place(arguments, place)
    };
    let mut logs = vec![Log::default(); places.len()];
    for row in script::query(readers, FIND_LOGS, &numbered(places), bind).await? {
        let log = row::log(&row)?;
        logs.get_mut(number(&row)?).into_iter().for_each(|it| *it = log);
    }
    Ok(logs)
}

pub(super) async fn member(
    readers: &SqlitePool,
    place: &Place,
    user: &UserName,
) -> Result<Option<Member>, sqlx::Error> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(MEMBER).bind(user.as_raw());
    let query = query.bind(space).bind(kind).bind(one).bind(other);
    query.fetch_optional(readers).await?.map(|row| row::member(&row)).transpose()
}

pub(super) async fn message(
    readers: &SqlitePool,
    place: &Place,
    seq: Seq,
) -> Result<Option<PostedMessage>, sqlx::Error> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(MESSAGE).bind(space).bind(kind).bind(one).bind(other);
    let row = query.bind(row::seq_number(seq)).fetch_optional(readers).await?;
    row.map(|row| row::posted_message(&row)).transpose()
}

pub(super) async fn page(
    readers: &SqlitePool,
    place: &Place,
    range: PageRange,
    limit: PageLimit,
) -> Result<Page, sqlx::Error> {
    let (sql, edge) = match range {
        PageRange::Newest => (NEWEST_BEFORE, i64::MAX),
        PageRange::Before(seq) => (NEWEST_BEFORE, row::seq_number(seq)),
        PageRange::After(seq) => (OLDEST_AFTER, row::seq_number(seq)),
    };
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(sql).bind(space).bind(kind).bind(one).bind(other);
    // One entry more than the limit shows whether there are more; the first one is always returned.
    let mut rows = query.bind(edge).bind(i64::from(limit.messages.max(1)) + 1).fetch(readers);
    let (mut page, mut used) = (Page::default(), PageLimit::NOTHING);
    while let Some(row) = rows.try_next().await? {
        let entry = row::entry(&row, place)?;
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

pub(super) async fn user_exists(
    readers: &SqlitePool,
    space: &Space,
    user: &UserName,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(USER_EXISTS).bind(space.as_raw()).bind(user.as_raw());
    Ok(query.fetch_optional(readers).await?.is_some())
}

pub(super) async fn is_registered(
    readers: &SqlitePool,
    space: &Space,
    key: &NameKey,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(IS_REGISTERED).bind(space.as_raw()).bind(key.as_raw());
    Ok(query.fetch_optional(readers).await?.is_some())
}

pub(super) async fn last_seen(
    readers: &SqlitePool,
    space: &Space,
    users: &[UserName],
) -> Result<Vec<Option<OffsetDateTime>>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, row: &(i64, SpaceUser<'_>)| {
        arguments.add(row.0)?;
        bind::user(arguments, row.1)
    };
    let rows: Vec<_> = users.iter().map(|user| (space, user)).collect();
    let rows: Vec<_> = numbered(&rows).into_iter().map(|(n, user)| (n, *user)).collect();
    let mut last_seen = vec![None; users.len()];
    for row in script::query(readers, LAST_SEEN, &rows, bind).await? {
        let seen = row.maybe_int("seen")?;
        let seen = seen.map(row::time).transpose()?;
        last_seen.get_mut(number(&row)?).into_iter().for_each(|it| *it = seen);
    }
    Ok(last_seen)
}

pub(super) async fn device_seen(
    readers: &SqlitePool,
    space: &Space,
    user: &UserName,
    device: &DeviceId,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    let query = sqlx::query_scalar(DEVICE_SEEN).bind(space.as_raw()).bind(user.as_raw());
    let seen = query.bind(device.as_raw()).fetch_optional(readers).await?;
    seen.map(row::time).transpose()
}
