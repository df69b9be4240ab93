//! The frames of one connection and the states of their way out: decisions without locks or tasks.

use std::{io, mem};

use bytes::Bytes;
use tracing::debug;

use super::{
    frame_queue::FrameQueue,
    lane::Priority,
    output::{Output, Written},
};
use crate::domain::Limits;

/// How many times as much the queue holds before a frame of the codec or the engine finds no room.
pub(super) const CODEC_ROOM: usize = 2;

/// A bounded queue of whole frames, and the output that writes them.
#[derive(Debug)]
pub(super) struct WriteQueue {
    /// The frames that are not in flight.
    waiting: FrameQueue,
    /// The number of frames that are not written whole.
    frames: usize,
    /// The bytes that they count.
    bytes: usize,
    intake: Intake,
    phase: Phase,
    lists: Lists,
    /// Whether a task waits for progress.
    is_watched: bool,
}

/// The queue is full: the peer reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the connection is full")]
pub(in crate::transport) struct QueueFull;

/// What a push has to be followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the frame is not written otherwise"]
pub(super) enum Follow {
    /// Nothing: the frame is ignored, or another task writes it.
    Nothing,
    /// The writer goes on this list of its lane.
    List(Priority),
    /// The task that waits for progress is notified: it takes the frames itself.
    Notify,
}

/// Which frames are queued. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Intake {
    /// All.
    Events,
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
    /// There is no socket: the frames are [taken](WriteQueue::take).
    Detached,
    /// Nothing waits.
    Idle(Output),
    /// The writer is on a list of its lane.
    Listed(Output),
    /// The lane writes.
    Writing,
    /// A task waits until the socket is writable.
    Blocked,
    /// The write half is shut down, or is about to be by the task that has it.
    Ended,
}

/// The lists of the lane that the writer is on, and the one that it needs.
///
/// A writer that moves to the first list stays on the other one until its turn there, which finds
/// nothing to do unless more was queued. So it is at most once on each.
#[derive(Debug, Default)]
struct Lists {
    /// The list that the frames that are not written need.
    needed: Priority,
    /// Whether the writer is on the list of high priority, and on that of low priority.
    on: [bool; 2],
}

/// What follows a turn.
#[derive(Debug)]
pub(super) enum NextStep {
    Rest,
    List(Priority),
    WaitWritable(Output),
}

/// What a queue holds.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

impl WriteQueue {
    /// An empty queue without a socket.
    pub(super) fn new() -> Self {
        Self {
            waiting: FrameQueue::default(),
            frames: 0,
            bytes: 0,
            intake: Intake::Events,
            phase: Phase::Detached,
            lists: Lists::default(),
            is_watched: false,
        }
    }

    /// Attaches the socket. Returns the output if the queue has ended.
    pub(super) fn attach(&mut self, output: Output) -> (Follow, Option<Output>) {
        if !matches!(self.phase, Phase::Detached) {
            return (Follow::Nothing, Some(output));
        }
        self.phase = Phase::Idle(output);
        (self.make_ready(), None)
    }

    /// Takes frames of at least `bytes_max` bytes, or all. For a queue without a socket.
    pub(super) fn take(&mut self, bytes_max: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max
            && matches!(self.phase, Phase::Detached)
            && let Some(frames) = self.waiting.pop_front()
        {
            bytes += frames.len();
            self.frames -= 1;
            self.bytes -= frames.len();
            taken.push(frames);
        }
        if self.frames == 0 && self.intake == Intake::Finished {
            self.end();
        }
        taken
    }

    /// Queues frames of a `kind`, or ignores them. Those of the codec have more room: a peer may send
    /// many pings at once, and a ping must not end a connection that is only behind. An empty queue
    /// accepts a frame of any size: a peer for which nothing waits is not slow. After an event that
    /// finds no room, no other one is queued.
    pub(super) fn push(
        &mut self,
        frames: Bytes,
        kind: Intake,
        priority: Priority,
        limits: &Limits,
    ) -> Result<Follow, QueueFull> {
        if self.intake > kind {
            return Ok(Follow::Nothing);
        }
        let is_event = kind == Intake::Events;
        let room = if is_event { 1 } else { CODEC_ROOM };
        let bytes_max = limits.outbox_bytes_max.get().saturating_mul(room);
        let frames_max = limits.outbox_events_max.get().saturating_mul(room);
        let exceeds_bytes = self.bytes + frames.len() > bytes_max;
        if self.frames >= frames_max || (self.frames > 0 && exceeds_bytes) {
            if is_event {
                self.restrict(Intake::Codec);
            }
            return Err(QueueFull);
        }
        self.append(frames, priority);
        Ok(self.make_ready())
    }

    /// Queues frames beyond the bounds.
    pub(super) fn push_beyond(&mut self, frames: Bytes) -> Follow {
        if self.intake >= Intake::Shut {
            return Follow::Nothing;
        }
        self.append(frames, Priority::High);
        self.make_ready()
    }

