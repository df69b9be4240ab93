//! Who is a member where, in a commit.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{Arguments, Row, error::BoxDynError, sqlite::SqliteArguments};

use super::{
    changes::{self, Found, User, Who},
    commit::{Logs, number, numbered},
    row,
    script::{Statement, Transaction},
    users::bind_user,
};
use crate::{
    chat::ports::{Change, Draft, DraftAct, MemberChange, Membership},
    domain::{Conversation, Member, Muted, Place, Position, Role, Seq, Space, UserName},
};

pub(super) const FIND_MEMBERS: Statement = Statement {
    before: "SELECT column1 AS number, role, joined, read, read_messages, muted, \
            entry.messages AS up_to FROM",
    row: "(?,?,?,?,?)",
    after: "CROSS JOIN member \
            ON member.space = column2 AND member.user = column3 AND member.conversation = column4 \
        LEFT JOIN message AS entry \
            ON entry.conversation = column4 AND entry.seq = column5",
};

pub(super) const PUT_MEMBERS: Statement = Statement {
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
    before: "SELECT * FROM (SELECT column1 AS number, kind, one, other, role, joined, read, \
            read_messages, muted, head, messages, floor, floor_messages, members, row_number() OVER \
            (PARTITION BY column1, kind ORDER BY said_at DESC, one, other) AS place FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN member ON member.space = column2 AND member.user = column3 \
            CROSS JOIN conversation ON conversation.id = member.conversation \
            WHERE kind = 0 OR head > 0) \
        WHERE kind <> 1 OR place <= 200 ORDER BY number, kind, place",
};

/// What users are before changes of it, by the number of the change, for those who are anything.
pub(super) async fn find(
    transaction: &mut Transaction<'_>,
    changes: &[Change],
    logs: &Logs<'_>,
) -> Result<HashMap<usize, Found>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, &Change)| {
        let (number, conversation, change) = row;
        arguments.add(*number)?;
        bind_user(arguments, (&change.place.space, &change.user))?;
        arguments.add(*conversation)?;
        arguments.add(match change.what {
            MemberChange::Read(seq) => Some(row::seq_number(seq)),
            _ => None,
        })
    };
    let in_known_log = |(number, change): (i64, _)| {
        let change: &Change = change;
        Some((number, logs.get(&change.place)?.id, change))
    };
    let changes: Vec<_> = numbered(changes).into_iter().filter_map(in_known_log).collect();
    let rows = transaction.ask(FIND_MEMBERS, &changes, bind).await?;
    let found = rows.iter().map(|row| {
        let messages: Option<i64> = row.try_get("up_to")?;
        let messages = messages.map(row::count).transpose()?;
        Ok((number(row)?, Found { member: row::member(row)?, messages }))
    });
    found.collect()
}

/// Of how many rooms those are members who may become members of another one.
pub(super) async fn rooms<'a>(
    transaction: &mut Transaction<'_>,
    changes: &'a [Change],
    found: &HashMap<usize, Found>,
) -> Result<HashMap<User<'a>, u64>, sqlx::Error> {
    let becomes = |(number, change): &(usize, &Change)| {
        change.rooms_max.is_some()
            && change.place.conversation.room().is_some()
            && matches!(change.what, MemberChange::Join(_) | MemberChange::Assign(_))
            && !found.contains_key(number)
    };
    let new = changes.iter().enumerate().filter(becomes);
    let users: HashSet<_> = new.map(|(_, it)| (&it.place.space, &it.user)).collect();
    let users: Vec<_> = users.into_iter().collect();
    let bind = |arguments: &mut SqliteArguments, (number, user): &(i64, &User<'_>)| {
        arguments.add(*number)?;
        bind_user(arguments, **user)
    };
    let mut rooms = HashMap::with_capacity(users.len());
    for row in transaction.ask(COUNT_ROOMS, &numbered(&users), bind).await? {
        let count = row::count(row.try_get("rooms")?)?;
        rooms.extend(users.get(number(&row)?).map(|user| (*user, count)));
    }
    Ok(rooms)
}

