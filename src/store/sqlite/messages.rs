//! The entries of logs, in a commit.

use std::collections::HashMap;

use sqlx::{Arguments as _, sqlite::SqliteArguments};

use super::{
    bind,
    script::{Statement, Transaction},
};
use crate::{
    chat::ports::Draft,
    domain::{Position, Seq},
    store::sql::{
        StoredLogs,
        draft_plan::{DraftContext, DraftPlan, Rewritten},
        row,
        write::{DraftLookup, EntryRow, LogWrites, RewrittenRow},
    },
};

/// The statement that finds what a draft depends on, given the row and the condition on the message.
macro_rules! find_message {
    ($row:literal, $condition:literal) => {
        Statement {
            before: "SELECT column1 AS number, member.role, said.seq, said.at, said.kind, \
                    said.edited_at, said.deletion, entry.at AS deleted_at, said.body, \
                    said.attachments FROM",
            row: $row,
            after: concat!(
                "LEFT JOIN member ON member.space = column3 AND member.user = column4 \
                    AND member.conversation = column2 \
                LEFT JOIN message AS said ON said.conversation = column2 AND ",
                $condition,
                " AND said.target IS NULL \
                LEFT JOIN message AS entry \
                    ON entry.conversation = column2 AND entry.seq = said.deletion \
                WHERE column1 IS NOT NULL"
            ),
        }
    };
}

pub(super) const FIND_BY_MESSAGE_ID: Statement = find_message!(
    "(?,?,?,?,?,?)",
    "said.id = column5 AND said.author = column4 AND said.stay = column6"
);

pub(super) const FIND_TARGETS: Statement = find_message!("(?,?,?,?,?)", "said.seq = column5");

pub(super) const WRITE_ENTRIES: Statement = Statement {
    before: "INSERT INTO message (conversation, seq, messages, at, author, stay, id, \
        kind, target, body, attachments) SELECT * FROM",
    row: "(?,?,?,?,?,?,?,?,?,?,?)",
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

/// What drafts depend on, where their logs exist, by the draft's number in the batch.
pub(super) async fn find(
    transaction: &mut Transaction<'_>,
    drafts: &[Draft],
    logs: &StoredLogs<'_>,
) -> Result<HashMap<usize, DraftContext<'static>>, sqlx::Error> {
    let DraftLookup { new_messages, message_changes } = DraftLookup::of(drafts, logs);
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, &Draft)| {
        let (number, conversation, draft) = row;
        arguments.add(*number)?;
        arguments.add(*conversation)?;
        bind::user(arguments, (&draft.place.space, &draft.author))?;
        arguments.add(draft.id.as_raw())?;
        arguments.add(row::stay(draft))
    };
    let mut rows = transaction.query(FIND_BY_MESSAGE_ID, &new_messages, bind).await?;
    let bind = |arguments: &mut SqliteArguments, row: &(i64, i64, &Draft, i64)| {
        let (number, conversation, draft, seq) = row;
        arguments.add(*number)?;
        arguments.add(*conversation)?;
        bind::user(arguments, (&draft.place.space, &draft.author))?;
        arguments.add(*seq)
    };
    rows.extend(transaction.query(FIND_TARGETS, &message_changes, bind).await?);
    DraftLookup::parse_rows(&rows)
}

/// Writes the plan.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    plan: &DraftPlan<'_>,
    logs: &StoredLogs<'_>,
) -> Result<(), sqlx::Error> {
    let LogWrites { entries, rewritten, heads } = LogWrites::of(plan, logs)?;
    // Rows are built one at a time: all of them at once would hold the attachments a second time.
    let bind = |arguments: &mut SqliteArguments, row: &(i64, Position, &Draft)| {
        bind::entry(arguments, &EntryRow::of(*row)?)
    };
    transaction.execute(WRITE_ENTRIES, &entries, bind).await?;
    let bind = |arguments: &mut SqliteArguments, row: &(i64, Seq, Rewritten<'_>)| {
        bind::rewritten(arguments, &RewrittenRow::of(*row)?)
    };
    transaction.execute(REWRITE, &rewritten, bind).await?;
    let heads: Vec<_> = heads.into_iter().collect();
    transaction.execute(MOVE_HEADS, &heads, bind::head).await
}
