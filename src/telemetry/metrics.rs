//! Counters and histograms of this process.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    chat::ports::{MetricEvent, Metrics, Wire},
    domain::Rejection,
    wire::code,
};

/// Upper bounds of the buckets for messages per transaction. The journal takes up to 512 commands.
const BATCH_BOUNDS: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// Upper bounds of the buckets for commit times, in microseconds.
const COMMIT_BOUNDS: [u64; 11] =
    [250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000];

/// Counts the events of this process. A snapshot is not atomic over all values.
#[derive(Debug)]
pub struct ProcessMetrics {
    socketio: WireMetrics,
    websocket: WireMetrics,
    handshakes_rejected: RejectionCounters,
    messages_committed: AtomicU64,
    batch_messages: Histogram<10>,
    commit_micros: Histogram<11>,
    commits_failed: AtomicU64,
    emitter_packets_dropped: AtomicU64,
    webhooks: WebhookMetrics,
}

/// The counters of webhooks.
#[derive(Debug, Default)]
struct WebhookMetrics {
    delivered: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
}

/// The counters of one wire.
#[derive(Debug, Default)]
struct WireMetrics {
    opened: AtomicU64,
    closed: AtomicU64,
    slow_readers: AtomicU64,
    rejected: RejectionCounters,
}

/// Rejections by the code that clients receive. The codes are a closed table of some 30.
#[derive(Debug, Default)]
struct RejectionCounters(Mutex<BTreeMap<&'static str, u64>>);

/// Values by upper bound, with their sum. The last bucket has no bound.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds: [u64; N],
    buckets: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

/// All values at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// Socket.IO connections.
    pub socketio: WireSnapshot,
    /// Plain WebSocket connections.
    pub websocket: WireSnapshot,
    /// Rejected handshakes by code.
    pub handshakes_rejected: BTreeMap<&'static str, u64>,
    /// Messages that the store committed.
    pub messages_committed: u64,
    /// Messages per transaction; transactions without messages are left out.
    pub batch_messages: HistogramSnapshot,
    /// Microseconds per transaction.
    pub commit_micros: HistogramSnapshot,
    /// Transactions that failed.
    pub commits_failed: u64,
    /// Packets of Redis emitters that were malformed, too large, or named an event of the protocol.
    pub emitter_packets_dropped: u64,
    /// Events that webhooks have accepted.
    pub webhook_events_delivered: u64,
    /// Requests to webhooks that failed.
    pub webhook_requests_failed: u64,
    /// Events that became dead letters.
    pub webhook_events_dead: u64,
}

/// The values of one wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireSnapshot {
    /// Connections that were admitted.
    pub opened: u64,
    /// Admitted connections that ended.
    pub closed: u64,
    /// Connections that were closed because the client read too slowly.
    pub slow_readers: u64,
    /// Rejected requests by code.
    pub requests_rejected: BTreeMap<&'static str, u64>,
}

/// The values of a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// Upper bound (inclusive) and count of each bucket. Counts are not cumulative.
    pub buckets: Vec<(u64, u64)>,
    /// The count above the last bound.
    pub above: u64,
    /// The sum of all values.
    pub sum: u64,
}

impl HistogramSnapshot {
    /// The number of values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.above
    }
}

impl ProcessMetrics {
    /// All values now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            socketio: self.socketio.snapshot(),
            websocket: self.websocket.snapshot(),
            handshakes_rejected: self.handshakes_rejected.snapshot(),
            messages_committed: load(&self.messages_committed),
            batch_messages: self.batch_messages.snapshot(),
            commit_micros: self.commit_micros.snapshot(),
            commits_failed: load(&self.commits_failed),
            emitter_packets_dropped: load(&self.emitter_packets_dropped),
            webhook_events_delivered: load(&self.webhooks.delivered),
            webhook_requests_failed: load(&self.webhooks.failed),
            webhook_events_dead: load(&self.webhooks.dead),
        }
    }

    fn wire(&self, wire: Wire) -> &WireMetrics {
        match wire {
            Wire::SocketIo => &self.socketio,
            Wire::WebSocket => &self.websocket,
        }
    }

    fn record_commit(&self, messages: usize, elapsed: Duration) {
        let messages = u64::try_from(messages).unwrap_or(u64::MAX);
        add(&self.messages_committed, messages);
        if messages > 0 {
            self.batch_messages.record(messages);
        }
        self.commit_micros.record(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    }
}

