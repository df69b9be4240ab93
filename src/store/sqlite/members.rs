//! Memberships, in a commit.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{
    failure::SqliteFailure,
    statement::{all, execute_each, first},
};
use crate::{
    chat::ports::{Change, DIRECTS_LISTED_MAX, Membership},
    domain::{Conversation, Member, Muted, Space, UserName},
    store::sql::{
        self, Columns as _, StoredLogs,
        member_plan::{self, CurrentMember, PlaceUser, SpaceUser},
        row,
        write::{self, AuthorReads, NewMembers},
    },
};

pub(super) const FIND_MEMBER: &str = "SELECT role, joined, read, read_messages, muted, \
        (SELECT messages FROM message WHERE message.conversation = ?3 AND message.seq = ?4) \
            AS up_to, \
        (SELECT count(*) FROM message AS gone \
            WHERE gone.conversation = ?3 AND gone.deletion IS NOT NULL \
                AND gone.seq > max(read, coalesce(?4, 0))) AS unread_deleted \
    FROM member WHERE space = ?1 AND user = ?2 AND conversation = ?3";

/// The statement that inserts a member, given what happens if it exists.
macro_rules! insert_member {
    ($on_conflict:literal) => {
        concat!(
            "INSERT INTO member \
                (space, user, conversation, role, joined, read, read_messages, muted, joined_at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO ",
            $on_conflict
        )
    };
}

pub(super) const UPSERT_MEMBER: &str = insert_member!(
    "UPDATE SET role = excluded.role, joined = excluded.joined, read = excluded.read, \
        read_messages = excluded.read_messages, muted = excluded.muted, \
        joined_at = coalesce(excluded.joined_at, joined_at)"
);

pub(super) const ADD_MEMBER: &str = insert_member!("NOTHING");

pub(super) const DROP_MEMBER: &str =
    "DELETE FROM member WHERE space = ?1 AND user = ?2 AND conversation = ?3";

pub(super) const MOVE_READ: &str = "UPDATE member SET read = ?4, read_messages = ?5 \
    WHERE space = ?1 AND user = ?2 AND conversation = ?3 AND read < ?4";

pub(super) const COUNT_ROOMS: &str = "SELECT count(*) AS rooms FROM member \
    CROSS JOIN conversation ON conversation.id = member.conversation \
    WHERE member.space = ?1 AND member.user = ?2 AND conversation.kind = 0";

pub(super) const FIND_MEMBERSHIPS: &str = "SELECT conversation, kind, one, other, role, joined, \
        read, read_messages, muted, head, messages, floor, floor_messages, members, deleted, topic, \
        CASE deleted WHEN 0 THEN 0 ELSE \
            (SELECT count(*) FROM message AS gone \
                WHERE gone.conversation = conversation.id AND gone.deletion IS NOT NULL \
                    AND gone.seq > read) END AS unread_deleted \
    FROM member CROSS JOIN conversation ON conversation.id = member.conversation \
    WHERE member.space = ?1 AND member.user = ?2 AND (kind = 0 OR head > 0) \
    ORDER BY kind, said_at DESC, one, other";

/// The members that changes refer to before the batch, by the number of the change.
pub(super) fn find(
    connection: &Connection,
    changes: &[Change],
    logs: &StoredLogs<'_>,
) -> Result<HashMap<usize, CurrentMember>, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_MEMBER)?;
    let mut found = HashMap::with_capacity(changes.len());
    for (number, change) in changes.iter().enumerate() {
        let Some(log) = logs.get(&change.place) else { continue };
        let (space, user) = (change.place.space.as_raw(), change.user.as_raw());
        let member = (space, user, log.id, write::named_seq(change));
        let member = first(&mut statement, member, |row| row::current_member(row))?;
        found.extend(member.map(|member| (number, member)));
    }
    Ok(found)
}

