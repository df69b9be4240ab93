//! The entries of logs, in a commit.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{
    failure::SqliteFailure,
    statement::{execute_each, first},
};
use crate::{
    chat::ports::{Draft, DraftAct},
    domain::RoomTopic,
    store::sql::{
        Columns as _, StoredLogs,
        draft_plan::{DraftContext, DraftPlan},
        row,
        write::{EntryRow, LogWrites, RewrittenRow},
    },
};

pub(super) const FIND_ROLE: &str =
    "SELECT role FROM member WHERE space = ?1 AND user = ?2 AND conversation = ?3";

/// The statement that finds a message, given the condition on it.
macro_rules! find_message {
    ($condition:literal) => {
        concat!(
            "SELECT said.seq, said.at, said.kind, said.event, said.edited_at, said.deletion, \
                entry.at AS deleted_at, said.body, said.attachments \
            FROM message AS said LEFT JOIN message AS entry \
                ON entry.conversation = said.conversation AND entry.seq = said.deletion \
            WHERE said.conversation = ?1 AND said.target IS NULL AND ",
            $condition
        )
    };
}

pub(super) const FIND_BY_MESSAGE_ID: &str =
    find_message!("said.id = ?2 AND said.author = ?3 AND said.stay = ?4");

pub(super) const FIND_TARGET: &str = find_message!("said.seq = ?2");

// Inserts nothing if the message is stored.
pub(super) const WRITE_ENTRY: &str = "INSERT INTO message (conversation, seq, messages, at, \
        author, stay, id, kind, target, body, attachments, event) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
    ON CONFLICT (id, conversation, author, stay) WHERE target IS NULL DO NOTHING";

pub(super) const REWRITE: &str = "UPDATE message \
    SET edited_at = ?3, edit = ?4, deletion = ?5, body = ?6, attachments = ?7 \
    WHERE conversation = ?1 AND seq = ?2";

pub(super) const MOVE_HEAD: &str = "UPDATE conversation \
    SET head = ?2, messages = ?3, said_at = coalesce(?4, said_at) WHERE id = ?1";

pub(super) const SET_TOPIC: &str = "UPDATE conversation SET topic = ?2 WHERE id = ?1";

/// How a commit finds that a message is stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetitions {
    /// When it writes the message.
    Unexpected,
    /// Before it plans the batch.
    Searched,
}

/// What drafts depend on, where their logs exist, by the draft's number in the batch.
pub(super) fn find(
    connection: &Connection,
    drafts: &[Draft],
    logs: &StoredLogs<'_>,
    repetitions: Repetitions,
) -> Result<HashMap<usize, DraftContext<'static>>, SqliteFailure> {
    let mut role = connection.prepare_cached(FIND_ROLE)?;
    let mut said = connection.prepare_cached(FIND_BY_MESSAGE_ID)?;
    let mut target = connection.prepare_cached(FIND_TARGET)?;
    let mut known = HashMap::with_capacity(drafts.len());
    for (number, draft) in drafts.iter().enumerate() {
        let Some(log) = logs.get(&draft.place) else { continue };
        let author = draft.author.as_raw();
        let member = (draft.place.space.as_raw(), author, log.id);
        let role = match draft.needs {
            Some(_) => first(&mut role, member, |row| row::role(row.int("role")?))?,
            None => None,
        };
        let message = match &draft.act {
            DraftAct::Topic(_) => None,
            DraftAct::Say { .. } if repetitions == Repetitions::Unexpected => None,
            DraftAct::Say { .. } => {
                let once = (log.id, draft.id.as_raw(), author, row::stay(draft));
                first(&mut said, once, |row| row::message(row))?
            }
            DraftAct::Edit { of, .. } | DraftAct::Delete { of } => {
                first(&mut target, (log.id, row::seq_number(*of)), |row| row::message(row))?
            }
        };
        known.insert(number, DraftContext { role, message });
    }
    Ok(known)
}

/// Writes the plan. Returns whether it did: otherwise one of its messages is stored already.
pub(super) fn write(
    connection: &Connection,
    plan: &DraftPlan<'_>,
    logs: &StoredLogs<'_>,
) -> Result<bool, SqliteFailure> {
    let LogWrites { entries, rewritten, heads, topics } = LogWrites::of(plan, logs)?;
    let mut statement = connection.prepare_cached(WRITE_ENTRY)?;
    for entry in entries {
        let EntryRow {
            conversation,
            position,
            at,
            author,
            stay,
            id,
            kind,
            target,
            body,
            attachments,
            event,
        } = EntryRow::of(entry)?;
        let (seq, messages) = (row::seq_number(position.seq), row::number(position.messages));
        let written = statement.execute((
            conversation,
            seq,
            messages,
            at,
            author,
            stay,
            id,
            kind,
            target,
            body,
            attachments.as_deref(),
            event,
        ))?;
        if written == 0 {
            return Ok(false);
        }
    }
    let mut statement = connection.prepare_cached(REWRITE)?;
    for it in rewritten {
        let RewrittenRow { conversation, seq, edited_at, edit, deletion, body, attachments } =
            RewrittenRow::of(it)?;
        let attachments = attachments.as_deref();
        statement.execute((conversation, seq, edited_at, edit, deletion, body, attachments))?;
    }
    let heads = heads.into_iter().map(|(conversation, head)| {
        let (seq, messages) = (row::seq_number(head.at.seq), row::number(head.at.messages));
        (conversation, seq, messages, head.said_at.map(row::millis))
    });
    execute_each(connection, MOVE_HEAD, heads)?;
    let topics = topics.into_iter().map(|(id, topic)| (id, topic.map(RoomTopic::as_raw)));
    execute_each(connection, SET_TOPIC, topics)?;
    Ok(true)
}
