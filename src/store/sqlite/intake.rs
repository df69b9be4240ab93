//! The intake: where new messages wait, in the order of their commits.
//!
//! A message in its own place writes pages of its conversation: of the index of the log, the head
//! and the author's read position. In the intake, the messages of a commit share a page. Most
//! commits have new messages only, and append to it. Every 2,048 messages, and before any
//! other change, a commit first moves all of them, sorted by conversation, so that each page is
//! written once for many messages.
//!
//! A read finds both: see `read`. A message is searched for in both before it is stored. What waits
//! is on disk like everything else, and the first commit after a start moves it.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use super::{
    failure::SqliteFailure,
    statement::{all, execute},
};
use crate::{
    chat::ports::{Batch, Draft, DraftAct},
    domain::{Body, Log, Place, Position, Space},
    store::sql::{Columns as _, StoredLog, StoredLogs, conversation_id, row, write::EntryRow},
};

/// Messages that wait at most. A commit that moves them takes some 8 ms, and a read of a
/// conversation that has some reads past all of them: 0.1 ms.
const MESSAGES_MAX: usize = 2048;
/// The bytes of their bodies at most: it costs more to move long ones than is saved.
const BYTES_MAX: usize = 1 << 20;

pub(super) const APPEND: &str = "INSERT INTO intake \
        (conversation, seq, messages, at, author, stay, id, kind, body, attachments, event) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const FIND_PLACES: &str = "SELECT DISTINCT space, conversation.kind, one, other \
    FROM intake JOIN conversation ON conversation.id = intake.conversation";

const MOVE_MESSAGES: &str = "INSERT INTO message \
        (conversation, seq, messages, at, author, stay, id, kind, body, attachments, event) \
    SELECT conversation, seq, messages, at, author, stay, id, kind, body, attachments, event \
        FROM intake ORDER BY conversation, seq";

// The other columns of a group are of the row with the last seq.
pub(super) const MOVE_HEADS: &str = "UPDATE conversation \
    SET head = last.seq, messages = last.messages, said_at = last.at \
    FROM (SELECT conversation, max(seq) AS seq, messages, at FROM intake \
        GROUP BY conversation) AS last \
    WHERE conversation.id = last.conversation";

// Authors have read their messages, but not their notifications: those of an inbox, of kind 2.
pub(super) const MOVE_READS: &str = "UPDATE member \
    SET read = last.seq, read_messages = last.messages \
    FROM (SELECT conversation.space, author, conversation.id, max(seq) AS seq, intake.messages \
        FROM intake CROSS JOIN conversation ON conversation.id = intake.conversation \
        WHERE conversation.kind <> 2 GROUP BY conversation.id, author) AS last \
    WHERE member.space = last.space AND member.user = last.author \
        AND member.conversation = last.id AND member.read < last.seq";

const CLEAR: &str = "DELETE FROM intake";

/// What the process knows of the intake.
#[derive(Debug)]
pub(super) struct Intake {
    /// The conversations that have messages in the table, and maybe others.
    places: RwLock<HashSet<Place>>,
    /// What the table has. `None` after a start, during a commit and after a failed one: then it
    /// is not known.
    waiting: Mutex<Option<Waiting>>,
}

/// Where the messages of a conversation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    /// All are in their place.
    Place,
    /// The newest ones may be in the intake.
    PlaceAndIntake,
}

/// Whether messages have to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntakeContent {
    /// The table is empty.
    Nothing,
    /// The table has messages, or may have some.
    Unmoved,
}

/// The messages in the table.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The conversations that have some, as they are with them.
    logs: HashMap<Place, StoredLog>,
    /// Hashes of places, authors, guest sessions and ids.
    identities: HashSet<u64>,
    hasher: RandomState,
    bytes: usize,
}

impl Intake {
    /// The intake as the last process left it.
    pub(super) fn load(connection: &Connection) -> Result<Self, SqliteFailure> {
        let mut statement = connection.prepare(FIND_PLACES)?;
        let places = all(&mut statement, (), |row| {
            let space = Space::from_raw(row.text("space")?);
            row::place(row, space)
        })?;
        let places = RwLock::new(places.into_iter().collect());
        Ok(Self { places, waiting: Mutex::default() })
    }

    /// Where the messages of a conversation may be.
    pub(super) fn sources(&self, place: &Place) -> Sources {
        let has_waiting = self.places.read().contains(place);
        if has_waiting { Sources::PlaceAndIntake } else { Sources::Place }
    }