/// How many rooms each user is a member of, for users that may join another one.
pub(super) fn count_rooms<'a>(
    connection: &Connection,
    changes: &'a [Change],
    found: &HashMap<usize, CurrentMember>,
) -> Result<HashMap<SpaceUser<'a>, u64>, SqliteFailure> {
    let mut statement = connection.prepare_cached(COUNT_ROOMS)?;
    let mut rooms = HashMap::new();
    for (space, user) in write::users_to_count(changes, found) {
        let user_columns = (space.as_raw(), user.as_raw());
        let count = first(&mut statement, user_columns, |row| row::count(row.int("rooms")?))?;
        rooms.extend(count.map(|count| ((space, user), count)));
    }
    Ok(rooms)
}

/// Writes the members after the changes.
pub(super) fn apply_changes(
    connection: &Connection,
    plan: &member_plan::MemberPlan<'_>,
    changed_at: Option<i64>,
    logs: &StoredLogs<'_>,
) -> Result<(), SqliteFailure> {
    let (mut put, mut dropped) = (Vec::new(), Vec::new());
    for (who, member) in &plan.members {
        let conversation = sql::conversation_id(logs, who.0)?;
        match member {
            Some(member) => {
                let joined_at = changed_at.filter(|_| plan.joined.contains(who));
                put.push((conversation, *who, *member, joined_at));
            }
            None => dropped.push((who.0.space.as_raw(), who.1.as_raw(), conversation)),
        }
    }
    execute_each(connection, UPSERT_MEMBER, put.into_iter().map(member_columns))?;
    execute_each(connection, DROP_MEMBER, dropped)
}

/// Inserts the members that new messages create.
pub(super) fn add_participants(
    connection: &Connection,
    new: NewMembers<'_>,
) -> Result<(), SqliteFailure> {
    let new =
        new.into_iter().map(|((conversation, _), (who, member))| (conversation, who, member, None));
    execute_each(connection, ADD_MEMBER, new.map(member_columns))
}

/// Moves the read positions of authors.
pub(super) fn move_reads(
    connection: &Connection,
    reads: AuthorReads<'_>,
) -> Result<(), SqliteFailure> {
    let reads = reads.into_iter().map(|((conversation, user), (space, read))| {
        let (seq, messages) = (row::seq_number(read.seq), row::number(read.messages));
        (space.as_raw(), user.as_raw(), conversation, seq, messages)
    });
    execute_each(connection, MOVE_READ, reads)
}

/// The memberships of users. A window over the direct conversations of each user would find the
/// newest ones in the statement, but costs more than all the rest for a user with a few rooms.
pub(super) fn memberships(
    connection: &Connection,
    membership_queries: &[(Space, UserName)],
) -> Result<Vec<Vec<Membership>>, SqliteFailure> {
    let mut statement = connection.prepare_cached(FIND_MEMBERSHIPS)?;
    let of_user = |(space, user): &(Space, UserName)| {
        let user = (space.as_raw(), user.as_raw());
        let mut found = all(&mut statement, user, |row| row::membership(row, space.clone()))?;
        let mut directs = 0;
        found.retain(|it| {
            directs += usize::from(matches!(it.place.conversation, Conversation::Direct(..)));
            directs <= DIRECTS_LISTED_MAX
                || !matches!(it.place.conversation, Conversation::Direct(..))
        });
        Ok(found)
    };
    membership_queries.iter().map(of_user).collect()
}

/// A member as `space, user, conversation, role, joined, read, read_messages, muted, joined_at`.
fn member_columns(
    (conversation, (place, user), member, joined_at): (i64, PlaceUser<'_>, Member, Option<i64>),
) -> (&str, &str, i64, i64, i64, i64, i64, bool, Option<i64>) {
    let Member { role, joined, read, muted } = member;
    (
        place.space.as_raw(),
        user.as_raw(),
        conversation,
        row::role_number(role),
        row::seq_number(joined),
        row::seq_number(read.seq),
        row::number(read.messages),
        muted == Muted::Yes,
        joined_at,
    )
}
