//! The end of a connection: its reason, and the close handshake.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{io::AsyncRead, time::timeout};
use tracing::debug;

use super::{
    decoder::{Incoming, close_code},
    format::Format,
    frame_head::FrameError,
    stream::{MessageStream, ReadError},
};
use crate::{
    chat::ports::ConnectionEnd,
    domain::{CloseReason, Limits},
    transport::lanes::{LaneWriter, frame},
    wire::code,
};

/// The code of a close after which nothing more is to be said.
const NORMAL: u16 = 1000;
/// The code of a page that is left.
const GOING_AWAY: u16 = 1001;
/// The longest time for the close handshake.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// The same for a prompt close reason.
const PROMPT_CLOSE_WAIT: Duration = Duration::from_millis(500);

/// The end of a connection.
pub(super) enum SocketEnd {
    /// The server closes it for this reason.
    ByServer(CloseReason),
    /// The peer violated the protocol. RFC 6455 defines the code.
    ProtocolError(u16, &'static str),
    /// The peer sent a close frame with this payload. A browser says in it that it leaves the page:
    /// then nothing of the page asked for the close, as for Socket.IO.
    Closed(Bytes),
    /// The socket ended without a close frame.
    Lost,
    /// The client has asked for the close in a message of a dialect.
    Finished,
}

impl SocketEnd {
    /// The end of a connection after an error.
    pub(super) fn from_error(error: &ReadError, limits: &Limits) -> Self {
        debug!(?error, "read ended: the peer violated the protocol or disconnected");
        match error {
            ReadError::Frame(FrameError::Protocol) => {
                Self::ProtocolError(1002, "the frame breaks the protocol")
            }
            ReadError::Frame(FrameError::NotUtf8) => {
                Self::ProtocolError(1007, "the text is not UTF-8")
            }
            ReadError::Frame(FrameError::Compression) => {
                Self::ProtocolError(1007, "the message cannot be inflated")
            }
            ReadError::Frame(FrameError::TooLarge) => {
                let limit = limits.frame_bytes_max.get();
                Self::ByServer(CloseReason::FrameTooLarge { limit })
            }
            ReadError::Lost => Self::Lost,
        }
    }

    /// What webhooks are told of it.
    pub(super) fn reported(&self) -> ConnectionEnd {
        match self {
            Self::ByServer(reason) => ConnectionEnd::ByServer(*reason),
            Self::ProtocolError(..) => ConnectionEnd::ProtocolError,
            Self::Closed(payload) if close_code(payload) == Some(GOING_AWAY) => {
                ConnectionEnd::TransportClosed
            }
            Self::Lost => ConnectionEnd::TransportClosed,
            Self::Closed(_) | Self::Finished => ConnectionEnd::ByClient,
        }
    }

    /// The last frames, which tell the peer why. None follows them.
    fn last_frames(&self, format: &Format) -> Vec<Bytes> {
        match self {
            Self::Lost => Vec::new(),
            Self::Closed(payload) => vec![frame::close_answer(payload)],
            Self::ProtocolError(code, reason) => vec![frame::close(*code, reason)],
            Self::Finished => vec![frame::close(NORMAL, "")],
            Self::ByServer(reason) => {
                let row = code::close(*reason);
                let close = frame::close(row.websocket, row.reason);
                format.closing(*reason).into_iter().chain([close]).collect()
            }
        }
    }

    /// Whether the peer is to answer the close frame. It has, or what follows cannot be read.
    fn awaits_answer(&self) -> bool {
        match self {
            Self::ByServer(reason) => !matches!(reason, CloseReason::FrameTooLarge { .. }),
            Self::Finished => true,
            Self::ProtocolError(..) | Self::Closed(_) | Self::Lost => false,
        }
    }
}

/// Sends the reason, and waits for the peer's close frame. The time for events is over: those that
/// still wait are dropped.
pub(super) async fn close<S>(
    stream: &mut MessageStream<S>,
    writer: &Arc<LaneWriter>,
    format: &Format,
    end: SocketEnd,
) where
    S: AsyncRead + Unpin + Send,
{
    writer.seal();
    if matches!(end, SocketEnd::ByServer(_)) {
        writer.drop_waiting();
    }
    if !matches!(end, SocketEnd::Lost) {
        writer.push_last(end.last_frames(format));
    }
    if writer.has_ended() || !end.awaits_answer() {
        return;
    }
    let answer = async {
        while let Ok(incoming) = stream.next().await {
            if matches!(incoming, Incoming::Close(_)) {
                break;
            }
        }
    };
    let prompt = matches!(end, SocketEnd::ByServer(reason) if reason.is_prompt());
    let close_wait = if prompt { PROMPT_CLOSE_WAIT } else { CLOSE_WAIT };
    timeout(close_wait, answer).await.ok();
}
