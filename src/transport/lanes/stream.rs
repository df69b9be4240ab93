//! The stream of an upgraded connection: it reads the socket, and writes through the lane.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use futures_util::future::join;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    runtime::Handle,
    sync::OwnedSemaphorePermit,
};

use super::{
    lane::Lanes,
    output::LaneSocket,
    writer::{LaneWriter, QueueFull},
};
use crate::{
    domain::Limits,
    tasks::Tasks,
    transport::socket::{self, ClientSocket, SocketParts},
};

/// See the module.
///
/// A codec or an engine on this stream has to write whole frames: each write is taken whole and put
/// in the queue of the [`LaneWriter`], behind frames of the chat. So no write waits, and one for
/// which the queue has no room fails with [`QueueFull`].
///
/// It closes the socket as [`ClientSocket`] does: the queue is written, the write half is shut down,
/// and what still arrives is dropped for a bounded time. The read half has no system call that only
/// reports that nothing is left.
#[derive(Debug)]
pub(in crate::transport) struct LaneStream {
    /// `None` only while the stream is dropped.
    read: Option<OwnedReadHalf>,
    /// The bytes that hyper read after the request.
    ahead: Bytes,
    /// Whether the peer has sent its last byte.
    is_over: bool,
    writer: Arc<LaneWriter>,
    /// Released when both halves of the socket are dropped.
    permit: Arc<OwnedSemaphorePermit>,
    tasks: Tasks,
}

/// The write half of a socket, which is shut down when this is dropped.
#[derive(Debug)]
struct SocketWriter {
    half: OwnedWriteHalf,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl LaneStream {
    /// Takes the socket of an upgraded connection, which `lanes` write from now on.
    pub(in crate::transport) fn new(
        upgraded: Upgraded,
        lanes: &Lanes,
        limits: &Arc<Limits>,
    ) -> Self {
        let parts = upgraded
            .downcast::<TokioIo<ClientSocket>>()
            .expect("the listener serves no other streams");
        // A clone would keep the whole read buffer of hyper, even an empty one.
        let ahead = Bytes::copy_from_slice(&parts.read_buf);
        let SocketParts { stream, permit, tasks } = parts.io.into_inner().into_parts();
        let (read, half) = stream.into_split();
        let permit = Arc::new(permit);
        let socket = SocketWriter { half, _permit: Arc::clone(&permit) };
        let writer = LaneWriter::new(lanes.next(), Box::new(socket), Arc::clone(limits));
        let (read, writer) = (Some(read), Arc::new(writer));
        Self { read, ahead, is_over: false, writer, permit, tasks }
    }

    /// The queue of the connection.
    pub(in crate::transport) fn writer(&self) -> &Arc<LaneWriter> {
        &self.writer
    }
}

impl AsyncRead for LaneStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let half = self.read.as_mut().expect("only drop takes it");
        let read = ready!(Pin::new(half).poll_read(cx, buffer));
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        self.is_over |= read.is_err() || is_end;
        Poll::Ready(read)
    }
}

impl AsyncWrite for LaneStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pushed = self.writer.push_codec(Bytes::copy_from_slice(frames));
        Poll::Ready(pushed.map(|()| frames.len()).map_err(io::Error::other::<QueueFull>))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for LaneStream {
    fn drop(&mut self) {
        let is_over = self.is_over || self.writer.has_ended();
        self.writer.finish();
        // Without a runtime the process ends, and the system closes the socket.
        if (is_over && self.writer.has_ended()) || Handle::try_current().is_err() {
            return;
        }
        let (read, writer) = (self.read.take(), Arc::clone(&self.writer));
        let (permit, tasks) = (Arc::clone(&self.permit), self.tasks.clone());
        self.tasks.spawn("closing socket", async move {
            if let Some(mut read) = read {
                let closed = join(writer.ended(), socket::discard(&mut read));
                socket::linger(&tasks, closed).await;
            }
            writer.abort();
            drop(permit);
        });
    }
}

impl LaneSocket for SocketWriter {
    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [slice] => self.half.try_write(slice),
            slices => self.half.try_write_vectored(slices),
        }
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.as_ref().poll_write_ready(cx)
    }
}
