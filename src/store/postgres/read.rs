//! Queries on the read connections. Each is one statement, so each sees one snapshot.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;

use super::{
    arrays::{bind_places, bind_users, number},
    failure::PostgresFailure,
};
use crate::{
    chat::ports::{Page, PageLimit, PageRange, PostedMessage},
    domain::{
        DeviceId, DisplayName, DisplayNames, Epoch, Log, Member, NameKey, Place, RoomTopic, Seq,
        Space, UserName,
    },
    store::sql::{Columns as _, row},
};

const EPOCH: &str = "SELECT epoch FROM meta";

const LOGS: &str =
    "SELECT given.number - 1 AS number, head, messages, floor, floor_messages, members, deleted
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) WITH ORDINALITY
        AS given (space, kind, one, other, number)
    JOIN conversation ON conversation.space = given.space AND conversation.kind = given.kind
        AND conversation.one = given.one AND conversation.other = given.other";

const REVISIONS: &str = r#"SELECT given.number - 1 AS number, revision
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (space, name, number)
    JOIN "user" ON "user".space = given.space AND "user".name = given.name"#;

const MEMBER: &str = r#"SELECT role, joined, read, read_messages, muted FROM conversation
    JOIN member ON member.space = conversation.space AND member."user" = $5
        AND member.conversation = conversation.id
    WHERE conversation.space = $1 AND kind = $2 AND one = $3 AND other = $4"#;

const TOPIC: &str = "SELECT topic FROM conversation
    WHERE space = $1 AND kind = $2 AND one = $3 AND other = $4";

const MESSAGE: &str = "SELECT id, author, stay, kind, event FROM message
    WHERE conversation = (SELECT id FROM conversation
        WHERE space = $1 AND kind = $2 AND one = $3 AND other = $4)
        AND seq = $5 AND target IS NULL";

/// A page from either end. The last edit of a message carries its body. Sizes are known without
/// reading bodies, so only the bodies of entries that fit into `$7` bytes are read; `available` is
/// the number of entries without that limit.
macro_rules! page {
    ($from:literal, $order:literal) => {
        concat!(
            "SELECT * FROM (
                SELECT *, count(*) OVER () AS available, sum(
                    coalesce(octet_length(body), 0) + coalesce(octet_length(attachments), 0)
                ) OVER (",
            $order,
            " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS used
                FROM (
                    SELECT entry.seq, entry.messages, entry.at, entry.kind, entry.event, entry.target,
                        entry.edited_at, entry.author, entry.id,
                        coalesce(entry.body, said.body) AS body,
                        coalesce(entry.attachments, said.attachments) AS attachments
                    FROM (
                        SELECT * FROM message WHERE conversation = (SELECT id FROM conversation
                            WHERE space = $1 AND kind = $2 AND one = $3 AND other = $4)
                            AND seq ",
            $from,
            " $5 ",
            $order,
            " LIMIT $6
                    ) AS entry
                    LEFT JOIN LATERAL (
                        SELECT body, attachments FROM message
                        WHERE message.conversation = entry.conversation
                            AND message.seq = entry.target AND message.edit = entry.seq OFFSET 0
                    ) AS said ON true
                ) AS entry
            ) AS entry WHERE used IS NULL OR used <= $7 ",
            $order
        )
    };
}

const OLDEST_AFTER: &str = page!(">", "ORDER BY seq");

const NEWEST_BEFORE: &str = page!("<", "ORDER BY seq DESC");

/// The overhead of each attachment, in bytes.
const FRAME_BYTES: usize = size_of::<u32>();

const USER_EXISTS: &str = r#"SELECT 1 FROM "user" WHERE space = $1 AND name = $2"#;

const IS_REGISTERED: &str =
    r#"SELECT 1 FROM "user" WHERE space = $1 AND key = $2 AND vouched LIMIT 1"#;

const LAST_SEEN: &str = r#"SELECT given.number - 1 AS number, seen
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (space, name, number)
    JOIN "user" ON "user".space = given.space AND "user".name = given.name"#;

const DISPLAY_NAMES: &str = r#"SELECT name, display_name FROM "user"
    WHERE space = $1 AND name = ANY($2::text[]) AND display_name IS NOT NULL"#;

const DEVICE_SEEN: &str = r#"SELECT seen FROM device WHERE space = $1 AND "user" = $2 AND id = $3"#;

pub(super) async fn epoch(connection: &mut PgConnection) -> Result<Epoch, PostgresFailure> {
    let epoch: String = sqlx::query_scalar(EPOCH).fetch_one(connection).await?;
    Ok(Epoch::from_raw(&epoch))
}

pub(super) async fn logs(
    connection: &mut PgConnection,
    places: &[Place],
) -> Result<Vec<Log>, PostgresFailure> {
    let mut logs = vec![Log::default(); places.len()];
    for row in bind_places(sqlx::query(LOGS), places).fetch_all(connection).await? {
        let log = row::log(&row)?;
        logs.get_mut(number(&row)?).into_iter().for_each(|it| *it = log);
    }
    Ok(logs)
}

pub(super) async fn revisions(
    connection: &mut PgConnection,
    users: &[(Space, UserName)],
) -> Result<Vec<u64>, PostgresFailure> {
    let query = bind_users(sqlx::query(REVISIONS), users.iter().map(|(space, user)| (space, user)));
    let mut revisions = vec![0; users.len()];
    for row in query.fetch_all(connection).await? {
        let revision = row::count(row.int("revision")?)?;
        revisions.get_mut(number(&row)?).into_iter().for_each(|it| *it = revision);
    }
    Ok(revisions)
}

