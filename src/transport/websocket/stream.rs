//! The incoming side of a plain WebSocket connection. It records when bytes were last received: a
//! frame that takes long to arrive is a sign of life, too.
//!
//! Frames are written by the lane, answers to pings and closes included.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Instant,
};
use tracing::debug;

use super::{
    decoder::{Decoder, Incoming},
    frame_head::{FrameError, IncomingCompression},
};
use crate::domain::Limits;

/// The bytes that are read from the socket at once.
const READ_BYTES: usize = 4096;

/// The messages of a client. A silent connection has no buffer.
#[derive(Debug)]
pub(super) struct MessageStream<S> {
    stream: S,
    decoder: Decoder,
    received_at: Instant,
    /// Bytes that were read and not decoded.
    ahead: BytesMut,
}

/// Why there are no more messages.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The peer's frames are refused.
    Frame(FrameError),
    /// The stream has failed, or ended.
    Lost,
}

impl<S> MessageStream<S> {
    /// Reads messages from `stream`. Boxed, because each future that it passes through would be as
    /// large.
    pub(super) fn new(stream: S, limits: &Limits, compression: IncomingCompression) -> Box<Self> {
        let decoder = Decoder::new(limits.frame_bytes_max.get(), compression);
        let (received_at, ahead) = (Instant::now(), BytesMut::new());
        Box::new(Self { stream, decoder, received_at, ahead })
    }

    /// The time at which bytes were last received, or the begin of the connection.
    pub(super) fn received_at(&self) -> Instant {
        self.received_at
    }
}

impl<S: AsyncRead + Unpin> MessageStream<S> {
    /// What comes next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Incoming, ReadError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, ReadError>> {
        if let Some(incoming) = self.decode_ahead()? {
            return Poll::Ready(Ok(incoming));
        }
        loop {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let received = read.filled_mut();
            if received.is_empty() {
                return Poll::Ready(Err(ReadError::Lost));
            }
            self.received_at = Instant::now();
            let (used, incoming) = self.decoder.push(received)?;
            if let Some(incoming) = incoming {
                self.ahead = BytesMut::from(received.get(used..).unwrap_or_default());
                return Poll::Ready(Ok(incoming));
            }
        }
    }

    /// Decodes what was read before. All of it is decoded if there is no result.
    fn decode_ahead(&mut self) -> Result<Option<Incoming>, FrameError> {
        if self.ahead.is_empty() {
            return Ok(None);
        }
        let (used, incoming) = self.decoder.push(&mut self.ahead)?;
        self.ahead.advance(used);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        Ok(incoming)
    }
}

impl From<FrameError> for ReadError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        debug!(%error, "read failed: the peer disconnected");
        Self::Lost
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;
    use crate::transport::websocket::decoder::Message;

    /// A text frame masked with zeros.
    fn frame(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        let head = match text.len() {
            ..126 => vec![0x81, 0x80 | u8::try_from(length).unwrap()],
            _ => [&[0x81, 0x80 | 0x7e], &length.to_be_bytes()[..]].concat(),
        };
        [&head, &[0; 4][..], text.as_bytes()].concat()
    }

    fn text(text: &str) -> Incoming {
        Incoming::Message(Message::Text(text.into()))
    }

    #[tokio::test]
    async fn messages_are_whole_however_the_bytes_arrive() {
        let texts: Vec<_> = [1, 100, 122, 123, 128, 3000, 2, 9000, 5].map(|n| "x".repeat(n)).into();
        let bytes = texts.iter().flat_map(|text| frame(text)).collect::<Vec<_>>();
        for chunk in [1, 7, 128, 4096, usize::MAX] {
            let (mut peer, stream) = duplex(1 << 20);
            let mut messages =
                MessageStream::new(stream, &Limits::default(), IncomingCompression::Off);
            for part in bytes.chunks(chunk.min(bytes.len())) {
                peer.write_all(part).await.unwrap();
            }
            for expected in &texts {
                assert_eq!(messages.next().await.unwrap(), text(expected), "in parts of {chunk}");
            }
            assert!(messages.ahead.is_empty());
            drop(peer);
            assert!(matches!(messages.next().await, Err(ReadError::Lost)));
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_of_bytes_that_were_decoded() {
        let (mut peer, stream) = duplex(1 << 20);
        let mut messages = MessageStream::new(stream, &Limits::default(), IncomingCompression::Off);
        peer.write_all(&[frame(&"x".repeat(3000)), frame("last")].concat()).await.unwrap();
        messages.next().await.unwrap();
        assert_eq!(messages.next().await.unwrap(), text("last"));
        assert_eq!(messages.ahead.capacity(), 0);
    }
}
