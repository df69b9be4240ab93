//! What is removed from the store, and then from the nodes.

use tracing::error;

use super::JournalWriter;
use crate::{
    chat::{
        fault::unavailable,
        journal::More,
        ports::{ClusterEvent, Erased, TrimLimits, Trimmed},
    },
    domain::{Place, Rejection, Retained, Seq},
};

impl JournalWriter {
    pub(super) async fn trim(&self, retention: &TrimLimits) -> Result<More, Rejection> {
        // The memberships of guests may end.
        let recording = self.webhooks.as_ref().and_then(|it| it.recording(Vec::new()));
        match self.store_state.track(self.store.trim(retention, recording.as_ref())).await {
            Ok(Trimmed { logs, more }) => {
                if let Some(webhooks) = self.webhooks.as_ref().filter(|_| recording.is_some()) {
                    webhooks.wake();
                }
                self.publish_trimmed(&logs);
                Ok(if more { More::Yes } else { More::No })
            }
            Err(fault) => {
                error!(error = fault.chain(), "retention: the store failed to remove entries");
                Err(Rejection::Unavailable)
            }
        }
    }

    pub(super) async fn erase(&self, place: Place, up_to: Seq) -> Result<More, Rejection> {
        let erased = self.store_state.track(self.store.erase(&place, up_to)).await;
        let Erased { retained, more } = erased.map_err(|fault| unavailable(&fault))?;
        self.publish_trimmed(&Vec::from_iter(retained.map(|it| (place, it))));
        Ok(if more { More::Yes } else { More::No })
    }

    /// Has this node and the others forget entries that were removed.
    fn publish_trimmed(&self, logs: &[(Place, Retained)]) {
        self.hub.fanout.trim(logs);
        for (place, retained) in logs {
            let event = || ClusterEvent::Trimmed(place.clone(), *retained);
            self.hub.publisher.publish_to_place(place, event);
        }
    }
}
