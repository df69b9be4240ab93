//! When the event `clock` is due.

use std::time::Duration;

/// The ticks of a clock, at multiples of its interval since the hub was made.
#[derive(Debug)]
pub(super) struct ClockTicks {
    /// `None`: there are none.
    interval: Option<Duration>,
    next: Duration,
}

impl ClockTicks {
    /// The ticks after `now`.
    pub(super) fn after(now: Duration, interval: Option<Duration>) -> Self {
        let mut ticks = Self { interval: interval.filter(|it| !it.is_zero()), next: now };
        ticks.skip_past(now);
        ticks
    }

    /// The next tick.
    pub(super) fn next(&self) -> Option<Duration> {
        self.interval.map(|_| self.next)
    }

    /// Whether a tick is due at `now`. Of several that are due, as after a suspension, one counts.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let is_due = self.next().is_some_and(|next| next <= now);
        if is_due {
            self.skip_past(now);
        }
        is_due
    }

    fn skip_past(&mut self, now: Duration) {
        if let Some(interval) = self.interval {
            let passed = now.as_nanos() / interval.as_nanos();
            let passed = u32::try_from(passed).unwrap_or(u32::MAX);
            self.next = interval.saturating_mul(passed.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_their_distance_and_do_not_pile_up() {
        let at = Duration::from_millis;
        let mut ticks = ClockTicks::after(at(2500), Some(at(1000)));
        assert_eq!(ticks.next(), Some(at(3000)));
        assert!(!ticks.take(at(2999)));
        assert!(ticks.take(at(3007)));
        assert_eq!(ticks.next(), Some(at(4000)));
        assert!(ticks.take(at(9500)));
        assert!(!ticks.take(at(9999)));
        assert_eq!(ticks.next(), Some(at(10_000)));
    }

    #[test]
    fn without_an_interval_there_are_none() {
        for interval in [None, Some(Duration::ZERO)] {
            let mut ticks = ClockTicks::after(Duration::ZERO, interval);
            assert!(ticks.next().is_none() && !ticks.take(Duration::MAX));
        }
    }
}
