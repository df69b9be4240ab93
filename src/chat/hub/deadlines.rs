//! Connections that are closed when their token expires, and the notice before that.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use time::OffsetDateTime;

use super::{
    slow_readers::{close_outboxes, send},
    timers::Timers,
};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::Outbox,
    },
    domain::CloseReason,
};

/// How long before its end a connection receives the notice.
const EXPIRY_NOTICE: Duration = Duration::from_secs(30);

/// Notices and ends by due moment. A deadline has one entry: its notice, then its end.
///
/// The lock is held for map operations only: events are sent without it.
pub(crate) struct Deadlines {
    timers: Arc<Timers>,
    entries: Mutex<DeadlineEntries>,
    /// The number of the newest deadline. It distinguishes a deadline from the one that it replaces,
    /// which may be due at the same moment.
    last_number: AtomicU64,
}

type DeadlineEntries = BTreeMap<(Duration, u64), DeadlineEntry>;

/// A token that expires, and the connection that uses it.
#[derive(Clone)]
struct DeadlineEntry {
    outbox: Arc<dyn Outbox>,
    ends: Duration,
    expires_at: OffsetDateTime,
}

impl Deadlines {
    pub(super) fn new(timers: Arc<Timers>) -> Arc<Self> {
        Arc::new(Self { timers, entries: Mutex::default(), last_number: AtomicU64::new(0) })
    }

    /// The next moment at which something is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.entries.lock().first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Sends the notices and closes the connections that are due at `now`.
    pub(super) fn run_due(&self, now: Duration) {
        let mut entries = self.entries.lock();
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

/// Closes a connection at its deadline, unless this is dropped before.
#[must_use = "the connection has no deadline after this is dropped"]
pub(crate) struct Deadline {
    deadlines: Arc<Deadlines>,
    number: u64,
    ends: Duration,
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deadline").field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Deadline {
    /// Closes a connection at `expires_at`, which is `left` from now, and notifies it 30 seconds
    /// before that, or at once if less is left.
    pub(crate) fn set(
        deadlines: &Arc<Deadlines>,
        outbox: Arc<dyn Outbox>,
        (expires_at, left): (OffsetDateTime, Duration),
    ) -> Self {
        let ends = deadlines.timers.now() + left;
        let notice_at = ends.saturating_sub(EXPIRY_NOTICE);
        let entry = DeadlineEntry { outbox, ends, expires_at };
        let number = deadlines.last_number.fetch_add(1, Ordering::Relaxed);
        deadlines.entries.lock().insert((notice_at, number), entry);
        deadlines.timers.wake();
        Self { deadlines: Arc::clone(deadlines), number, ends }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut entries = self.deadlines.entries.lock();
        for moment in [self.ends.saturating_sub(EXPIRY_NOTICE), self.ends] {
            entries.remove(&(moment, self.number));
        }
    }
}
