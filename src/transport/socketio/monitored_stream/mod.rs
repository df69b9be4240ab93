//! The stream below a WebSocket. The session controls it.
//!
//! The engine waits for its writer without a limit, so a peer that stops reading cannot be
//! disconnected above the engine, only below it. A monitored stream fails its writes when the peer
//! accepts nothing for too long, or when the session is aborted. It reads nothing while the inboxes
//! of the session are full. When the session closes, it fails its reads; the engine then writes
//! what is queued and ends. A client that may not reconnect closes the stream itself, because the
//! engine drops what is queued if it has not begun to write, as right after an upgrade.
//!
//! Frames are checked before the engine reads them. A broken one closes the session, and the close
//! frame of the engine, which is empty, is replaced by one with the code.

mod outgoing_frames;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};
use tracing::debug;

use self::outgoing_frames::OutgoingFrames;
use super::{
    frames::{FrameError, IncomingFrames},
    probe,
    session::{ClosePhase, EngineSession, ReadPermit, WritePermit},
};
use crate::domain::CloseReason;

/// See the module. Dropping it aborts the session.
pub(super) struct MonitoredStream<S> {
    stream: S,
    session: Arc<EngineSession>,
    /// Bytes that were read from the stream, and not yet by the engine.
    buffered: Bytes,
    /// How many of these were read during the probe.
    replay_bytes: usize,
    read_mode: ReadMode,
    incoming: IncomingFrames,
    outgoing: OutgoingFrames,
    /// The first error in the client's frames, after the bytes in `buffered`.
    frame_error: Option<FrameError>,
    /// Whether a frame was refused. The engine reads nothing after it.
    is_refused: bool,
    /// Exists while the rest of a refused frame is read: a socket that is closed with unread bytes is
    /// reset, and the peer might not receive the reason.
    discard: Option<Pin<Box<Sleep>>>,
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

/// The longest time for the rest of a refused frame.
const DISCARD_WAIT_MAX: Duration = Duration::from_secs(1);

/// A write that waits.
struct WriteStall {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> MonitoredStream<S> {
    /// The stream of a new session.
    pub(super) fn new(stream: S, session: Arc<EngineSession>) -> Self {
        let incoming = IncomingFrames::new(session.limits().frame_bytes_max.get());
        Self {
            stream,
            session,
            incoming,
            outgoing: OutgoingFrames::default(),
            frame_error: None,
            is_refused: false,
            discard: None,
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
    pub(super) fn resume(stream: S, session: Arc<EngineSession>, replay: &[u8]) -> Self {
        let mut monitored = Self::new(stream, session);
        monitored.receive(replay);
        monitored.replay_bytes = monitored.buffered.len();
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

    /// Buffers what the engine may read of `bytes`.
    fn receive(&mut self, bytes: &[u8]) {
        let mut passed = Vec::with_capacity(bytes.len());
        if let Err(error) = self.incoming.push(bytes, &mut passed) {
            self.frame_error = Some(error);
        }
        self.buffered = Bytes::from(passed);
    }

    /// Closes the session because of the client's frame.
    fn refuse(&mut self, error: FrameError) {
        debug!(?error, "frame refused");
        self.outgoing.set_close_code(error.close_code());
        self.is_refused = true;
        self.discard = Some(Box::pin(sleep(DISCARD_WAIT_MAX)));
        match error {
            FrameError::TooLarge => {
                let limit = self.session.limits().frame_bytes_max.get();
                return self.session.close(CloseReason::FrameTooLarge { limit });
            }
            FrameError::ForeignParser(refusal) => self.outgoing.set_last_message(&refusal),
            FrameError::Protocol | FrameError::NotUtf8 => {}
        }
        self.session.finish(CloseReason::Fault);
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
    /// Reads and checks bytes, with `space` if they are few. Returns whether the stream goes on.
    fn read_frames(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        if self.read_mode == ReadMode::Busy {
            return self.read_ahead(cx);
        }
        let begin = space.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, space))?;
        if space.remaining() == 0 {
            self.read_mode = ReadMode::Busy;
        }
        let received = space.filled().get(begin..).unwrap_or_default();
        let goes_on = !received.is_empty();
        self.receive(received);
        space.set_filled(begin);
        Poll::Ready(Ok(goes_on))
    }

    /// Reads up to `BUSY_BYTES`. When there are fewer, the next read is small again.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = vec![0; BUSY_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        let outcome = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        if buffer.remaining() > 0 {
            self.read_mode = ReadMode::Idle;
        }
        ready!(outcome)?;
        self.receive(buffer.filled());
        Poll::Ready(Ok(!buffer.filled().is_empty()))
    }

    /// Reads the rest of a refused frame.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = vec![0; BUSY_BYTES];
        while let Some(timer) = &mut self.discard
            && timer.as_mut().poll(cx).is_pending()
        {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.incoming.skip(buffer.filled().len());
                }
                Poll::Pending if self.incoming.left() > 0 => return Poll::Pending,
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
        self.discard = None;
        Poll::Ready(())
    }

    /// Ends the stream for the engine after a refused frame, once the requests before it are
    /// answered: the engine then closes the session.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_discard(cx));
        self.session.register_reader(cx.waker());
        if self.session.close_phase() < ClosePhase::Closing {
            return Poll::Pending;
        }
        Poll::Ready(Err(session_closed_error()))
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
        if self.is_refused {
            return self.poll_end(cx);
        }
        // The engine reads the whole upgrade in every phase: after half of it the session would
        // never complete the change of its transport.
        if self.replay_bytes == 0 {
            match permit {
                ReadPermit::Open => {}
                ReadPermit::Paused => return Poll::Pending,
                ReadPermit::Closed => return Poll::Ready(Err(session_closed_error())),
            }
        }
        while !self.buffered.has_remaining() {
            if let Some(error) = self.frame_error.take() {
                self.refuse(error);
                return self.poll_end(cx);
            }
            if !ready!(self.read_frames(cx, buffer))? {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.buffered.len().min(buffer.remaining());
        buffer.put_slice(&self.buffered.split_to(length));
        self.replay_bytes = self.replay_bytes.saturating_sub(length);
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
        let Self { outgoing, stream, session, .. } = &mut *self;
        let outcome =
            outgoing.poll_write(bytes, |bytes| Pin::new(&mut *stream).poll_write(cx, bytes));
        if let Poll::Ready(Ok(length)) = outcome {
            session.release_bytes(length);
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
