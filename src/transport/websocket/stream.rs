//! The incoming side of a plain WebSocket connection. It records when bytes were last received: a
//! frame that takes long to arrive is a sign of life, too.
//!
//! Outgoing frames are written by the lane. The codec only answers pings and closes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use crate::domain::Limits;

/// The size of the read buffer, which exists as long as the connection.
const READ_BUFFER_BYTES: usize = 512;
/// The bytes that the codec collects before a write: none, so that each write holds whole frames.
const WRITE_BUFFER_BYTES: usize = 0;

/// The messages of a client.
pub(super) type MessageStream<S> = WebSocketStream<ActiveStream<S>>;

/// A stream that records when it receives bytes.
#[derive(Debug)]
pub(super) struct ActiveStream<S> {
    stream: S,
    received_at: Instant,
}

/// Reads messages from `stream`.
pub(super) async fn read_messages<S>(stream: S, limits: &Limits) -> MessageStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let frame_bytes_max = limits.frame_bytes_max.get();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(frame_bytes_max))
        .max_frame_size(Some(frame_bytes_max));
    let stream = ActiveStream { stream, received_at: Instant::now() };
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
}

impl<S> ActiveStream<S> {
    /// The time at which bytes were last received, or the begin of the connection.
    pub(super) fn received_at(&self) -> Instant {
        self.received_at
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ActiveStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.received_at = Instant::now();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ActiveStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
