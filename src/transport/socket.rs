//! The socket below a connection, for HTTP and WebSocket alike.
//!
//! Two things belong to the socket, because they must hold from the accept to the close: its permit
//! under the node's connection limit, and the deadline for a peer that accepts no bytes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

use super::request_clock::RequestClock;

/// An accepted socket.
///
/// An upgraded connection returns it:
/// `upgraded.downcast::<hyper_util::rt::TokioIo<ClientSocket>>()`.
#[derive(Debug)]
pub struct ClientSocket {
    stream: TcpStream,
    stall_max: Duration,
    clock: RequestClock,
    /// Runs while the peer accepts no bytes. Most sockets never have one.
    stall_timer: Option<Pin<Box<Sleep>>>,
    /// Returned to the limit when the socket is dropped.
    _permit: OwnedSemaphorePermit,
}

impl ClientSocket {
    /// Wraps `stream`. Its writes fail when the peer accepts no bytes for `stall_max`.
    /// `clock` is told of bytes that arrive.
    pub(super) fn new(
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        stall_max: Duration,
        clock: RequestClock,
    ) -> Self {
        Self { stream, stall_max, clock, stall_timer: None, _permit: permit }
    }

    /// Returns the result of a write, or an error if writes have been pending for too long.
    fn within_deadline(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stall_timer = None;
            return written;
        }
        let deadline = self.stall_timer.get_or_insert_with(|| Box::pin(sleep(self.stall_max)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.clock.on_bytes();
        }
        read
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within_deadline(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.within_deadline(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
