//! The phases of a session, and what they permit.

use std::time::Duration;

/// The phases of the close. A session only moves forward through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::transport::socketio) enum ClosePhase {
    /// The session is open.
    Open,
    /// The session is about to be closed. It accepts no more requests, and answers those that it has.
    Answering,
    /// An event was lost because the queue was full. No event follows, and the session is about to
    /// be closed.
    Overflowed,
    /// The connections send `closing` to the client.
    Notifying,
    /// `closing` was sent. What is queued may still be written; nothing more is read.
    Closing,
    /// Neither reads nor writes succeed.
    Aborted,
}

/// Whether the stream may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum ReadPermit {
    /// It may.
    Open,
    /// Not until requests were handled.
    Paused,
    /// Never again.
    Closed,
}

/// Whether the stream may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum WritePermit {
    /// It may.
    Open,
    /// For `flush_wait` from the begin of the close.
    Closing { flush_wait: Duration },
    /// Never again.
    Aborted,
}

/// Whether an event may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum Reservation {
    /// Budget for it is reserved.
    Granted,
    /// The queue is full, or an earlier event was lost.
    Overflowed,
    /// The session closes and sends no more events.
    Closing,
}

/// Why a request is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum Unaccepted {
    /// The inboxes are full.
    Full,
    /// The session closes: the request would not be answered.
    Closing,
}
