//! The stream under a WebSocket, with a hand on it.
//!
//! The engine waits for its writer for ever: a peer that stops reading cannot be got rid of from
//! above. From below it can. A monitored stream fails its writes when the peer has taken nothing for too
//! long, or when the session is cut; it reads nothing while the session's inbox is full; and when the
//! session is to be closed it fails its reads, at which the engine writes out what is queued and ends
//! by itself. Only a client that was told to stay away may go first, because the engine forgets what is
//! queued where it had no time to begin with writing, as right after an upgrade.

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
    session::{ClosePhase, EngineSession},
};

/// See the module. Dropping it ends the session.
pub(super) struct MonitoredStream<S> {
    stream: S,
    session: Arc<EngineSession>,
    /// What was read and the engine has not asked for yet.
    buffered: Bytes,
    /// How much of that was read before the engine came.
    replay_bytes: usize,
    read_mode: ReadMode,
    /// How much of what the engine writes was written before it came.
    skip_bytes: usize,
    /// Only while a write waits.
    stall: Option<WriteStall>,
    /// When the end was noticed. From then on the clock runs for everything that is left.
    closing: Option<Instant>,
}

/// How much is read at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadMode {
    /// What the engine has room for, which is little: so little is pinned while nobody says anything.
    Idle,
    /// Much: the last time, there was more than there was room for.
    Busy,
}

/// Read at once from a client that says much.
const BUSY_BYTES: usize = 16 << 10;

/// A write that waits.
struct WriteStall {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> MonitoredStream<S> {
    /// Guards a new session's stream.
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

    /// Guards the stream of a session that changed over from polling. The engine reads `replay` first,
    /// and writes an answer to the probe that the client has already.
    pub(super) fn resume(stream: S, session: Arc<EngineSession>, replay: Vec<u8>) -> Self {
        let mut monitored = Self::new(stream, session);
        monitored.replay_bytes = replay.len();
        monitored.buffered = Bytes::from(replay);
        monitored.skip_bytes = probe::PROBE_RESPONSE.len();
        monitored
    }

    /// The session that it carries.
    pub(super) fn session(&self) -> &EngineSession {
        &self.session
    }

    /// Fails once the session is cut or has had its time to close.
    fn check(&mut self) -> io::Result<()> {
        match self.session.close_phase() {
            ClosePhase::Open | ClosePhase::Overflowed | ClosePhase::Notifying => Ok(()),
            ClosePhase::Closing => {
                let since = *self.closing.get_or_insert_with(Instant::now);
                if since.elapsed() < self.session.flush_wait() { Ok(()) } else { Err(self.abort()) }
            }
            ClosePhase::Aborted => Err(session_closed_error()),
        }
    }

    fn abort(&mut self) -> io::Error {
        self.stall = None;
        self.session.abort();
        session_closed_error()
    }

    /// Books what a write came to. A waiting one waits for its deadline, too.
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
            // The engine passes over errors of its writer. A session that cannot be written to ends.
            Poll::Ready(Err(error)) => {
                self.abort();
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {}
        }
        // Registered first, so that an end that comes now is not missed.
        self.session.writer().register(cx.waker());
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        let stall = self.stall.get_or_insert_with(WriteStall::begin);
        let mut deadline = stall.since + self.session.limits().write_stall_max;
        if let Some(since) = self.closing {
            deadline = deadline.min(since + self.session.flush_wait());
        }
        if stall.poll(deadline, cx).is_pending() {
            return Poll::Pending;
        }
        debug!("a peer has stopped reading; its connection is cut");
        Poll::Ready(Err(self.abort()))
    }
}

impl<S: AsyncRead + Unpin> MonitoredStream<S> {
    /// Reads much at once. When there is not much, the next time it will be little again.
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
        // Registered first, so that an end or a pause that comes now is not missed.
        self.session.reader().register(cx.waker());
        // Whatever happens, the engine gets the whole change-over: half of it would leave the
        // session between two transports for ever.
        if self.replay_bytes == 0 {
            let close_phase = self.session.close_phase();
            if close_phase == ClosePhase::Aborted
                || (close_phase == ClosePhase::Closing && !self.session.is_closed_by_client())
            {
                return Poll::Ready(Err(session_closed_error()));
            }
            if self.session.incoming().is_paused() {
                return Poll::Pending;
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
        self.check()?;
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
    io::Error::new(io::ErrorKind::TimedOut, "the session is over")
}
