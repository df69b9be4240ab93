//! A socket in memory, whose peer decides how much it accepts.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncWrite as _, DuplexStream, ReadHalf, WriteHalf, split},
    sync::Semaphore,
};

use super::{
    lane::Lanes,
    output::LaneSocket,
    stream::{self, LaneStream},
    writer::LaneWriter,
};
use crate::{domain::Limits, tasks::Tasks};

/// The socket. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub(in crate::transport) struct TestPeer(Arc<Mutex<PeerState>>);

#[derive(Debug, Default)]
struct PeerState {
    received: Vec<u8>,
    /// The number of writes that it accepted.
    writes: usize,
    /// The bytes that it accepts before it blocks. `None` fails every write.
    accepts: Option<usize>,
    /// Whether the write half was shut down.
    has_ended: bool,
    waker: Option<Waker>,
}

/// What the lane writes to.
#[derive(Debug)]
struct TestSocket(TestPeer);

/// The write half of a stream in memory.
#[derive(Debug)]
struct MemoryWriter {
    half: WriteHalf<DuplexStream>,
    /// The first byte that did not fit: such a stream has room once this one is written.
    blocked: Option<u8>,
    /// Whether that byte is written, before the lane writes it.
    is_ahead: bool,
}

impl MemoryWriter {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.half).poll_write(cx, bytes)
    }
}

/// The stream of an upgraded connection in memory, which `writer` writes from now on.
pub(super) fn in_memory(upgraded: Upgraded, writer: Arc<LaneWriter>) -> LaneStream {
    let parts = upgraded.downcast::<TokioIo<DuplexStream>>().unwrap();
    lane_stream(parts.io.into_inner(), &parts.read_buf, writer)
}

/// A stream in memory, which `writer` writes.
pub(in crate::transport) fn lane_stream(
    stream: DuplexStream,
    read_buffer: &[u8],
    writer: Arc<LaneWriter>,
) -> LaneStream {
    let (read, write) = split(stream);
    let writer_half = MemoryWriter { half: write, blocked: None, is_ahead: false };
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let halves = (Box::new(read) as Box<_>, Box::new(writer_half) as Box<_>);
    LaneStream::from_halves(halves, read_buffer, writer, (Arc::new(permit), Tasks::new()))
}

/// A writer on a lane of its own, and its peer, which accepts all.
pub(in crate::transport) fn writer(limits: &Arc<Limits>) -> (Arc<LaneWriter>, TestPeer) {
    writer_on(&Lanes::start_some(1, &Tasks::new()), limits)
}

/// A writer on one of `lanes`, and its peer, which accepts all.
pub(super) fn writer_on(lanes: &Lanes, limits: &Arc<Limits>) -> (Arc<LaneWriter>, TestPeer) {
    let writer = Arc::new(LaneWriter::new(lanes, Arc::clone(limits)));
    let peer = TestPeer::new();
    writer.attach(peer.socket());
    (writer, peer)
}

impl TestPeer {
    /// A peer that accepts all.
    pub(super) fn new() -> Self {
        let peer = Self(Arc::default());
        peer.accept(usize::MAX);
        peer
    }

    /// Its socket.
    pub(super) fn socket(&self) -> Box<dyn LaneSocket> {
        Box::new(TestSocket(self.clone()))
    }

    /// Accepts this many bytes from now on.
    pub(in crate::transport) fn accept(&self, bytes: usize) {
        let mut state = self.0.lock();
        state.accepts = Some(bytes);
        state.wake();
    }

    /// Fails every write from now on.
    pub(super) fn break_off(&self) {
        let mut state = self.0.lock();
        state.accepts = None;
        state.wake();
    }

    /// All bytes that were received.
    pub(in crate::transport) fn received(&self) -> Vec<u8> {
        self.0.lock().received.clone()
    }

    /// The number of writes that it accepted.
    pub(super) fn writes(&self) -> usize {
        self.0.lock().writes
    }

    /// Whether the write half was shut down.
    pub(super) fn has_ended(&self) -> bool {
        self.0.lock().has_ended
    }
}

impl PeerState {
    fn is_writable(&self) -> bool {
        self.accepts != Some(0)
    }

    fn wake(&mut self) {
        if self.is_writable()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }
}

impl LaneSocket for TestSocket {
    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        let mut accepts = state.accepts.ok_or(io::ErrorKind::ConnectionReset)?;
        if accepts == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.writes += 1;
        let mut written = 0;
        for slice in slices {
            let length = slice.len().min(accepts);
            state.received.extend_from_slice(&slice[..length]);
            accepts -= length;
            written += length;
        }
        state.accepts = Some(accepts);
        Ok(written)
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock();
        if state.is_writable() {
            return Poll::Ready(Ok(()));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl stream::ReadHalf for ReadHalf<DuplexStream> {}

impl LaneSocket for MemoryWriter {
    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes = slices.iter().flat_map(|it| it.iter().copied()).collect::<Vec<_>>();
        let mut written = usize::from(std::mem::take(&mut self.is_ahead));
        let mut cx = Context::from_waker(Waker::noop());
        while written < bytes.len() {
            match self.poll_write(&mut cx, &bytes[written..]) {
                Poll::Ready(result) => written += result?,
                Poll::Pending => break,
            }
        }
        self.blocked = bytes.get(written).copied();
        if written == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(written) }
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(byte) = self.blocked.filter(|_| !self.is_ahead) else {
            return Poll::Ready(Ok(()));
        };
        let written = self.poll_write(cx, &[byte]);
        self.is_ahead = matches!(written, Poll::Ready(Ok(1)));
        written.map_ok(|_| ())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        drop(Pin::new(&mut self.half).poll_shutdown(&mut cx));
    }
}

impl Drop for TestSocket {
    fn drop(&mut self) {
        self.0.0.lock().has_ended = true;
    }
}
