//! The entries of logs, in a commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::postgres::{PgConnection, PgRow};

use super::arrays::{PgQuery, bind_members, bind_users, number, numbered};
use crate::{
    chat::ports::{Draft, DraftAct},
    domain::{Member, Position, RoomTopic, Seq},
    store::sql::{
        ColumnError, Columns as _, StoredLogs,
        draft_plan::{DraftContext, DraftPlan, Rewritten},
        member_plan::{PlaceUser, SpaceUser},
        row,
        write::{EntryRow, Head, LogWrites, MemberUpdates, RewrittenRow},
    },
};

/// The role of each given draft's author, and the message of its conversation that matches `$said`.
/// OFFSET 0 keeps the join order: one index search per row.
macro_rules! find {
    ($given:literal, $said:literal) => {
        concat!(
            r#"SELECT given.number, member.role, said.*, entry.at AS deleted_at FROM "#,
            $given,
            r#" LEFT JOIN LATERAL (
                SELECT role FROM member
                WHERE member.space = given.space AND member."user" = given.author
                    AND member.conversation = given.conversation OFFSET 0
            ) AS member ON true
            LEFT JOIN LATERAL (
                SELECT seq, at, kind, event, edited_at, deletion, body, attachments FROM message
                WHERE message.conversation = given.conversation AND message.target IS NULL AND "#,
            $said,
            r#" OFFSET 0
            ) AS said ON true
            LEFT JOIN LATERAL (
                SELECT at FROM message
                WHERE message.conversation = given.conversation AND message.seq = said.deletion
                OFFSET 0
            ) AS entry ON true"#
        )
    };
}

const FIND_BY_MESSAGE_ID: &str = find!(
    "unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) \
        AS given (number, conversation, space, author, id, stay)",
    "message.id = given.id AND message.author = given.author AND message.stay = given.stay"
);

const FIND_TARGETS: &str = find!(
    "unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) \
        AS given (number, conversation, space, author, seq)",
    "message.seq = given.seq"
);

// All changes of messages in one statement. Its parts do not see each other's changes, so each row
// is changed by one of them.
const WRITE: &str = r#"WITH entry AS (
        INSERT INTO message
            (conversation, seq, messages, at, author, stay, id, kind, target, body, attachments,
                event)
        SELECT * FROM unnest($9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
            $13::text[], $14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::text[],
            $19::bytea[], $20::text[])
    ), added AS (
        INSERT INTO member (space, "user", conversation, role, joined, read, read_messages, muted)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bool[])
        ON CONFLICT DO NOTHING RETURNING conversation
    ), pointed AS (
        UPDATE member SET read = given.read, read_messages = given.read_messages
        FROM unnest($21::text[], $22::text[], $23::bigint[], $24::bigint[], $25::bigint[])
            AS given (space, name, conversation, read, read_messages)
        WHERE member.space = given.space AND member."user" = given.name
            AND member.conversation = given.conversation AND member.read < given.read
    ), revised AS (
        UPDATE "user" SET revision = revision + 1, kept = true
        FROM unnest($26::text[], $27::text[]) AS given (space, name)
        WHERE "user".space = given.space AND "user".name = given.name
    )
    UPDATE conversation SET head = given.head, messages = given.messages,
        said_at = coalesce(given.said_at, conversation.said_at),
        members = conversation.members + given.members
    FROM (
        SELECT id, max(head) AS head, max(messages) AS messages, max(said_at) AS said_at,
            sum(members) AS members
        FROM (
            SELECT *, 0 AS members
            FROM unnest($28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[])
                AS given (id, head, messages, said_at)
            UNION ALL SELECT conversation, NULL, NULL, NULL, 1 FROM added
        ) AS part GROUP BY id
    ) AS given
    WHERE conversation.id = given.id"#;

const REWRITE: &str = "UPDATE message SET edited_at = given.edited_at, edit = given.edit,
        deletion = given.deletion, body = given.body, attachments = given.attachments
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
        $7::bytea[]) AS given (conversation, seq, edited_at, edit, deletion, body, attachments)
    WHERE message.conversation = given.conversation AND message.seq = given.seq";