impl Default for ProcessMetrics {
    fn default() -> Self {
        Self {
            socketio: WireMetrics::default(),
            websocket: WireMetrics::default(),
            handshakes_rejected: RejectionCounters::default(),
            messages_committed: AtomicU64::default(),
            batch_messages: Histogram::new(BATCH_BOUNDS),
            commit_micros: Histogram::new(COMMIT_BOUNDS),
            commits_failed: AtomicU64::default(),
            emitter_packets_dropped: AtomicU64::default(),
            webhooks: WebhookMetrics::default(),
        }
    }
}

impl Metrics for ProcessMetrics {
    fn record(&self, event: MetricEvent<'_>) {
        match event {
            MetricEvent::ConnectionOpened(wire) => add(&self.wire(wire).opened, 1),
            MetricEvent::ConnectionClosed(wire) => add(&self.wire(wire).closed, 1),
            MetricEvent::HandshakeRejected(rejection) => self.handshakes_rejected.add(rejection),
            MetricEvent::RequestRejected(wire, rejection) => {
                self.wire(wire).rejected.add(rejection);
            }
            MetricEvent::SlowReaderDisconnected(wire) => add(&self.wire(wire).slow_readers, 1),
            MetricEvent::BatchCommitted { messages, elapsed } => {
                self.record_commit(messages, elapsed);
            }
            MetricEvent::CommitFailed => add(&self.commits_failed, 1),
            MetricEvent::EmitterPacketDropped => add(&self.emitter_packets_dropped, 1),
            MetricEvent::WebhookDelivered { events } => {
                add(&self.webhooks.delivered, events as u64);
            }
            MetricEvent::WebhookFailed => add(&self.webhooks.failed, 1),
            MetricEvent::WebhookDead { events } => add(&self.webhooks.dead, events as u64),
        }
    }
}

impl WireMetrics {
    fn snapshot(&self) -> WireSnapshot {
        WireSnapshot {
            opened: load(&self.opened),
            closed: load(&self.closed),
            slow_readers: load(&self.slow_readers),
            requests_rejected: self.rejected.snapshot(),
        }
    }
}

impl RejectionCounters {
    fn add(&self, rejection: &Rejection) {
        *self.0.lock().entry(code::rejection(rejection).code).or_insert(0) += 1;
    }

    fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().clone()
    }
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [u64; N]) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::default());
        Self { bounds, buckets, above: AtomicU64::default(), sum: AtomicU64::default() }
    }

    fn record(&self, value: u64) {
        let bucket = self.bounds.iter().zip(&self.buckets).find(|(bound, _)| value <= **bound);
        add(bucket.map_or(&self.above, |(_, bucket)| bucket), 1);
        add(&self.sum, value);
    }

    fn snapshot(&self) -> HistogramSnapshot {
        let buckets = self.bounds.iter().zip(&self.buckets);
        HistogramSnapshot {
            buckets: buckets.map(|(bound, count)| (*bound, load(count))).collect(),
            above: load(&self.above),
            sum: load(&self.sum),
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_counted_in_the_bucket_of_its_size_and_time() {
        let metrics = ProcessMetrics::default();
        for (messages, millis) in [(0, 1), (3, 2), (600, 9000)] {
            let elapsed = Duration::from_millis(millis);
            metrics.record(MetricEvent::BatchCommitted { messages, elapsed });
        }
        let MetricsSnapshot { messages_committed, batch_messages, commit_micros, .. } =
            metrics.snapshot();
        assert_eq!(messages_committed, 603);
        assert_eq!((batch_messages.count(), batch_messages.above, batch_messages.sum), (2, 1, 603));
        assert!(batch_messages.buckets.contains(&(4, 1)));
        assert!(commit_micros.buckets.contains(&(1000, 1)), "a bound is inclusive");
        assert_eq!((commit_micros.count(), commit_micros.above), (3, 1));
    }

    #[test]
    fn rejections_are_counted_by_code_and_wire() {
        let metrics = ProcessMetrics::default();
        for rejection in [Rejection::NotMember, Rejection::NotMember, Rejection::Conflict] {
            metrics.record(MetricEvent::RequestRejected(Wire::SocketIo, &rejection));
        }
        metrics.record(MetricEvent::HandshakeRejected(&Rejection::Draining));
        let snapshot = metrics.snapshot();
        let expected = BTreeMap::from([("conflict", 1), ("not_member", 2)]);
        assert_eq!(snapshot.socketio.requests_rejected, expected);
        assert!(snapshot.websocket.requests_rejected.is_empty());
        assert_eq!(snapshot.handshakes_rejected, BTreeMap::from([("draining", 1)]));
    }
}
