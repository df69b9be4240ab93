//! A circuit breaker: a back end that only fails is not called for a while, so that clients get their
//! refusal at once and the back end can recover.

use std::time::Duration;

/// Failures in a row after which the circuit opens.
const FAILURES_MAX: u32 = 5;
/// How long nothing is called. Then one call tries whether the back end answers again.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// See the module. Times are durations since an origin that the caller chooses.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    /// Until when nothing is called, while the circuit is open.
    open_until: Option<Duration>,
}

/// How an outcome changes the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// It stays as it is.
    None,
    /// The back end is not called any more.
    Opened,
    /// The back end answers again.
    Closed,
}

impl Circuit {
    /// Whether the back end may be called at `now`. Where an open circuit tries a call, the others
    /// wait for its outcome.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.open_until = Some(now + OPEN_FOR);
                true
            }
        }
    }

    /// Records that a call was answered.
    pub(super) fn succeeded(&mut self) -> Transition {
        self.failures = 0;
        if self.open_until.take().is_some() { Transition::Closed } else { Transition::None }
    }

    /// Records that a call failed at `now`.
    pub(super) fn failed(&mut self, now: Duration) -> Transition {
        self.failures = self.failures.saturating_add(1);
        if self.open_until.is_some() {
            self.open_until = Some(now + OPEN_FOR);
            return Transition::None;
        }
        if self.failures < FAILURES_MAX {
            return Transition::None;
        }
        self.open_until = Some(now + OPEN_FOR);
        Transition::Opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_an_answer() {
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES_MAX - 1 {
            assert_eq!(circuit.failed(seconds(1.0)), Transition::None);
        }
        assert_eq!(circuit.succeeded(), Transition::None, "they were not in a row");
        for _ in 0..FAILURES_MAX - 1 {
            assert_eq!(circuit.failed(seconds(2.0)), Transition::None);
        }
        assert_eq!(circuit.failed(seconds(2.0)), Transition::Opened);
        assert!(!circuit.allows(seconds(2.9)));
        assert!(circuit.allows(seconds(3.0)), "one call tries");
        assert!(!circuit.allows(seconds(3.1)), "the others wait for it");
        assert_eq!(circuit.failed(seconds(3.5)), Transition::None, "it stays open");
        assert!(!circuit.allows(seconds(4.4)));
        assert!(circuit.allows(seconds(4.5)));
        assert_eq!(circuit.succeeded(), Transition::Closed);
        assert!(circuit.allows(seconds(4.6)));
    }
}
