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
pub(super) struct Outgoing {
    level: AtomicUsize,
    bytes_max: usize,
}

impl Outgoing {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { level: AtomicUsize::new(0), bytes_max }
    }

    /// Takes room for `bytes`. An empty queue takes an event of any size: where nothing waits,
    /// nobody is slow.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Full> {
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
    pub(super) fn give(&self, bytes: usize) -> bool {
        let less = |level: usize| Some(level.saturating_sub(bytes));
        let (Ok(before) | Err(before)) =
            self.level.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        let after = before.saturating_sub(bytes);
        (before >= self.half() && after < self.half()) || (before > 0 && after == 0)
    }

    /// Whether less than half of the room is taken.
    pub(super) fn is_relieved(&self) -> bool {
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
pub(super) struct Incoming {
    requests: AtomicUsize,
    bytes: AtomicUsize,
    paused: AtomicBool,
    requests_max: usize,
    bytes_mark: usize,
}

impl Incoming {
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
    pub(super) fn take(&self, bytes: usize) -> Result<(), Full> {
        let fits = |count: usize| (count < self.requests_max).then_some(count + 1);
        if self.requests.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_err() {
            return Err(Full);
        }
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        if self.is_above(1) {
            self.paused.store(true, Ordering::SeqCst);
            // Everything may have been given back meanwhile, and nobody would come to resume.
            if !self.is_above(2) {
                self.paused.store(false, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// Gives the places of `requests` back. Answers whether reading goes on because of it.
    pub(super) fn give(&self, requests: usize, bytes: usize) -> bool {
        self.requests.fetch_sub(requests, Ordering::SeqCst);
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        !self.is_above(2) && self.paused.swap(false, Ordering::SeqCst)
    }

    /// Whether nothing more may be read.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Whether `requests` more could be taken at once.
    pub(super) fn has_room_for(&self, requests: usize) -> bool {
        let count = self.requests.load(Ordering::SeqCst);
        !self.is_paused() && count.saturating_add(requests) <= self.requests_max
    }

    /// Whether either number is above its mark, or above one `part`th of that.
    fn is_above(&self, part: usize) -> bool {
        self.requests.load(Ordering::SeqCst) > self.requests_max / 2 / part
            || self.bytes.load(Ordering::SeqCst) > self.bytes_mark / part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_takes_up_to_its_bound_and_an_empty_one_takes_anything() {
        let gauge = Outgoing::new(100);
        assert_eq!(gauge.take(500), Ok(()));
        assert_eq!(gauge.take(1), Err(Full));
        gauge.give(500);
        assert_eq!(gauge.take(60), Ok(()));
        assert_eq!(gauge.take(40), Ok(()));
        assert_eq!(gauge.take(1), Err(Full));
    }

    #[test]
    fn giving_back_too_much_heals_at_zero() {
        let gauge = Outgoing::new(100);
        gauge.take(10).unwrap();
        assert!(gauge.give(1000), "it ran empty");
        assert!(gauge.is_empty());
        gauge.take(100).unwrap();
        assert_eq!(gauge.take(1), Err(Full));
    }

    #[test]
    fn relief_is_told_once_when_half_is_left() {
        let gauge = Outgoing::new(100);
        gauge.take(80).unwrap();
        assert!(!gauge.is_relieved());
        assert!(!gauge.give(30));
        assert!(gauge.give(1));
        assert!(gauge.is_relieved());
        assert!(!gauge.give(1));
    }

    #[test]
    fn reading_stops_above_half_and_goes_on_below_a_quarter() {
        let gauge = Incoming::new(8, 1000);
        for _ in 0..4 {
            gauge.take(1).unwrap();
        }
        assert!(!gauge.is_paused());
        gauge.take(1).unwrap();
        assert!(gauge.is_paused());
        assert!(!gauge.give(2, 2));
        assert!(gauge.is_paused());
        assert!(gauge.give(1, 1));
        assert!(!gauge.is_paused());
        assert!(gauge.has_room_for(6));
        assert!(!gauge.has_room_for(7));
    }

    #[test]
    fn reading_stops_for_large_requests_and_the_bound_holds() {
        let gauge = Incoming::new(4, 100);
        gauge.take(101).unwrap();
        assert!(gauge.is_paused());
        for _ in 0..3 {
            gauge.take(0).unwrap();
        }
        assert_eq!(gauge.take(0), Err(Full));
        assert!(gauge.give(4, 101));
        assert_eq!(gauge.take(0), Ok(()));
    }
}
