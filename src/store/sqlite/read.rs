//! Queries on the read connections. Each is one statement or one transaction, so each sees one
//! snapshot.
//!
//! The newest messages of a log may wait in the intake. Where they do, a second statement finds
//! them there. Whether they do is asked before the snapshot is taken: afterwards, a commit may have
//! moved them, which the snapshot does not see.

use rusqlite::{Connection, Row};
use time::OffsetDateTime;

use super::{
    commit::{COMMIT, FIND_LOG},
    failure::SqliteFailure,
    intake::{Intake, Sources},
    statement::{execute, first},
};
use crate::{
    chat::ports::{Page, PageLimit, PageRange, PostedMessage},
    domain::{
        DeviceId, DisplayName, DisplayNames, Epoch, Log, Member, NameKey, Place, Position,
        RoomTopic, Seq, Space, UserName,
    },
    store::sql::{ColumnError, Columns as _, row},
};

const EPOCH: &str = "SELECT epoch FROM meta";

/// A transaction that reads: all its statements see one snapshot.
const BEGIN_READ: &str = "BEGIN";

pub(super) const MEMBER: &str = "SELECT role, joined, read, read_messages, muted \
    FROM conversation CROSS JOIN member ON member.space = conversation.space \
        AND member.user = ?5 AND member.conversation = conversation.id \
    WHERE conversation.space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4";

pub(super) const TOPIC: &str = "SELECT topic FROM conversation \
    WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4";

/// A statement on the rows of a place, whose columns are the first four parameters.
macro_rules! of_place {
    ($select:literal, $rest:literal) => {
        concat!(
            $select,
            " WHERE conversation = (SELECT id FROM conversation \
                WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4) ",
            $rest
        )
    };
}

pub(super) const MESSAGE: &str = of_place!(
    "SELECT id, author, stay, kind, event FROM message",
    "AND seq = ?5 AND target IS NULL"
);

const WAITING_MESSAGE: &str =
    of_place!("SELECT id, author, stay, kind, event FROM intake", "AND seq = ?5");

// The other columns are of the row with the last seq.
const WAITING_HEAD: &str = of_place!("SELECT max(seq) AS seq, messages FROM intake", "");

const WAITING_READ: &str =
    of_place!("SELECT max(seq) AS seq, messages FROM intake", "AND author = ?5");

/// A page from either end. The last edit of a message carries its body.
macro_rules! page {
    ($from:literal) => {
        concat!(
            "SELECT entry.seq, entry.messages, entry.at, entry.kind, entry.event, entry.target, \
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

/// The same of the intake, which has messages only.
macro_rules! waiting_page {
    ($from:literal) => {
        of_place!(
            "SELECT seq, messages, at, kind, event, NULL AS edited_at, author, id, body, attachments \
                FROM intake",
            $from
        )
    };
}

const WAITING_AFTER: &str = waiting_page!("AND seq > ?5 ORDER BY seq LIMIT ?6");

const WAITING_BEFORE: &str = waiting_page!("AND seq < ?5 ORDER BY seq DESC LIMIT ?6");

pub(super) const USER_EXISTS: &str = "SELECT 1 FROM user WHERE space = ?1 AND name = ?2";

pub(super) const IS_REGISTERED: &str =
    "SELECT 1 FROM user WHERE space = ?1 AND key = ?2 AND vouched = 1 LIMIT 1";

pub(super) const LAST_SEEN: &str = "SELECT seen FROM user WHERE space = ?1 AND name = ?2";

pub(super) const DISPLAY_NAME: &str = "SELECT display_name FROM user \
    WHERE space = ?1 AND name = ?2 AND display_name IS NOT NULL";

pub(super) const DEVICE_SEEN: &str =
    "SELECT seen FROM device WHERE space = ?1 AND user = ?2 AND id = ?3";

pub(super) fn epoch(connection: &Connection) -> Result<Epoch, rusqlite::Error> {
    let epoch: String = connection.query_row(EPOCH, (), |row| row.get(0))?;
    Ok(Epoch::from_raw(&epoch))
}

pub(super) fn log(
    connection: &Connection,
    intake: &Intake,
    place: &Place,
) -> Result<Log, SqliteFailure> {
    let sources = intake.sources(place);
    in_snapshot(connection, || find_log(connection, place, sources))
}

pub(super) fn logs(
    connection: &Connection,
    intake: &Intake,
    places: &[Place],
) -> Result<Vec<Log>, SqliteFailure> {
    let places: Vec<_> = places.iter().map(|place| (place, intake.sources(place))).collect();
    let log = |(place, sources)| find_log(connection, place, sources);
    in_snapshot(connection, || places.into_iter().map(log).collect())
}

fn find_log(
    connection: &Connection,
    place: &Place,
    sources: Sources,
) -> Result<Log, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_LOG)?;
    let log = first(&mut statement, row::place_columns(place), |row| row::log(row))?;
    let mut log = log.unwrap_or_default();
    if sources == Sources::PlaceAndIntake {
        let mut statement = connection.prepare_cached(WAITING_HEAD)?;
        let head = first(&mut statement, row::place_columns(place), waiting_position)?;
        log.head = head.flatten().unwrap_or(log.head);
    }
    Ok(log)
}

pub(super) fn topic(
    connection: &Connection,
    place: &Place,
) -> Result<Option<RoomTopic>, SqliteFailure> {
    let mut statement = connection.prepare_cached(TOPIC)?;
    let topic = first(&mut statement, row::place_columns(place), |row| row::topic(row))?;
    Ok(topic.flatten())
}

pub(super) fn member(
    connection: &Connection,
    intake: &Intake,
    place: &Place,
    user: &UserName,
) -> Result<Option<Member>, SqliteFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let columns = (space, kind, one, other, user.as_raw());
    let sources = intake.sources(place);
    in_snapshot(connection, || {
        let mut statement = connection.prepare_cached(MEMBER)?;
        let Some(mut member) = first(&mut statement, columns, |row| row::member(row))? else {
            return Ok(None);
        };
        let authors_have_read = place.conversation.authors_have_read();
        if authors_have_read && sources == Sources::PlaceAndIntake {
            let mut statement = connection.prepare_cached(WAITING_READ)?;
            let read = first(&mut statement, columns, waiting_position)?.flatten();
            member.read = read.unwrap_or(member.read);
        }
        Ok(Some(member))
    })
}

