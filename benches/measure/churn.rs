//! A room of 5,000 users with a hundred arrivals and departures per second: the events that each
//! connection receives.
//!
//! Not a criterion benchmark: the results are the number of events and the CPU time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use roomcast::{
    chat::{
        event::{Delivery, Event},
        ports::{Carrier, Outbox, Overflow, Peer},
    },
    domain::{CloseReason, Limits},
    store::MemoryStore,
};
use tokio::{runtime::Builder, time::interval};

use super::{fixtures::Fixture, processor_time::processor_time};

/// The name that `cargo bench -- …` filters by.
pub(crate) const NAME: &str = "churn";

/// Users that stay in the room.
const USERS: usize = 5000;
/// The interval between changes.
const EVERY: Duration = Duration::from_millis(10);
/// The number of changes.
const CHANGES: u32 = 1000;

/// Measures, and prints a line.
pub(crate) fn measure() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let limits = Limits { presence_grace: Duration::ZERO, ..Limits::default() };
    let fixture = Fixture::with_store(runtime, Arc::new(MemoryStore::default()), limits);
    let counters: Vec<_> = (0..USERS).map(|_| Arc::new(PresenceCounter::default())).collect();
    let cost = fixture.runtime.block_on(churn(&fixture, &counters));
    fixture.close();

    report(&counters, cost);
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
#[expect(clippy::cast_precision_loss, reason = "a mean of small counts")]
fn report(counters: &[Arc<PresenceCounter>], cost: Duration) {
    let seconds = EVERY.as_secs_f64() * f64::from(CHANGES);
    let received = counters.iter().map(|counter| counter.0.load(Ordering::Relaxed));
    let (most, sum) = received.fold((0, 0), |(most, sum), it| (it.max(most), it + sum));
    println!(
        "churn: {:.0} arrivals and departures a second in a room of {USERS}: each receives {:.2} \
         events a second of it, at most {:.2}; {:.1} % of a core",
        f64::from(CHANGES) / seconds,
        sum as f64 / USERS as f64 / seconds,
        most as f64 / seconds,
        100.0 * cost.as_secs_f64() / seconds,
    );
}

/// Users connect and disconnect while the others stay. Returns the CPU time.
async fn churn(fixture: &Fixture, counters: &[Arc<PresenceCounter>]) -> Duration {
    let mut sessions = Vec::with_capacity(USERS);
    for (number, counter) in counters.iter().enumerate() {
        sessions
            .push(fixture.connect_user(number, None, Arc::clone(counter) as Arc<dyn Outbox>).await);
    }
    for counter in counters {
        counter.0.store(0, Ordering::Relaxed);
    }
    let (before, mut ticks, mut visitor) = (processor_time(), interval(EVERY), None);
    for number in 0..CHANGES {
        ticks.tick().await;
        visitor = match visitor.take() {
            None => {
                let number = USERS + number as usize;
                Some(fixture.connect_user(number, None, Arc::new(PresenceCounter::default())).await)
            }
            Some(session) => {
                drop(session);
                None
            }
        };
    }
    processor_time().saturating_sub(before)
}

/// Counts presence events.
#[derive(Debug, Default)]
struct PresenceCounter(AtomicU64);

#[async_trait]
impl Outbox for PresenceCounter {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let is_presence = matches!(
            delivery.event(),
            Event::Presence { .. } | Event::Users(_) | Event::Joined { .. } | Event::Left { .. }
        );
        if is_presence {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn offer(&self, _: &Arc<Delivery>) {}

    async fn wait_for_capacity(&self) {}

    fn is_revoked(&self) -> bool {
        false
    }

    fn close(&self, _: CloseReason) {}

    fn peer(&self) -> Peer {
        Peer { carrier: Carrier::PlainWebSocket, address: None }
    }
}
