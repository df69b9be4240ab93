//! Memberships, in a commit.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::{PgConnection, PgRow};

use super::arrays::{bind_members, bind_users, number, numbered};
use crate::{
    chat::ports::{Change, Membership},
    domain::{RoomName, Space, UserName},
    store::sql::{
        self, Columns as _, StoredLogs,
        member_plan::{self, CurrentMember, SpaceUser},
        row, write,
    },
};

const DELETE_MEMBERSHIPS: &str = r#"WITH dropped AS (
        DELETE FROM member USING unnest($1::text[], $2::text[]) AS given (space, name)
        WHERE member.space = given.space AND member."user" = given.name
        RETURNING member.conversation
    )
    UPDATE conversation SET members = conversation.members - lost.members
    FROM (SELECT conversation AS id, count(*) AS members FROM dropped GROUP BY 1) AS lost
    WHERE conversation.id = lost.id
    RETURNING conversation.id, conversation.members"#;

const FIND: &str = r#"SELECT given.number, role, joined, read, read_messages, muted,
        entry.messages AS up_to, (SELECT count(*) FROM message AS gone
            WHERE gone.conversation = given.conversation AND gone.deletion IS NOT NULL
                AND gone.seq > greatest(member.read, given.named)) AS unread_deleted
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
        AS given (space, name, number, conversation, named)
    JOIN member ON member.space = given.space AND member."user" = given.name
        AND member.conversation = given.conversation
    LEFT JOIN message AS entry
        ON entry.conversation = given.conversation AND entry.seq = given.named"#;

const COUNT_ROOMS: &str = r#"SELECT given.number - 1 AS number, count(*) AS rooms
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (space, name, number)
    JOIN member ON member.space = given.space AND member."user" = given.name
    JOIN conversation ON conversation.id = member.conversation
    WHERE conversation.kind = 0 GROUP BY given.number"#;

const APPLY_CHANGES: &str = r#"WITH put AS (
        INSERT INTO member
            (space, "user", conversation, role, joined, read, read_messages, muted, joined_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bool[], $14::bigint[])
        ON CONFLICT (space, "user", conversation) DO UPDATE SET
            role = excluded.role, joined = excluded.joined, read = excluded.read,
            read_messages = excluded.read_messages, muted = excluded.muted,
            joined_at = coalesce(excluded.joined_at, member.joined_at)
    ), dropped AS (
        DELETE FROM member USING unnest($9::text[], $10::text[], $11::bigint[])
            AS given (space, name, conversation)
        WHERE member.space = given.space AND member."user" = given.name
            AND member.conversation = given.conversation
    )
    UPDATE conversation SET members = given.members
    FROM unnest($12::bigint[], $13::bigint[]) AS given (id, members)
    WHERE conversation.id = given.id"#;

// The limit is `DIRECTS_LISTED_MAX`.
const FIND_MEMBERSHIPS: &str = r#"SELECT *, CASE deleted WHEN 0 THEN 0 ELSE (
            SELECT count(*) FROM message AS gone
            WHERE gone.conversation = found.conversation AND gone.deletion IS NOT NULL
                AND gone.seq > found.read
        ) END AS unread_deleted
    FROM (
        SELECT given.number - 1 AS number, conversation, kind, one, other, role, joined, read,
            read_messages, muted, head, messages, floor, floor_messages, members, deleted, topic,
            row_number() OVER (
                PARTITION BY given.number, kind ORDER BY said_at DESC, one, other
            ) AS place
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (space, name, number)
        JOIN member ON member.space = given.space AND member."user" = given.name
        JOIN conversation ON conversation.id = member.conversation
        WHERE kind = 0 OR head > 0
    ) AS found
    WHERE kind <> 1 OR place <= 200 ORDER BY number, kind, place"#;

const FIND_ROOMS: &str = r#"SELECT given.number - 1 AS number, one
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (space, name, number)
    JOIN member ON member.space = given.space AND member."user" = given.name
    JOIN conversation ON conversation.id = member.conversation
    WHERE kind = 0 ORDER BY number, one"#;

const DROP_EMPTY_LOGS: &str =
    "DELETE FROM conversation WHERE id = ANY ($1) AND head = 0 AND members = 0";

/// Deletes those of these conversations, which are locked, that have no entries and members: a seq
/// of them was never assigned.
pub(super) async fn drop_empty_logs(
    connection: &mut PgConnection,
    conversations: &[i64],
) -> Result<(), sqlx::Error> {
    if conversations.is_empty() {
        return Ok(());
    }
    sqlx::query(DROP_EMPTY_LOGS).bind(conversations).execute(connection).await.map(drop)
}

/// The rooms of users.
pub(super) async fn rooms_of<'a>(
    connection: &mut PgConnection,
    users: &BTreeSet<SpaceUser<'a>>,
) -> Result<Vec<(&'a Space, &'a UserName, RoomName)>, sqlx::Error> {
    let all: Vec<_> = users.iter().copied().collect();
    let query = bind_users(sqlx::query(FIND_ROOMS), all.iter().copied());
    let mut rooms = Vec::new();
    for row in query.fetch_all(connection).await? {
        let room = RoomName::from_raw(row.text("one")?);
        rooms.extend(all.get(number(&row)?).map(|(space, user)| (*space, *user, room)));
    }
    Ok(rooms)
}

/// Ends all memberships of users, in conversations that are locked. Returns those without members.
pub(super) async fn remove_memberships(
    connection: &mut PgConnection,
    users: &BTreeSet<SpaceUser<'_>>,
    logs: &mut StoredLogs<'_>,
) -> Result<Vec<i64>, sqlx::Error> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let query = bind_users(sqlx::query(DELETE_MEMBERSHIPS), users.iter().copied());
    let mut left = HashMap::new();
    for row in query.fetch_all(connection).await? {
        left.insert(row.int("id")?, row::count(row.int("members")?)?);
    }
    for log in logs.values_mut() {
        log.state.members = left.get(&log.id).copied().unwrap_or(log.state.members);
    }
    Ok(left.into_iter().filter(|(_, members)| *members == 0).map(|(id, _)| id).collect())
}