pub(super) fn message(
    connection: &Connection,
    intake: &Intake,
    place: &Place,
    seq: Seq,
) -> Result<Option<PostedMessage>, SqliteFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let columns = (space, kind, one, other, row::seq_number(seq));
    let find = |sql| {
        let mut statement = connection.prepare_cached(sql)?;
        first(&mut statement, columns, |row| row::posted_message(row))
    };
    let sources = intake.sources(place);
    in_snapshot(connection, || match find(MESSAGE)? {
        None if sources == Sources::PlaceAndIntake => find(WAITING_MESSAGE),
        found => Ok(found),
    })
}

pub(super) fn page(
    connection: &Connection,
    intake: &Intake,
    place: &Place,
    range: PageRange,
    limit: PageLimit,
) -> Result<Page, SqliteFailure> {
    // The messages in the intake are newer than all others of the log.
    let statements: &[&str] = match (range, intake.sources(place)) {
        (PageRange::After(_), Sources::Place) => &[OLDEST_AFTER],
        (PageRange::After(_), Sources::PlaceAndIntake) => &[OLDEST_AFTER, WAITING_AFTER],
        (PageRange::Newest | PageRange::Before(_), Sources::Place) => &[NEWEST_BEFORE],
        (PageRange::Newest | PageRange::Before(_), Sources::PlaceAndIntake) => {
            &[WAITING_BEFORE, NEWEST_BEFORE]
        }
    };
    let (is_newest_first, edge) = match range {
        PageRange::Newest => (true, i64::MAX),
        PageRange::Before(seq) => (true, row::seq_number(seq)),
        PageRange::After(seq) => (false, row::seq_number(seq)),
    };
    let (space, kind, one, other) = row::place_columns(place);
    // One entry more than the limit shows whether there are more; the first one is always returned.
    let rows_max = i64::from(limit.messages.max(1)) + 1;
    let columns = (space, kind, one, other, edge, rows_max);
    let (mut page, mut used) = (Page::default(), PageLimit::NOTHING);
    in_snapshot(connection, || {
        for sql in statements {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(columns)?;
            while let Some(row) = rows.next()? {
                let entry = row::entry(row, place)?;
                if !limit.admits(&mut used, entry.body()) {
                    page.more = true;
                    return Ok(());
                }
                page.entries.push(entry);
            }
        }
        Ok(())
    })?;
    if is_newest_first {
        page.entries.reverse();
    }
    Ok(page)
}

/// The columns `seq, messages` of the last message, if there is one.
fn waiting_position(row: &Row<'_>) -> Result<Option<Position>, ColumnError> {
    let Some(seq) = row.maybe_int("seq")? else { return Ok(None) };
    row::position(seq, row.int("messages")?).map(Some)
}

/// Runs statements that all see one snapshot. An error leaves the transaction open: the connection
/// must be closed.
fn in_snapshot<T>(
    connection: &Connection,
    read: impl FnOnce() -> Result<T, SqliteFailure>,
) -> Result<T, SqliteFailure> {
    execute(connection, BEGIN_READ)?;
    let found = read()?;
    execute(connection, COMMIT)?;
    Ok(found)
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
    let mut statement = connection.prepare_cached(LAST_SEEN)?;
    let of_user = |user: &UserName| {
        let user = (space.as_raw(), user.as_raw());
        let seen =
            first(&mut statement, user, |row| row.maybe_int("seen")?.map(row::time).transpose());
        Ok::<_, SqliteFailure>(seen?.flatten())
    };
    in_snapshot(connection, || users.iter().map(of_user).collect())
}

pub(super) fn display_names(
    connection: &Connection,
    space: &Space,
    users: &[UserName],
) -> Result<DisplayNames, SqliteFailure> {
    let mut statement = connection.prepare_cached(DISPLAY_NAME)?;
    let mut names = DisplayNames::new();
    in_snapshot(connection, || {
        for user in users {
            let name = first(&mut statement, (space.as_raw(), user.as_raw()), |row| {
                row.text("display_name").map(DisplayName::from_raw)
            })?;
            names.extend(name.map(|name| (user.clone(), name)));
        }
        Ok(())
    })?;
    Ok(names)
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
