//! The entries of logs, in a commit.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Arguments, error::BoxDynError, sqlite::SqliteArguments};
use time::OffsetDateTime;

use super::{
    commit::{Logs, number, numbered},
    plan::{Message, Plan, Rewritten},
    row,
    script::{Statement, Transaction},
};
use crate::{
    chat::ports::{Draft, DraftAct},
    domain::{Position, Seq},
};

pub(super) const FIND_FIRSTS: Statement = Statement {
    before: "SELECT column1 AS number, said.seq, said.at, said.kind, said.edited_at, \
            said.deletion, entry.at AS deleted_at, said.body, said.attachments FROM",
    row: "(?,?,?,?)",
    after: "CROSS JOIN message AS said ON said.conversation = column2 AND said.id = column4 \
            AND said.author = column3 AND said.target IS NULL \
        LEFT JOIN message AS entry \
            ON entry.conversation = column2 AND entry.seq = said.deletion",
};

pub(super) const FIND_TARGETS: Statement = Statement {
    before: "SELECT column1 AS number, said.seq, said.at, said.kind, said.edited_at, \
            said.deletion, entry.at AS deleted_at, said.body, said.attachments FROM",
    row: "(?,?,?)",
    after: "CROSS JOIN message AS said ON said.conversation = column2 AND said.seq = column3 \
            AND said.target IS NULL \
        LEFT JOIN message AS entry \
            ON entry.conversation = column2 AND entry.seq = said.deletion",
};

pub(super) const WRITE_ENTRIES: Statement = Statement {
    before: "INSERT INTO message (conversation, seq, messages, at, author, id, \
        kind, target, body, attachments) SELECT * FROM",
    row: "(?,?,?,?,?,?,?,?,?,?)",
    after: "WHERE column1 IS NOT NULL",
};

pub(super) const REWRITE: Statement = Statement {
    before: "UPDATE message SET \
        edited_at = column3, edit = column4, deletion = column5, \
        body = column6, attachments = column7 FROM",
    row: "(?,?,?,?,?,?,?)",
    after: "WHERE conversation = column1 AND seq = column2",
};

pub(super) const MOVE_HEADS: Statement = Statement {
    before: "UPDATE conversation SET \
        head = column2, messages = column3, said_at = coalesce(column4, said_at) FROM",
    row: "(?,?,?,?)",
    after: "WHERE id = column1",
};

/// The messages that drafts repeat or change, as far as they are in the store, by the draft's
/// number in the batch.
pub(super) async fn find(
    transaction: &mut Transaction<'_>,
    drafts: &[Draft],
    logs: &Logs<'_>,
) -> Result<HashMap<usize, (Seq, Message<'static>)>, sqlx::Error> {
    let (mut said, mut changes) = (Vec::with_capacity(drafts.len()), Vec::new());
    for (number, draft) in numbered(drafts) {
        let Some(log) = logs.get(&draft.place) else { continue };
        match &draft.act {
            DraftAct::Say { .. } => said.push((number, log.id, draft)),
            DraftAct::Edit { of, .. } | DraftAct::Delete { of } => {
                changes.push((number, log.id, row::seq_number(*of)));
            }
        }
    }
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, &Draft)| {
        let (number, conversation, draft) = row;
        arguments.add(*number)?;
        arguments.add(*conversation)?;
        arguments.add(draft.author.as_raw())?;
        arguments.add(draft.id.as_raw())
    };
    let mut rows = transaction.ask(FIND_FIRSTS, &said, bind).await?;
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, i64)| {
        let (number, conversation, seq) = row;
        arguments.add(*number)?;
        arguments.add(*conversation)?;
        arguments.add(*seq)
    };
    rows.extend(transaction.ask(FIND_TARGETS, &changes, bind).await?);
    rows.iter().map(|row| Ok((number(row)?, row::message(row)?))).collect()
}

/// Writes what was decided.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    plan: &Plan<'_>,
    logs: &Logs<'_>,
) -> Result<(), sqlx::Error> {
    let Plan { outcomes: _, stored, rewritten } = plan;
    let id = |place| logs.get(place).map(|log| log.id).ok_or(sqlx::Error::RowNotFound);
    let mut entries = Vec::with_capacity(stored.len());
    let mut heads = BTreeMap::new();
    for (draft, position) in stored {
        let conversation = id(&draft.place)?;
        entries.push((conversation, *position, *draft));
        let head = heads.entry(conversation).or_insert(Head { at: *position, said_at: None });
        head.at = *position;
        if matches!(draft.act, DraftAct::Say { .. }) {
            head.said_at = Some(draft.at);
        }
    }
    transaction.put(WRITE_ENTRIES, &entries, bind_entry).await?;
    let mut rewrites = Vec::with_capacity(rewritten.len());
    for ((place, seq), rewritten) in rewritten {
        rewrites.push((id(place)?, *seq, *rewritten));
    }
    transaction.put(REWRITE, &rewrites, bind_rewritten).await?;
    let heads: Vec<_> = heads.into_iter().collect();
    transaction.put(MOVE_HEADS, &heads, bind_head).await
}

/// Where a log ends.
struct Head {
    at: Position,
    /// When something was said last, if anything was.
    said_at: Option<OffsetDateTime>,
}

fn bind_entry(
    arguments: &mut SqliteArguments,
    (conversation, position, draft): &(i64, Position, &Draft),
) -> Result<(), BoxDynError> {
    let Draft { place: _, id, author, at, act } = draft;
    let (kind, target, body) = match act {
        DraftAct::Say { kind, body } => (row::kind_number(*kind), None, Some(body)),
        // What it says now is in the row of the message.
        DraftAct::Edit { of, body: _ } => (row::EDIT, Some(row::seq_number(*of)), None),
        DraftAct::Delete { of } => (row::DELETION, Some(row::seq_number(*of)), None),
    };
    arguments.add(*conversation)?;
    row::bind_position(arguments, *position)?;
    arguments.add(row::millis(*at))?;
    arguments.add(author.as_raw())?;
    arguments.add(id.as_raw())?;
    arguments.add(kind)?;
    arguments.add(target)?;
    row::bind_body(arguments, body)
}

fn bind_rewritten(
    arguments: &mut SqliteArguments,
    (conversation, seq, rewritten): &(i64, Seq, Rewritten<'_>),
) -> Result<(), BoxDynError> {
    let (edited_at, edit, deletion, body) = match rewritten {
        Rewritten::Edited(body, at, seq) => {
            (Some(row::millis(*at)), Some(row::seq_number(*seq)), None, Some(*body))
        }
        Rewritten::Deleted(seq) => (None, None, Some(row::seq_number(*seq)), None),
    };
    arguments.add(*conversation)?;
    arguments.add(row::seq_number(*seq))?;
    arguments.add(edited_at)?;
    arguments.add(edit)?;
    arguments.add(deletion)?;
    row::bind_body(arguments, body)
}

fn bind_head(
    arguments: &mut SqliteArguments,
    (conversation, head): &(i64, Head),
) -> Result<(), BoxDynError> {
    arguments.add(*conversation)?;
    row::bind_position(arguments, head.at)?;
    arguments.add(head.said_at.map(row::millis))
}
