//! The phases of a session, and what they permit.

/// The phases of the close. A session only moves forward through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::transport::socketio) enum ClosePhase {
    /// The session is open.
    Open,
    /// The session is about to be closed. It accepts no more requests, and answers those that it has.
    Answering,
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

/// Why a request is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum Unaccepted {
    /// The inboxes are full.
    Full,
    /// The session closes: the request would not be answered.
    Closing,
}
