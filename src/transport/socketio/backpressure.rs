//! How much waits in a connection, in either direction.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// No room is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Bytes on their way to the client: taken when an event is queued, given back as they are written.
///
/// More is written than was taken, because frames have heads and answers are not events. So giving
/// back stops at zero, and whatever the two sides differ by is forgotten each time the queue runs
/// empty.
#[derive(Debug)]
pub(super) struct OutgoingBytes {
    level: AtomicUsize,
    bytes_max: usize,
}

impl OutgoingBytes {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { level: AtomicUsize::new(0), bytes_max }
    }

    /// Takes room for `bytes`. An empty queue takes an event of any size: where nothing waits,
    /// nobody is slow.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), Full> {
        let fits = |level: usize| {
            let next = level.saturating_add(bytes);
            (level == 0 || next <= self.bytes_max).then_some(next)
        };
        match self.level.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(Full),
        }
    }

    /// Gives `bytes` back. Answers whether somebody may be waiting for just that.
    pub(super) fn release(&self, bytes: usize) -> bool {
        let less = |level: usize| Some(level.saturating_sub(bytes));
        let (Ok(before) | Err(before)) =
            self.level.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        let after = before.saturating_sub(bytes);
        (before >= self.half() && after < self.half()) || (before > 0 && after == 0)
    }

    /// Whether less than half of the room is taken.
    pub(super) fn has_capacity(&self) -> bool {
        self.level.load(Ordering::Acquire) < self.half()
    }

    /// Whether everything was written.
    pub(super) fn is_empty(&self) -> bool {
        self.level.load(Ordering::Acquire) == 0
    }

    fn half(&self) -> usize {
        (self.bytes_max / 2).max(1)
    }
}

/// Requests of one connection that wait for their turn, in all of its spaces together.
///
/// Above the mark nothing more is read from the client. The mark lies at half of the bound, so that
/// what is already in our buffers still finds room, and the bound is met only by a client that
/// reading cannot hold back.
#[derive(Debug)]
pub(super) struct IncomingRequests {
    requests: AtomicUsize,
    bytes: AtomicUsize,
    paused: AtomicBool,
    requests_max: usize,
    bytes_mark: usize,
}

impl IncomingRequests {
    /// At most `requests_max` at one time; reading stops above half of that or `bytes_mark`.
    pub(super) fn new(requests_max: usize, bytes_mark: usize) -> Self {
        Self {
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            paused: AtomicBool::new(false),
            requests_max,
            bytes_mark,
        }
    }

    /// Takes a place for one request of `bytes`.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), Full> {
        let fits = |count: usize| (count < self.requests_max).then_some(count + 1);
        if self.requests.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_err() {
            return Err(Full);
        }
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        if self.exceeds_mark(1) {
            self.paused.store(true, Ordering::SeqCst);
            // Everything may have been given back meanwhile, and nobody would come to resume.
            if !self.exceeds_mark(2) {
                self.paused.store(false, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// Gives the places of `requests` back. Answers whether reading goes on because of it.
    pub(super) fn release(&self, requests: usize, bytes: usize) -> bool {
        self.requests.fetch_sub(requests, Ordering::SeqCst);
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        !self.exceeds_mark(2) && self.paused.swap(false, Ordering::SeqCst)
    }

    /// Whether nothing more may be read.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Whether `requests` more could be taken at once.
    pub(super) fn has_capacity_for(&self, requests: usize) -> bool {
        let count = self.requests.load(Ordering::SeqCst);
        !self.is_paused() && count.saturating_add(requests) <= self.requests_max
    }

    /// Whether either number is above its mark, or above one `part`th of that.
    fn exceeds_mark(&self, part: usize) -> bool {
        self.requests.load(Ordering::SeqCst) > self.requests_max / 2 / part
            || self.bytes.load(Ordering::SeqCst) > self.bytes_mark / part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outgoing_bytes_are_bounded_unless_the_queue_is_empty() {
        let counter = OutgoingBytes::new(100);
        assert_eq!(counter.reserve(500), Ok(()));
        assert_eq!(counter.reserve(1), Err(Full));
        counter.release(500);
        assert_eq!(counter.reserve(60), Ok(()));
        assert_eq!(counter.reserve(40), Ok(()));
        assert_eq!(counter.reserve(1), Err(Full));
    }

    #[test]
    fn releasing_too_much_stops_at_zero() {
        let counter = OutgoingBytes::new(100);
        counter.reserve(10).unwrap();
        assert!(counter.release(1000), "it ran empty");
        assert!(counter.is_empty());
        counter.reserve(100).unwrap();
        assert_eq!(counter.reserve(1), Err(Full));
    }

    #[test]
    fn release_reports_once_below_half() {
        let counter = OutgoingBytes::new(100);
        counter.reserve(80).unwrap();
        assert!(!counter.has_capacity());
        assert!(!counter.release(30));
        assert!(counter.release(1));
        assert!(counter.has_capacity());
        assert!(!counter.release(1));
    }

    #[test]
    fn reading_pauses_above_half_and_resumes_below_a_quarter() {
        let counter = IncomingRequests::new(8, 1000);
        for _ in 0..4 {
            counter.reserve(1).unwrap();
        }
        assert!(!counter.is_paused());
        counter.reserve(1).unwrap();
        assert!(counter.is_paused());
        assert!(!counter.release(2, 2));
        assert!(counter.is_paused());
        assert!(counter.release(1, 1));
        assert!(!counter.is_paused());
        assert!(counter.has_capacity_for(6));
        assert!(!counter.has_capacity_for(7));
    }

    #[test]
    fn reading_pauses_for_large_requests_and_the_bound_holds() {
        let counter = IncomingRequests::new(4, 100);
        counter.reserve(101).unwrap();
        assert!(counter.is_paused());
        for _ in 0..3 {
            counter.reserve(0).unwrap();
        }
        assert_eq!(counter.reserve(0), Err(Full));
        assert!(counter.release(4, 101));
        assert_eq!(counter.reserve(0), Ok(()));
    }
}