pub(super) async fn topic(
    connection: &mut PgConnection,
    place: &Place,
) -> Result<Option<RoomTopic>, PostgresFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(TOPIC).bind(space).bind(kind).bind(one).bind(other);
    let row = query.fetch_optional(connection).await?;
    Ok(row.map(|row| row::topic(&row)).transpose()?.flatten())
}

pub(super) async fn member(
    connection: &mut PgConnection,
    place: &Place,
    user: &UserName,
) -> Result<Option<Member>, PostgresFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(MEMBER).bind(space).bind(kind).bind(one).bind(other);
    let row = query.bind(user.as_raw()).fetch_optional(connection).await?;
    Ok(row.map(|row| row::member(&row)).transpose()?)
}

pub(super) async fn message(
    connection: &mut PgConnection,
    place: &Place,
    seq: Seq,
) -> Result<Option<PostedMessage>, PostgresFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(MESSAGE).bind(space).bind(kind).bind(one).bind(other);
    let row = query.bind(row::seq_number(seq)).fetch_optional(connection).await?;
    Ok(row.map(|row| row::posted_message(&row)).transpose()?)
}

pub(super) async fn page(
    connection: &mut PgConnection,
    place: &Place,
    range: PageRange,
    limit: PageLimit,
) -> Result<Page, PostgresFailure> {
    let (sql, edge) = match range {
        PageRange::Newest => (NEWEST_BEFORE, i64::MAX),
        PageRange::Before(seq) => (NEWEST_BEFORE, row::seq_number(seq)),
        PageRange::After(seq) => (OLDEST_AFTER, row::seq_number(seq)),
    };
    // One entry more than the limit shows whether there are more; the first one is always returned.
    let messages_max = i64::from(limit.messages.max(1)) + 1;
    let bytes_max = limit.bytes.saturating_add(limit.attachments.saturating_mul(FRAME_BYTES));
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(sql).bind(space).bind(kind).bind(one).bind(other);
    let query = query.bind(edge).bind(messages_max);
    let mut rows = query.bind(i64::try_from(bytes_max).unwrap_or(i64::MAX)).fetch(connection);
    let (mut page, mut used, mut available) = (Page::default(), PageLimit::NOTHING, 0);
    // All rows are consumed: unread ones would delay the connection's next query.
    let mut is_full = false;
    while let Some(row) = rows.try_next().await? {
        available = usize::try_from(row.int("available")?).unwrap_or(usize::MAX);
        if is_full {
            continue;
        }
        let entry = row::entry(&row, place)?;
        if limit.admits(&mut used, entry.body()) {
            page.entries.push(entry);
        } else {
            is_full = true;
        }
    }
    page.more = page.entries.len() < available;
    if sql == NEWEST_BEFORE {
        page.entries.reverse();
    }
    Ok(page)
}

pub(super) async fn user_exists(
    connection: &mut PgConnection,
    space: &Space,
    user: &UserName,
) -> Result<bool, PostgresFailure> {
    let query = sqlx::query(USER_EXISTS).bind(space.as_raw()).bind(user.as_raw());
    Ok(query.fetch_optional(connection).await?.is_some())
}

pub(super) async fn is_registered(
    connection: &mut PgConnection,
    space: &Space,
    key: &NameKey,
) -> Result<bool, PostgresFailure> {
    let query = sqlx::query(IS_REGISTERED).bind(space.as_raw()).bind(key.as_raw());
    Ok(query.fetch_optional(connection).await?.is_some())
}

pub(super) async fn last_seen(
    connection: &mut PgConnection,
    space: &Space,
    users: &[UserName],
) -> Result<Vec<Option<OffsetDateTime>>, PostgresFailure> {
    let query = bind_users(sqlx::query(LAST_SEEN), users.iter().map(|user| (space, user)));
    let mut last_seen = vec![None; users.len()];
    for row in query.fetch_all(connection).await? {
        let seen = row::time(row.int("seen")?)?;
        last_seen.get_mut(number(&row)?).into_iter().for_each(|it| *it = Some(seen));
    }
    Ok(last_seen)
}

pub(super) async fn display_names(
    connection: &mut PgConnection,
    space: &Space,
    users: &[UserName],
) -> Result<DisplayNames, PostgresFailure> {
    let users: Vec<_> = users.iter().map(UserName::as_raw).collect();
    let query = sqlx::query(DISPLAY_NAMES).bind(space.as_raw()).bind(users);
    let mut names = DisplayNames::new();
    for row in query.fetch_all(connection).await? {
        let (user, name) = (row.text("name")?, row.text("display_name")?);
        names.insert(UserName::from_raw(user), DisplayName::from_raw(name));
    }
    Ok(names)
}

pub(super) async fn device_seen(
    connection: &mut PgConnection,
    space: &Space,
    user: &UserName,
    device: &DeviceId,
) -> Result<Option<OffsetDateTime>, PostgresFailure> {
    let query = sqlx::query_scalar(DEVICE_SEEN).bind(space.as_raw()).bind(user.as_raw());
    let seen = query.bind(device.as_raw()).fetch_optional(connection).await?;
    Ok(seen.map(row::time).transpose()?)
}
