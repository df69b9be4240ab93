//! The TCP connections of the clients of one server, which its stop ends.
//!
//! A test that stops its server while it has clients would wait for them: the server keeps a closed
//! socket for two seconds, so that the client may read the rest, and a port for those who poll.

use std::{
    io,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::clients::raw::Raw;

/// A connection to the server.
pub(crate) struct ClientSocket(Arc<TcpStream>);

/// See the module.
#[derive(Default)]
pub(crate) struct ClientSockets(Mutex<State>);

#[derive(Default)]
struct State {
    open: Vec<Weak<TcpStream>>,
    /// The paths of the sessions that poll.
    polling: Vec<String>,
}

impl ClientSockets {
    /// Adds a connection.
    pub(crate) fn add(&self, stream: TcpStream) -> ClientSocket {
        let stream = Arc::new(stream);
        self.0.lock().open.push(Arc::downgrade(&stream));
        ClientSocket(stream)
    }

    /// Adds a session that polls.
    pub(crate) fn add_polling(&self, path: &str) {
        self.0.lock().polling.push(path.to_owned());
    }

    /// Ends everything that is open, as if the clients had gone.
    pub(crate) async fn end(&self, server: SocketAddr) {
        let State { open, polling } = std::mem::take(&mut *self.0.lock());
        for stream in open.iter().filter_map(Weak::upgrade) {
            // One that the server has closed is not connected.
            SockRef::from(&*stream).shutdown(Shutdown::Both).ok();
        }
        for path in polling {
            // One that has ended already is not found.
            Raw::to(server).await.post(&path, "text/plain", b"1").await;
        }
    }
}

impl From<TcpStream> for ClientSocket {
    fn from(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(length) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}
