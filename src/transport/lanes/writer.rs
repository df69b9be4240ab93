//! The way out of one connection: a queue of whole frames that a lane writes.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, OnceLock, Weak},
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tracing::debug;

#[cfg(test)]
use super::queue::Usage;
use super::{
    lane::{Lane, Lanes, Priority, Turn},
    output::{LaneSocket, Output},
    queue::{Follow, Intake, NextStep, QueueFull, WriteQueue},
    traffic::TrafficCounters,
};
use crate::domain::Limits;

/// The writer of a connection. Every method returns at once, unless it is async.
///
/// A connection that polls has no socket: its answers [take](Self::take) the frames. Once it
/// upgrades, the socket is [attached](Self::attach) and receives what was not taken.
///
/// # Guarantees
/// - Frames are written whole and in the order of the calls.
/// - The queue has at most `outbox_events_max` events and `outbox_bytes_max` bytes, or one frame. A
///   frame counts until the system has accepted it or it is taken. After an event that finds no room
///   no other one is queued.
/// - The writer ends when a write fails, when the socket accepts no byte for `write_stall_max`, and
///   when it is finished or aborted. Later frames are ignored.
#[derive(Debug)]
pub(in crate::transport) struct LaneWriter {
    limits: Arc<Limits>,
    lane: Arc<Lane>,
    queue: Mutex<WriteQueue>,
    /// Notifies tasks that wait for frames, for capacity or for the last byte.
    progress: Notify,
    ended: Notify,
    owner: OnceLock<Weak<dyn WriterOwner>>,
}

/// The owner of a writer, which ends with it.
pub(in crate::transport) trait WriterOwner: fmt::Debug + Send + Sync {
    /// The writer has ended. The call may be repeated.
    fn on_writer_end(self: Arc<Self>);
}

impl LaneWriter {
    /// A writer without a socket, for one of `lanes`.
    pub(in crate::transport) fn new(lanes: &Lanes, limits: Arc<Limits>) -> Self {
        Self {
            limits,
            lane: Arc::clone(lanes.next()),
            queue: Mutex::new(WriteQueue::new()),
            progress: Notify::new(),
            ended: Notify::new(),
            owner: OnceLock::new(),
        }
    }

    /// Sets the owner, once.
    pub(in crate::transport) fn set_owner(&self, owner: Weak<dyn WriterOwner>) {
        self.owner.set(owner).ok();
    }

    /// Attaches the socket. One that is attached after the end is closed.
    pub(super) fn attach(self: &Arc<Self>, socket: Box<dyn LaneSocket>) {
        let output = Output::new(socket, self.lane.join());
        let (follow, unused) = self.queue.lock().attach(output);
        self.follow(follow);
        drop(unused);
    }

    /// Takes queued frames of at least `bytes_max` bytes, or all, of a writer without a socket.
    pub(in crate::transport) fn take(&self, bytes_max: usize) -> Vec<Bytes> {
        let mut queue = self.queue.lock();
        let taken = queue.take(bytes_max);
        self.unlock(queue);
        taken
    }

    /// What counts the traffic of the connection, with that of others.
    pub(in crate::transport) fn traffic(&self) -> &TrafficCounters {
        self.lane.traffic()
    }

    /// The limits of the queue, and of its owner.
    pub(in crate::transport) fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// The bytes that wait for the client.
    pub(in crate::transport) fn waiting_bytes(&self) -> usize {
        self.queue.lock().bytes()
    }

    /// Waits until frames are queued or the writer has ended. Cancel-safe.
    pub(in crate::transport) async fn filled(&self) {
        self.wait_for_progress(|queue| !queue.is_empty() || queue.has_ended()).await;
    }

    /// Queues the frame of an event.
    pub(in crate::transport) fn push(self: &Arc<Self>, frame: Bytes) -> Result<(), QueueFull> {
        self.push_with(frame, Intake::Events, Priority::High)
    }

    /// The same for an event that other connections need not wait for. It is written with the first
    /// frame behind it that has no such rank, so the order of the frames holds.
    pub(in crate::transport) fn push_later(
        self: &Arc<Self>,
        frame: Bytes,
    ) -> Result<(), QueueFull> {
        self.push_with(frame, Intake::Events, Priority::Low)
    }

    /// Queues whole frames of a codec or an engine: answers to pings and closes, pings. They have twice
    /// the room of events.
    pub(in crate::transport) fn push_codec(
        self: &Arc<Self>,
        frames: Bytes,
    ) -> Result<(), QueueFull> {
        self.push_with(frames, Intake::Codec, Priority::High)
    }

    /// Queues frames beyond the bounds, for connections that close.
    pub(in crate::transport) fn push_beyond(self: &Arc<Self>, frames: Bytes) {
        let follow = self.queue.lock().push_beyond(frames);
        self.follow(follow);
    }

