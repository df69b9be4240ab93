//! The progress of a close: requests that were read are answered first, if the reason permits it.

use crate::domain::CloseReason;

/// See the module. It only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CloseState {
    /// The connection is open.
    #[default]
    Open,
    /// Requests are answered, and no more are read.
    Answering(CloseReason),
    /// No more frames are queued.
    Closing(CloseReason),
}

impl CloseState {
    /// Begins the close of a connection with this number of `unanswered` requests. Returns whether
    /// the state changed.
    pub(super) fn begin(&mut self, reason: CloseReason, unanswered: usize) -> bool {
        *self = match self {
            Self::Open if reason.answers_first() && unanswered > 0 => Self::Answering(reason),
            Self::Answering(_) if reason.answers_first() => return false,
            Self::Open | Self::Answering(_) => Self::Closing(reason),
            Self::Closing(_) => return false,
        };
        true
    }

    /// Ends the wait for answers. Returns whether the state changed.
    pub(super) fn end_answering(&mut self) -> bool {
        let Self::Answering(reason) = *self else { return false };
        *self = Self::Closing(reason);
        true
    }

    /// Whether no more requests are read.
    pub(super) fn has_begun(self) -> bool {
        self != Self::Open
    }

    /// The reason, once the close has begun.
    pub(super) fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Answering(reason) | Self::Closing(reason) => Some(reason),
            Self::Open => None,
        }
    }

    /// The reason, once no more frames are queued.
    pub(super) fn closing(self) -> Option<CloseReason> {
        match self {
            Self::Closing(reason) => Some(reason),
            Self::Open | Self::Answering(_) => None,
        }
    }
}
