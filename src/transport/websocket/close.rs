//! The end of a connection: its reason, and the close handshake.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    error::CapacityError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tracing::debug;

use super::{
    format::Format,
    stream::{MessageSink, MessageStream},
};
use crate::{
    domain::{CloseReason, Limits},
    wire::code,
};

/// The longest time for the close handshake.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// The same for a prompt close reason.
const PROMPT_CLOSE_WAIT: Duration = Duration::from_millis(500);

/// The end of a connection.
pub(super) enum ConnectionEnd {
    /// The server closes it for this reason.
    ByServer(CloseReason),
    /// The peer violated the protocol. RFC 6455 defines the code.
    ProtocolError(CloseCode, &'static str),
    /// The peer closed it or disconnected.
    ByPeer,
}

impl ConnectionEnd {
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
            Error::Utf8(_) => Self::ProtocolError(CloseCode::Invalid, "the text is not UTF-8"),
            Error::Protocol(_) | Error::Capacity(_) => {
                Self::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
            }
            _ => Self::ByPeer,
        }
    }
}

/// Sends the reason and waits for the peer to close: a socket that is closed with unread data is
/// reset, and the peer might not receive the reason.
pub(super) async fn close<S>(
    mut sink: MessageSink<S>,
    mut stream: MessageStream<S>,
    format: Format,
    end: ConnectionEnd,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let prompt = matches!(end, ConnectionEnd::ByServer(reason) if reason.is_prompt());
    let closing = async {
        match end {
            ConnectionEnd::ByPeer => (),
            ConnectionEnd::ProtocolError(code, reason) => {
                sink.send(close_frame(code, reason)).await?;
                return discard(sink, stream).await;
            }
            ConnectionEnd::ByServer(reason) => {
                let row = code::close(reason);
                sink.feed(format.closing(reason)).await?;
                sink.send(close_frame(row.websocket.into(), row.reason)).await?;
                if matches!(reason, CloseReason::FrameTooLarge { .. }) {
                    return discard(sink, stream).await;
                }
            }
        }
        while stream.next().await.is_some_and(|message| message.is_ok()) {}
        sink.close().await
    };
    let close_wait = if prompt { PROMPT_CLOSE_WAIT } else { CLOSE_WAIT };
    if let Ok(Err(error)) = timeout(close_wait, closing).await {
        debug!(%error, "close failed: the peer disconnected before");
    }
}

/// Reads and discards the rest of the stream after a frame that was not read to its end.
async fn discard<S>(sink: MessageSink<S>, stream: MessageStream<S>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Ok(socket) = sink.reunite(stream) else { return Ok(()) };
    copy(&mut socket.into_inner(), &mut tokio::io::sink()).await?;
    Ok(())
}

fn close_frame(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
}