    /// Queues frames beyond the bounds, and none after them.
    pub(super) fn push_last(&mut self, frames: impl IntoIterator<Item = Bytes>) -> Follow {
        if self.intake >= Intake::Shut {
            return Follow::Nothing;
        }
        self.intake = Intake::Shut;
        for frame in frames {
            self.append(frame, Priority::High);
        }
        self.make_ready()
    }

    /// Queues less from now on.
    pub(super) fn restrict(&mut self, intake: Intake) {
        self.intake = self.intake.max(intake);
    }

    pub(super) fn drop_waiting(&mut self) {
        let dropped = mem::take(&mut self.waiting);
        self.frames -= dropped.len();
        self.bytes -= dropped.iter().map(Bytes::len).sum::<usize>();
    }

    /// Ends after the last frame. Returns the output if nothing waits.
    pub(super) fn finish(&mut self) -> Option<Output> {
        self.restrict(Intake::Finished);
        let is_idle = match self.phase {
            Phase::Idle(_) => true,
            Phase::Detached => self.frames == 0,
            Phase::Listed(_) | Phase::Writing | Phase::Blocked | Phase::Ended => false,
        };
        if is_idle { self.end() } else { None }
    }

    /// Drops the frames and ends. Returns the output if no task has it.
    pub(super) fn end(&mut self) -> Option<Output> {
        self.waiting = FrameQueue::default();
        (self.frames, self.bytes) = (0, 0);
        self.intake = Intake::Finished;
        match mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Idle(output) | Phase::Listed(output) => Some(output),
            Phase::Detached | Phase::Writing | Phase::Blocked | Phase::Ended => None,
        }
    }

    /// Takes the output of a listed writer, with the frames of its turn on `list`.
    pub(super) fn begin_turn(&mut self, list: Priority) -> Option<Output> {
        self.lists.leave(list);
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
    pub(super) fn end_turn(
        &mut self,
        output: Output,
        written: Written,
    ) -> (NextStep, Option<Output>) {
        if self.has_ended() {
            return (NextStep::Rest, Some(output));
        }
        self.frames -= written.frames;
        self.bytes -= written.bytes;
        match written.result {
            Ok(()) if !self.waiting.is_empty() => {
                self.phase = Phase::Listed(output);
                let list = self.lists.enter();
                (list.map_or(NextStep::Rest, NextStep::List), None)
            }
            Ok(()) if self.intake != Intake::Finished => {
                self.lists.needed = Priority::Low;
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

    /// Lists the writer again. Returns the output if it has ended meanwhile.
    pub(super) fn unblock(&mut self, output: Output) -> (Follow, Option<Output>) {
        if !matches!(self.phase, Phase::Blocked) {
            return (Follow::Nothing, Some(output));
        }
        self.phase = Phase::Listed(output);
        (self.follow_listed(), None)
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Whether all is written.
    pub(super) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Whether less than half of the queue is used, or events are ignored.
    pub(super) fn has_capacity(&self, limits: &Limits) -> bool {
        self.intake != Intake::Events
            || (self.frames < limits.outbox_events_max.get() / 2
                && self.bytes < limits.outbox_bytes_max.get() / 2)
    }

    /// A task waits for progress from now on.
    pub(super) fn watch(&mut self) {
        self.is_watched = true;
    }

    /// Whether a task waits for progress. Resets it.
    pub(super) fn take_watch(&mut self) -> bool {
        mem::take(&mut self.is_watched)
    }

    /// The bytes that wait, with those in flight.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> Usage {
        Usage { frames: self.frames, bytes: self.bytes }
    }

    fn append(&mut self, frames: Bytes, priority: Priority) {
        if priority == Priority::High {
            self.lists.needed = Priority::High;
        }
        self.bytes += frames.len();
        self.frames += 1;
        self.waiting.push_back(frames);
    }

    /// Decides what follows once there are frames.
    fn make_ready(&mut self) -> Follow {
        if self.frames == 0 {
            return Follow::Nothing;
        }
        match mem::replace(&mut self.phase, Phase::Writing) {
            Phase::Idle(output) | Phase::Listed(output) => {
                self.phase = Phase::Listed(output);
                return self.follow_listed();
            }
            other => self.phase = other,
        }
        if matches!(self.phase, Phase::Detached) && self.take_watch() {
            Follow::Notify
        } else {
            Follow::Nothing
        }
    }

    /// What has to follow for a listed writer to be on the list that it needs.
    fn follow_listed(&mut self) -> Follow {
        self.lists.enter().map_or(Follow::Nothing, Follow::List)
    }
}

impl Lists {
    /// Enters the list that the frames need. Returns it, unless the writer is on it or waits less on
    /// the one that it is on.
    fn enter(&mut self) -> Option<Priority> {
        let [is_on_high, is_on_low] = self.on;
        if is_on_high || (is_on_low && self.needed == Priority::Low) {
            return None;
        }
        *self.place(self.needed) = true;
        Some(self.needed)
    }

    fn leave(&mut self, list: Priority) {
        *self.place(list) = false;
    }

    fn place(&mut self, list: Priority) -> &mut bool {
        let [high, low] = &mut self.on;
        match list {
            Priority::High => high,
            Priority::Low => low,
        }
    }
}
