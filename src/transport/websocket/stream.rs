//! The incoming side of a plain WebSocket connection. It records when bytes were last received: a
//! frame that takes long to arrive is a sign of life, too.
//!
//! Outgoing frames are written by the lane. The codec only answers pings and closes.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use crate::domain::Limits;

/// The size of the codec's read buffer, which exists as long as the connection. Most requests fit.
const READ_BUFFER_BYTES: usize = 128;
/// The bytes that are read from the socket at once. What the codec's buffer does not take is kept
/// until it does.
const READ_BYTES: usize = 4096;
/// The bytes that the codec collects before a write: none, so that each write holds whole frames.
const WRITE_BUFFER_BYTES: usize = 0;

/// The messages of a client. Boxed, because each future that it passes through would be as large.
pub(super) type MessageStream<S> = Box<WebSocketStream<ActiveStream<S>>>;

/// A stream that records when it receives bytes.
#[derive(Debug)]
pub(super) struct ActiveStream<S> {
    stream: S,
    received_at: Instant,
    /// Bytes that were read and not passed on.
    ahead: Bytes,
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
    let stream = ActiveStream { stream, received_at: Instant::now(), ahead: Bytes::new() };
    Box::new(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
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
        if self.ahead.is_empty() {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let received = read.filled();
            if !received.is_empty() {
                self.received_at = Instant::now();
            }
            let (passed, ahead) = received.split_at(received.len().min(buffer.remaining()));
            buffer.put_slice(passed);
            self.ahead = Bytes::copy_from_slice(ahead);
        } else {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(self.ahead.get(..length).unwrap_or_default());
            self.ahead.advance(length);
            if self.ahead.is_empty() {
                self.ahead = Bytes::new();
            }
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

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    /// A text frame masked with zeros.
    fn frame(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        let head = match text.len() {
            ..126 => vec![0x81, 0x80 | u8::try_from(length).unwrap()],
            _ => [&[0x81, 0x80 | 0x7e], &length.to_be_bytes()[..]].concat(),
        };
        [&head, &[0; 4][..], text.as_bytes()].concat()
    }

    #[tokio::test]
    async fn messages_are_whole_however_the_bytes_arrive() {
        let texts: Vec<_> = [1, 100, 122, 123, 128, 3000, 2, 9000, 5].map(|n| "x".repeat(n)).into();
        let bytes = texts.iter().flat_map(|text| frame(text)).collect::<Vec<_>>();
        for chunk in [1, 7, 128, 4096, usize::MAX] {
            let (mut peer, stream) = duplex(1 << 20);
            let mut messages = read_messages(stream, &Limits::default()).await;
            for part in bytes.chunks(chunk.min(bytes.len())) {
                peer.write_all(part).await.unwrap();
            }
            for text in &texts {
                let message = messages.next().await.unwrap().unwrap();
                assert_eq!(message, Message::text(text.as_str()), "in parts of {chunk}");
            }
            assert!(messages.get_ref().ahead.is_empty());
            drop(peer);
            assert!(messages.next().await.is_none_or(|it| it.is_err()), "the end is seen");
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_of_bytes_that_were_passed_on() {
        let (mut peer, stream) = duplex(1 << 20);
        let mut messages = read_messages(stream, &Limits::default()).await;
        peer.write_all(&[frame(&"x".repeat(3000)), frame("last")].concat()).await.unwrap();
        messages.next().await.unwrap().unwrap();
        assert_eq!(messages.next().await.unwrap().unwrap(), Message::text("last"));
        assert_eq!(messages.get_ref().ahead, Bytes::new());
    }
}
