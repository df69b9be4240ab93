//! The socket below a connection, for HTTP and WebSocket alike.
//!
//! Three things belong to the socket, because they must hold from the accept to the close: its permit
//! under the node's connection limit, the deadline for a peer that accepts no bytes, and the close
//! itself. The system answers bytes that nobody has read with a reset, which discards the last frames
//! on their way to the peer. So a socket is closed in three steps: the write half is shut down, what
//! still arrives is read and dropped for a bounded time, and then the socket is closed.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep, timeout},
};

use super::{request_clock::RequestClock, socket_stream::SocketStream};
use crate::tasks::Tasks;

/// The longest time in which bytes are read and dropped before a socket is closed.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// The bytes that are read and dropped at once.
const DISCARD_BYTES: usize = 4096;

/// An accepted socket.
///
/// An upgraded connection returns it:
/// `upgraded.downcast::<hyper_util::rt::TokioIo<ClientSocket>>()`. A connection on a lane takes its
/// [parts](Self::into_parts) and keeps the three promises with them.
#[derive(Debug)]
pub struct ClientSocket {
    /// `None` only while the socket is dropped.
    stream: Option<SocketStream>,
    stall_max: Duration,
    clock: RequestClock,
    /// Runs while the peer accepts no bytes. Most sockets never have one.
    stall_timer: Option<Pin<Box<Sleep>>>,
    /// Whether the peer has sent its last byte, or a write has failed.
    is_over: bool,
    /// Returned to the limit when the socket is closed.
    permit: Option<OwnedSemaphorePermit>,
    tasks: Tasks,
}

/// What a [`ClientSocket`] owns.
#[derive(Debug)]
pub(super) struct SocketParts {
    pub(super) stream: SocketStream,
    /// Returned to the limit when the socket is closed.
    pub(super) permit: OwnedSemaphorePermit,
    /// The owner of the task that closes the socket.
    pub(super) tasks: Tasks,
}

impl ClientSocket {
    /// Wraps `stream`. Its writes fail when the peer accepts no bytes for `stall_max`.
    /// `clock` is told of bytes that arrive.
    pub(super) fn new(
        stream: SocketStream,
        permit: OwnedSemaphorePermit,
        stall_max: Duration,
        clock: RequestClock,
        tasks: Tasks,
    ) -> Self {
        Self {
            stream: Some(stream),
            stall_max,
            clock,
            stall_timer: None,
            is_over: false,
            permit: Some(permit),
            tasks,
        }
    }

    /// Gives the stream to an owner that closes it by the same steps.
    pub(super) fn into_parts(mut self) -> SocketParts {
        let (stream, permit) = (self.stream.take(), self.permit.take());
        let (stream, permit) = stream.zip(permit).expect("only drop takes them");
        SocketParts { stream, permit, tasks: self.tasks.clone() }
    }

    fn stream(&mut self) -> Pin<&mut SocketStream> {
        Pin::new(self.stream.as_mut().expect("only drop takes it"))
    }

    /// Returns the result of a write, or an error if writes have been pending for too long.
    fn within_deadline(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = &written {
            self.stall_timer = None;
            self.is_over |= result.is_err();
            return written;
        }
        let deadline = self.stall_timer.get_or_insert_with(|| Box::pin(sleep(self.stall_max)));
        ready!(deadline.as_mut().poll(cx));
        self.is_over = true;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(self.stream().poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.clock.on_bytes();
        } else {
            self.is_over |= read.is_err() || buffer.remaining() > 0;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write(cx, bytes);
        self.within_deadline(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write_vectored(cx, slices);
        self.within_deadline(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the system closes the socket.
        if self.is_over || Handle::try_current().is_err() {
            return;
        }
        let (stream, permit) = (self.stream.take(), self.permit.take());
        if let Some(stream) = stream {
            let tasks = self.tasks.clone();
            self.tasks.spawn("closing socket", async move {
                linger(&tasks, close(stream)).await;
                drop(permit);
            });
        }
    }
}

/// Waits for the close of a socket, as long as it may take.
pub(super) async fn linger(tasks: &Tasks, close: impl Future) {
    tokio::select! {
        _closed = timeout(LINGER_MAX, close) => (),
        () = tasks.overdue() => (),
    }
}

/// Reads and drops bytes until the peer closes.
///
/// The buffer is on the heap: an array would be part of every task that may call this.
pub(super) async fn discard(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut unread = Box::<[u8]>::from(vec![0; DISCARD_BYTES]);
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// Shuts the write half down, and reads until the peer closes.
async fn close(mut stream: SocketStream) -> io::Result<()> {
    stream.shutdown().await?;
    discard(&mut stream).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        net::{TcpListener, TcpStream},
        sync::Semaphore,
    };

    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_peer_that_still_sends_receives_the_last_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        client.write_all(&vec![b'x'; 64 << 10]).await.unwrap();
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let (clock, tasks) = (RequestClock::start(WAIT, WAIT), Tasks::new());
        let mut socket =
            ClientSocket::new(SocketStream::Tcp(stream), permit, WAIT, clock, tasks.clone());
        let mut first = [0; 1];
        socket.read_exact(&mut first).await.unwrap();
        socket.write_all(b"bye").await.unwrap();
        drop(socket);
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("no reset");
        assert_eq!(received, b"bye");
        assert_eq!(permits.available_permits(), 0, "the socket is still open");
        drop(client);
        assert_eq!(tasks.finish(WAIT).await, Ok(()));
        assert_eq!(permits.available_permits(), 1);
    }
}
