//! A memory store that counts its calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;

use crate::{
    chat::ports::{Fault, PageRange},
    store::{
        MemoryStore,
        observed::{ObservedStore, StoreCall, StoreObserver},
    },
};

/// See the module.
pub(super) type CountingStore = ObservedStore<StoreCounts>;

/// How often a store was called.
#[derive(Debug, Default)]
pub(crate) struct StoreCounts {
    pub(super) commits: AtomicUsize,
    pub(super) pages: AtomicUsize,
    /// All other reads.
    pub(super) others: AtomicUsize,
    /// While its permit is held, reads of the newest page do not return.
    pub(super) page_barrier: Barrier,
    pub(super) probes: AtomicUsize,
    /// While its permit is held, probes do not return.
    pub(super) probe_barrier: Barrier,
}

/// See [`StoreCounts`].
#[derive(Debug)]
pub(super) struct Barrier(pub(super) Semaphore);

impl Default for Barrier {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Default for CountingStore {
    fn default() -> Self {
        Self::new(Arc::new(MemoryStore::new()), StoreCounts::default())
    }
}

impl StoreObserver for StoreCounts {
    async fn observe<T: Send>(
        &self,
        call: StoreCall,
        answer: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let counter = match call {
            StoreCall::Commit => Some(&self.commits),
            StoreCall::Probe => Some(&self.probes),
            StoreCall::Page(_) => Some(&self.pages),
            StoreCall::Read(_) | StoreCall::Other => Some(&self.others),
            StoreCall::Removal => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        if call == StoreCall::Probe {
            drop(self.probe_barrier.0.acquire().await);
        }
        let answer = answer.await;
        if call == StoreCall::Page(PageRange::Newest) {
            drop(self.page_barrier.0.acquire().await);
        }
        answer
    }
}
