//! Questions to the connections that read. Each is one statement, so each sees one moment.

use futures_util::TryStreamExt as _;
use sqlx::{Row, SqlitePool};
use time::OffsetDateTime;

use super::row;
use crate::{
    chat::ports::{Page, PageLimit, Range},
    domain::{DeviceId, NameKey, Place, Seq, Space, UserName},
};

const HEAD: &str =
    "SELECT head FROM conversation WHERE space = ? AND kind = ? AND one = ? AND other = ?";

const OLDEST_AFTER: &str = "SELECT seq, at, kind, body, attachments, author, id FROM message \
    WHERE conversation = (SELECT id FROM conversation \
        WHERE space = ? AND kind = ? AND one = ? AND other = ?) \
    AND seq > ? ORDER BY seq LIMIT ?";

const NEWEST_BEFORE: &str = "SELECT seq, at, kind, body, attachments, author, id FROM message \
    WHERE conversation = (SELECT id FROM conversation \
        WHERE space = ? AND kind = ? AND one = ? AND other = ?) \
    AND seq < ? ORDER BY seq DESC LIMIT ?";

const KNOWS: &str = "SELECT 1 FROM user WHERE space = ? AND name = ?";

const IS_VOUCHED: &str = "SELECT 1 FROM user WHERE space = ? AND key = ? AND vouched = 1 LIMIT 1";

const LAST_SEEN: &str = "SELECT seen FROM device WHERE space = ? AND user = ? AND id = ?";

pub(super) async fn head(readers: &SqlitePool, place: &Place) -> Result<Seq, sqlx::Error> {
    let (space, kind, one, other) = row::key(place);
    let query = sqlx::query(HEAD).bind(space).bind(kind).bind(one).bind(other);
    match query.fetch_optional(readers).await? {
        Some(row) => row::seq(row.try_get("head")?),
        None => Ok(Seq::ZERO),
    }
}

pub(super) async fn page(
    readers: &SqlitePool,
    place: &Place,
    range: Range,
    limit: PageLimit,
) -> Result<Page, sqlx::Error> {
    let (sql, edge) = match range {
        Range::Newest => (NEWEST_BEFORE, i64::MAX),
        Range::Before(seq) => (NEWEST_BEFORE, row::seq_number(seq)),
        Range::After(seq) => (OLDEST_AFTER, row::seq_number(seq)),
    };
    let (space, kind, one, other) = row::key(place);
    let query = sqlx::query(sql).bind(space).bind(kind).bind(one).bind(other);
    // One more than may be given tells whether there are more.
    let mut rows = query.bind(edge).bind(i64::from(limit.messages) + 1).fetch(readers);
    let (mut page, mut used) = (Page::default(), PageLimit::NOTHING);
    while let Some(row) = rows.try_next().await? {
        let message = row::message(&row, place)?;
        if !limit.admits(&mut used, &message.body) {
            page.more = true;
            break;
        }
        page.messages.push(message);
    }
    if sql == NEWEST_BEFORE {
        page.messages.reverse();
    }
    Ok(page)
}

pub(super) async fn knows(
    readers: &SqlitePool,
    space: &Space,
    user: &UserName,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(KNOWS).bind(space.as_raw()).bind(user.as_raw());
    Ok(query.fetch_optional(readers).await?.is_some())
}

pub(super) async fn is_vouched(
    readers: &SqlitePool,
    space: &Space,
    key: &NameKey,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(IS_VOUCHED).bind(space.as_raw()).bind(key.as_raw());
    Ok(query.fetch_optional(readers).await?.is_some())
}

pub(super) async fn last_seen(
    readers: &SqlitePool,
    space: &Space,
    user: &UserName,
    device: &DeviceId,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    let query = sqlx::query_scalar(LAST_SEEN).bind(space.as_raw()).bind(user.as_raw());
    let seen = query.bind(device.as_raw()).fetch_optional(readers).await?;
    seen.map(row::time).transpose()
}
