//! Positions in a log, counted in entries and in messages, and the count of unread messages.

use super::Seq;

/// An entry's number in a log, and the number of messages up to and including it. Edits and
/// deletions are entries but not messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The number of the entry.
    pub seq: Seq,
    /// Number of messages up to and including the entry.
    pub messages: u64,
}

impl Position {
    /// Before the first entry.
    pub const ZERO: Self = Self { seq: Seq::ZERO, messages: 0 };

    /// The position with these numbers.
    pub fn from_raw(seq: u64, messages: u64) -> Self {
        Self { seq: Seq::from_raw(seq), messages }
    }

    /// The next position, if the next entry is a message.
    #[must_use]
    pub fn next_message(self) -> Self {
        Self { seq: self.seq.next(), messages: self.messages + 1 }
    }

    /// The next position, if the next entry is a change.
    #[must_use]
    pub fn next_change(self) -> Self {
        Self { seq: self.seq.next(), ..self }
    }

    /// Number of messages after `earlier`, up to and including this position.
    pub fn messages_since(self, earlier: Self) -> u64 {
        self.messages.saturating_sub(earlier.messages)
    }
}

/// The state of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The last entry.
    pub head: Position,
    /// The last entry that is no longer stored.
    pub floor: Position,
    /// Number of members of the conversation.
    pub members: u64,
    /// Number of deleted messages after the floor.
    pub deleted: u64,
}

impl Log {
    /// Number of unread messages after the read position `read`, of which `deleted` were deleted.
    ///
    /// Messages that are no longer stored cannot be read and do not count; neither do deleted ones.
    /// Up to the floor, all read positions have the log's own number of deleted messages.
    pub fn unread(&self, read: Position, deleted: u64) -> u64 {
        let deleted = if read.seq <= self.floor.seq { self.deleted } else { deleted };
        self.head.messages_since(read.max(self.floor)).saturating_sub(deleted)
    }

    /// Whether there are no members and no kept entries.
    pub fn is_unused(&self) -> bool {
        self.members == 0 && self.head.seq == self.floor.seq
    }

    /// The part of the state that retention changes.
    pub fn retained(&self) -> Retained {
        let deleted = DeletedCount { count: self.deleted, up_to: self.head.seq };
        Retained { floor: self.floor, deleted }
    }
}

/// Number of deleted messages after a position, by the deletions up to an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletedCount {
    /// The number.
    pub count: u64,
    /// The last entry that it considers.
    pub up_to: Seq,
}

/// What retention left of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// The last entry that is no longer stored.
    pub floor: Position,
    /// The deleted messages after the floor.
    pub deleted: DeletedCount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_take_a_position_and_are_not_unread() {
        let read = Position::ZERO.next_message();
        let head = read.next_change().next_message().next_change();
        assert_eq!(head, Position::from_raw(4, 2));
        let log = Log { head, ..Log::default() };
        assert_eq!(log.unread(read, 0), 1);
        assert_eq!(log.unread(head, 0), 0);
    }

    #[test]
    fn trimmed_and_deleted_messages_are_not_unread() {
        let position = |n| Position::from_raw(n, n);
        let log = Log { head: position(10), floor: position(4), members: 1, deleted: 3 };
        assert_eq!(log.unread(position(7), 2), 1);
        assert_eq!(log.unread(position(4), 9), 3, "the log knows the number at its floor");
        assert_eq!(log.unread(Position::ZERO, 9), 3);
        assert_eq!(log.unread(position(9), 2), 0, "the head may lag behind the deletions");
    }
}
