//! The end of a connection: its reason, and the close handshake.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
    protocol::frame::coding::CloseCode,
};
use tracing::debug;

use super::{format::Format, stream::MessageStream};
use crate::{
    chat::ports::ConnectionEnd,
    domain::{CloseReason, Limits},
    transport::{
        lanes::{LaneWriter, QueueFull, frame},
        socket,
    },
    wire::code,
};

/// The longest time for the close handshake.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// The same for a prompt close reason.
const PROMPT_CLOSE_WAIT: Duration = Duration::from_millis(500);

/// The end of a connection.
pub(super) enum SocketEnd {
    /// The server closes it for this reason.
    ByServer(CloseReason),
    /// The peer violated the protocol. RFC 6455 defines the code.
    ProtocolError(CloseCode, &'static str),
    /// The peer sent a close frame. A browser says in it that it leaves the page: then nothing of the
    /// page asked for the close, as for Socket.IO.
    Closed(Option<CloseCode>),
    /// The socket ended without a close frame.
    Lost,
    /// The client has asked for the close in a message of a dialect.
    Finished,
}

impl SocketEnd {
    /// The end of a connection after an error.
    pub(super) fn from_error(error: &Error, limits: &Limits) -> Self {
        debug!(%error, "read failed: the peer violated the protocol or disconnected");
        match error {
            // RFC 6455: the top bit of a length is zero.
            Error::Capacity(CapacityError::MessageTooLong { size, .. })
                if *size > usize::MAX / 2 =>
            {
                Self::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
            }
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                let limit = limits.frame_bytes_max.get();
                Self::ByServer(CloseReason::FrameTooLarge { limit })
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost,
            Error::Utf8(_) => Self::ProtocolError(CloseCode::Invalid, "the text is not UTF-8"),
            Error::Protocol(_) | Error::Capacity(_) => {
                Self::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
            }
            // The peer sends pings and does not read the answers.
            Error::Io(error) if is_queue_full(error) => Self::ByServer(CloseReason::SlowReader),
            _ => Self::Lost,
        }
    }

    /// What webhooks are told of it.
    pub(super) fn reported(&self) -> ConnectionEnd {
        match self {
            Self::ByServer(reason) => ConnectionEnd::ByServer(*reason),
            Self::ProtocolError(..) => ConnectionEnd::ProtocolError,
            Self::Closed(Some(CloseCode::Away)) | Self::Lost => ConnectionEnd::TransportClosed,
            Self::Closed(_) | Self::Finished => ConnectionEnd::ByClient,
        }
    }

    /// The frames that tell the peer why. None follows them.
    fn last_frames(&self, format: &Format) -> Vec<Bytes> {
        match self {
            Self::Closed(_) | Self::Lost => Vec::new(),
            Self::ProtocolError(code, reason) => vec![frame::close((*code).into(), reason)],
            Self::Finished => vec![frame::close(CloseCode::Normal.into(), "")],
            Self::ByServer(reason) => {
                let row = code::close(*reason);
                let close = frame::close(row.websocket, row.reason);
                format.closing(*reason).into_iter().chain([close]).collect()
            }
        }
    }
}

fn is_queue_full(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(cause) if cause.is::<QueueFull>())
}

/// Sends the reason and waits for the peer to close: a socket that is closed with unread data is
/// reset, and the peer might not receive the reason. The time for events is over: those that still
/// wait are dropped.
pub(super) async fn close<S>(
    stream: &mut MessageStream<S>,
    writer: &Arc<LaneWriter>,
    format: &Format,
    end: SocketEnd,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    writer.seal();
    if matches!(end, SocketEnd::ByServer(_)) {
        writer.drop_waiting();
    }
    if !matches!(end, SocketEnd::Closed(_) | SocketEnd::Lost) {
        writer.push_last(end.last_frames(format));
    }
    if writer.has_ended() {
        return;
    }
    let closing = async {
        match end {
            // The rest of a frame that was not read to its end holds no more frames.
            SocketEnd::ProtocolError(..)
            | SocketEnd::ByServer(CloseReason::FrameTooLarge { .. }) => {
                socket::discard(stream.get_mut()).await.ok();
            }
            // The codec answers the peer's close frame, unless ours was the first.
            _ => while stream.next().await.is_some_and(|message| message.is_ok()) {},
        }
    };
    let prompt = matches!(end, SocketEnd::ByServer(reason) if reason.is_prompt());
    let close_wait = if prompt { PROMPT_CLOSE_WAIT } else { CLOSE_WAIT };
    timeout(close_wait, closing).await.ok();
}
