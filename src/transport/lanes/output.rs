//! The end of a queue at the socket: the frames that are being written.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use tokio::time::Instant;

use super::{frame_queue::FrameQueue, lane::LaneUser};

/// The most bytes that one connection writes in a turn, if it has more than one frame.
pub(super) const TURN_BYTES_MAX: usize = 256 << 10;
/// The most frames of a turn, which is one vectored write.
pub(super) const TURN_FRAMES_MAX: usize = 128;

/// A socket that a lane writes to. Dropping it shuts down the write half.
pub(super) trait LaneSocket: std::fmt::Debug + Send + Sync {
    /// Writes without blocking. Returns the number of bytes that were accepted, or `WouldBlock`.
    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes what the socket itself holds of bytes that it accepted.
    fn flush(&mut self) -> Flushed {
        Flushed { bytes: 0, result: Ok(()) }
    }

    /// Waits until the socket may accept bytes again.
    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The outcome of a flush.
#[derive(Debug)]
pub(super) struct Flushed {
    /// The bytes that the system accepted.
    pub(super) bytes: usize,
    /// `WouldBlock`, another error, or that nothing is left.
    pub(super) result: io::Result<()>,
}

/// The write half of a socket and the frames in flight. Exactly one task has it while it writes.
#[derive(Debug)]
pub(super) struct Output {
    socket: Box<dyn LaneSocket>,
    /// Frames that were taken from the queue. The first one may be written in part.
    in_flight: FrameQueue,
    /// The time of the last byte before the socket blocked.
    stalled_since: Option<Instant>,
    _user: LaneUser,
}

/// The outcome of a write.
#[derive(Debug)]
pub(super) struct Written {
    /// The bytes that the system accepted.
    pub(super) bytes: usize,
    /// The frames that were accepted whole.
    pub(super) frames: usize,
    /// `WouldBlock`, another error, or that all is written.
    pub(super) result: io::Result<()>,
}

impl Output {
    pub(super) fn new(socket: Box<dyn LaneSocket>, user: LaneUser) -> Self {
        Self { socket, in_flight: FrameQueue::default(), stalled_since: None, _user: user }
    }

    /// Takes the frames of one turn from the queue.
    pub(super) fn fill(&mut self, queue: &mut FrameQueue) {
        let mut bytes: usize = self.in_flight.iter().map(Bytes::len).sum();
        while bytes < TURN_BYTES_MAX && self.in_flight.len() < TURN_FRAMES_MAX {
            let Some(frame) = queue.pop_front() else { break };
            bytes += frame.len();
            self.in_flight.push_back(frame);
        }
    }

    /// Writes the frames in flight, as far as the socket accepts them.
    pub(super) fn write(&mut self) -> Written {
        let mut written = Written { bytes: 0, frames: 0, result: Ok(()) };
        while !self.in_flight.is_empty() {
            match self.try_write() {
                Ok(0) => written.result = Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    written.bytes += bytes;
                    written.frames += self.advance(bytes);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => written.result = Err(error),
            }
            break;
        }
        let mut has_progressed = written.bytes > 0;
        if written.result.is_ok() {
            let Flushed { bytes, result } = self.socket.flush();
            has_progressed |= bytes > 0;
            written.result = result;
        }
        self.stalled_since = match self.stalled_since {
            _ if written.result.is_ok() => None,
            Some(since) if !has_progressed => Some(since),
            _ => Some(Instant::now()),
        };
        written
    }

    /// The time of the last byte before the socket blocked.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    pub(super) fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(cx)
    }

    fn try_write(&mut self) -> io::Result<usize> {
        let Self { socket, in_flight, .. } = self;
        if in_flight.len() == 1
            && let Some(frame) = in_flight.iter().next()
        {
            return socket.try_write_vectored(&[IoSlice::new(frame)]);
        }
        let mut slices = [IoSlice::new(&[]); TURN_FRAMES_MAX];
        for (slice, frame) in slices.iter_mut().zip(in_flight.iter()) {
            *slice = IoSlice::new(frame);
        }
        let count = in_flight.len().min(TURN_FRAMES_MAX);
        socket.try_write_vectored(slices.get(..count).unwrap_or_default())
    }

    /// Drops what was accepted. Returns the number of frames that were accepted whole.
    fn advance(&mut self, mut bytes: usize) -> usize {
        let mut frames = 0;
        while let Some(front) = self.in_flight.front_mut() {
            if bytes < front.len() {
                front.advance(bytes);
                break;
            }
            bytes -= front.len();
            self.in_flight.pop_front();
            frames += 1;
        }
        frames
    }
}
