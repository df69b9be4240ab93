//! What the SQL engines share: the planning of a batch, and the mapping of domain types to columns.
//! Each engine has its own statements and its own way to send them.

mod columns;
pub(crate) mod denial;
pub(crate) mod draft_plan;
pub(crate) mod member_plan;
pub(crate) mod outbox_row;
pub(crate) mod row;
pub(crate) mod write;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

pub(crate) use self::columns::{ColumnError, Columns};
use crate::{
    chat::ports::TrimLimits,
    domain::{self, Place, RoomTopic, Seq, Space},
};

/// A conversation at the beginning of the transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredLog {
    pub(crate) id: i64,
    pub(crate) state: domain::Log,
}

pub(crate) type StoredLogs<'a> = HashMap<&'a Place, StoredLog>;

/// The topics of rooms that have one.
pub(crate) type Topics<'a> = HashMap<&'a Place, RoomTopic>;

/// The id of a conversation that exists.
pub(crate) fn conversation_id(logs: &StoredLogs<'_>, place: &Place) -> Result<i64, ColumnError> {
    logs.get(place).map(|log| log.id).ok_or(ColumnError::new("a conversation is missing"))
}

/// Each item once, in order of first appearance.
pub(crate) fn unique<'a, T: Eq + Hash>(all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

/// The id of the conversation after which the next trim continues; 0 is the beginning.
pub(crate) type TrimCursor = i64;

/// The limits of what is kept in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetentionCutoff {
    pub(crate) entries_max: i64,
    /// In milliseconds: entries after this time are kept.
    pub(crate) after: i64,
}

impl RetentionCutoff {
    /// `None` when everything is kept.
    pub(crate) fn of(retention: &TrimLimits) -> Option<Self> {
        let TrimLimits { entries_max, entries_after, guests_after: _ } = retention;
        (entries_max.is_some() || entries_after.is_some()).then(|| Self {
            entries_max: entries_max.map_or(i64::MAX, row::number),
            after: entries_after.map_or(i64::MIN, row::millis),
        })
    }
}

/// The largest number of entries that one call removes.
pub(crate) const ENTRIES_REMOVED_MAX: i64 = 1000;

/// The last entry that one call removes of those up to `up_to`, and whether there are more.
pub(crate) fn erasable(floor: i64, head: i64, up_to: Seq) -> (i64, bool) {
    let end = row::seq_number(up_to).min(head);
    let last = end.min(floor.saturating_add(ENTRIES_REMOVED_MAX));
    (last, last < end)
}

/// The length of a log, for retention.
#[derive(Debug)]
pub(crate) struct LogLength {
    pub(crate) id: i64,
    pub(crate) place: Place,
    pub(crate) head: i64,
    pub(crate) floor: i64,
    oldest: Option<i64>,
}

impl LogLength {
    /// Reads the columns `id, space, kind, one, other, head, floor, oldest`; the last one is the
    /// time of the first entry that is kept.
    pub(crate) fn of(row: &impl Columns) -> Result<Self, ColumnError> {
        Ok(Self {
            id: row.int("id")?,
            place: row::place(row, Space::from_raw(row.text("space")?))?,
            head: row.int("head")?,
            floor: row.int("floor")?,
            oldest: row.maybe_int("oldest")?,
        })
    }

    pub(crate) fn is_too_long(&self, cutoff: &RetentionCutoff) -> bool {
        self.head - self.floor > cutoff.entries_max
            || self.oldest.is_some_and(|oldest| oldest <= cutoff.after)
    }

    /// The bounds of the search for the new floor, given the largest number of entries to remove.
    pub(crate) fn bounds(&self, cutoff: &RetentionCutoff, entries_max: i64) -> (i64, i64) {
        let from = self.floor.max(self.head.saturating_sub(cutoff.entries_max));
        (from, self.head.min(self.floor + entries_max))
    }
}
