//! Pages of the members of a conversation and of the rooms of a space, for the API.

use sqlx::postgres::PgConnection;

use super::failure::PostgresFailure;
use crate::{
    chat::ports::{MemberRow, RoomRow},
    domain::{Place, RoomName, Space, UserName},
    store::sql::row,
};

const MEMBERS: &str = r#"SELECT member."user", role, joined_at, display_name FROM member
        LEFT JOIN "user" ON "user".space = $1 AND "user".name = member."user"
    WHERE conversation = (SELECT id FROM conversation
        WHERE space = $1 AND kind = $2 AND one = $3 AND other = $4)
        AND member."user" > $5 ORDER BY member."user" LIMIT $6"#;

const ROOMS: &str = "SELECT one, head, messages, floor, floor_messages, members, deleted, topic
    FROM conversation WHERE space = $1 AND kind = 0 AND one > $2 AND (members > 0 OR head > floor)
    ORDER BY one LIMIT $3";

pub(super) async fn members(
    connection: &mut PgConnection,
    place: &Place,
    (after, count_max): (Option<&UserName>, usize),
) -> Result<Vec<MemberRow>, PostgresFailure> {
    let (space, kind, one, other) = row::place_columns(place);
    let query = sqlx::query(MEMBERS).bind(space).bind(kind).bind(one).bind(other);
    // No name is empty.
    let query = query.bind(after.map_or("", UserName::as_raw)).bind(row::number(count_max as u64));
    let mut members = Vec::new();
    for row in query.fetch_all(connection).await? {
        members.push(row::member_row(&row)?);
    }
    Ok(members)
}

pub(super) async fn rooms(
    connection: &mut PgConnection,
    space: &Space,
    (after, count_max): (Option<&RoomName>, usize),
) -> Result<Vec<RoomRow>, PostgresFailure> {
    let query = sqlx::query(ROOMS).bind(space.as_raw()).bind(after.map_or("", RoomName::as_raw));
    let mut rooms = Vec::new();
    for row in query.bind(row::number(count_max as u64)).fetch_all(connection).await? {
        rooms.push(row::room(&row)?);
    }
    Ok(rooms)
}
