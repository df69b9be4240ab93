//! A TLS connection whose one half a task reads, and whose other half a lane writes.
//!
//! Both halves share the state of the session, because what is received may have to be answered. No
//! plaintext is accepted while encrypted bytes wait for the system: so what waits is bounded, and
//! [`LaneSocket::flush`] tells when the last of them is written.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{rustls::ServerConnection, server::TlsStream};

use super::output::{Flushed, LaneSocket};

/// The plaintext that is encrypted ahead of the system, at most.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// The connection of both halves.
#[derive(Debug)]
struct Shared {
    tcp: TcpStream,
    session: Mutex<ServerConnection>,
}

/// The read half.
#[derive(Debug)]
pub(super) struct TlsReader(Arc<Shared>);

/// The write half. Dropping it tells the peer that nothing follows.
#[derive(Debug)]
pub(super) struct TlsWriter(Arc<Shared>);

/// Takes a connection whose handshake is complete.
pub(super) fn split(stream: TlsStream<TcpStream>) -> (TlsReader, TlsWriter) {
    let (tcp, mut session) = stream.into_inner();
    session.set_buffer_limit(Some(AHEAD_BYTES_MAX));
    let shared = Arc::new(Shared { tcp, session: Mutex::new(session) });
    (TlsReader(Arc::clone(&shared)), TlsWriter(shared))
}

/// A socket that does not wait.
struct Ready<'a>(&'a TcpStream);

impl Read for Ready<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Ready<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    /// Writes encrypted bytes as far as the system accepts them.
    fn flush(&self, session: &mut ServerConnection) -> Flushed {
        let mut bytes = 0;
        while session.wants_write() {
            match session.write_tls(&mut Ready(&self.tcp)) {
                Ok(0) => return Flushed { bytes, result: Err(io::ErrorKind::WriteZero.into()) },
                Ok(written) => bytes += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Flushed { bytes, result: Err(error) },
            }
        }
        Flushed { bytes, result: Ok(()) }
    }

    /// Decrypts what has arrived. `WouldBlock` if that is nothing.
    fn receive(&self) -> io::Result<()> {
        let mut session = self.session.lock();
        session.read_tls(&mut Ready(&self.tcp))?;
        let processed = session.process_new_packets();
        // An answer, or the alert that says what was wrong. What does not fit follows later.
        drop(self.flush(&mut session));
        processed.map(drop).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Takes decrypted bytes. `WouldBlock` if there are none.
    fn take(&self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut session = self.session.lock();
        match session.reader().read(buffer.initialize_unfilled()) {
            Ok(length) => buffer.advance(length),
            // Clients close without a farewell. Frames say themselves whether they are whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => (),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl AsyncRead for TlsReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.0.take(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                taken => return Poll::Ready(taken),
            }
            ready!(self.0.tcp.poll_read_ready(cx))?;
            match self.0.receive() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                _ => (),
            }
        }
    }
}

impl LaneSocket for TlsWriter {
    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = self.0.session.lock();
        self.0.flush(&mut session).result?;
        let accepted = session.writer().write_vectored(slices)?;
        match self.0.flush(&mut session).result {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(accepted),
        }
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.tcp.poll_write_ready(cx)
    }

    fn flush(&mut self) -> Flushed {
        self.0.flush(&mut self.0.session.lock())
    }
}

impl Drop for TlsWriter {
    fn drop(&mut self) {
        let mut session = self.0.session.lock();
        session.send_close_notify();
        drop(self.0.flush(&mut session));
        // The peer may have closed the socket already.
        drop(SockRef::from(&self.0.tcp).shutdown(Shutdown::Write));
    }
}

#[cfg(test)]
mod tests;
