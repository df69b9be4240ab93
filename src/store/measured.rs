//! Times the reads of a store, whatever engine it has.

use std::sync::Arc;

use tokio::time::Instant;

use super::observed::{ObservedStore, StoreCall, StoreObserver};
use crate::chat::ports::{Fault, MetricEvent, Metrics, ReadOutcome, Store};

/// The store, with its reads timed. The journal times the commits.
pub fn measured_store(store: Arc<dyn Store>, metrics: Arc<dyn Metrics>) -> Arc<dyn Store> {
    Arc::new(ObservedStore::new(store, ReadTimer { metrics }))
}

/// Times reads.
struct ReadTimer {
    metrics: Arc<dyn Metrics>,
}

impl StoreObserver for ReadTimer {
    async fn observe<T: Send>(
        &self,
        call: StoreCall,
        answer: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let read = match call {
            StoreCall::Page(_) => "page",
            StoreCall::Read(read) => read,
            StoreCall::Commit | StoreCall::Probe | StoreCall::Removal | StoreCall::Other => {
                return answer.await;
            }
        };
        let begun_at = Instant::now();
        let answer = answer.await;
        let outcome = if answer.is_ok() { ReadOutcome::Answered } else { ReadOutcome::Failed };
        self.metrics.record(MetricEvent::StoreRead { read, elapsed: begun_at.elapsed(), outcome });
        answer
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::{
        chat::ports::{NoMetrics, PageRange},
        domain::{Space, UserName},
        store::{MemoryStore, contract::store_contract},
    };

    /// What was read.
    #[derive(Default)]
    struct Reads(Mutex<Vec<(&'static str, ReadOutcome)>>);

    impl Metrics for Reads {
        fn record(&self, event: MetricEvent<'_>) {
            let MetricEvent::StoreRead { read, outcome, elapsed: _ } = event else {
                panic!("{event:?}")
            };
            self.0.lock().push((read, outcome));
        }
    }

    #[tokio::test]
    async fn a_measured_store_keeps_the_contract() {
        store_contract(async || {
            let metrics = Arc::new(NoMetrics);
            ObservedStore::new(Arc::new(MemoryStore::new()), ReadTimer { metrics })
        })
        .await;
    }

    #[tokio::test]
    async fn reads_are_counted_with_their_outcome() {
        let reads = Arc::new(Reads::default());
        let timer = ReadTimer { metrics: Arc::<Reads>::clone(&reads) };
        let store = ObservedStore::new(Arc::new(MemoryStore::new()), timer);
        store.user_exists(&Space::root(), &UserName::from_raw("ann")).await.unwrap();
        store.probe().await.unwrap();
        let failed = async { Err::<(), _>(Fault::new("read", "no disk")) };
        store.observe(StoreCall::Page(PageRange::Newest), failed).await.unwrap_err();
        let expected = [("user_exists", ReadOutcome::Answered), ("page", ReadOutcome::Failed)];
        assert_eq!(*reads.0.lock(), expected);
    }
}