/// Makes users what they are after changes.
pub(super) async fn change(
    transaction: &mut Transaction<'_>,
    plan: &changes::Plan<'_>,
    logs: &Logs<'_>,
) -> Result<(), sqlx::Error> {
    let (mut put, mut dropped) = (Vec::new(), Vec::new());
    for (who, member) in &plan.members {
        let conversation = logs.get(who.0).ok_or(sqlx::Error::RowNotFound)?.id;
        match member {
            Some(member) => put.push((conversation, *who, *member)),
            None => dropped.push((conversation, *who)),
        }
    }
    transaction.put(PUT_MEMBERS, &put, bind_member).await?;
    let bind = |arguments: &mut SqliteArguments, (conversation, who): &(i64, Who<'_>)| {
        bind_user(arguments, (&who.0.space, who.1))?;
        arguments.add(*conversation)
    };
    transaction.put(DROP_MEMBERS, &dropped, bind).await
}

/// Makes users members of what was said to them, and authors readers of what they said.
pub(super) async fn hear(
    transaction: &mut Transaction<'_>,
    stored: &[(&Draft, Position)],
    logs: &Logs<'_>,
) -> Result<(), sqlx::Error> {
    let (mut new, mut reads) = (BTreeMap::new(), BTreeMap::new());
    for (draft, position) in stored {
        if !matches!(draft.act, DraftAct::Say { .. }) {
            continue;
        }
        let conversation = logs.get(&draft.place).ok_or(sqlx::Error::RowNotFound)?.id;
        for user in party(&draft.place) {
            // The first message counts: those after it do not make anybody a member any more.
            let member = Member::new(Role::Member, before(*position));
            let who = (&draft.place, user);
            new.entry((conversation, user)).or_insert((conversation, who, member));
        }
        reads.insert((conversation, &draft.author), (&draft.place.space, *position));
    }
    let new: Vec<_> = new.into_values().collect();
    transaction.put(ADD_MEMBERS, &new, bind_member).await?;
    let reads: Vec<_> = reads.into_iter().collect();
    let bind = |arguments: &mut SqliteArguments, row: &((i64, &UserName), (&Space, Position))| {
        let ((conversation, user), (space, read)) = row;
        bind_user(arguments, (space, user))?;
        arguments.add(*conversation)?;
        row::bind_position(arguments, *read)
    };
    transaction.put(MOVE_READS, &reads, bind).await
}

/// Where users are members.
pub(super) async fn memberships(
    transaction: &mut Transaction<'_>,
    arrivals: &[(Space, UserName)],
) -> Result<Vec<Vec<Membership>>, sqlx::Error> {
    let bind = |arguments: &mut SqliteArguments, row: &(i64, &(Space, UserName))| {
        let (number, (space, user)) = row;
        arguments.add(*number)?;
        bind_user(arguments, (space, user))
    };
    let mut memberships = vec![Vec::new(); arrivals.len()];
    for row in transaction.ask(FIND_MEMBERSHIPS, &numbered(arrivals), bind).await? {
        let number = number(&row)?;
        let (Some((space, _)), Some(of_user)) = (arrivals.get(number), memberships.get_mut(number))
        else {
            continue;
        };
        let place = row::place(&row, space.clone())?;
        of_user.push(Membership { place, member: row::member(&row)?, log: row::log(&row)? });
    }
    Ok(memberships)
}

/// Those who become members when something is said.
fn party(place: &Place) -> impl Iterator<Item = &UserName> {
    let (one, other) = match &place.conversation {
        Conversation::Room(_) => (None, None),
        Conversation::Direct(one, other) => (Some(one), Some(other)),
        Conversation::Inbox(user) => (Some(user), None),
    };
    one.into_iter().chain(other)
}

/// How the log stood before a message that was stored at `position`.
fn before(position: Position) -> Position {
    let Position { seq, messages } = position;
    Position { seq: Seq::from_raw(seq.as_raw() - 1), messages: messages - 1 }
}

fn bind_member(
    arguments: &mut SqliteArguments,
    (conversation, (place, user), member): &(i64, Who<'_>, Member),
) -> Result<(), BoxDynError> {
    let Member { role, joined, read, muted } = member;
    bind_user(arguments, (&place.space, user))?;
    arguments.add(*conversation)?;
    arguments.add(row::role_number(*role))?;
    arguments.add(row::seq_number(*joined))?;
    row::bind_position(arguments, *read)?;
    arguments.add(*muted == Muted::Yes)
}