const SET_TOPICS: &str = "UPDATE conversation SET topic = given.topic
    FROM unnest($1::bigint[], $2::text[]) AS given (id, topic) WHERE conversation.id = given.id";

/// What drafts depend on, where their logs exist, by the draft's number in the batch.
pub(super) async fn find(
    connection: &mut PgConnection,
    drafts: &[Draft],
    logs: &StoredLogs<'_>,
) -> Result<HashMap<usize, DraftContext<'static>>, sqlx::Error> {
    let DraftLookup { new_messages, message_changes } = DraftLookup::of(drafts, logs);
    let mut rows = Vec::new();
    if !new_messages.is_empty() {
        let query = sqlx::query(FIND_BY_MESSAGE_ID)
            .bind(new_messages.iter().map(|it| it.0).collect::<Vec<_>>())
            .bind(new_messages.iter().map(|it| it.1).collect::<Vec<_>>())
            .bind(new_messages.iter().map(|it| it.2.place.space.as_raw()).collect::<Vec<_>>())
            .bind(new_messages.iter().map(|it| it.2.author.as_raw()).collect::<Vec<_>>())
            .bind(new_messages.iter().map(|it| it.2.id.as_raw()).collect::<Vec<_>>())
            .bind(new_messages.iter().map(|it| row::stay(it.2)).collect::<Vec<_>>());
        rows.extend(query.fetch_all(&mut *connection).await?);
    }
    if !message_changes.is_empty() {
        let query = sqlx::query(FIND_TARGETS)
            .bind(message_changes.iter().map(|it| it.0).collect::<Vec<_>>())
            .bind(message_changes.iter().map(|it| it.1).collect::<Vec<_>>())
            .bind(message_changes.iter().map(|it| it.2.place.space.as_raw()).collect::<Vec<_>>())
            .bind(message_changes.iter().map(|it| it.2.author.as_raw()).collect::<Vec<_>>())
            .bind(message_changes.iter().map(|it| it.3).collect::<Vec<_>>());
        rows.extend(query.fetch_all(connection).await?);
    }
    DraftLookup::parse_rows(&rows)
}

/// Writes the plan, and increments the revisions of users.
pub(super) async fn write(
    connection: &mut PgConnection,
    plan: &DraftPlan<'_>,
    logs: &StoredLogs<'_>,
    users_to_revise: &BTreeSet<SpaceUser<'_>>,
) -> Result<(), sqlx::Error> {
    let LogWrites { entries, rewritten, heads, topics } = LogWrites::of(plan, logs)?;
    if entries.is_empty() && users_to_revise.is_empty() {
        return Ok(());
    }
    let member_updates = MemberUpdates::of(&plan.stored, logs)?;
    let query = bind_members(sqlx::query(WRITE), &new_members(&member_updates));
    let query = bind_reads(bind_entries(query, &entries)?, &member_updates);
    let query = bind_heads(bind_users(query, users_to_revise.iter().copied()), &heads);
    query.execute(&mut *connection).await?;
    // Messages of this batch may be changed in it, too.
    if !rewritten.is_empty() {
        bind_rewritten(sqlx::query(REWRITE), &rewritten)?.execute(&mut *connection).await?;
    }
    if !topics.is_empty() {
        let texts = topics.values().map(|topic| topic.map(RoomTopic::as_raw));
        let query = sqlx::query(SET_TOPICS).bind(topics.keys().copied().collect::<Vec<_>>());
        query.bind(texts.collect::<Vec<_>>()).execute(connection).await?;
    }
    Ok(())
}

/// The new members, with their own messages as read.
fn new_members<'a>(member_updates: &MemberUpdates<'a>) -> Vec<(i64, PlaceUser<'a>, Member)> {
    let new = member_updates.new.iter().map(|(key, (who, member))| {
        let read = member_updates.reads.get(key).map_or(member.read, |(_, read)| *read);
        (key.0, *who, Member { read, ..*member })
    });
    new.collect()
}

