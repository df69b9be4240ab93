//! The task that sends the events of one webhook.

use std::{fmt, mem, pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use super::{
    WebhookTarget,
    content::sent,
    fault_log::{FaultLog, FaultTexts},
    planner::{Planner, ReceiverChange},
    request::{Request, RequestKind},
    traces::MessageTraces,
};
use crate::{
    chat::ports::{
        AttemptOutcome, BackendFailure, Clock, IdSource, MetricEvent, Metrics, SpanFact,
        SpanHandle, SpanKind, Store, Tracer, WEBHOOK_LEASE, WebhookOutbox, WebhookReceiver,
        WebhookRequest, in_span,
    },
    domain::NodeId,
};

/// How often the outbox is read for what other nodes have recorded, and for a lease that ended.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the lease is renewed.
const RENEW_INTERVAL: Duration = WEBHOOK_LEASE.checked_div(4).expect("4 is not 0");
/// How long requests begin after the lease was renewed: they are to end before another node has it.
const LEASE_USE: Duration = WEBHOOK_LEASE.checked_sub(RENEW_INTERVAL).expect("it is a part");
/// Events that one read returns at most.
const READ_MAX: usize = 512;
/// How long an event waits whose entry could not be read.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// How often old events are removed.
const REMOVE_INTERVAL: Duration = Duration::from_hours(1);
/// How long events are kept, delivered or not: the longest setting for retries, and 30 days as dead
/// letters.
const EVENT_LIFETIME: Duration = Duration::from_hours(61 * 24);

const FAULTS: FaultTexts =
    FaultTexts { failed: "webhook outbox failed", restored: "webhook outbox restored" };

/// The engines of the senders.
#[derive(Clone)]
pub(in crate::chat) struct SenderParts {
    pub(in crate::chat) outbox: Arc<dyn WebhookOutbox>,
    pub(in crate::chat) store: Arc<dyn Store>,
    pub(in crate::chat) clock: Arc<dyn Clock>,
    pub(in crate::chat) ids: Arc<dyn IdSource>,
    pub(in crate::chat) metrics: Arc<dyn Metrics>,
    pub(in crate::chat) tracer: Option<Arc<dyn Tracer>>,
    pub(in crate::chat) traces: Arc<MessageTraces>,
    pub(in crate::chat) node: NodeId,
}

/// See the module.
pub struct WebhookSender {
    parts: SenderParts,
    target: WebhookTarget,
    wake: Arc<Notify>,
    planner: Planner,
    started: Instant,
    /// When the lease was acquired or renewed last.
    lease: Option<Instant>,
    /// When the lease was asked for last.
    asked_for_lease: Option<Instant>,
    /// When old events were removed last.
    removed: Option<Instant>,
    /// Whether the outbox may have events that were not read.
    is_stale: bool,
    faults: FaultLog,
}

/// A request and its outcome.
struct Attempt {
    request: Request,
    outcome: Result<(), AttemptFailure>,
}

enum AttemptFailure {
    Receiver(BackendFailure),
    /// The request was not sent.
    Store,
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSender").field("target", &self.target).finish_non_exhaustive()
    }
}

impl WebhookSender {
    pub(in crate::chat) fn new(
        parts: SenderParts,
        target: WebhookTarget,
        wake: Arc<Notify>,
    ) -> Self {
        let planner = Planner::new(target.in_flight_max, target.batch_max);
        let faults = FaultLog::new(FAULTS, Some(target.name.clone()));
        Self {
            parts,
            target,
            wake,
            planner,
            started: Instant::now(),
            lease: None,
            asked_for_lease: None,
            removed: None,
            is_stale: true,
            faults,
        }
    }

    /// Sends events while this node has the lease of the webhook. Runs for ever.
    pub async fn run(mut self) {
        let (mut in_flight, mut ended) = (FuturesUnordered::new(), Vec::new());
        loop {
            let next = self.next_step(mem::take(&mut ended));
            for request in beside(next, &mut in_flight, &mut ended).await {
                in_flight.push(self.attempt(request));
            }
            if !ended.is_empty() {
                continue;
            }
            // All of them are cancel-safe: a request that is not ready stays under way.
            tokio::select! {
                Some(first) = in_flight.next() => {
                    ended.push(first);
                    while let Some(Some(next)) = in_flight.next().now_or_never() {
                        ended.push(next);
                    }
                }
                () = self.wake.notified() => self.is_stale = true,
                () = sleep_until(self.next_turn()) => self.is_stale = true,
            }
        }
    }

