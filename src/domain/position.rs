//! Positions in a log, counted in entries and in messages.

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
}

impl Log {
    /// Number of unread messages after the read position `read`. Messages that are no longer stored
    /// cannot be read and do not count.
    pub fn unread(&self, read: Position) -> u64 {
        self.head.messages_since(read.max(self.floor))
    }
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
        assert_eq!(log.unread(read), 1);
        assert_eq!(log.unread(head), 0);
    }

    #[test]
    fn trimmed_messages_are_not_unread() {
        let log =
            Log { head: Position::from_raw(10, 10), floor: Position::from_raw(8, 8), members: 1 };
        assert_eq!(log.unread(Position::ZERO), 2);
        assert_eq!(log.unread(Position::from_raw(9, 9)), 1);
    }
}
