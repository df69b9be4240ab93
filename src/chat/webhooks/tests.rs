//! A sender whose store fails: it does not send longer than its lease lasts.

use async_trait::async_trait;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::time::sleep;

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
struct TestOutbox(Mutex<State>);

#[derive(Default)]
struct State {
    events: Vec<OutboxEvent>,
    leases_fail: bool,
}

impl TestOutbox {
    fn record(&self, id: u64) {
        let new = NewOutboxEvent {
            webhook: name(),
            space: Space::root(),
            event: WebhookEvent::UserOnline(UserName::from_raw("ann")),
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

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_lease_cannot_be_renewed() {
    let (outbox, receiver) = (Arc::<TestOutbox>::default(), Arc::<Receiver>::default());
    let parts = SenderParts {
        outbox: Arc::clone(&outbox) as Arc<dyn WebhookOutbox>,
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        metrics: Arc::new(NoMetrics),
        node: NodeId::from_raw("node"),
    };
    let target = WebhookTarget {
        name: name(),
        receiver: Arc::clone(&receiver) as Arc<dyn WebhookReceiver>,
        in_flight_max: 1,
        batch_max: 1,
        retry_max: Duration::from_mins(1),
    };
    let sender = WebhookSender::new(parts, target, Arc::default());
    let test = async {
        outbox.record(1);
        sleep(WEBHOOK_LEASE).await;
        assert_eq!(*receiver.0.lock(), 1);
        outbox.0.lock().leases_fail = true;
        sleep(WEBHOOK_LEASE).await;
        outbox.record(2);
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
