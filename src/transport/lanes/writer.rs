//! The way out of one connection: a bounded queue of whole frames, written by a lane.

use std::{collections::VecDeque, future::poll_fn, io, mem, sync::Arc};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tracing::debug;

use super::{
    lane::{Lane, Turn},
    output::{LaneSocket, Output, Written},
};
use crate::domain::Limits;

/// The bytes that a frame counts in addition to its content.
pub(super) const FRAME_BYTES: usize = 64;

/// The queue of a connection. Every method returns at once, unless it is async.
///
/// # Guarantees
/// - Frames are written whole and in the order of the calls.
/// - The queue has at most `outbox_events_max` events and `outbox_bytes_max` bytes. A frame counts
///   until the system has accepted it.
/// - It ends when a write fails, when the socket accepts no byte for `write_stall_max`, and when it
///   is closed. Later frames are ignored.
#[derive(Debug)]
pub(in crate::transport) struct LaneWriter {
    limits: Arc<Limits>,
    lane: Arc<Lane>,
    state: Mutex<WriterState>,
    /// Notifies those who wait for capacity or the last byte.
    progress: Notify,
    ended: Notify,
}

/// The queue is full: the peer reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the connection is full")]
pub(in crate::transport) struct QueueFull;

#[derive(Debug)]
struct WriterState {
    /// The frames that are not in flight.
    waiting: VecDeque<Bytes>,
    /// The number of frames that are not written whole.
    frames: usize,
    /// The bytes that they count.
    bytes: usize,
    intake: Intake,
    /// Whether `progress` has waiters.
    is_watched: bool,
    phase: Phase,
}

/// Which frames are queued. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Intake {
    /// All.
    Open,
    /// Those of the codec only.
    Codec,
    /// None.
    Shut,
    /// None, and the write half is shut down once all is written.
    Finished,
}

/// Which task has the output.
#[derive(Debug)]
enum Phase {
    /// Nothing waits.
    Idle(Output),
    /// The writer is on the list of its lane.
    Listed(Output),
    /// The lane writes.
    Writing,
    /// A task waits until the socket is writable.
    Blocked,
    /// The write half is shut down, or is about to be by the task that has it.
    Ended,
}

/// What a queue holds.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

/// What follows a turn.
#[derive(Debug)]
pub(super) enum NextStep {
    Rest,
    List,
    WaitWritable(Output),
}

impl LaneWriter {
    pub(super) fn new(lane: &Arc<Lane>, socket: Box<dyn LaneSocket>, limits: Arc<Limits>) -> Self {
        let output = Output::new(socket, lane.join());
        Self {
            limits,
            lane: Arc::clone(lane),
            state: Mutex::new(WriterState {
                waiting: VecDeque::new(),
                frames: 0,
                bytes: 0,
                intake: Intake::Open,
                is_watched: false,
                phase: Phase::Idle(output),
            }),
            progress: Notify::new(),
            ended: Notify::new(),
        }
    }

    /// Queues the frame of an event.
    pub(in crate::transport) fn push(self: &Arc<Self>, frame: Bytes) -> Result<(), QueueFull> {
        self.append(frame, Intake::Open, self.limits.outbox_events_max.get())
    }

    /// Queues whole frames of a codec or an engine: answers to pings and closes, pings. They are
    /// bounded in bytes only, because a peer may send many pings at once.
    pub(in crate::transport) fn push_codec(
        self: &Arc<Self>,
        frames: Bytes,
    ) -> Result<(), QueueFull> {
        self.append(frames, Intake::Codec, usize::MAX)
    }

    fn append(
        self: &Arc<Self>,
        frames: Bytes,
        intake: Intake,
        frames_max: usize,
    ) -> Result<(), QueueFull> {
        let mut state = self.state.lock();
        if state.intake > intake {
            return Ok(());
        }
        if state.frames >= frames_max {
            return Err(QueueFull);
        }
        state.append(frames, self.limits.outbox_bytes_max.get())?;
        self.unlock_ready(state);
        Ok(())
    }

