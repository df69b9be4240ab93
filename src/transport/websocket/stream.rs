//! The stream of a plain WebSocket connection, in two halves. It records when bytes were last
//! received: a frame that takes long to arrive is a sign of life, too.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{
    StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::domain::Limits;

/// The size of the read buffer, which exists as long as the connection.
const READ_BUFFER_BYTES: usize = 512;
/// The bytes that are collected before a write. The buffer keeps its memory, so it is small.
const WRITE_BUFFER_BYTES: usize = 4 << 10;

/// The writing half.
pub(super) type MessageSink<S> = SplitSink<WebSocketStream<ActiveStream<S>>, Message>;
/// The reading half.
pub(super) type MessageStream<S> = SplitStream<WebSocketStream<ActiveStream<S>>>;

/// The time at which bytes were last received. Clones are handles to the same time.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<Instant>>);

/// A stream that records when it receives bytes.
#[derive(Debug)]
pub(super) struct ActiveStream<S> {
    stream: S,
    activity: Activity,
}

/// The two halves of a connection.
pub(super) async fn split_stream<S>(
    stream: ActiveStream<S>,
    limits: &Limits,
) -> (MessageSink<S>, MessageStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let frame_bytes_max = limits.frame_bytes_max.get();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(frame_bytes_max))
        .max_frame_size(Some(frame_bytes_max));
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await.split()
}

impl Activity {
    /// The time at which bytes were last received, or the begin of the connection.
    pub(super) fn received_at(&self) -> Instant {
        *self.0.lock()
    }
}

impl<S> ActiveStream<S> {
    /// A stream that begins now.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, activity: Activity(Arc::new(Mutex::new(Instant::now()))) }
    }

    /// A handle to the time at which bytes were last received.
    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
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
            *self.activity.0.lock() = Instant::now();
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
