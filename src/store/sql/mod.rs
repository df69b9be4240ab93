//! What the SQL engines share: the planning of a batch, and the mapping of domain types to columns.
//! Each engine has its own statements and its own way to send them.

mod columns;
pub(crate) mod draft_plan;
pub(crate) mod member_plan;
pub(crate) mod row;
pub(crate) mod write;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

pub(crate) use self::columns::Columns;
use crate::{
    chat::ports::{Membership, TrimLimits},
    domain::{self, Place, Retained, Space, UserName},
};

/// A conversation at the beginning of the transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredLog {
    pub(crate) id: i64,
    pub(crate) state: domain::Log,
}

pub(crate) type StoredLogs<'a> = HashMap<&'a Place, StoredLog>;

/// The id of a conversation that exists.
pub(crate) fn conversation_id(logs: &StoredLogs<'_>, place: &Place) -> Result<i64, sqlx::Error> {
    logs.get(place).map(|log| log.id).ok_or(sqlx::Error::RowNotFound)
}

/// Each item once, in order of first appearance.
pub(crate) fn unique<'a, T: Eq + Hash>(all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

/// Each item with its number, which is sent with the statement and returned in its rows.
pub(crate) fn numbered<T>(all: &[T]) -> Vec<(i64, &T)> {
    (0..).zip(all).collect()
}

/// Reads the column `number`.
pub(crate) fn number(row: &impl Columns) -> Result<usize, sqlx::Error> {
    usize::try_from(row.int("number")?).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The memberships of users, from rows with the numbers of the queries.
pub(crate) fn memberships(
    rows: &[impl Columns],
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
        let place = row::place(row, space.clone())?;
        let deleted = row::count(row.int("unread_deleted")?)?;
        of_user.push(Membership { place, member: row::member(row)?, log: row::log(row)?, deleted });
    }
    Ok(memberships)
}

/// The id of the conversation after which the next trim continues; 0 is the beginning.
pub(crate) type TrimCursor = i64;

/// What is left of trimmed logs, from rows with the state of each. `places` are their places by id.
pub(crate) fn trimmed_logs(
    rows: &[impl Columns],
    mut places: HashMap<i64, Place>,
) -> Result<Vec<(Place, Retained)>, sqlx::Error> {
    let mut trimmed = Vec::with_capacity(rows.len());
    for row in rows {
        let log = row::log(row)?;
        trimmed.extend(places.remove(&row.int("id")?).map(|place| (place, log.retained())));
    }
    Ok(trimmed)
}

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
    pub(crate) fn of(row: &impl Columns) -> Result<Self, sqlx::Error> {
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
