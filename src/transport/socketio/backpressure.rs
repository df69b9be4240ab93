//! The budget of one session for requests that wait for their turn.
//!
//! These are plain counters. They change under the lock of the session.

/// No budget is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Requests that wait for their turn, in all namespaces of a session together.
///
/// Reading pauses above the mark and resumes at or below half of it. The mark for the number of
/// requests is half of the limit, so that requests that are already in buffers still find a place.
/// Only a client that a pause of reading does not stop exceeds the limit.
#[derive(Debug)]
pub(super) struct IncomingRequests {
    requests: usize,
    bytes: usize,
    is_paused: bool,
    requests_max: usize,
    bytes_mark: usize,
}

impl IncomingRequests {
    /// At most `requests_max` at a time. Reading pauses above half of that, or above `bytes_mark`.
    pub(super) fn new(requests_max: usize, bytes_mark: usize) -> Self {
        Self { requests: 0, bytes: 0, is_paused: false, requests_max, bytes_mark }
    }

    /// Reserves a place for one request of `bytes`.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), Full> {
        if self.requests >= self.requests_max {
            return Err(Full);
        }
        self.requests += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_paused |= self.exceeds_mark(1);
        Ok(())
    }

    /// Releases the places of `requests`. Returns whether reading resumes.
    pub(super) fn release(&mut self, requests: usize, bytes: usize) -> bool {
        self.requests = self.requests.saturating_sub(requests);
        self.bytes = self.bytes.saturating_sub(bytes);
        let resumes = self.is_paused && !self.exceeds_mark(2);
        self.is_paused &= !resumes;
        resumes
    }

    /// Whether reading pauses.
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether `requests` more can be taken at once.
    pub(super) fn has_capacity_for(&self, requests: usize) -> bool {
        !self.is_paused && self.requests.saturating_add(requests) <= self.requests_max
    }

    /// Whether either number is above one `part`th of its mark.
    fn exceeds_mark(&self, part: usize) -> bool {
        self.requests > self.requests_max / 2 / part || self.bytes > self.bytes_mark / part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_pauses_above_half_and_resumes_below_a_quarter() {
        let mut counter = IncomingRequests::new(8, 1000);
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
        let mut counter = IncomingRequests::new(4, 100);
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
