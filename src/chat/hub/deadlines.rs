//! When connections end because their token does, and that they are told in time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;

use super::{Hub, close_outboxes, send};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::Outbox,
    },
    domain::CloseReason,
};

/// How long before the end a connection is told of it.
const EXPIRY_NOTICE: Duration = Duration::from_secs(30);

/// What is due, first things first. A deadline has one entry: its notice or its end.
#[derive(Default)]
pub(super) struct Deadlines {
    entries: Mutex<DeadlineEntries>,
    /// How many there have been. A number of its own tells a deadline from the one that it replaces,
    /// which may fall in the same moment.
    last_number: AtomicU64,
}

type DeadlineEntries = BTreeMap<(Duration, u64), DeadlineEntry>;

/// A token whose time will be over.
#[derive(Clone)]
struct DeadlineEntry {
    outbox: Arc<dyn Outbox>,
    ends: Duration,
    expires_at: OffsetDateTime,
}

impl Deadlines {
    fn lock(&self) -> MutexGuard<'_, DeadlineEntries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Duration> {
        self.lock().first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Tells and ends whoever is to be told or ended at `now`.
    pub(super) fn run_due(&self, now: Duration) {
        let mut entries = self.lock();
        let mut due = Vec::new();
        while let Some(first) = entries.first_entry()
            && first.key().0 <= now
        {
            let ((_, number), entry) = first.remove_entry();
            if entry.ends > now {
                entries.insert((entry.ends, number), entry.clone());
            }
            due.push(entry);
        }
        drop(entries);
        let (over, soon): (Vec<_>, Vec<_>) = due.into_iter().partition(|it| it.ends <= now);
        close_outboxes(over.into_iter().map(|it| it.outbox).collect(), CloseReason::TokenExpired);
        for DeadlineEntry { outbox, expires_at, .. } in soon {
            send(&outbox, &Delivery::new(Event::AuthExpiring { expires_at }));
        }
    }
}

/// The end of a connection's time, unless this is dropped before.
#[must_use = "the connection's time has no end when this is dropped"]
pub(crate) struct Deadline {
    hub: Arc<Hub>,
    number: u64,
    ends: Duration,
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deadline").field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Deadline {
    /// Ends a connection at `expires_at`, which is `left` from now, and tells it 30 seconds before;
    /// at once when it is less than that.
    pub(crate) fn set(
        hub: &Arc<Hub>,
        outbox: Arc<dyn Outbox>,
        (expires_at, left): (OffsetDateTime, Duration),
    ) -> Self {
        let ends = hub.now() + left;
        let notice_at = ends.saturating_sub(EXPIRY_NOTICE);
        let entry = DeadlineEntry { outbox, ends, expires_at };
        let number = hub.deadlines.last_number.fetch_add(1, Ordering::Relaxed);
        hub.deadlines.lock().insert((notice_at, number), entry);
        hub.timers.wake();
        Self { hub: Arc::clone(hub), number, ends }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut entries = self.hub.deadlines.lock();
        for moment in [self.ends.saturating_sub(EXPIRY_NOTICE), self.ends] {
            entries.remove(&(moment, self.number));
        }
    }
}
