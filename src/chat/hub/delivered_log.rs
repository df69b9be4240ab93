//! The log of a conversation as far as it was delivered on this node, and its last deletions.
//!
//! The store counts the deleted messages that a member has not read, up to the head of its own log,
//! which may be before or after the entries that were delivered here. A count names the last entry
//! that it considers, and the log knows which deletions followed. So no deletion is counted twice,
//! and none writes to the state of every member.

use std::collections::VecDeque;

use crate::domain::{Act, DeletedCount, Entry, Log, Position, Retained, Seq};

/// Deletions that a log keeps. At so many, all counts are brought up to date, and the older half is
/// dropped: counts that are read from the store meanwhile need the other half.
const DELETIONS_MAX: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct DeliveredLog {
    log: Log,
    /// The last entry that `log.deleted` considers.
    counted_to: Seq,
    /// The last deletions, in the order of the log.
    deletions: VecDeque<Deletion>,
}

/// The entry `seq` deleted the message `of`.
#[derive(Clone, Copy, Debug)]
struct Deletion {
    seq: Seq,
    of: Seq,
}

impl DeliveredLog {
    /// A log whose entries up to `head` were delivered. `log` is its state in the store.
    pub(super) fn new(log: Log, head: Position) -> Self {
        let (counted_to, deletions) = (log.head.seq, VecDeque::new());
        Self { log: Log { head, ..log }, counted_to, deletions }
    }

    /// The state of the log up to the last delivered entry.
    pub(super) fn log(&self) -> Log {
        self.log
    }

    /// Sets how many members the conversation has.
    pub(super) fn set_member_count(&mut self, members: u64) {
        self.log.members = members;
    }

    /// Records the next entry.
    pub(super) fn record(&mut self, entry: &Entry) {
        self.log.head = self.log.head.max(entry.position);
        let Act::Deleted { of } = entry.act else { return };
        let deletion = Deletion { seq: entry.seq(), of };
        if deletion.seq > self.counted_to {
            self.counted_to = deletion.seq;
            self.log.deleted += u64::from(of > self.log.floor.seq);
        }
        self.deletions.push_back(deletion);
    }

    /// Continues after `to`: earlier entries are no longer stored.
    pub(super) fn skip(&mut self, to: Position) {
        self.log.head = self.log.head.max(to);
    }

    /// Applies what retention left, if it removed more than is known here.
    pub(super) fn trim(&mut self, retained: &Retained) {
        let Retained { floor, deleted } = *retained;
        if floor.seq > self.log.floor.seq {
            let DeletedCount { count, up_to } = self.updated(deleted, floor.seq);
            (self.log.floor, self.log.deleted, self.counted_to) = (floor, count, up_to);
        }
    }

    /// The number of deleted messages after `read`, of which the store had counted `counted`.
    pub(super) fn deleted(&self, read: Seq, counted: DeletedCount) -> u64 {
        self.updated(counted, read).count
    }

    /// The count of deleted messages after `after` that considers all deletions of this log, too.
    pub(super) fn updated(&self, counted: DeletedCount, after: Seq) -> DeletedCount {
        let later = self.deletions.iter().rev().take_while(|it| it.seq > counted.up_to);
        let later = later.filter(|it| it.of > after).count() as u64;
        let last = self.deletions.back().map_or(Seq::ZERO, |it| it.seq);
        DeletedCount { count: counted.count + later, up_to: counted.up_to.max(last) }
    }

    /// Whether all counts have to be updated, and then [`Self::drop_older_deletions`] called.
    pub(super) fn has_many_deletions(&self) -> bool {
        self.deletions.len() >= DELETIONS_MAX
    }

    pub(super) fn drop_older_deletions(&mut self) {
        self.deletions.drain(..self.deletions.len() / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{at, delete, seq};

    fn count(count: u64, up_to: u64) -> DeletedCount {
        DeletedCount { count, up_to: seq(up_to) }
    }

    fn deletion(n: u64, of: u64) -> Entry {
        let draft = delete("lobby", of);
        let (place, id, author) = (draft.place, draft.id, draft.author);
        Entry {
            place,
            position: at(n, 9),
            id,
            author,
            author_name: None,
            at: draft.at,
            act: Act::Deleted { of: seq(of) },
        }
    }

    fn log(floor: u64, deleted: u64) -> Log {
        Log { head: at(9, 9), floor: at(floor, floor), members: 1, deleted }
    }

    #[test]
    fn a_deletion_is_counted_once_however_the_count_was_read() {
        let mut log = DeliveredLog::new(log(2, 1), at(9, 9));
        for (n, of) in [(10, 5), (11, 7), (12, 2)] {
            log.record(&deletion(n, of));
        }
        for (read, counted, expected) in [
            (4, count(1, 9), 3),
            (4, count(2, 10), 3),
            (4, count(3, 11), 3),
            (4, count(3, 20), 3),
            (6, count(0, 9), 1),
            (8, count(0, 9), 0),
        ] {
            assert_eq!(log.deleted(seq(read), counted), expected, "{read} {counted:?}");
        }
        assert_eq!(log.updated(count(1, 9), seq(4)), count(3, 12));
        assert_eq!(log.log().deleted, 3, "the message 2 is no longer stored");
    }

    #[test]
    fn deletions_that_the_store_has_counted_are_not_counted_again() {
        let mut log = DeliveredLog::new(Log { head: at(11, 9), ..log(0, 2) }, at(9, 9));
        log.record(&deletion(10, 5));
        log.record(&deletion(11, 6));
        assert_eq!((log.log().deleted, log.log().head), (2, at(11, 9)));
        log.record(&deletion(12, 7));
        assert_eq!(log.log().deleted, 3);
    }

    #[test]
    fn a_trim_counts_again_what_is_left() {
        let mut log = DeliveredLog::new(log(0, 4), at(9, 9));
        log.record(&deletion(10, 8));
        log.record(&deletion(11, 3));
        let retained = |floor, deleted| Retained { floor: at(floor, floor), deleted };
        log.trim(&retained(5, count(1, 9)));
        assert_eq!((log.log().deleted, log.log().floor), (2, at(5, 5)), "8 was deleted meanwhile");
        log.trim(&retained(4, count(7, 30)));
        assert_eq!((log.log().deleted, log.log().floor), (2, at(5, 5)), "a late announcement");
        log.trim(&retained(6, count(2, 13)));
        log.record(&deletion(12, 9));
        log.record(&deletion(13, 7));
        assert_eq!(log.log().deleted, 2, "the store has counted both");
    }

    #[test]
    fn the_newer_half_of_many_deletions_is_kept() {
        let mut log = DeliveredLog::new(log(0, 0), at(9, 9));
        let last = 9 + DELETIONS_MAX as u64;
        (10..=last).for_each(|n| log.record(&deletion(n, n)));
        assert!(log.has_many_deletions());
        let updated = log.updated(count(0, 9), seq(4));
        assert_eq!(updated, count(DELETIONS_MAX as u64, last));
        log.drop_older_deletions();
        assert!(!log.has_many_deletions());
        assert_eq!(log.updated(updated, seq(4)), updated);
        assert_eq!(log.deleted(seq(4), count(DELETIONS_MAX as u64 - 9, last - 9)), updated.count);
    }
}
