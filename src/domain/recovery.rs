//! Recovery: the entries that a reconnecting client missed.

use super::{Log, Seq};

/// How a client that has all entries up to a number recovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The client receives all entries after `after` up to the head, in order.
    Replay {
        /// The last entry that the client has.
        after: Seq,
    },
    /// Too many entries were missed, or the log is another one: the client has to page history.
    TooFar,
}

/// Decides how a client that has all entries up to `since` recovers.
///
/// A `since` after the head means that the log was replaced by a shorter one.
pub fn recovery(since: Seq, log: &Log, entries_max: u64) -> Recovery {
    let (head, floor) = (log.head.seq, log.floor.seq);
    if since > head || since < floor || head.since(since) > entries_max {
        Recovery::TooFar
    } else {
        Recovery::Replay { after: since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;

    #[test]
    fn recovery_is_the_complete_run_or_too_far() {
        let (at, most) = (Seq::from_raw, 3);
        let position = |seq| Position::from_raw(seq, seq);
        let log = Log { head: position(8), floor: position(6), ..Log::default() };
        let kept = Log { floor: Position::ZERO, ..log };
        assert_eq!(recovery(at(5), &kept, most), Recovery::Replay { after: at(5) });
        assert_eq!(recovery(at(8), &kept, most), Recovery::Replay { after: at(8) });
        assert_eq!(recovery(at(4), &kept, most), Recovery::TooFar);
        assert_eq!(recovery(at(9), &kept, most), Recovery::TooFar);
        assert_eq!(recovery(at(6), &log, most), Recovery::Replay { after: at(6) });
        assert_eq!(recovery(at(5), &log, most), Recovery::TooFar, "6 is no longer stored");
    }
}