    /// Queues the last frames of the connection, whatever the queue holds. None follows.
    pub(in crate::transport) fn push_last(
        self: &Arc<Self>,
        frames: impl IntoIterator<Item = Bytes>,
    ) {
        let follow = self.queue.lock().push_last(frames);
        self.follow(follow);
    }

    /// Ignores events from now on.
    pub(in crate::transport) fn seal(&self) {
        let mut queue = self.queue.lock();
        queue.restrict(Intake::Codec);
        self.unlock(queue);
    }

    /// Drops the frames that are not in flight.
    pub(in crate::transport) fn drop_waiting(&self) {
        let mut queue = self.queue.lock();
        queue.drop_waiting();
        self.unlock(queue);
    }

    /// Writes what is queued and then shuts the write half down. Nothing is queued any more.
    pub(in crate::transport) fn finish(&self) {
        let mut queue = self.queue.lock();
        let unused = queue.finish();
        self.unlock(queue);
        drop(unused);
    }

    /// Shuts the write half down. Queued frames are dropped.
    pub(in crate::transport) fn abort(&self) {
        let mut queue = self.queue.lock();
        let unused = queue.end();
        self.unlock(queue);
        drop(unused);
    }

    /// Whether less than half of the queue is used, or events are ignored.
    pub(in crate::transport) fn has_capacity(&self) -> bool {
        self.queue.lock().has_capacity(&self.limits)
    }

    /// Waits until [`has_capacity`](Self::has_capacity). Cancel-safe.
    pub(in crate::transport) async fn wait_for_capacity(&self) {
        self.wait_for_progress(|queue| queue.has_capacity(&self.limits)).await;
    }

    /// Waits until all is written or the writer has ended. Cancel-safe.
    pub(in crate::transport) async fn flushed(&self) {
        self.wait_for_progress(WriteQueue::is_empty).await;
    }

    /// Whether the writer has ended.
    pub(in crate::transport) fn has_ended(&self) -> bool {
        self.queue.lock().has_ended()
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

    #[cfg(test)]
    pub(super) fn usage(&self) -> Usage {
        self.queue.lock().usage()
    }

    /// Writes what waits, as far as the socket accepts it. Only the lane calls this.
    ///
    /// The queue is not locked during the write: a fan-out never waits for the system.
    pub(super) fn turn(&self, list: Priority) -> NextStep {
        let output = self.queue.lock().begin_turn(list);
        let Some(mut output) = output else { return NextStep::Rest };
        let written = output.write();
        self.traffic().sent(written.bytes, written.frames);
        let mut queue = self.queue.lock();
        let (next, unused) = queue.end_turn(output, written);
        self.unlock(queue);
        drop(unused);
        next
    }

    /// Returns the output of a socket that is writable again.
    pub(super) fn unblock(self: &Arc<Self>, output: Output) {
        let (follow, unused) = self.queue.lock().unblock(output);
        self.follow(follow);
        drop(unused);
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

    async fn wait_for_progress(&self, is_reached: impl Fn(&WriteQueue) -> bool) {
        loop {
            let progress = self.progress.notified();
            {
                let mut queue = self.queue.lock();
                if is_reached(&queue) {
                    return;
                }
                queue.watch();
            }
            progress.await;
        }
    }

    /// Unlocks the queue after it made progress.
    fn unlock(&self, mut queue: MutexGuard<'_, WriteQueue>) {
        let (is_watched, has_ended) = (queue.take_watch(), queue.has_ended());
        drop(queue);
        if is_watched {
            self.progress.notify_waiters();
        }
        if has_ended {
            self.ended.notify_waiters();
            if let Some(owner) = self.owner.get().and_then(Weak::upgrade) {
                owner.on_writer_end();
            }
        }
    }

    fn follow(self: &Arc<Self>, follow: Follow) {
        match follow {
            Follow::Nothing => (),
            Follow::List(priority) => self.list(priority),
            Follow::Notify => self.progress.notify_waiters(),
        }
    }

    fn push_with(
        self: &Arc<Self>,
        frames: Bytes,
        kind: Intake,
        priority: Priority,
    ) -> Result<(), QueueFull> {
        let follow = self.queue.lock().push(frames, kind, priority, &self.limits)?;
        self.follow(follow);
        Ok(())
    }

    fn list(self: &Arc<Self>, priority: Priority) {
        self.lane.list(Arc::<Self>::clone(self), priority);
    }
}

impl Turn for LaneWriter {
    fn take_turn(self: Arc<Self>, list: Priority) {
        match self.turn(list) {
            NextStep::Rest => (),
            NextStep::List(priority) => self.list(priority),
            NextStep::WaitWritable(output) => {
                let tasks = self.lane.tasks().clone();
                tasks.spawn("blocked socket", self.wait_writable(output));
            }
        }
    }
}
