//! Why frames of a client are refused.

use bytes::Bytes;

use crate::transport::{deflate::InflateError, lanes::frame};

/// Why frames of a client are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::transport::socketio) enum FrameError {
    /// The message is larger than the limit.
    TooLarge,
    /// The frame breaks RFC 6455.
    Protocol,
    /// The text is not UTF-8.
    NotUtf8,
    /// The message cannot be inflated.
    Compression,
    /// The packet breaks the protocol of Engine.IO or Socket.IO.
    Packet,
    /// The client has a parser that is not supported. The message is its refusal.
    ForeignParser(Bytes),
}

impl From<InflateError> for FrameError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge => Self::TooLarge,
            InflateError::Broken => Self::Compression,
        }
    }
}

impl FrameError {
    /// The last frames for the client, with the close code that RFC 6455 defines. Without one the engine
    /// writes the close frame, as the official server does.
    pub(in crate::transport::socketio) fn last_frames(&self) -> Option<Bytes> {
        let (refusal, code) = match self {
            Self::TooLarge => (None, 1009),
            Self::Protocol => (None, 1002),
            Self::NotUtf8 | Self::Compression => (None, 1007),
            Self::Packet => return None,
            Self::ForeignParser(refusal) => (Some(frame::binary(refusal)), 1003),
        };
        Some([refusal.unwrap_or_default(), frame::close(code, "")].concat().into())
    }
}