    /// Queues the last frames of the connection, whatever the queue holds. None follows.
    pub(in crate::transport) fn push_last(
        self: &Arc<Self>,
        frames: impl IntoIterator<Item = Bytes>,
    ) {
        let mut state = self.state.lock();
        if state.intake >= Intake::Shut {
            return;
        }
        state.intake = Intake::Shut;
        for frame in frames {
            state.append(frame, usize::MAX).ok();
        }
        self.unlock_ready(state);
    }

    /// Ignores events from now on.
    pub(in crate::transport) fn seal(&self) {
        let mut state = self.state.lock();
        state.restrict(Intake::Codec);
        self.unlock(state);
    }

    /// Drops the frames that are not in flight.
    pub(in crate::transport) fn drop_waiting(&self) {
        let mut state = self.state.lock();
        let dropped = mem::take(&mut state.waiting);
        state.frames -= dropped.len();
        state.bytes -= dropped.iter().map(cost).sum::<usize>();
        self.unlock(state);
    }

    /// Writes what is queued and then shuts the write half down. Nothing is queued any more.
    pub(in crate::transport) fn finish(&self) {
        let mut state = self.state.lock();
        state.restrict(Intake::Finished);
        let unused = if matches!(state.phase, Phase::Idle(_)) { state.end() } else { None };
        self.unlock(state);
        drop(unused);
    }

    /// Shuts the write half down. Queued frames are dropped.
    pub(in crate::transport) fn abort(&self) {
        let mut state = self.state.lock();
        let unused = state.end();
        self.unlock(state);
        drop(unused);
    }

    /// Whether less than half of the queue is used, or events are ignored.
    pub(in crate::transport) fn has_capacity(&self) -> bool {
        self.state.lock().has_capacity(&self.limits)
    }

    /// Waits until [`has_capacity`](Self::has_capacity). Cancel-safe.
    pub(in crate::transport) async fn wait_for_capacity(&self) {
        self.wait_for_progress(|state| state.has_capacity(&self.limits)).await;
    }

    /// Waits until all is written or the writer has ended. Cancel-safe.
    pub(in crate::transport) async fn flushed(&self) {
        self.wait_for_progress(|state| state.frames == 0).await;
    }

    /// Whether the writer has ended.
    pub(in crate::transport) fn has_ended(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Ended)
    }

    /// Waits until the writer has ended. Cancel-safe.
    pub(in crate::transport) async fn ended(&self) {
        loop {
            // Created before the check, so that it receives every notification after the check.
            let ended = self.ended.notified();
            if self.has_ended() {
                return;
            }
            ended.await;
        }
    }

    /// What the queue holds.
    #[cfg(test)]
    pub(super) fn usage(&self) -> Usage {
        let state = self.state.lock();
        Usage { frames: state.frames, bytes: state.bytes }
    }

    async fn wait_for_progress(&self, is_reached: impl Fn(&WriterState) -> bool) {
        loop {
            let progress = self.progress.notified();
            {
                let mut state = self.state.lock();
                if is_reached(&state) {
                    return;
                }
                state.is_watched = true;
            }
            progress.await;
        }
    }

    /// Unlocks the state after frames were queued.
    fn unlock_ready(self: &Arc<Self>, mut state: MutexGuard<'_, WriterState>) {
        let is_ready = state.make_ready();
        drop(state);
        if is_ready {
            self.list();
        }
    }

    /// Unlocks the state after it made progress.
    fn unlock(&self, mut state: MutexGuard<'_, WriterState>) {
        let is_watched = mem::take(&mut state.is_watched);
        let has_ended = matches!(state.phase, Phase::Ended);
        drop(state);
        if is_watched {
            self.progress.notify_waiters();
        }
        if has_ended {
            self.ended.notify_waiters();
        }
    }

    fn list(self: &Arc<Self>) {
        self.lane.list(Arc::<Self>::clone(self));
    }

    /// Writes what waits, as far as the socket accepts it. Only the lane calls this.
    pub(super) fn turn(&self) -> NextStep {
        let Some(mut output) = self.state.lock().begin_turn() else { return NextStep::Rest };
        let written = output.write();
        let mut state = self.state.lock();
        let (next, unused) = state.end_turn(output, written);
        self.unlock(state);
        drop(unused);
        next
    }

    /// Returns the output of a socket that is writable again.
    pub(super) fn unblock(self: &Arc<Self>, output: Output) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Blocked) {
            state.phase = Phase::Listed(output);
            drop(state);
            self.list();
        }
    }

    /// Waits until the socket accepts bytes again, within the stall deadline.
    async fn wait_writable(self: Arc<Self>, mut output: Output) {
        let since = output.stalled_since().unwrap_or_else(Instant::now);
        let deadline = since + self.limits.write_stall_max;
        let ready = tokio::select! {
            ready = timeout_at(deadline, poll_fn(|cx| output.poll_write_ready(cx))) => ready,
            () = self.ended() => return,
        };
        match ready {
            Ok(Ok(())) => return self.unblock(output),
            Ok(Err(error)) => debug!(%error, "write failed: the peer disconnected"),
            Err(_elapsed) => debug!("write stalled: the peer accepts no bytes"),
        }
        self.abort();
    }
}

