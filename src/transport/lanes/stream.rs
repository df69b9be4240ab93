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
    net::{tcp, unix},
    runtime::Handle,
    sync::OwnedSemaphorePermit,
};

#[cfg(test)]
use super::test_support;
use super::{
    output::{Flushed, LaneSocket},
    queue::QueueFull,
    tls::{self, TlsReader, TlsWriter},
    writer::LaneWriter,
};
use crate::{
    tasks::Tasks,
    transport::{
        socket::{self, ClientSocket, SocketParts},
        socket_stream::SocketStream,
    },
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
    read: Option<Box<dyn ReadHalf>>,
    /// The bytes that hyper read after the request.
    ahead: Bytes,
    /// Whether the peer has sent its last byte.
    is_over: bool,
    writer: Arc<LaneWriter>,
    /// Released when both halves of the socket are dropped.
    permit: Arc<OwnedSemaphorePermit>,
    tasks: Tasks,
}

/// The read half of a socket.
pub(super) trait ReadHalf: AsyncRead + std::fmt::Debug + Send + Sync + Unpin {}

impl ReadHalf for tcp::OwnedReadHalf {}

impl ReadHalf for unix::OwnedReadHalf {}

impl ReadHalf for TlsReader {}

/// The write half of a socket, which is shut down when this is dropped.
#[derive(Debug)]
struct SocketWriter<W> {
    half: W,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl LaneStream {
    /// Takes the socket of an upgraded connection, which `writer` writes from now on.
    pub(in crate::transport) fn new(upgraded: Upgraded, writer: Arc<LaneWriter>) -> Self {
        match upgraded.downcast::<TokioIo<ClientSocket>>() {
            Ok(parts) => Self::from_socket(parts.io.into_inner(), &parts.read_buf, writer),
            #[cfg(test)]
            Err(upgraded) => test_support::in_memory(upgraded, writer),
            #[cfg(not(test))]
            Err(_other) => unreachable!("the listener serves no other streams"),
        }
    }

    pub(super) fn from_socket(
        socket: ClientSocket,
        read_buffer: &[u8],
        writer: Arc<LaneWriter>,
    ) -> Self {
        let SocketParts { stream, permit, tasks } = socket.into_parts();
        let permit = Arc::new(permit);
        let halves: (Box<dyn ReadHalf>, Box<dyn LaneSocket>) = match stream {
            SocketStream::Tcp(stream) => {
                let (read, half) = stream.into_split();
                let socket = SocketWriter { half, _permit: Arc::clone(&permit) };
                (Box::new(read), Box::new(socket))
            }
            SocketStream::Unix(stream) => {
                let (read, half) = stream.into_split();
                let socket = SocketWriter { half, _permit: Arc::clone(&permit) };
                (Box::new(read), Box::new(socket))
            }
            SocketStream::Tls(stream) => {
                let (read, half) = tls::split(*stream);
                let socket = SocketWriter { half, _permit: Arc::clone(&permit) };
                (Box::new(read), Box::new(socket))
            }
        };
        Self::from_halves(halves, read_buffer, writer, (permit, tasks))
    }

    /// A stream that reads `read_buffer` first.
    pub(super) fn from_halves(
        (read, socket): (Box<dyn ReadHalf>, Box<dyn LaneSocket>),
        read_buffer: &[u8],
        writer: Arc<LaneWriter>,
        (permit, tasks): (Arc<OwnedSemaphorePermit>, Tasks),
    ) -> Self {
        // The buffer itself would keep the 8 KiB that hyper has read the request into.
        let ahead = Bytes::copy_from_slice(read_buffer);
        writer.traffic().received(ahead.len());
        writer.attach(socket);
        Self { read: Some(read), ahead, is_over: false, writer, permit, tasks }
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
        let received = buffer.filled().len() - before;
        self.writer.traffic().received(received);
        let is_end = received == 0 && buffer.remaining() > 0;
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

/// The halves of both kinds have the same methods, and no trait.
macro_rules! lane_socket {
    ($half:ty) => {
        impl LaneSocket for SocketWriter<$half> {
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
    };
}

lane_socket!(tcp::OwnedWriteHalf);
lane_socket!(unix::OwnedWriteHalf);

impl LaneSocket for SocketWriter<TlsWriter> {
    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.half.try_write_vectored(slices)
    }

    fn flush(&mut self) -> Flushed {
        self.half.flush()
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.poll_write_ready(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        sync::Semaphore,
    };

    use super::*;
    use crate::{
        domain::Limits,
        transport::{lanes::Lanes, request_clock::RequestClock},
    };

    const WAIT: Duration = Duration::from_secs(30);

    struct Server {
        stream: LaneStream,
        client: TcpStream,
        permits: Arc<Semaphore>,
        tasks: Tasks,
    }

    impl Server {
        async fn start(read_buffer: &[u8]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let permits = Arc::new(Semaphore::new(1));
            let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
            let (clock, tasks) = (RequestClock::start(WAIT, WAIT), Tasks::new());
            let lanes = Lanes::start(&tasks);
            let socket =
                ClientSocket::new(SocketStream::Tcp(stream), permit, WAIT, clock, tasks.clone());
            let writer = Arc::new(LaneWriter::new(&lanes, Arc::new(Limits::default())));
            let stream = LaneStream::from_socket(socket, read_buffer, writer);
            Self { stream, client, permits, tasks }
        }
    }

    #[tokio::test]
    async fn a_peer_that_still_sends_receives_the_last_frames() {
        let Server { stream, mut client, permits, tasks } = Server::start(b"").await;
        client.write_all(&vec![b'x'; 64 << 10]).await.unwrap();
        let last = Bytes::from(vec![b'y'; 64 << 10]);
        stream.writer.push(last.clone()).unwrap();
        drop(stream);
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("no reset");
        assert_eq!(received, last);
        assert_eq!(permits.available_permits(), 0, "the socket is still open");
        drop(client);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
        assert_eq!(permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_blocked_socket_is_closed_at_the_end_of_the_drain() {
        let Server { stream, client, permits, tasks } = Server::start(b"").await;
        let block = Bytes::from(vec![b'y'; 1 << 20]);
        while stream.writer.push(block.clone()).is_ok() {
            tokio::task::yield_now().await;
        }
        drop(stream);
        assert_eq!(tasks.finish(Duration::ZERO).await, Ok(()));
        assert_eq!(permits.available_permits(), 1);
        drop(client);
    }

    #[tokio::test]
    async fn a_socket_that_the_peer_has_closed_is_closed_at_once() {
        let Server { mut stream, client, permits, tasks } = Server::start(b"").await;
        drop(client);
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        drop(stream);
        assert_eq!(permits.available_permits(), 1);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
    }

    #[tokio::test]
    async fn bytes_after_the_request_are_read_first() {
        let Server { mut stream, mut client, .. } = Server::start(b"first ").await;
        client.write_all(b"second").await.unwrap();
        let mut received = [0; 12];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"first second");
    }

    #[tokio::test]
    async fn a_write_for_which_there_is_no_room_fails() {
        let Server { mut stream, client, .. } = Server::start(b"").await;
        let block = vec![b'y'; 1 << 20];
        let error = loop {
            if let Err(error) = stream.write_all(&block).await {
                break error;
            }
            tokio::task::yield_now().await;
        };
        assert!(error.get_ref().unwrap().is::<QueueFull>());
        drop(client);
    }
}
