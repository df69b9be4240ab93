//! How far a log goes: in entries, and in messages.

use super::Seq;

/// A place in a log, and how many messages lie up to it and with it. Edits and deletions are entries
/// with a place of their own, and no messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The place.
    pub seq: Seq,
    /// The messages up to it.
    pub messages: u64,
}

impl Position {
    /// Before the first entry.
    pub const ZERO: Self = Self { seq: Seq::ZERO, messages: 0 };

    /// The place with this number, up to which there are so many messages.
    pub fn from_raw(seq: u64, messages: u64) -> Self {
        Self { seq: Seq::from_raw(seq), messages }
    }

    /// The place after this one, of a message.
    #[must_use]
    pub fn next_message(self) -> Self {
        Self { seq: self.seq.next(), messages: self.messages + 1 }
    }

    /// The place after this one, of an entry that is no message.
    #[must_use]
    pub fn next_change(self) -> Self {
        Self { seq: self.seq.next(), ..self }
    }

    /// How many messages lie after `earlier`, up to this place and with it.
    pub fn messages_since(self, earlier: Self) -> u64 {
        self.messages.saturating_sub(earlier.messages)
    }
}

/// How a log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Its last entry.
    pub head: Position,
    /// The last entry that is not kept any more.
    pub floor: Position,
    /// How many members the conversation has.
    pub members: u64,
}

impl Log {
    /// How many messages somebody has not read who read up to `read`. What is not kept any more
    /// cannot be read, and does not count.
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