    /// What waits, to change it. It is unknown until it is [put back](Self::put).
    pub(super) fn take(&self) -> Option<Waiting> {
        self.waiting.lock().take()
    }

    /// Says what waits after a commit.
    pub(super) fn put(&self, waiting: Waiting) {
        if waiting.is_empty() {
            self.places.write().clear();
        }
        *self.waiting.lock() = Some(waiting);
    }

    /// Says before a commit that it stores messages of these conversations, if it succeeds.
    pub(super) fn expect<'a>(&self, places: impl Iterator<Item = &'a Place>) {
        let known = self.places.read();
        let new: Vec<_> = places.filter(|place| !known.contains(place)).cloned().collect();
        drop(known);
        if !new.is_empty() {
            self.places.write().extend(new);
        }
    }
}

impl IntakeContent {
    pub(super) fn of(waiting: Option<&Waiting>) -> Self {
        match waiting {
            Some(waiting) if waiting.is_empty() => Self::Nothing,
            Some(_) | None => Self::Unmoved,
        }
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Whether the messages of a batch may wait: it has nothing else that depends on them, and none
    /// of them waits already.
    pub(super) fn admits(&self, batch: &Batch) -> bool {
        let Batch { seen, departed: _, expired, changes, drafts, membership_queries, .. } = batch;
        let has_drafts_only = seen.is_empty()
            && expired.is_empty()
            && changes.is_empty()
            && membership_queries.is_empty();
        let bodies = drafts.iter().map(|draft| said_body(draft).map(Body::bytes));
        let bytes = bodies.sum::<Option<usize>>();
        has_drafts_only
            && bytes.is_some_and(|bytes| self.bytes + bytes <= BYTES_MAX)
            && self.identities.len() + drafts.len() <= MESSAGES_MAX
            && !drafts.iter().any(|draft| self.identities.contains(&self.identity(draft)))
    }

    /// A conversation with waiting messages, as it is with them.
    pub(super) fn log(&self, place: &Place) -> Option<StoredLog> {
        self.logs.get(place).copied()
    }

    /// Adds messages, in the table and here. Their logs must exist.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        stored: &[(&Draft, Position)],
        logs: &StoredLogs<'_>,
    ) -> Result<(), SqliteFailure> {
        let mut statement = connection.prepare_cached(APPEND)?;
        for (draft, position) in stored {
            let id = conversation_id(logs, &draft.place)?;
            let entry = EntryRow::of((id, *position, draft))?;
            let EntryRow {
                conversation, at, author, stay, id, kind, body, attachments, event, ..
            } = entry;
            let (seq, messages) = (row::seq_number(position.seq), row::number(position.messages));
            let attachments = attachments.as_deref();
            statement.execute((
                conversation,
                seq,
                messages,
                at,
                author,
                stay,
                id,
                kind,
                body,
                attachments,
                event,
            ))?;
            self.move_head(logs, &draft.place, *position);
            self.identities.insert(self.identity(draft));
            self.bytes += said_body(draft).map_or(0, Body::bytes);
        }
        Ok(())
    }

    fn move_head(&mut self, before: &StoredLogs<'_>, place: &Place, head: Position) {
        if let Some(log) = self.logs.get_mut(place) {
            log.state.head = head;
        } else if let Some(log) = before.get(place) {
            let state = Log { head, ..log.state };
            self.logs.insert(place.clone(), StoredLog { state, ..*log });
        }
    }

    /// The identity of a message. Two with the same one are taken for the same, so that a chance
    /// equality costs a move.
    fn identity(&self, draft: &Draft) -> u64 {
        self.hasher.hash_one((&draft.place, &draft.author, row::stay(draft), draft.id.as_raw()))
    }
}

/// Moves all messages to their places, in an open transaction.
pub(super) fn move_all(
    connection: &Connection,
    content: IntakeContent,
) -> Result<(), SqliteFailure> {
    match content {
        IntakeContent::Nothing => Ok(()),
        IntakeContent::Unmoved => [MOVE_MESSAGES, MOVE_HEADS, MOVE_READS, CLEAR]
            .iter()
            .try_for_each(|sql| execute(connection, sql)),
    }
}

/// The body of a new message. `None` for a change.
fn said_body(draft: &Draft) -> Option<&Body> {
    match &draft.act {
        DraftAct::Say { body, .. } => Some(body),
        DraftAct::Edit { .. } | DraftAct::Delete { .. } | DraftAct::Topic(_) => None,
    }
}
