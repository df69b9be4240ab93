//! The outbox of one plain WebSocket connection: frames for its lane, and the state of its close.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{close_state::CloseState, encoding::Encoding, format::Format};
use crate::{
    chat::{
        event::Delivery,
        ports::{Carrier, ConnectionEnd, Outbox, Overflow, Peer},
    },
    domain::{CloseReason, Limits},
    transport::{
        client_address::ClientAddress,
        deflate,
        lanes::{LaneWriter, QueueFull, frame},
    },
};

/// The way from the chat to the lane. The queue itself belongs to the [`LaneWriter`].
#[derive(Debug)]
pub(super) struct WebSocketOutbox {
    encoding: Encoding,
    limits: Arc<Limits>,
    writer: Arc<LaneWriter>,
    /// The address of the client.
    address: Option<ClientAddress>,
    state: Mutex<WebSocketOutboxState>,
    /// Notifies the connection: the close makes progress.
    close_changed: Notify,
}

#[derive(Debug, Default)]
struct WebSocketOutboxState {
    close: CloseState,
    /// The number of requests that are being handled.
    unanswered: usize,
    /// Whether the connection waits for their answers, because the peer has closed it or broken the
    /// protocol.
    is_ended_by_peer: bool,
    /// How the connection has ended, if the server did not close it.
    end: Option<ConnectionEnd>,
}

/// A request that is not answered yet. It is dropped with the answer.
#[derive(Debug)]
pub(super) struct UnansweredRequest(Arc<WebSocketOutbox>);

impl WebSocketOutbox {
    /// The outbox of a connection from `address` with this `encoding`, which `writer` writes.
    pub(super) fn new(
        encoding: Encoding,
        limits: Arc<Limits>,
        writer: Arc<LaneWriter>,
        address: Option<ClientAddress>,
    ) -> Arc<Self> {
        let (state, close_changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { encoding, limits, writer, address, state, close_changed })
    }

    /// The format of the connection.
    pub(super) fn format(&self) -> &Format {
        &self.encoding.format
    }

    /// The queue.
    pub(super) fn writer(&self) -> &Arc<LaneWriter> {
        &self.writer
    }