/// The members that changes refer to before the batch, by the number of the change.
pub(super) async fn find(
    connection: &mut PgConnection,
    changes: &[Change],
    logs: &StoredLogs<'_>,
) -> Result<HashMap<usize, CurrentMember>, sqlx::Error> {
    let changes = changes_in_stored_logs(changes, logs);
    if changes.is_empty() {
        return Ok(HashMap::new());
    }
    let users = changes.iter().map(|(_, _, change, _)| (&change.place.space, &change.user));
    let query = bind_users(sqlx::query(FIND), users)
        .bind(changes.iter().map(|it| it.0).collect::<Vec<_>>())
        .bind(changes.iter().map(|it| it.1).collect::<Vec<_>>())
        .bind(changes.iter().map(|it| it.3).collect::<Vec<_>>());
    parse_current_members(&query.fetch_all(connection).await?)
}

/// How many rooms each user is a member of, for users that may join another one.
pub(super) async fn count_rooms<'a>(
    connection: &mut PgConnection,
    changes: &'a [Change],
    found: &HashMap<usize, CurrentMember>,
) -> Result<HashMap<SpaceUser<'a>, u64>, sqlx::Error> {
    let users = write::users_to_count(changes, found);
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let query = bind_users(sqlx::query(COUNT_ROOMS), users.iter().copied());
    parse_room_counts(&query.fetch_all(connection).await?, &users)
}

/// Writes the members after the changes. Returns the changed conversations without members.
pub(super) async fn apply_changes(
    connection: &mut PgConnection,
    plan: &member_plan::MemberPlan<'_>,
    changed_at: Option<i64>,
    logs: &StoredLogs<'_>,
) -> Result<Vec<i64>, sqlx::Error> {
    if plan.members.is_empty() {
        return Ok(Vec::new());
    }
    let (mut put, mut dropped, mut counts) = (Vec::new(), Vec::new(), HashMap::new());
    for (who, member) in &plan.members {
        let conversation = sql::conversation_id(logs, who.0)?;
        match member {
            Some(member) => put.push((conversation, *who, *member)),
            None => dropped.push((conversation, *who)),
        }
        let state = plan.logs.get(who.0).ok_or(sqlx::Error::RowNotFound)?;
        counts.insert(conversation, row::number(state.members));
    }
    let query = bind_members(sqlx::query(APPLY_CHANGES), &put);
    let query = bind_users(query, dropped.iter().map(|(_, (place, user))| (&place.space, *user)))
        .bind(dropped.iter().map(|(conversation, _)| *conversation).collect::<Vec<_>>())
        .bind(counts.keys().copied().collect::<Vec<_>>())
        .bind(counts.values().copied().collect::<Vec<_>>());
    let joined_at = |who| changed_at.filter(|_| plan.joined.contains(who));
    let query = query.bind(put.iter().map(|(_, who, _)| joined_at(who)).collect::<Vec<_>>());
    query.execute(connection).await?;
    Ok(counts.into_iter().filter(|(_, members)| *members == 0).map(|(id, _)| id).collect())
}

/// The memberships of users.
pub(super) async fn memberships(
    connection: &mut PgConnection,
    membership_queries: &[(Space, UserName)],
) -> Result<Vec<Vec<Membership>>, sqlx::Error> {
    if membership_queries.is_empty() {
        return Ok(Vec::new());
    }
    let users = membership_queries.iter().map(|(space, user)| (space, user));
    let rows = bind_users(sqlx::query(FIND_MEMBERSHIPS), users).fetch_all(connection).await?;
    group_memberships(&rows, membership_queries)
}

/// The changes of members in logs that exist: the number, the conversation, the change, and the seq
/// that it names.
fn changes_in_stored_logs<'a>(
    changes: &'a [Change],
    logs: &StoredLogs<'_>,
) -> Vec<(i64, i64, &'a Change, Option<i64>)> {
    let known = |(number, change): (i64, &'a Change)| {
        Some((number, logs.get(&change.place)?.id, change, write::named_seq(change)))
    };
    numbered(changes).into_iter().filter_map(known).collect()
}

/// The members before the changes, by the number of the change.
fn parse_current_members(rows: &[PgRow]) -> Result<HashMap<usize, CurrentMember>, sqlx::Error> {
    rows.iter().map(|row| Ok((number(row)?, row::current_member(row)?))).collect()
}

/// The number of rooms that each user is a member of.
fn parse_room_counts<'a>(
    rows: &[PgRow],
    users: &[SpaceUser<'a>],
) -> Result<HashMap<SpaceUser<'a>, u64>, sqlx::Error> {
    let mut rooms = HashMap::with_capacity(users.len());
    for row in rows {
        let count = row::count(row.int("rooms")?)?;
        rooms.extend(users.get(number(row)?).map(|user| (*user, count)));
    }
    Ok(rooms)
}

/// The memberships of users, from rows with the numbers of the queries.
fn group_memberships(
    rows: &[PgRow],
    membership_queries: &[(Space, UserName)],
) -> Result<Vec<Vec<Membership>>, sqlx::Error> {
    let mut memberships = vec![Vec::new(); membership_queries.len()];
    for row in rows {
        let number = number(row)?;
        let (Some((space, _)), Some(of_user)) =
            (membership_queries.get(number), memberships.get_mut(number))
        else {
            continue;
        };
        of_user.push(row::membership(row, space.clone())?);
    }
    Ok(memberships)
}
