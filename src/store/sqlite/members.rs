//! Memberships, in a commit.

use std::collections::HashMap;

use sqlx::{Arguments as _, sqlite::SqliteArguments};

use super::{
    bind,
    script::{Statement, Transaction},
};
use crate::{
    chat::ports::{Change, Draft, Membership},
    domain::{Position, Space, UserName},
    store::sql::{
        self, StoredLogs,
        member_plan::{self, CurrentMember, PlaceUser, SpaceUser},
        numbered,
        write::{self, MemberUpdates},
    },
};

pub(super) const FIND_MEMBERS: Statement = Statement {
    before: "SELECT column1 AS number, role, joined, read, read_messages, muted, \
            entry.messages AS up_to, (SELECT count(*) FROM message AS gone \
                WHERE gone.conversation = column4 AND gone.deletion IS NOT NULL \
                    AND gone.seq > max(read, coalesce(column5, 0))) AS unread_deleted FROM",
    row: "(?,?,?,?,?)",
    after: "CROSS JOIN member \
            ON member.space = column2 AND member.user = column3 AND member.conversation = column4 \
        LEFT JOIN message AS entry \
            ON entry.conversation = column4 AND entry.seq = column5",
};

pub(super) const UPSERT_MEMBERS: Statement = Statement {
    before: "INSERT INTO member \
            (space, user, conversation, role, joined, read, read_messages, muted) \
        SELECT * FROM",
    row: "(?,?,?,?,?,?,?,?)",
    after: "WHERE column1 IS NOT NULL ON CONFLICT DO UPDATE SET role = excluded.role, \
        joined = excluded.joined, \
        read = excluded.read, read_messages = excluded.read_messages, muted = excluded.muted",
};

pub(super) const ADD_MEMBERS: Statement = Statement {
    before: "INSERT INTO member \
            (space, user, conversation, role, joined, read, read_messages, muted) \
        SELECT * FROM",
    row: "(?,?,?,?,?,?,?,?)",
    after: "WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING",
};

pub(super) const DROP_MEMBERS: Statement = Statement {
    before: "DELETE FROM member WHERE (space, user, conversation) IN (SELECT * FROM",
    row: "(?,?,?)",
    after: ")",
};

pub(super) const MOVE_READS: Statement = Statement {
    before: "UPDATE member SET read = column4, read_messages = column5 FROM",
    row: "(?,?,?,?,?)",
    after: "WHERE space = column1 AND user = column2 AND conversation = column3 AND read < column4",
};

pub(super) const COUNT_ROOMS: Statement = Statement {
    before: "SELECT column1 AS number, count(*) AS rooms FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN member ON member.space = column2 AND member.user = column3 \
        CROSS JOIN conversation ON conversation.id = member.conversation \
        WHERE conversation.kind = 0 GROUP BY column1",
};

// The limit is `DIRECTS_LISTED_MAX`.
pub(super) const FIND_MEMBERSHIPS: Statement = Statement {
    before: "SELECT *, CASE deleted WHEN 0 THEN 0 ELSE (SELECT count(*) FROM message AS gone \
            WHERE gone.conversation = found.conversation AND gone.deletion IS NOT NULL \
                AND gone.seq > found.read) END AS unread_deleted \
        FROM (SELECT column1 AS number, conversation, kind, one, other, role, joined, read, \
            read_messages, muted, head, messages, floor, floor_messages, members, deleted, \
            row_number() OVER \
            (PARTITION BY column1, kind ORDER BY said_at DESC, one, other) AS place FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN member ON member.space = column2 AND member.user = column3 \
            CROSS JOIN conversation ON conversation.id = member.conversation \
            WHERE kind = 0 OR head > 0) AS found \
        WHERE kind <> 1 OR place <= 200 ORDER BY number, kind, place",
};

/// The members that changes refer to before the batch, by the number of the change.
pub(super) async fn find(
    transaction: &mut Transaction<'_>,
    changes: &[Change],
    logs: &StoredLogs<'_>,
) -> Result<HashMap<usize, CurrentMember>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, &Change, Option<i64>)| {
        let (number, conversation, change, named) = row;
        arguments.add(*number)?;
        bind::user(arguments, (&change.place.space, &change.user))?;
        arguments.add(*conversation)?;
        arguments.add(*named)
    };
    let changes = write::changes_in_stored_logs(changes, logs);
    write::parse_current_members(&transaction.query(FIND_MEMBERS, &changes, bind).await?)
}

/// How many rooms each user is a member of, for users that may join another one.
pub(super) async fn count_rooms<'a>(
    transaction: &mut Transaction<'_>,
    changes: &'a [Change],
    found: &HashMap<usize, CurrentMember>,
) -> Result<HashMap<SpaceUser<'a>, u64>, sqlx::Error> {
    let users = write::users_to_count(changes, found);
    let bind = |arguments: &mut SqliteArguments, (number, user): &(i64, &SpaceUser<'_>)| {
        arguments.add(*number)?;
        bind::user(arguments, **user)
    };
    write::parse_room_counts(
        &transaction.query(COUNT_ROOMS, &numbered(&users), bind).await?,
        &users,
    )
}

/// Writes the members after the changes.
pub(super) async fn apply_changes(
    transaction: &mut Transaction<'_>,
    plan: &member_plan::MemberPlan<'_>,
    logs: &StoredLogs<'_>,
) -> Result<(), sqlx::Error> {
    let (mut put, mut dropped) = (Vec::new(), Vec::new());
    for (who, member) in &plan.members {
        let conversation = sql::conversation_id(logs, who.0)?;
        match member {
            Some(member) => put.push((conversation, *who, *member)),
            None => dropped.push((conversation, *who)),
        }
    }
    transaction.execute(UPSERT_MEMBERS, &put, bind::member).await?;
    let bind = |arguments: &mut SqliteArguments, (conversation, who): &(i64, PlaceUser<'_>)| {
        bind::user(arguments, (&who.0.space, who.1))?;
        arguments.add(*conversation)
    };
    transaction.execute(DROP_MEMBERS, &dropped, bind).await
}

/// Inserts the members that new messages create, and moves the read positions of their authors.
pub(super) async fn update_members(
    transaction: &mut Transaction<'_>,
    stored: &[(&Draft, Position)],
    logs: &StoredLogs<'_>,
) -> Result<(), sqlx::Error> {
    let MemberUpdates { new, reads } = MemberUpdates::of(stored, logs)?;
    let new = new.into_iter().map(|((conversation, _), (who, member))| (conversation, who, member));
    transaction.execute(ADD_MEMBERS, &new.collect::<Vec<_>>(), bind::member).await?;
    let reads: Vec<_> = reads.into_iter().collect();
    transaction.execute(MOVE_READS, &reads, bind::read).await
}

/// The memberships of users.
pub(super) async fn memberships(
    transaction: &mut Transaction<'_>,
    membership_queries: &[(Space, UserName)],
) -> Result<Vec<Vec<Membership>>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, row: &(i64, &(Space, UserName))| {
        let (number, (space, user)) = row;
        arguments.add(*number)?;
        bind::user(arguments, (space, user))
    };
    let rows = transaction.query(FIND_MEMBERSHIPS, &numbered(membership_queries), bind).await?;
    sql::memberships(&rows, membership_queries)
}