impl Turn for LaneWriter {
    fn take_turn(self: Arc<Self>) {
        match self.turn() {
            NextStep::Rest => (),
            NextStep::List => self.list(),
            NextStep::WaitWritable(output) => {
                let tasks = self.lane.tasks().clone();
                tasks.spawn("blocked socket", self.wait_writable(output));
            }
        }
    }
}

impl WriterState {
    /// Queues frames if they and what is queued have at most `bytes_max`.
    fn append(&mut self, frames: Bytes, bytes_max: usize) -> Result<(), QueueFull> {
        let bytes = self.bytes + cost(&frames);
        if bytes > bytes_max {
            return Err(QueueFull);
        }
        self.bytes = bytes;
        self.frames += 1;
        self.waiting.push_back(frames);
        Ok(())
    }

    /// Returns whether the writer has to be put on the list.
    fn make_ready(&mut self) -> bool {
        match mem::replace(&mut self.phase, Phase::Writing) {
            Phase::Idle(output) if self.frames > 0 => {
                self.phase = Phase::Listed(output);
                true
            }
            other => {
                self.phase = other;
                false
            }
        }
    }

    fn begin_turn(&mut self) -> Option<Output> {
        match mem::replace(&mut self.phase, Phase::Writing) {
            Phase::Listed(mut output) => {
                output.fill(&mut self.waiting);
                Some(output)
            }
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// Returns what follows, and the output if it is not needed any more.
    fn end_turn(&mut self, output: Output, written: Written) -> (NextStep, Option<Output>) {
        if matches!(self.phase, Phase::Ended) {
            return (NextStep::Rest, Some(output));
        }
        self.frames -= written.frames;
        self.bytes -= written.bytes + written.frames * FRAME_BYTES;
        match written.result {
            Ok(()) if !self.waiting.is_empty() => {
                self.phase = Phase::Listed(output);
                (NextStep::List, None)
            }
            Ok(()) if self.intake != Intake::Finished => {
                self.phase = Phase::Idle(output);
                (NextStep::Rest, None)
            }
            Ok(()) => {
                self.end();
                (NextStep::Rest, Some(output))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.phase = Phase::Blocked;
                (NextStep::WaitWritable(output), None)
            }
            Err(error) => {
                debug!(%error, "write failed: the peer disconnected");
                self.end();
                (NextStep::Rest, Some(output))
            }
        }
    }

    /// Drops the queue. Returns the output if no task has it.
    fn end(&mut self) -> Option<Output> {
        self.waiting = VecDeque::new();
        (self.frames, self.bytes) = (0, 0);
        self.intake = Intake::Finished;
        match mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Idle(output) | Phase::Listed(output) => Some(output),
            Phase::Writing | Phase::Blocked | Phase::Ended => None,
        }
    }

    fn restrict(&mut self, intake: Intake) {
        self.intake = self.intake.max(intake);
    }

    fn has_capacity(&self, limits: &Limits) -> bool {
        self.intake != Intake::Open
            || (self.frames < limits.outbox_events_max.get() / 2
                && self.bytes < limits.outbox_bytes_max.get() / 2)
    }
}

/// The bytes that a frame counts until it is written.
fn cost(frame: &Bytes) -> usize {
    frame.len() + FRAME_BYTES
}
