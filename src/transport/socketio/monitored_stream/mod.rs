//! The stream below a WebSocket. The session controls it.
//!
//! The engine waits for its writer without a limit, so a peer that stops reading cannot be
//! disconnected above the engine, only below it. A monitored stream fails its writes when the peer
//! accepts nothing for too long, or when the session is aborted. It reads nothing while the inboxes
//! of the session are full. When the session closes, it fails its reads; the engine then writes
//! what is queued and ends. A client that may not reconnect closes the stream itself, because the
//! engine drops what is queued if it has not begun to write, as right after an upgrade.

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tracing::debug;

use super::{
    probe,
    session::{EngineSession, ReadPermit, WritePermit},
};

/// See the module. Dropping it aborts the session.
pub(super) struct MonitoredStream<S> {
    stream: S,
    session: Arc<EngineSession>,
    /// Bytes that were read from the stream, and not yet by the engine.
    buffered: Bytes,
    /// How many of these were read during the probe.
    replay_bytes: usize,
    read_mode: ReadMode,
    /// How many bytes from the engine were written during the probe, and are skipped.
    skip_bytes: usize,
    /// Exists while a write waits.
    stall: Option<WriteStall>,
    /// The time at which the close was noticed. The time limit for all further writes begins there.
    closing: Option<Instant>,
}

/// The size of a read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadMode {
    /// The engine's buffer, which is small: an idle connection holds little memory.
    Idle,
    /// `BUSY_BYTES`, because the last read filled the buffer of the engine.
    Busy,
}

/// The size of a read from a client that sends much.
const BUSY_BYTES: usize = 16 << 10;

/// A write that waits.
struct WriteStall {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> MonitoredStream<S> {
    /// The stream of a new session.
    pub(super) fn new(stream: S, session: Arc<EngineSession>) -> Self {
        Self {
            stream,
            session,
            buffered: Bytes::new(),
            replay_bytes: 0,
            read_mode: ReadMode::Idle,
            skip_bytes: 0,
            stall: None,
            closing: None,
        }
    }

    /// The stream of a session that upgrades from polling. The engine first reads `replay`, which was
    /// received during the probe. Its answer to the probe is skipped: the client already has one.
    pub(super) fn resume(stream: S, session: Arc<EngineSession>, replay: Vec<u8>) -> Self {
        let mut monitored = Self::new(stream, session);
        monitored.replay_bytes = replay.len();
        monitored.buffered = Bytes::from(replay);
        monitored.skip_bytes = probe::PROBE_RESPONSE.len();
        monitored
    }

    /// The session of the stream.
    pub(super) fn session(&self) -> &EngineSession {
        &self.session
    }

    /// The deadline for all writes, if the session closes. Fails when it has passed, or when the
    /// session is aborted.
    fn close_deadline(&mut self, permit: WritePermit) -> io::Result<Option<Instant>> {
        match permit {
            WritePermit::Open => Ok(None),
            WritePermit::Closing { flush_wait } => {
                let now = Instant::now();
                let deadline = *self.closing.get_or_insert(now) + flush_wait;
                if now < deadline { Ok(Some(deadline)) } else { Err(self.abort()) }
            }
            WritePermit::Aborted => Err(session_closed_error()),
        }
    }

    fn abort(&mut self) -> io::Error {
        self.stall = None;
        self.session.abort();
        session_closed_error()
    }

    /// Handles the outcome of a write. A write that waits fails at its deadline.
    fn track_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(Ok(_)) => {
                self.stall = None;
                return outcome;
            }
            // The engine ignores errors of its writer, so the session is aborted here.
            Poll::Ready(Err(error)) => {
                self.abort();
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {}
        }
        let permit = self.session.register_writer(cx.waker());
        let close_deadline = self.close_deadline(permit)?;
        let stall = self.stall.get_or_insert_with(WriteStall::begin);
        let stall_deadline = stall.since + self.session.limits().write_stall_max;
        let deadline = close_deadline.map_or(stall_deadline, |it| it.min(stall_deadline));
        if stall.poll(deadline, cx).is_pending() {
            return Poll::Pending;
        }
        debug!("connection aborted: the peer accepts no bytes");
        Poll::Ready(Err(self.abort()))
    }
}

impl<S: AsyncRead + Unpin> MonitoredStream<S> {
    /// Reads up to `BUSY_BYTES`. When there are fewer, the next read is small again.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = vec![0; BUSY_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        let outcome = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        if buffer.remaining() > 0 {
            self.read_mode = ReadMode::Idle;
        }
        ready!(outcome)?;
        let length = buffer.filled().len();
        space.truncate(length);
        self.buffered = Bytes::from(space);
        Poll::Ready(Ok(()))
    }
}

impl WriteStall {
    fn begin() -> Self {
        let since = Instant::now();
        Self { since, timer: Box::pin(sleep_until(since)) }
    }

    fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let permit = self.session.register_reader(cx.waker());
        // The engine reads the whole upgrade in every phase: after half of it the session would
        // never complete the change of its transport.
        if self.replay_bytes == 0 {
            match permit {
                ReadPermit::Open => {}
                ReadPermit::Paused => return Poll::Pending,
                ReadPermit::Closed => return Poll::Ready(Err(session_closed_error())),
            }
        }
        if !self.buffered.has_remaining() && self.read_mode == ReadMode::Busy {
            ready!(self.read_ahead(cx))?;
        }
        if self.buffered.has_remaining() {
            let length = self.buffered.len().min(buffer.remaining());
            buffer.put_slice(&self.buffered.split_to(length));
            self.replay_bytes = self.replay_bytes.saturating_sub(length);
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.remaining() == 0 {
            self.read_mode = ReadMode::Busy;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MonitoredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.skip_bytes > 0 {
            let length = self.skip_bytes.min(bytes.len());
            self.skip_bytes -= length;
            return Poll::Ready(Ok(length));
        }
        let permit = self.session.write_permit();
        self.close_deadline(permit)?;
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = outcome {
            self.session.release_bytes(length);
        }
        self.track_write(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.track_write(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.track_write(cx, outcome)
    }
}

impl<S> Drop for MonitoredStream<S> {
    fn drop(&mut self) {
        self.session.abort();
    }
}

impl<S> fmt::Debug for MonitoredStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitoredStream").field("session", &self.session).finish_non_exhaustive()
    }
}

fn session_closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the session is closed")
}