    /// Stores what came of requests, and takes those that begin now.
    async fn next_step(&mut self, ended: Vec<Attempt>) -> Vec<Request> {
        if !ended.is_empty() {
            self.settle(ended).await;
        }
        self.renew_lease().await;
        if !self.has_lease() {
            return Vec::new();
        }
        self.remove_old_events().await;
        self.next_requests().await
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// When the task looks again by itself.
    fn next_turn(&self) -> Instant {
        let wait_end = self.planner.next_wait_end().filter(|_| self.has_lease());
        let poll = Instant::now() + POLL_INTERVAL;
        // Not at once, if what was waited for cannot begin yet.
        let soon = Instant::now() + Duration::from_millis(1);
        wait_end.map_or(poll, |end| (self.started + end).max(soon).min(poll))
    }

    fn has_lease(&self) -> bool {
        self.lease.is_some_and(|since| since.elapsed() < LEASE_USE)
    }

    async fn renew_lease(&mut self) {
        let interval = if self.has_lease() { RENEW_INTERVAL } else { POLL_INTERVAL };
        if self.asked_for_lease.is_some_and(|at| at.elapsed() < interval) {
            return;
        }
        let asked = Instant::now();
        self.asked_for_lease = Some(asked);
        let had_lease = self.has_lease();
        let outbox = Arc::clone(&self.parts.outbox);
        let acquired = outbox.acquire_lease(&self.target.name, &self.parts.node).await;
        match self.faults.check(acquired) {
            Some(true) => self.lease = Some(asked),
            Some(false) => self.lease = None,
            None => (),
        }
        if self.has_lease() && !had_lease {
            self.planner.forget();
            self.is_stale = true;
        }
    }

    async fn remove_old_events(&mut self) {
        if self.removed.is_some_and(|at| at.elapsed() < REMOVE_INTERVAL) {
            return;
        }
        self.removed = Some(Instant::now());
        let time = self.parts.clock.now() - EVENT_LIFETIME;
        let outbox = Arc::clone(&self.parts.outbox);
        let removed = outbox.remove_before(time).await;
        self.faults.check(removed);
    }

    /// Takes the requests that begin now. A new batch is stored with its events before it is sent.
    async fn next_requests(&mut self) -> Vec<Request> {
        let now = self.now();
        self.is_stale |= self.planner.end_waits(now);
        let mut requests = self.planner.take_requests(now);
        if self.is_stale && self.planner.has_free_slot(now) {
            self.is_stale = false;
            let (outbox, without) =
                (Arc::clone(&self.parts.outbox), self.planner.unread_subjects());
            let read = outbox.waiting(&self.target.name, &without, READ_MAX).await;
            if let Some(events) = self.faults.check(read) {
                self.planner.add(events);
            }
            requests.extend(self.planner.take_requests(now));
        }
        let mut ready = Vec::with_capacity(requests.len());
        for request in requests {
            ready.extend(self.with_batch(request).await);
        }
        ready
    }

    async fn with_batch(&mut self, request: Request) -> Option<Request> {
        if request.kind != RequestKind::NewBatch {
            return Some(request);
        }
        let batch = format!("msg_{}", self.parts.ids.message_id().as_raw());
        let outbox = Arc::clone(&self.parts.outbox);
        let assigned = outbox.assign_batch(&ids(&request), &batch).await;
        if self.faults.check(assigned).is_none() {
            self.planner.wait(&request, self.now() + STORE_WAIT);
            return None;
        }
        Some(Request { kind: RequestKind::Batch(batch.into()), ..request })
    }

    /// Sends a request.
    fn attempt(&self, request: Request) -> BoxFuture<'static, Attempt> {
        let receiver = Arc::clone(&self.target.receiver);
        let (store, tracer) = (Arc::clone(&self.parts.store), self.parts.tracer.clone());
        let cause = tracer.as_ref().and_then(|_| self.cause(&request));
        Box::pin(async move {
            let outcome = match sent(&*store, &request).await {
                Ok(sent) => {
                    let begin = |it: Arc<dyn Tracer>| {
                        it.begin("webhook", SpanKind::Client, cause.as_deref())
                    };
                    let span = tracer.and_then(begin);
                    deliver(&*receiver, &sent, span).await.map_err(AttemptFailure::Receiver)
                }
                Err(_fault) => Err(AttemptFailure::Store),
            };
            Attempt { request, outcome }
        })
    }