pub(super) fn bind_entries<'q>(
    query: PgQuery<'q>,
    entries: &[(i64, Position, &'q Draft)],
) -> Result<PgQuery<'q>, sqlx::Error> {
    let rows: Result<Vec<_>, _> = entries.iter().map(|entry| EntryRow::of(*entry)).collect();
    let rows = rows?;
    let events: Vec<_> = rows.iter().map(|it| it.event).collect();
    Ok(query
        .bind(rows.iter().map(|it| it.conversation).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| row::seq_number(it.position.seq)).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| row::number(it.position.messages)).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.at).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.author).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.stay).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.kind).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.target).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.body).collect::<Vec<_>>())
        .bind(rows.into_iter().map(|it| it.attachments).collect::<Vec<_>>())
        .bind(events))
}

pub(super) fn bind_reads<'q>(
    query: PgQuery<'q>,
    member_updates: &MemberUpdates<'q>,
) -> PgQuery<'q> {
    let reads = &member_updates.reads;
    let users = reads.iter().map(|((_, user), (space, _))| (*space, *user));
    bind_users(query, users)
        .bind(reads.keys().map(|(conversation, _)| *conversation).collect::<Vec<_>>())
        .bind(reads.values().map(|(_, read)| row::seq_number(read.seq)).collect::<Vec<_>>())
        .bind(reads.values().map(|(_, read)| row::number(read.messages)).collect::<Vec<_>>())
}

pub(super) fn bind_heads<'q>(query: PgQuery<'q>, heads: &BTreeMap<i64, Head>) -> PgQuery<'q> {
    query
        .bind(heads.keys().copied().collect::<Vec<_>>())
        .bind(heads.values().map(|it| row::seq_number(it.at.seq)).collect::<Vec<_>>())
        .bind(heads.values().map(|it| row::number(it.at.messages)).collect::<Vec<_>>())
        .bind(heads.values().map(|it| it.said_at.map(row::millis)).collect::<Vec<_>>())
}

fn bind_rewritten<'q>(
    query: PgQuery<'q>,
    rewritten: &[(i64, Seq, Rewritten<'q>)],
) -> Result<PgQuery<'q>, sqlx::Error> {
    let rows: Result<Vec<_>, _> = rewritten.iter().map(|it| RewrittenRow::of(*it)).collect();
    let rows = rows?;
    Ok(query
        .bind(rows.iter().map(|it| it.conversation).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.edited_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.edit).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.deletion).collect::<Vec<_>>())
        .bind(rows.iter().map(|it| it.body).collect::<Vec<_>>())
        .bind(rows.into_iter().map(|it| it.attachments).collect::<Vec<_>>()))
}

/// What to look up: a draft's number, its conversation, and the known part of it.
#[derive(Debug, Default)]
struct DraftLookup<'a> {
    /// New messages.
    new_messages: Vec<(i64, i64, &'a Draft)>,
    /// Changes of messages, each with the message's seq, and topics.
    message_changes: Vec<(i64, i64, &'a Draft, i64)>,
}

impl<'a> DraftLookup<'a> {
    /// The lookup of the drafts with an existing log.
    fn of(drafts: &'a [Draft], logs: &StoredLogs<'_>) -> Self {
        let mut lookup = Self::default();
        for (number, draft) in numbered(drafts) {
            let Some(log) = logs.get(&draft.place) else { continue };
            match &draft.act {
                DraftAct::Say { .. } => lookup.new_messages.push((number, log.id, draft)),
                DraftAct::Edit { of, .. } | DraftAct::Delete { of } => {
                    lookup.message_changes.push((number, log.id, draft, row::seq_number(*of)));
                }
                DraftAct::Topic(_) => {
                    lookup.message_changes.push((number, log.id, draft, row::ROOM_ITSELF));
                }
            }
        }
        lookup
    }

    /// The results, by the draft's number.
    fn parse_rows(rows: &[PgRow]) -> Result<HashMap<usize, DraftContext<'static>>, sqlx::Error> {
        rows.iter().map(|row| Ok((number(row)?, draft_context(row)?))).collect()
    }
}

/// Reads the column `role`, and those of a message if `seq` is not `NULL`.
fn draft_context(row: &PgRow) -> Result<DraftContext<'static>, ColumnError> {
    Ok(DraftContext {
        role: row.maybe_int("role")?.map(row::role).transpose()?,
        message: row.maybe_int("seq")?.map(|_| row::message(row)).transpose()?,
    })
}
