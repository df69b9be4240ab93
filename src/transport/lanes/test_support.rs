//! A socket in memory, whose peer decides how much it accepts.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::{lane::Lanes, output::LaneSocket, writer::LaneWriter};
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

/// A writer on a lane of its own, and its peer, which accepts all.
pub(in crate::transport) fn writer(limits: &Arc<Limits>) -> (Arc<LaneWriter>, TestPeer) {
    writer_on(&Lanes::start_some(1, &Tasks::new()), limits)
}

/// A writer on one of `lanes`, and its peer, which accepts all.
pub(super) fn writer_on(lanes: &Lanes, limits: &Arc<Limits>) -> (Arc<LaneWriter>, TestPeer) {
    let peer = TestPeer(Arc::default());
    peer.accept(usize::MAX);
    let socket = Box::new(TestSocket(peer.clone()));
    let writer = LaneWriter::new(lanes.next(), socket, Arc::clone(limits));
    (Arc::new(writer), peer)
}

impl TestPeer {
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

impl Drop for TestSocket {
    fn drop(&mut self) {
        self.0.0.lock().has_ended = true;
    }
}
