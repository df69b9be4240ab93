//! Keys in the order of the moments at which they are due.
//!
//! `tokio_util::time::DelayQueue` is polled by one task; the hub's timers are changed by every
//! caller under a lock and read by one task. An ordered set fits that and needs no timer of its own.

use std::{collections::BTreeSet, time::Duration};

/// Keys by due moment. Scheduling, rescheduling and taking one key each cost O(log n).
#[derive(Debug)]
pub(super) struct DueQueue<K> {
    entries: BTreeSet<(Duration, K)>,
}

impl<K> Default for DueQueue<K> {
    fn default() -> Self {
        Self { entries: BTreeSet::new() }
    }
}

impl<K: Ord> DueQueue<K> {
    /// Schedules a key. The caller schedules a key at one moment at a time.
    pub(super) fn insert(&mut self, moment: Duration, key: K) {
        self.entries.insert((moment, key));
    }

    /// Moves a key from one moment to another.
    pub(super) fn reschedule(&mut self, from: Duration, to: Duration, key: K) {
        let mut entry = (from, key);
        self.entries.remove(&entry);
        entry.0 = to;
        self.entries.insert(entry);
    }

    /// Removes a key that is scheduled at this moment.
    pub(super) fn remove(&mut self, moment: Duration, key: K) {
        self.entries.remove(&(moment, key));
    }

    /// The first moment at which a key is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.entries.first().map(|(moment, _)| *moment)
    }

    /// Removes and returns the keys that are due at `now`, the earliest first.
    pub(super) fn take(&mut self, now: Duration) -> Vec<K> {
        let mut due = Vec::new();
        while self.next().is_some_and(|moment| moment <= now) {
            due.extend(self.entries.pop_first().map(|(_, key)| key));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_are_taken_in_order_and_once() {
        let at = Duration::from_secs;
        let mut queue = DueQueue::default();
        for (moment, key) in [(3, 'c'), (1, 'a'), (2, 'b'), (9, 'd')] {
            queue.insert(at(moment), key);
        }
        queue.reschedule(at(9), at(2), 'd');
        assert_eq!(queue.next(), Some(at(1)));
        assert!(queue.take(at(0)).is_empty());
        assert_eq!(queue.take(at(2)), ['a', 'b', 'd']);
        assert_eq!(queue.take(at(9)), ['c']);
        assert_eq!(queue.next(), None);
    }
}
