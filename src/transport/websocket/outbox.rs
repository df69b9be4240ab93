//! What waits to be written to one plain WebSocket connection.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::{
    chat::{
        event::Delivery,
        ports::{Outbox, Overflow},
    },
    domain::{CloseReason, Limits},
    wire::websocket,
};

/// The slot of a delivery that holds its frame.
const SLOT: usize = 1;
/// What a frame counts beside its text.
const FRAME_BYTES: usize = 64;

/// A bounded queue of text frames between whoever has something to say and the writing half.
#[derive(Debug)]
pub(super) struct WebSocketOutbox {
    limits: Arc<Limits>,
    state: Mutex<State>,
    /// There is something to write.
    filled: Notify,
    /// Less than half of the queue is taken, or the end began.
    relieved: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    ping: bool,
    closing: Option<CloseReason>,
}

/// What the writing half does next.
#[derive(Debug)]
pub(super) enum Work {
    /// Write these.
    Write(Part),
    /// Nothing is left: say why, and end.
    Close(CloseReason),
}

/// Messages that are written together.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) messages: Vec<Message>,
    /// What they count in the queue until they are written.
    pub(super) bytes: usize,
}

impl WebSocketOutbox {
    pub(super) fn new(limits: Arc<Limits>) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self { limits, state, filled: Notify::new(), relieved: Notify::new() })
    }

    /// Poisoning is ignored: the queue is whole after every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame, or ends the connection because the queue is full.
    pub(super) fn send(&self, frame: String) {
        if self.queue(|| frame.into()).is_err() {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Queues a ping behind what is there.
    pub(super) fn ping(&self) {
        self.lock().ping = true;
        self.filled.notify_one();
    }

    /// Waits for something to do. Frames are given out up to `bytes_max` at a time, so that the
    /// writer's deadline measures progress and not the length of the queue.
    pub(super) async fn work(&self, bytes_max: usize) -> Work {
        loop {
            let work = self.lock().take(bytes_max);
            if let Some(work) = work {
                return work;
            }
            self.filled.notified().await;
        }
    }

    /// Tells that what was given out is written.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        let relieved = self.is_relieved(&state);
        drop(state);
        if relieved {
            self.relieved.notify_waiters();
        }
    }

    /// Waits until the end begins, and answers why.
    pub(super) async fn closing(&self) -> CloseReason {
        loop {
            let mut changed = std::pin::pin!(self.relieved.notified());
            // Listening begins before looking, so that no wake-up falls in between.
            changed.as_mut().enable();
            let closing = self.lock().closing;
            match closing {
                Some(reason) => return reason,
                None => changed.await,
            }
        }
    }

    fn queue(&self, frame: impl FnOnce() -> Utf8Bytes) -> Result<(), Overflow> {
        let mut state = self.lock();
        if state.closing.is_some() {
            return Ok(());
        }
        let frame = frame();
        let bytes = state.bytes + weight(&frame);
        if state.frames.len() >= self.limits.outbox_events_max.get()
            || bytes > self.limits.outbox_bytes_max.get()
        {
            return Err(Overflow);
        }
        state.bytes = bytes;
        state.frames.push_back(frame);
        let first = state.frames.len() == 1;
        drop(state);
        if first {
            self.filled.notify_one();
        }
        Ok(())
    }

    fn is_relieved(&self, state: &State) -> bool {
        state.closing.is_some()
            || (state.frames.len() < self.limits.outbox_events_max.get() / 2
                && state.bytes < self.limits.outbox_bytes_max.get() / 2)
    }
}

impl State {
    fn take(&mut self, bytes_max: usize) -> Option<Work> {
        let mut part = Part::default();
        while part.bytes < bytes_max {
            let Some(frame) = self.frames.pop_front() else { break };
            part.bytes += weight(&frame);
            part.messages.push(Message::Text(frame));
        }
        if self.frames.is_empty() {
            // An idle connection holds no memory for the busy time it once had.
            self.frames = VecDeque::new();
        }
        if mem::take(&mut self.ping) {
            part.messages.push(Message::Ping(Bytes::new()));
        }
        if part.messages.is_empty() {
            return self.closing.map(Work::Close);
        }
        Some(Work::Write(part))
    }
}

/// What a frame counts against the limit.
fn weight(frame: &Utf8Bytes) -> usize {
    frame.len() + FRAME_BYTES
}

#[async_trait]
impl Outbox for WebSocketOutbox {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let make = || Utf8Bytes::from(websocket::event(delivery, &self.limits));
        self.queue(|| delivery.encoded(SLOT, make).clone())
    }

    async fn relieved(&self) {
        let mut relieved = std::pin::pin!(self.relieved.notified());
        // Listening begins before looking, so that no wake-up falls in between.
        relieved.as_mut().enable();
        let already = self.is_relieved(&self.lock());
        if !already {
            relieved.await;
        }
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.lock();
        if state.closing.is_some() {
            return;
        }
        state.closing = Some(reason);
        if reason == CloseReason::SlowReader {
            // It did not take these; it will not take them now. It comes back for them.
            state.frames = VecDeque::new();
        }
        drop(state);
        self.filled.notify_one();
        self.relieved.notify_waiters();
    }

    fn is_revoked(&self) -> bool {
        self.lock().closing.is_some_and(CloseReason::is_prompt)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::chat::test_support::said;

    fn outbox(events: usize, bytes: usize) -> Arc<WebSocketOutbox> {
        WebSocketOutbox::new(Arc::new(Limits {
            outbox_events_max: NonZeroUsize::new(events).unwrap(),
            outbox_bytes_max: NonZeroUsize::new(bytes).unwrap(),
            ..Limits::default()
        }))
    }

    #[tokio::test]
    async fn what_is_queued_together_is_written_together_in_order() {
        let outbox = outbox(10, 10_000);
        for seq in 1..=3 {
            outbox.push(&said("lobby", seq)).unwrap();
        }
        outbox.close(CloseReason::Draining);
        assert_eq!(outbox.push(&said("lobby", 4)), Ok(()), "after the end nothing is queued");
        let Work::Write(part) = outbox.work(1 << 16).await else { panic!("messages") };
        let texts = part.messages.iter().map(|message| message.to_text().unwrap());
        let seqs = [r#""seq":1,"#, r#""seq":2,"#, r#""seq":3,"#];
        assert!(texts.zip(seqs).all(|(text, seq)| text.contains(seq)));
        assert_eq!(part.messages.len(), 3);
        assert!(matches!(outbox.work(1 << 16).await, Work::Close(CloseReason::Draining)));
    }

    #[tokio::test]
    async fn one_event_past_the_limit_overflows() {
        let outbox = outbox(2, 10_000);
        assert_eq!(outbox.push(&said("lobby", 1)), Ok(()));
        assert_eq!(outbox.push(&said("lobby", 2)), Ok(()));
        assert_eq!(outbox.push(&said("lobby", 3)), Err(Overflow));
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_written() {
        let frame = Utf8Bytes::from(websocket::event(&said("lobby", 1), &Limits::default()));
        let one = weight(&frame);
        let outbox = outbox(10, one + one / 2);
        assert_eq!(outbox.push(&said("lobby", 1)), Ok(()));
        assert_eq!(outbox.push(&said("lobby", 2)), Err(Overflow));
        drop(outbox.work(1 << 16).await);
        assert_eq!(outbox.push(&said("lobby", 2)), Err(Overflow), "taken, but not written yet");
        outbox.written(one);
        assert_eq!(outbox.push(&said("lobby", 2)), Ok(()));
    }
}
