//! Pages of the members of a conversation and of the rooms of a space, for the API.
//!
//! Each is one statement, so it sees one snapshot of the tables, the intake included.

use rusqlite::Connection;

use super::{failure::SqliteFailure, statement::all};
use crate::{
    chat::ports::{MemberRow, RoomRow},
    domain::{Place, RoomName, Space, UserName},
    store::sql::row,
};

pub(super) const MEMBERS: &str = "SELECT member.user, role, joined_at, display_name FROM member \
        LEFT JOIN user ON user.space = ?1 AND user.name = member.user \
    WHERE conversation = (SELECT id FROM conversation \
        WHERE space = ?1 AND kind = ?2 AND one = ?3 AND other = ?4) \
        AND member.user > ?5 ORDER BY member.user LIMIT ?6";

// The other columns of a group of the intake are of the row with the last seq.
pub(super) const ROOMS: &str = "SELECT one, coalesce(waiting.seq, conversation.head) AS head, \
        coalesce(waiting.messages, conversation.messages) AS messages, \
        floor, floor_messages, members, deleted, topic \
    FROM conversation LEFT JOIN (SELECT conversation AS id, max(seq) AS seq, messages FROM intake \
        GROUP BY conversation) AS waiting ON waiting.id = conversation.id \
    WHERE space = ?1 AND kind = 0 AND one > ?2 \
        AND (members > 0 OR conversation.head > floor OR waiting.seq IS NOT NULL) \
    ORDER BY one LIMIT ?3";

pub(super) fn members(
    connection: &Connection,
    place: &Place,
    after: Option<&UserName>,
    count_max: usize,
) -> Result<Vec<MemberRow>, SqliteFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    // No name is empty.
    let after = after.map_or("", UserName::as_raw);
    let columns = (space, kind, one, other, after, row::number(count_max as u64));
    let mut statement = connection.prepare_cached(MEMBERS)?;
    all(&mut statement, columns, |row| row::member_row(row))
}

pub(super) fn rooms(
    connection: &Connection,
    space: &Space,
    after: Option<&RoomName>,
    count_max: usize,
) -> Result<Vec<RoomRow>, SqliteFailure> {
    let after = after.map_or("", RoomName::as_raw);
    let columns = (space.as_raw(), after, row::number(count_max as u64));
    let mut statement = connection.prepare_cached(ROOMS)?;
    all(&mut statement, columns, |row| row::room(row))
}