    /// The trace of the request of a client that caused the first event for which one is kept.
    fn cause(&self, request: &Request) -> Option<String> {
        request.events.iter().find_map(|it| self.parts.traces.of(&it.new))
    }

    /// Stores outcomes and plans what follows from them.
    async fn settle(&mut self, ended: Vec<Attempt>) {
        let mut outcomes = Vec::with_capacity(ended.len());
        for Attempt { request, outcome } in ended {
            match outcome {
                Ok(()) => {
                    let events = request.events.len();
                    let webhook = &self.target.name;
                    self.parts.metrics.record(MetricEvent::WebhookDelivered { webhook, events });
                    outcomes.push(AttemptOutcome::Delivered(ids(&request)));
                    let change = self.planner.succeeded(&request);
                    self.log(change, None);
                }
                Err(AttemptFailure::Receiver(failure)) => {
                    outcomes.push(self.fail(&request, &failure));
                }
                Err(AttemptFailure::Store) => {
                    self.planner.wait(&request, self.now() + STORE_WAIT);
                }
            }
        }
        self.is_stale = true;
        let outbox = Arc::clone(&self.parts.outbox);
        let mut settled = outbox.settle(&outcomes).await;
        // What is not stored would be sent again, and in another order than it was accepted.
        while self.faults.check(settled).is_none() {
            tokio::time::sleep(STORE_WAIT).await;
            settled = outbox.settle(&outcomes).await;
        }
    }

    /// Plans the next attempt of a request that failed, or makes its events dead letters.
    fn fail(&mut self, request: &Request, failure: &BackendFailure) -> AttemptOutcome {
        self.parts.metrics.record(MetricEvent::WebhookFailed(&self.target.name));
        let (now, newest) = (self.parts.clock.now(), request.events.iter().map(|it| it.new.at));
        let is_over = newest.max().is_none_or(|at| now - at >= self.target.retry_max);
        let jitter = self.parts.ids.fraction();
        let change = self.planner.failed(request, self.now(), jitter);
        self.log(change, Some(failure));
        if is_over {
            // Later events of the subjects do not wait for dead letters.
            self.planner.end_wait(request);
            let events = request.events.len();
            let webhook = &self.target.name;
            self.parts.metrics.record(MetricEvent::WebhookDead { webhook, events });
            let webhook = webhook.as_raw();
            warn!(webhook, events, error = %failure, "webhook events are dead letters");
        }
        AttemptOutcome::Failed {
            events: ids(request),
            failure: failure.to_string().into(),
            dead_at: is_over.then_some(now),
        }
    }

    fn log(&self, change: ReceiverChange, failure: Option<&BackendFailure>) {
        let webhook = self.target.name.as_raw();
        match (change, failure) {
            (ReceiverChange::BeginsToFail, Some(error)) => {
                warn!(webhook, %error, "webhook receiver only fails");
            }
            (ReceiverChange::Recovered, _) => info!(webhook, "webhook receiver accepts again"),
            (ReceiverChange::BeginsToFail | ReceiverChange::None, _) => (),
        }
    }
}

/// Sends a request, in a step of a trace, if it is sampled.
async fn deliver(
    receiver: &dyn WebhookReceiver,
    request: &WebhookRequest,
    span: Option<SpanHandle>,
) -> Result<(), BackendFailure> {
    let Some(span) = span else { return receiver.deliver(request).await };
    span.record(SpanFact::Events(request.events.len()));
    let delivered = in_span(SpanHandle::clone(&span), receiver.deliver(request)).await;
    if delivered.is_err() {
        span.record(SpanFact::Failed);
    }
    delivered
}

/// Waits for `step` while the attempts go on: those that read use the same connections to the store,
/// and would keep them for as long as nobody polls them.
async fn beside<T>(
    step: impl Future<Output = T>,
    in_flight: &mut FuturesUnordered<BoxFuture<'static, Attempt>>,
    ended: &mut Vec<Attempt>,
) -> T {
    let mut step = pin!(step);
    loop {
        tokio::select! {
            done = &mut step => return done,
            Some(attempt) = in_flight.next() => ended.push(attempt),
        }
    }
}

fn ids(request: &Request) -> Vec<u64> {
    request.events.iter().map(|it| it.id).collect()
}
