//! The stream under a WebSocket, with a hand on it.
//!
//! The engine waits for its writer for ever: a peer that stops reading cannot be got rid of from
//! above. From below it can. A guarded stream fails its writes when the peer has taken nothing for too
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
    link::{Fate, Link},
    probe,
};

/// See the module. Dropping it ends the session.
pub(super) struct Guarded<S> {
    stream: S,
    link: Arc<Link>,
    /// What was read and the engine has not asked for yet.
    ahead: Bytes,
    /// How much of that was read before the engine came.
    resumed: usize,
    pace: Pace,
    /// How much of what the engine writes was written before it came.
    written: usize,
    /// Only while a write waits.
    stall: Option<Stall>,
    /// When the end was noticed. From then on the clock runs for everything that is left.
    closing: Option<Instant>,
}

/// How much is read at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// What the engine has room for, which is little: so little is pinned while nobody says anything.
    Idle,
    /// Much: the last time, there was more than there was room for.
    Busy,
}

/// Read at once from a client that says much.
const BUSY_BYTES: usize = 16 << 10;

/// A write that waits.
struct Stall {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    /// Guards a new session's stream.
    pub(super) fn new(stream: S, link: Arc<Link>) -> Self {
        Self {
            stream,
            link,
            ahead: Bytes::new(),
            resumed: 0,
            pace: Pace::Idle,
            written: 0,
            stall: None,
            closing: None,
        }
    }

    /// Guards the stream of a session that changed over from polling. The engine reads `seen` first,
    /// and writes an answer to the probe that the client has already.
    pub(super) fn resume(stream: S, link: Arc<Link>, seen: Vec<u8>) -> Self {
        let mut guarded = Self::new(stream, link);
        guarded.resumed = seen.len();
        guarded.ahead = Bytes::from(seen);
        guarded.written = probe::ANSWER.len();
        guarded
    }

    /// Fails once the session is cut or has had its time to close.
    fn check(&mut self) -> io::Result<()> {
        match self.link.fate() {
            Fate::Open | Fate::Overflowed | Fate::Telling => Ok(()),
            Fate::Closing => {
                let since = *self.closing.get_or_insert_with(Instant::now);
                if since.elapsed() < self.link.flush_wait() { Ok(()) } else { Err(self.cut()) }
            }
            Fate::Cut => Err(over()),
        }
    }

    fn cut(&mut self) -> io::Error {
        self.stall = None;
        self.link.cut();
        over()
    }

    /// Books what a write came to. A waiting one waits for its deadline, too.
    fn settle<T>(
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
                self.cut();
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {}
        }
        // Registered first, so that an end that comes now is not missed.
        self.link.writer().register(cx.waker());
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        let stall = self.stall.get_or_insert_with(Stall::begin);
        let mut deadline = stall.since + self.link.limits().write_stall_max;
        if let Some(since) = self.closing {
            deadline = deadline.min(since + self.link.flush_wait());
        }
        if stall.poll(deadline, cx).is_pending() {
            return Poll::Pending;
        }
        debug!("a peer has stopped reading; its connection is cut");
        Poll::Ready(Err(self.cut()))
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads much at once. When there is not much, the next time it will be little again.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = vec![0; BUSY_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        let outcome = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        if buffer.remaining() > 0 {
            self.pace = Pace::Idle;
        }
        ready!(outcome)?;
        let length = buffer.filled().len();
        space.truncate(length);
        self.ahead = Bytes::from(space);
        Poll::Ready(Ok(()))
    }
}

impl Stall {
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

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Registered first, so that an end or a pause that comes now is not missed.
        self.link.reader().register(cx.waker());
        // Whatever happens, the engine gets the whole change-over: half of it would leave the
        // session between two transports for ever.
        if self.resumed == 0 {
            let fate = self.link.fate();
            if fate == Fate::Cut || (fate == Fate::Closing && !self.link.goes_by_itself()) {
                return Poll::Ready(Err(over()));
            }
            if self.link.incoming().is_paused() {
                return Poll::Pending;
            }
        }
        if !self.ahead.has_remaining() && self.pace == Pace::Busy {
            ready!(self.read_ahead(cx))?;
        }
        if self.ahead.has_remaining() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            self.resumed = self.resumed.saturating_sub(length);
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.remaining() == 0 {
            self.pace = Pace::Busy;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.written > 0 {
            let length = self.written.min(bytes.len());
            self.written -= length;
            return Poll::Ready(Ok(length));
        }
        self.check()?;
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = outcome {
            self.link.relieve(length);
        }
        self.settle(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.settle(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.settle(cx, outcome)
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        self.link.cut();
    }
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("link", &self.link).finish_non_exhaustive()
    }
}

fn over() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the session is over")
}