    /// Queues a frame of this connection alone, or closes the connection if the queue is full.
    pub(super) fn send(&self, frame: Bytes) {
        let frame = deflate::compress_for(self.encoding.window, frame);
        if let Err(QueueFull) = self.writer.push(frame) {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Queues a ping behind the frames that wait.
    pub(super) fn ping(&self) {
        if let Err(QueueFull) = self.writer.push_codec(frame::ping()) {
            self.close(CloseReason::SlowReader);
        }
    }

    /// Queues the answer to a ping.
    pub(super) fn pong(&self, payload: &[u8]) -> Result<(), QueueFull> {
        self.writer.push_codec(frame::pong(payload))
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
        self.wait_for(|it| it.close.has_begun().then_some(())).await;
    }

    /// Waits until all requests that were read are answered and the connection closes. Returns the
    /// reason.
    pub(super) async fn closing(&self) -> CloseReason {
        self.wait_for(|it| it.close.closing()).await
    }

    /// Waits until all requests that were read are answered, for a peer of which no more is read.
    pub(super) async fn answered(&self) {
        self.state.lock().is_ended_by_peer = true;
        self.wait_for(|it| (it.unanswered == 0).then_some(())).await;
    }

    /// Ends the wait for answers.
    pub(super) fn close_unanswered(&self) {
        let ended = self.state.lock().close.end_answering();
        if ended {
            self.apply_close();
        }
    }

    /// Records how the connection has ended, if the server did not close it.
    pub(super) fn record_end(&self, end: ConnectionEnd) {
        self.state.lock().end = Some(end);
    }

    fn queue_event<E>(
        &self,
        delivery: &Arc<Delivery>,
        queue: impl FnOnce(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let Encoding { format, window } = &self.encoding;
        format.queue_event(delivery, (&self.limits, *window), queue)
    }

    /// Applies a change of the close to the queue, and notifies the connection.
    fn apply_close(&self) {
        let closing = self.state.lock().close.closing();
        if let Some(reason) = closing {
            self.writer.seal();
            if reason == CloseReason::SlowReader {
                // A slow reader would not read these. It receives them after it reconnects.
                self.writer.drop_waiting();
            }
        }
        self.close_changed.notify_waiters();
    }

    /// Waits until `find` returns a value for the state. Cancel-safe.
    async fn wait_for<T>(&self, find: impl Fn(&WebSocketOutboxState) -> Option<T>) -> T {
        loop {
            // Created before the check, so that it receives every notification after the check.
            let changed = self.close_changed.notified();
            let found = find(&self.state.lock());
            if let Some(found) = found {
                return found;
            }
            changed.await;
        }
    }
}

#[async_trait]
impl Outbox for WebSocketOutbox {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let push = |frame| self.writer.push(frame).map_err(|QueueFull| Overflow);
        self.queue_event(delivery, push)
    }

    fn push_to_many(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let push = |frame| self.writer.push_later(frame).map_err(|QueueFull| Overflow);
        self.queue_event(delivery, push)
    }

    fn offer(&self, delivery: &Arc<Delivery>) {
        if self.writer.has_capacity() {
            // If the queue is full now, this delivery is dropped: it may be lost.
            self.push_to_many(delivery).ok();
        }
    }

    async fn wait_for_capacity(&self) {
        self.writer.wait_for_capacity().await;
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        let unanswered = state.unanswered;
        let changed = state.close.begin(reason, unanswered);
        drop(state);
        if changed {
            self.apply_close();
        }
    }

    fn is_revoked(&self) -> bool {
        self.state.lock().close.closing().is_some_and(CloseReason::is_prompt)
    }

    fn peer(&self) -> Peer {
        let address = self.address.and_then(ClientAddress::text);
        Peer { carrier: self.carrier(), address }
    }

    fn carrier(&self) -> Carrier {
        Carrier::PlainWebSocket
    }

    fn waiting_bytes(&self) -> usize {
        self.writer.waiting_bytes()
    }

    fn end(&self) -> ConnectionEnd {
        let state = self.state.lock();
        let by_server = state.close.reason().map(ConnectionEnd::ByServer);
        by_server.or(state.end).unwrap_or(ConnectionEnd::TransportClosed)
    }
}

impl Drop for UnansweredRequest {
    fn drop(&mut self) {
        let Self(outbox) = self;
        let mut state = outbox.state.lock();
        state.unanswered -= 1;
        let (is_answered, is_ended_by_peer) = (state.unanswered == 0, state.is_ended_by_peer);
        drop(state);
        if is_answered {
            outbox.close_unanswered();
        }
        if is_answered && is_ended_by_peer {
            outbox.close_changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, pin::pin};

    use futures_util::FutureExt as _;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        chat::test_support::{counted_timers, message_delivery},
        transport::lanes::test_support::{TestPeer, writer},
    };

    fn outbox(events: usize, bytes: usize) -> (Arc<WebSocketOutbox>, TestPeer) {
        let limits = Limits {
            outbox_events_max: NonZeroUsize::new(events).unwrap(),
            outbox_bytes_max: NonZeroUsize::new(bytes).unwrap(),
            ..Limits::default()
        };
        let limits = Arc::new(limits);
        let (writer, peer) = writer(&limits);
        (WebSocketOutbox::new(Encoding::plain(Format::Json), limits, writer, None), peer)
    }

    fn event(seq: u64) -> Bytes {
        let (delivery, limits) = (message_delivery("lobby", seq), Limits::default());
        Format::Json.queue_event(&delivery, (&limits, None), Err::<(), _>).unwrap_err()
    }

    #[tokio::test]
    async fn events_are_written_in_order_and_none_after_the_close() {
        let (outbox, peer) = outbox(10, 10_000);
        for seq in 1..=3 {
            outbox.push(&message_delivery("lobby", seq)).unwrap();
        }
        outbox.close(CloseReason::DRAINING);
        assert_eq!(outbox.push(&message_delivery("lobby", 4)), Ok(()), "it is ignored");
        assert_eq!(outbox.closing().await, CloseReason::DRAINING);
        outbox.writer().flushed().await;
        assert_eq!(peer.received(), [event(1), event(2), event(3)].concat());
    }

    #[tokio::test]
    async fn requests_are_answered_before_a_drain_closes() {
        let (outbox, peer) = outbox(10, 10_000);
        let requests = [outbox.count_request(), outbox.count_request()];
        outbox.close(CloseReason::DRAINING);
        assert!(outbox.count_request().is_none(), "no more are accepted");
        outbox.wait_reading_ends().await;
        outbox.send(frame::text("the answer"));
        let [one, two] = requests;
        drop(one);
        assert_eq!(outbox.state.lock().close.closing(), None, "one is left");
        drop(two);
        assert_eq!(outbox.closing().await, CloseReason::DRAINING);
        outbox.writer().flushed().await;
        assert_eq!(peer.received(), frame::text("the answer"));
    }

    #[tokio::test]
    async fn a_peer_that_has_closed_is_answered_first() {
        let (outbox, _peer) = outbox(10, 10_000);
        outbox.answered().await;
        let request = outbox.count_request();
        let mut answered = pin!(outbox.answered());
        assert!(answered.as_mut().now_or_never().is_none(), "one is left");
        drop(request);
        answered.await;
    }

    #[tokio::test]
    async fn an_urgent_reason_does_not_wait_for_answers() {
        for reason in [CloseReason::SlowReader, CloseReason::TokenExpired] {
            let (outbox, _peer) = outbox(10, 10_000);
            let _request = outbox.count_request();
            outbox.close(CloseReason::DRAINING);
            outbox.close(reason);
            assert_eq!(outbox.closing().await, reason);
        }
    }

    #[tokio::test]
    async fn one_event_past_the_limit_overflows() {
        let (outbox, peer) = outbox(2, 10_000);
        peer.accept(0);
        assert_eq!(outbox.push(&message_delivery("lobby", 1)), Ok(()));
        assert_eq!(outbox.push(&message_delivery("lobby", 2)), Ok(()));
        assert_eq!(outbox.push(&message_delivery("lobby", 3)), Err(Overflow));
    }

    #[tokio::test]
    async fn an_offer_uses_at_most_half_of_the_queue() {
        let (outbox, peer) = outbox(4, 10_000);
        peer.accept(0);
        for seq in 1..=3 {
            outbox.offer(&message_delivery("lobby", seq));
        }
        peer.accept(usize::MAX);
        outbox.writer().flushed().await;
        assert_eq!(peer.received(), [event(1), event(2)].concat());
    }

    #[tokio::test]
    async fn a_delivery_ends_when_the_last_socket_has_accepted_it() {
        let (timers, ended) = counted_timers();
        let [(one, _fast), (other, slow)] = [outbox(10, 10_000), outbox(10, 10_000)];
        slow.accept(0);
        let delivery = message_delivery("lobby", 1).timed(timers.start(Instant::now()));
        for outbox in [&one, &other] {
            outbox.push(&delivery).unwrap();
        }
        drop(delivery);
        one.writer().flushed().await;
        assert_eq!(*ended.borrow(), 0, "one is left");
        slow.accept(usize::MAX);
        other.writer().flushed().await;
        assert_eq!(*ended.borrow(), 1);
    }

    #[tokio::test]
    async fn a_delivery_ends_with_the_connection_that_waits_for_it() {
        let (timers, ended) = counted_timers();
        let (outbox, slow) = outbox(10, 10_000);
        slow.accept(0);
        outbox.push(&message_delivery("lobby", 1).timed(timers.start(Instant::now()))).unwrap();
        assert_eq!(*ended.borrow(), 0);
        outbox.writer().abort();
        outbox.writer().ended().await;
        drop((outbox, slow));
        assert_eq!(*ended.borrow(), 1);
    }

    #[tokio::test]
    async fn the_events_of_a_slow_reader_are_dropped() {
        let (outbox, peer) = outbox(2, 10_000);
        peer.accept(0);
        outbox.push(&message_delivery("lobby", 1)).unwrap();
        outbox.close(CloseReason::SlowReader);
        peer.accept(usize::MAX);
        outbox.writer().flushed().await;
        assert_eq!(peer.received(), b"");
    }
}
