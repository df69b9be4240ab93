//! A sender whose store fails, or has few connections.

use async_trait::async_trait;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

use super::*;
use crate::{
    chat::ports::{
        AttemptOutcome, BackendFailure, DeadLetters, Fault, NewOutboxEvent, NoMetrics, OutboxEvent,
        PresenceRecord, WEBHOOK_LEASE, WebhookEvent, WebhookReceiver, WebhookRequest,
    },
    clock::{RandomIds, SystemClock},
    domain::{NodeId, Space},
    store::MemoryStore,
};

/// Events that wait. Its leases can be made to fail.
#[derive(Default)]
struct TestOutbox(Mutex<State>, Connection);

/// The only connection to a store.
struct Connection(Semaphore);

impl Default for Connection {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Connection {
    async fn acquire(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.unwrap()
    }
}

#[derive(Default)]
struct State {
    events: Vec<OutboxEvent>,
    leases_fail: bool,
}

impl TestOutbox {
    fn record(&self, id: u64, user: &str) {
        let new = NewOutboxEvent {
            webhook: name(),
            space: Space::root(),
            event: WebhookEvent::UserOnline(UserName::from_raw(user)),
            at: OffsetDateTime::UNIX_EPOCH,
        };
        let event = OutboxEvent { id, new, batch: None, attempts: 0, failure: None, dead_at: None };
        self.0.lock().events.push(event);
    }
}

#[async_trait]
impl WebhookOutbox for TestOutbox {
    async fn record_presence(&self, _record: Arc<PresenceRecord>) -> Result<(), Fault> {
        Ok(())
    }

    async fn end_lost_presence(&self, _record: Arc<PresenceRecord>) -> Result<u64, Fault> {
        Ok(0)
    }

    async fn acquire_lease(&self, _webhook: &WebhookName, _node: &NodeId) -> Result<bool, Fault> {
        if self.0.lock().leases_fail { Err(Fault::new("lease failed", "test")) } else { Ok(true) }
    }

    async fn release_leases(&self, _node: &NodeId) -> Result<(), Fault> {
        Ok(())
    }

    async fn waiting(
        &self,
        _webhook: &WebhookName,
        without: &[String],
        _events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        let _connection = self.1.acquire().await;
        let events = self.0.lock().events.clone();
        Ok(events.into_iter().filter(|it| !without.contains(&it.new.subject())).collect())
    }

    async fn assign_batch(&self, _events: &[u64], _batch: &str) -> Result<(), Fault> {
        Ok(())
    }

    async fn settle(&self, outcomes: &[AttemptOutcome]) -> Result<(), Fault> {
        let is_delivered = |id| {
            let has = |it: &_| matches!(it, AttemptOutcome::Delivered(ids) if ids.contains(&id));
            outcomes.iter().any(has)
        };
        self.0.lock().events.retain(|it| !is_delivered(it.id));
        Ok(())
    }

    async fn dead_letters(
        &self,
        _webhook: Option<&WebhookName>,
        _after: u64,
        _events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault> {
        Ok(Vec::new())
    }

    async fn resend(&self, _letters: &DeadLetters) -> Result<u64, Fault> {
        Ok(0)
    }

    async fn remove_before(&self, _time: OffsetDateTime) -> Result<(), Fault> {
        Ok(())
    }
}

/// Counts requests, and accepts them.
#[derive(Default)]
struct Receiver(Mutex<usize>);

#[async_trait]
impl WebhookReceiver for Receiver {
    async fn deliver(&self, _request: &WebhookRequest) -> Result<(), BackendFailure> {
        *self.0.lock() += 1;
        Ok(())
    }
}

fn name() -> WebhookName {
    WebhookName::from_raw("test")
}

/// Needs the connection for a while to make a request.
struct ReadingReceiver(Arc<TestOutbox>);

#[async_trait]
impl WebhookReceiver for ReadingReceiver {
    async fn deliver(&self, _request: &WebhookRequest) -> Result<(), BackendFailure> {
        let _connection = self.0.1.acquire().await;
        sleep(Duration::from_millis(10)).await;
        Ok(())
    }
}

fn sender(
    outbox: &Arc<TestOutbox>,
    receiver: Arc<dyn WebhookReceiver>,
    in_flight_max: usize,
) -> WebhookSender {
    let parts = SenderParts {
        outbox: Arc::clone(outbox) as Arc<dyn WebhookOutbox>,
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        metrics: Arc::new(NoMetrics),
        tracer: None,
        traces: Arc::default(),
        node: NodeId::from_raw("node"),
    };
    let target = WebhookTarget {
        name: name(),
        receiver,
        in_flight_max,
        batch_max: 1,
        retry_max: Duration::from_mins(1),
    };
    WebhookSender::new(parts, target, Arc::default())
}

#[tokio::test(start_paused = true)]
async fn requests_go_on_while_the_outbox_waits_for_their_connection() {
    let outbox = Arc::<TestOutbox>::default();
    for (id, user) in (1..).zip(["ann", "bob", "eve"]) {
        outbox.record(id, user);
    }
    let sender = sender(&outbox, Arc::new(ReadingReceiver(Arc::clone(&outbox))), 3);
    timeout(Duration::from_secs(5), sender.run()).await.unwrap_err();
    assert_eq!(outbox.0.lock().events.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_lease_cannot_be_renewed() {
    let (outbox, receiver) = (Arc::<TestOutbox>::default(), Arc::<Receiver>::default());
    let sender = sender(&outbox, Arc::clone(&receiver) as Arc<dyn WebhookReceiver>, 1);
    let test = async {
        outbox.record(1, "ann");
        sleep(WEBHOOK_LEASE).await;
        assert_eq!(*receiver.0.lock(), 1);
        outbox.0.lock().leases_fail = true;
        sleep(WEBHOOK_LEASE).await;
        outbox.record(2, "ann");
        sleep(WEBHOOK_LEASE).await;
        assert_eq!(*receiver.0.lock(), 1, "another node may have the lease now");
        outbox.0.lock().leases_fail = false;
        sleep(WEBHOOK_LEASE).await;
        assert_eq!(*receiver.0.lock(), 2);
    };
    tokio::select! {
        () = sender.run() => unreachable!("it runs for ever"),
        () = test => (),
    }
}
