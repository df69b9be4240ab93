//! The stream below a WebSocket. The session controls it.
//!
//! It reads nothing while the inboxes of the session are full. When the session closes, it fails its
//! reads; the engine then ends, and the lane writes what is queued. A client that may not reconnect
//! closes the stream itself, because the engine drops its last packet if it has not begun to write,
//! as right after an upgrade.
//!
//! The engine writes only its own packets: handshake, pings, CONNECT, disconnects. They go to the
//! queue of the session as whole frames, between those of events, so no write waits. The lane ends
//! the session when the peer accepts nothing for too long.
//!
//! Frames are checked before the engine reads them. A broken one closes the session with its code.

#[cfg(test)]
mod tests;

use std::{
    fmt, io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tracing::debug;

use super::{
    first_ping::FirstPing,
    frames::{FrameError, IncomingFrames},
    probe::{self, ProbedBytes},
    session::{ClosePhase, EngineSession, ReadPermit},
};
use crate::{
    domain::CloseReason,
    transport::lanes::frame::{self, Frame},
};

/// See the module. Dropping it ends the session.
pub(super) struct MonitoredStream<S> {
    stream: S,
    session: Arc<EngineSession>,
    /// Bytes that were read from the stream, and not yet by the engine.
    buffered: Bytes,
    /// How many of these belong to the probe.
    replay_bytes: usize,
    read_mode: ReadMode,
    incoming: IncomingFrames,
    /// The first error in the client's frames, after the bytes in `buffered`.
    frame_error: Option<FrameError>,
    /// The reason why a frame was refused. The engine reads nothing after it.
    refused: Option<FrameError>,
    /// Exists while the rest of a refused frame is read: a socket that is closed with unread bytes is
    /// reset, and the peer might not receive the reason.
    discard: Option<Pin<Box<Sleep>>>,
    /// How many bytes from the engine were written during the probe, and are skipped.
    skip_bytes: usize,
    first_ping: FirstPing,
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

impl<S> MonitoredStream<S> {
    /// The stream of a new session.
    pub(super) fn new(stream: S, session: Arc<EngineSession>) -> Self {
        let inflation = session.window().map(|_| Box::new(session.new_inflation()));
        let mut monitored = Self::without_compression(stream, session);
        monitored.incoming.inflate(inflation);
        monitored
    }

    fn without_compression(stream: S, session: Arc<EngineSession>) -> Self {
        let version = session.version();
        let incoming = IncomingFrames::new(version, session.parser(), Arc::clone(session.limits()));
        Self {
            stream,
            session,
            incoming,
            frame_error: None,
            refused: None,
            discard: None,
            buffered: Bytes::new(),
            replay_bytes: 0,
            read_mode: ReadMode::Idle,
            skip_bytes: 0,
            first_ping: FirstPing::of_websocket(version),
        }
    }

    /// The stream of a session that upgrades from polling. The engine first reads the frames of the
    /// probe, and its answer is skipped: the client already has one.
    pub(super) fn resume(stream: S, session: Arc<EngineSession>, probed: ProbedBytes) -> Self {
        let mut monitored = Self::without_compression(stream, session);
        let ProbedBytes { probe, after, inflation } = probed;
        monitored.receive(&after);
        monitored.incoming.inflate(inflation);
        monitored.buffered = [&probe[..], &monitored.buffered].concat().into();
        monitored.replay_bytes = probe.len();
        monitored.skip_bytes = probe::PROBE_RESPONSE.len();
        monitored.first_ping = FirstPing::Answered;
        monitored
    }

    /// The session of the stream.
    pub(super) fn session(&self) -> &EngineSession {
        &self.session
    }

    /// Buffers what the engine may read of `bytes`.
    fn receive(&mut self, bytes: &[u8]) {
        let mut passed = Vec::with_capacity(bytes.len());
        if let Err(error) = self.incoming.push(bytes, &*self.session, &mut passed) {
            self.frame_error = Some(error);
        }
        self.buffered = Bytes::from(passed);
    }

    /// Closes the session because of the client's frame.
    fn refuse(&mut self, error: FrameError) {
        debug!(?error, "frame refused");
        self.discard = Some(Box::pin(sleep(DISCARD_WAIT_MAX)));
        match error {
            FrameError::TooLarge => {
                let limit = self.session.limits().frame_bytes_max.get();
                self.session.close(CloseReason::FrameTooLarge { limit });
            }
            FrameError::Packet => self.session.refuse_packet(),
            FrameError::Protocol
            | FrameError::NotUtf8
            | FrameError::Compression
            | FrameError::ForeignParser(_) => self.session.finish(CloseReason::Fault),
        }
        self.refused = Some(error);
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
        // Before the engine writes a close frame without a code.
        if let Some(frames) = self.refused.as_ref().and_then(FrameError::last_frames) {
            self.session.writer().push_last([frames]);
        }
        Poll::Ready(Err(session_closed_error()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let permit = self.session.register_reader(cx.waker());
        if self.refused.is_some() {
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
            if self.incoming.is_between_messages()
                && let Some(pong) = self.first_ping.take_pong()
            {
                self.buffered = pong;
                break;
            }
            if let Some(error) = self.frame_error.take() {
                self.refuse(error);
                return self.poll_end(cx);
            }
            if self.incoming.has_more() {
                self.receive(&[]);
                let is_idle = !self.buffered.has_remaining() && self.frame_error.is_none();
                if is_idle && self.incoming.has_more() {
                    // Nobody reads what was passed. Other tasks run before the rest.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
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

impl<S: Unpin> AsyncWrite for MonitoredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        let skipped = mem::take(&mut self.skip_bytes);
        let written = frames.get(skipped..).unwrap_or_default();
        let without_ping = self.first_ping.take_from(written);
        if without_ping.is_some() {
            self.session.wake_reader();
        }
        let written = without_ping.as_deref().unwrap_or(written);
        if written.is_empty() {
            return Poll::Ready(Ok(frames.len()));
        }
        if frame::split(written).any(|it| matches!(it, Frame::Text(b"1"))) {
            self.session.on_engine_close();
        }
        let replaced = frame::replace_texts(written, |packet| self.session.replacement(packet));
        let for_client = replaced.unwrap_or_else(|| Bytes::copy_from_slice(written));
        if let Err(error) = self.session.writer().push_codec(for_client) {
            // The engine ignores errors of its writer.
            self.session.abort();
            return Poll::Ready(Err(io::Error::other(error)));
        }
        for frame in frame::split(written) {
            if let Frame::Text(packet) = frame {
                self.session.on_engine_packet(&String::from_utf8_lossy(packet));
            }
        }
        Poll::Ready(Ok(frames.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for MonitoredStream<S> {
    fn drop(&mut self) {
        // The stream below writes what is queued before it closes the socket.
        self.session.end();
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
