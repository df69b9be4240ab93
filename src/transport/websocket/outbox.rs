//! The outbox of one plain WebSocket connection: a bounded queue of frames.

use std::{collections::VecDeque, mem, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use super::{close_state::CloseState, format::Format};
use crate::{
    chat::{
        event::Delivery,
        ports::{Outbox, Overflow},
    },
    domain::{CloseReason, Limits},
};

/// The bytes that a frame counts in addition to its content.
const FRAME_BYTES: usize = 64;

/// A bounded queue of frames from the chat to the writing half.
#[derive(Debug)]
pub(super) struct WebSocketOutbox {
    format: Format,
    limits: Arc<Limits>,
    state: Mutex<WebSocketOutboxState>,
    /// Notifies the writing half: there is something to write.
    filled: Notify,
    /// Notifies replays: less than half of the queue is used, or the close begins.
    capacity_available: Notify,
    /// Notifies the other halves: the close makes progress.
    close_changed: Notify,
}

#[derive(Debug, Default)]
struct WebSocketOutboxState {
    frames: VecDeque<Message>,
    bytes: usize,
    ping: bool,
    close: CloseState,
    /// The number of requests that are being handled.
    unanswered: usize,
}

/// A request that is not answered yet. It is dropped with the answer.
#[derive(Debug)]
pub(super) struct UnansweredRequest(Arc<WebSocketOutbox>);

/// The next step of the writing half.
#[derive(Debug)]
pub(super) enum WriterWork {
    /// Write this batch.
    Write(WriteBatch),
    /// The queue is empty: send the reason and close.
    Close(CloseReason),
}

/// Messages that are written together.
#[derive(Debug, Default)]
pub(super) struct WriteBatch {
    pub(super) messages: Vec<Message>,
    /// The bytes that the messages count until they are written.
    pub(super) bytes: usize,
}

impl WebSocketOutbox {
    /// The queue of a connection with this `format`.
    pub(super) fn new(format: Format, limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self {
            format,
            limits,
            state: Mutex::default(),
            filled: Notify::new(),
            capacity_available: Notify::new(),
            close_changed: Notify::new(),
        })
    }

    /// The format of the connection.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Queues a frame, or closes the connection if the queue is full.
    pub(super) fn send(&self, frame: Message) {
        if self.queue(|| frame).is_err() {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Queues a ping behind the frames that wait.
    pub(super) fn ping(&self) {
        self.state.lock().ping = true;
        self.filled.notify_one();
    }

    /// Waits for the next step. A batch has up to `bytes_max`, so that the deadline of a write measures
    /// progress and not the length of the queue.
    pub(super) async fn next_work(&self, bytes_max: usize) -> WriterWork {
        loop {
            let work = self.state.lock().take(bytes_max);
            if let Some(work) = work {
                return work;
            }
            self.filled.notified().await;
        }
    }

    /// Releases the bytes of a batch that is written.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        let capacity_available = self.has_capacity(&state);
        drop(state);
        if capacity_available {
            self.capacity_available.notify_waiters();
        }
    }

    /// Counts a request until the result is dropped. `None` once the close has begun: the request
    /// would not be answered.
    pub(super) fn count_request(self: &Arc<Self>) -> Option<UnansweredRequest> {
        let mut state = self.state.lock();
        if state.close.has_begun() {
            return None;
        }
        state.unanswered += 1;
        Some(UnansweredRequest(Arc::clone(self)))
    }

    /// Waits until no more requests are read.
    pub(super) async fn wait_reading_ends(&self) {
        self.wait_for(&self.close_changed, |it| it.close.has_begun().then_some(())).await;
    }

    /// Waits until all requests that were read are answered and the connection closes. Returns the
    /// reason.
    pub(super) async fn closing(&self) -> CloseReason {
        self.wait_for(&self.close_changed, |it| it.close.closing()).await
    }

    /// Ends the wait for answers.
    pub(super) fn close_unanswered(&self) {
        let ended = self.state.lock().close.end_answering();
        if ended {
            self.notify_close();
        }
    }

    fn notify_close(&self) {
        self.filled.notify_one();
        self.capacity_available.notify_waiters();
        self.close_changed.notify_waiters();
    }

    /// Waits until `find` returns a value for the state, after any of the notifications. Cancel-safe.
    async fn wait_for<T>(
        &self,
        notify: &Notify,
        find: impl Fn(&WebSocketOutboxState) -> Option<T>,
    ) -> T {
        loop {
            // Created before the check, so that it receives every notification after the check.
            let changed = notify.notified();
            let found = find(&self.state.lock());
            if let Some(found) = found {
                return found;
            }
            changed.await;
        }
    }

    fn queue(&self, frame: impl FnOnce() -> Message) -> Result<(), Overflow> {
        let mut state = self.state.lock();
        if state.close.closing().is_some() {
            return Ok(());
        }
        let frame = frame();
        let bytes = state.bytes + frame_cost(&frame);
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

    fn has_capacity(&self, state: &WebSocketOutboxState) -> bool {
        state.close.closing().is_some()
            || (state.frames.len() < self.limits.outbox_events_max.get() / 2
                && state.bytes < self.limits.outbox_bytes_max.get() / 2)
    }
}

impl WebSocketOutboxState {
    fn take(&mut self, bytes_max: usize) -> Option<WriterWork> {
        let mut batch = WriteBatch::default();
        while batch.bytes < bytes_max {
            let Some(frame) = self.frames.pop_front() else { break };
            batch.bytes += frame_cost(&frame);
            batch.messages.push(frame);
        }
        if self.frames.is_empty() {
            // An idle connection holds no memory for frames.
            self.frames = VecDeque::new();
        }
        if mem::take(&mut self.ping) {
            batch.messages.push(Message::Ping(Bytes::new()));
        }
        if batch.messages.is_empty() {
            return self.close.closing().map(WriterWork::Close);
        }
        Some(WriterWork::Write(batch))
    }
}

/// The bytes that a frame counts.
fn frame_cost(frame: &Message) -> usize {
    frame.len() + FRAME_BYTES
}

#[async_trait]
impl Outbox for WebSocketOutbox {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        self.queue(|| self.format.event(delivery, &self.limits))
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        let capacity_available = self.has_capacity(&self.state.lock());
        if capacity_available {
            // If the queue is full now, this delivery is dropped: it may be lost.
            self.push(delivery).ok();
        }
    }

    async fn wait_for_capacity(&self) {
        let has_capacity = |state: &_| self.has_capacity(state).then_some(());
        self.wait_for(&self.capacity_available, has_capacity).await;
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        let unanswered = state.unanswered;
        if !state.close.begin(reason, unanswered) {
            return;
        }
        if reason == CloseReason::SlowReader {
            // A slow reader would not read these. It receives them after it reconnects.
            state.frames = VecDeque::new();
        }
        drop(state);
        self.notify_close();
    }

    fn is_revoked(&self) -> bool {
        self.state.lock().close.closing().is_some_and(CloseReason::is_prompt)
    }
}

impl Drop for UnansweredRequest {
    fn drop(&mut self) {
        let Self(outbox) = self;
        let mut state = outbox.state.lock();
        state.unanswered -= 1;
        let is_answered = state.unanswered == 0;
        drop(state);
        if is_answered {
            outbox.close_unanswered();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::chat::test_support::message_delivery;

    fn outbox(events: usize, bytes: usize) -> Arc<WebSocketOutbox> {
        let limits = Limits {
            outbox_events_max: NonZeroUsize::new(events).unwrap(),
            outbox_bytes_max: NonZeroUsize::new(bytes).unwrap(),
            ..Limits::default()
        };
        WebSocketOutbox::new(Format::Json, Arc::new(limits))
    }

    #[tokio::test]
    async fn queued_frames_are_written_in_one_batch_in_order() {
        let outbox = outbox(10, 10_000);
        for seq in 1..=3 {
            outbox.push(&message_delivery("lobby", seq)).unwrap();
        }
        outbox.close(CloseReason::Draining);
        assert_eq!(
            outbox.push(&message_delivery("lobby", 4)),
            Ok(()),
            "nothing is queued after the close"
        );
        let WriterWork::Write(batch) = outbox.next_work(1 << 16).await else { panic!("messages") };
        let texts = batch.messages.iter().map(|message| message.to_text().unwrap());
        let seqs = [r#""seq":1,"#, r#""seq":2,"#, r#""seq":3,"#];
        assert!(texts.zip(seqs).all(|(text, seq)| text.contains(seq)));
        assert_eq!(batch.messages.len(), 3);
        assert!(matches!(
            outbox.next_work(1 << 16).await,
            WriterWork::Close(CloseReason::Draining)
        ));
    }

    #[tokio::test]
    async fn requests_are_answered_before_a_drain_closes() {
        let outbox = outbox(10, 10_000);
        let requests = [outbox.count_request(), outbox.count_request()];
        outbox.close(CloseReason::Draining);
        assert!(outbox.count_request().is_none(), "no more are accepted");
        outbox.wait_reading_ends().await;
        outbox.send(Message::text("the answer"));
        let [one, two] = requests;
        drop(one);
        assert_eq!(outbox.state.lock().close.closing(), None, "one is left");
        drop(two);
        assert_eq!(outbox.closing().await, CloseReason::Draining);
        let WriterWork::Write(batch) = outbox.next_work(1 << 16).await else { panic!("answer") };
        assert_eq!(batch.messages, [Message::text("the answer")]);
    }

    #[tokio::test]
    async fn an_urgent_reason_does_not_wait_for_answers() {
        for reason in [CloseReason::SlowReader, CloseReason::TokenExpired] {
            let outbox = outbox(10, 10_000);
            let _request = outbox.count_request();
            outbox.close(CloseReason::Draining);
            outbox.close(reason);
            assert_eq!(outbox.closing().await, reason);
        }
    }

    #[tokio::test]
    async fn one_event_past_the_limit_overflows() {
        let outbox = outbox(2, 10_000);
        assert_eq!(outbox.push(&message_delivery("lobby", 1)), Ok(()));
        assert_eq!(outbox.push(&message_delivery("lobby", 2)), Ok(()));
        assert_eq!(outbox.push(&message_delivery("lobby", 3)), Err(Overflow));
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_written() {
        let one =
            frame_cost(&Format::Json.event(&message_delivery("lobby", 1), &Limits::default()));
        let outbox = outbox(10, one + one / 2);
        assert_eq!(outbox.push(&message_delivery("lobby", 1)), Ok(()));
        assert_eq!(outbox.push(&message_delivery("lobby", 2)), Err(Overflow));
        drop(outbox.next_work(1 << 16).await);
        assert_eq!(
            outbox.push(&message_delivery("lobby", 2)),
            Err(Overflow),
            "in a batch, but not written yet"
        );
        outbox.written(one);
        assert_eq!(outbox.push(&message_delivery("lobby", 2)), Ok(()));
    }
}
