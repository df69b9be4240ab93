//! What a client that comes back is owed.

use super::Seq;

/// The answer to "I have seen everything up to here".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Everything after `after` up to the head, in order.
    Replay {
        /// The last message that the client has.
        after: Seq,
    },
    /// Too much, or the log is not the one that the client knew: it has to page history.
    TooFar,
}

/// Decides what is owed to a client that has seen `since` in a log whose head is `head`.
///
/// `since` ahead of the head means that the log was replaced by a shorter one.
pub fn recovery(since: Seq, head: Seq, messages_max: u64) -> Recovery {
    if since > head || head.since(since) > messages_max {
        Recovery::TooFar
    } else {
        Recovery::Replay { after: since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_the_whole_run_or_the_plain_truth() {
        let (at, most) = (Seq::from_raw, 3);
        assert_eq!(recovery(at(5), at(8), most), Recovery::Replay { after: at(5) });
        assert_eq!(recovery(at(8), at(8), most), Recovery::Replay { after: at(8) });
        assert_eq!(recovery(at(4), at(8), most), Recovery::TooFar);
        assert_eq!(recovery(at(9), at(8), most), Recovery::TooFar);
    }
}
