//! What proves that messages can be stored and published.

use std::sync::atomic::Ordering;

use super::{Completion, JournalWriter, StoreState};
use crate::domain::Rejection;

impl JournalWriter {
    /// Commits once for all of these probes, and publishes the last one. The others were given up.
    pub(super) async fn probe(&mut self, probes: Vec<(u64, Completion<()>)>) {
        let Some(number) = probes.iter().map(|(number, _)| *number).max() else { return };
        let stored = self.store_state.track(self.store.probe()).await;
        let result = match stored {
            Ok(()) => {
                self.log_recovery();
                self.cluster.publish_probe(number);
                Ok(())
            }
            Err(fault) => {
                self.log_failure(&fault);
                Err(Rejection::Unavailable)
            }
        };
        for (_, done) in probes {
            // The receiver may have been dropped.
            done.send(result.clone()).ok();
        }
    }
}

impl StoreState {
    /// Records that a transaction runs.
    pub(super) async fn track<T>(&self, transaction: impl Future<Output = T>) -> T {
        self.is_busy.store(true, Ordering::Relaxed);
        let result = transaction.await;
        self.is_busy.store(false, Ordering::Relaxed);
        result
    }
}
