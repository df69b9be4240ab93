//! What the chat and the transports count. The implementation decides how it is reported.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{BackendFailure, ConnectionEnd, ReceivedRequest, Tracer, Wire};
use crate::domain::{BackendName, Rejection, WebhookName};

/// Receives countable events. Called on hot paths: an implementation must not block.
pub trait Metrics: Send + Sync + 'static {
    /// Counts one event.
    fn record(&self, event: MetricEvent<'_>);
}

/// A countable event. Labels have few values: no user, room or address.
#[derive(Clone, Copy, Debug)]
pub enum MetricEvent<'a> {
    /// A connection was admitted.
    ConnectionOpened(Wire),
    /// An admitted connection ended.
    ConnectionClosed(Wire, ConnectionEnd),
    /// A handshake was rejected before a connection existed.
    HandshakeRejected(&'a Rejection),
    /// A request on a connection was answered.
    RequestAnswered {
        /// The protocol of the connection.
        wire: Wire,
        /// The event that carried it, if it is one of the protocol.
        name: Option<&'static str>,
        /// From the reading of the request to its answer.
        elapsed: Duration,
        /// Why it was refused, if it was.
        rejection: Option<&'a Rejection>,
    },
    /// Stored entries were queued for connections.
    Delivered {
        /// How many: the same entry for two connections counts twice.
        entries: u64,
    },
    /// The last connection of this node has a stored entry, or has ended.
    DeliveryEnded {
        /// From the commit or, of an entry of another node, its arrival.
        elapsed: Duration,
    },
    /// A client that came back to a room was sent entries that it had missed, or was told that it cannot
    /// have them.
    MissedSent(MissedSource),
    /// The store committed a transaction of the journal.
    BatchCommitted {
        /// The messages in it; 0 if it held only memberships and visits.
        messages: usize,
        /// From the call of the store to its answer.
        elapsed: Duration,
    },
    /// The store refused a transaction of the journal.
    CommitFailed,
    /// The store was read.
    StoreRead {
        /// What was read: the method of the store.
        read: &'static str,
        /// From the call of the store to its answer.
        elapsed: Duration,
        /// Whether it answered.
        outcome: ReadOutcome,
    },
    /// A polling client of Socket.IO asked for what waits.
    PollReceived,
    /// The bus has returned a probe of this node.
    BusProbed {
        /// From its commit to its arrival.
        elapsed: Duration,
    },
    /// A back end was called.
    BackendCalled {
        /// The back end.
        backend: &'a BackendName,
        /// From the call to its outcome.
        elapsed: Duration,
        /// Why it did not answer, if it did not.
        failure: Option<&'a BackendFailure>,
    },
    /// A packet of a Redis emitter was malformed, too large, or named an event of the protocol.
    EmitterPacketDropped,
    /// A webhook has accepted events.
    WebhookDelivered {
        /// The webhook.
        webhook: &'a WebhookName,
        /// The events in the request.
        events: usize,
    },
    /// A request to a webhook failed.
    WebhookFailed(&'a WebhookName),
    /// Events became dead letters.
    WebhookDead {
        /// The webhook.
        webhook: &'a WebhookName,
        /// The events in the request.
        events: usize,
    },
    /// Spans of traces were dropped.
    SpansDropped {
        /// How many.
        spans: usize,
        /// Why.
        reason: SpanLoss,
    },
}

/// Why spans are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpanLoss {
    /// The queue is full: the collector is slower than the sample.
    QueueFull,
    /// The collector did not take them.
    ExportFailed,
}

/// How a read of the store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// It was answered.
    Answered,
    /// It failed.
    Failed,
}

/// Where the missed entries of a room came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedSource {
    /// Memory: also the end of those that began in the store.
    Ring,
    /// The store: once per page.
    Store,
    /// Nowhere: they are too many, or no longer stored.
    Refused,
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {
    fn record(&self, _event: MetricEvent<'_>) {}
}

/// Counts the requests of the connections of one protocol, and begins their traces.
#[derive(Clone)]
pub struct RequestMetrics {
    metrics: Arc<dyn Metrics>,
    tracer: Option<Arc<dyn Tracer>>,
    wire: Wire,
}

impl RequestMetrics {
    /// The counters of connections over `wire`.
    pub(crate) fn new(
        metrics: Arc<dyn Metrics>,
        tracer: Option<Arc<dyn Tracer>>,
        wire: Wire,
    ) -> Self {
        Self { metrics, tracer, wire }
    }

    /// Begins the trace of a request that is about to be parsed, if it is sampled.
    pub fn received(&self) -> Option<ReceivedRequest> {
        ReceivedRequest::begin(&**self.tracer.as_ref()?, self.wire)
    }

    /// Records the answer to a request that was read at `begun_at`. `name` is the event that carried it,
    /// if it is one of the protocol.
    pub fn answered<T>(
        &self,
        name: Option<&'static str>,
        begun_at: Instant,
        reply: &Result<T, Rejection>,
    ) {
        let (wire, elapsed, rejection) = (self.wire, begun_at.elapsed(), reply.as_ref().err());
        self.metrics.record(MetricEvent::RequestAnswered { wire, name, elapsed, rejection });
    }
}

impl fmt::Debug for RequestMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMetrics").field("wire", &self.wire).finish_non_exhaustive()
    }
}
