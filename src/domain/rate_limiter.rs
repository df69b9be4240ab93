//! The rate limit of one connection or API key.

use std::{num::NonZeroU32, time::Duration};

use super::Rejection;

/// How fast one connection or API key may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The rate, averaged over time.
    pub per_second_max: NonZeroU32,
    /// How many may be sent at once after a pause.
    pub burst_max: NonZeroU32,
}

/// A generic cell rate limiter: one point in time per connection, no timer.
///
/// Times are durations since an origin that the caller chooses, so nothing here reads a clock.
#[derive(Clone, Debug, Default)]
pub struct RateLimiter {
    /// The time of the next message of a sender that sends exactly at the rate.
    due: Duration,
}

impl RateLimiter {
    /// Accepts one message at `now`, or rejects it with the time until the next one is accepted.
    pub fn acquire(&mut self, now: Duration, pace: Pace) -> Result<(), Rejection> {
        self.acquire_many(now, pace, 1)
    }

    /// Accepts `count` messages at `now`, or rejects all of them with the time until so many are
    /// accepted. More than a burst are accepted after a pause that is long enough for a whole one;
    /// the next ones then have to wait for all of them.
    pub fn acquire_many(&mut self, now: Duration, pace: Pace, count: u32) -> Result<(), Rejection> {
        let step = Duration::from_secs(1) / pace.per_second_max.get();
        let burst = pace.burst_max.get();
        let ahead = step * (burst - count.clamp(1, burst));
        let due = self.due.max(now);
        match due.checked_sub(now + ahead) {
            Some(wait) if !wait.is_zero() => Err(Rejection::TooFast { retry_after: wait }),
            _ => {
                self.due = due + step * count;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(per_second: u32, burst: u32) -> Pace {
        let bound = |number| NonZeroU32::new(number).unwrap();
        Pace { per_second_max: bound(per_second), burst_max: bound(burst) }
    }

    #[test]
    fn a_burst_is_accepted_and_the_next_message_gets_a_retry_delay() {
        let (pace, mut rate_limiter) = (pace(10, 3), RateLimiter::default());
        let now = Duration::from_secs(5);
        for _ in 0..3 {
            assert_eq!(rate_limiter.acquire(now, pace), Ok(()));
        }
        let retry_after = Duration::from_millis(100);
        assert_eq!(rate_limiter.acquire(now, pace), Err(Rejection::TooFast { retry_after }));
        assert_eq!(rate_limiter.acquire(now + retry_after, pace), Ok(()));
    }

    #[test]
    fn many_messages_are_accepted_together_or_not_at_all() {
        let (pace, mut rate_limiter) = (pace(10, 5), RateLimiter::default());
        let now = Duration::from_secs(5);
        let millis = Duration::from_millis;
        let too_fast = |wait| Err(Rejection::TooFast { retry_after: millis(wait) });
        assert_eq!(rate_limiter.acquire_many(now, pace, 3), Ok(()));
        assert_eq!(rate_limiter.acquire_many(now, pace, 3), too_fast(100));
        assert_eq!(rate_limiter.acquire_many(now, pace, 2), Ok(()), "the rest of the burst");
        assert_eq!(rate_limiter.acquire_many(now, pace, 20), too_fast(500), "a whole burst");
        let later = now + millis(500);
        assert_eq!(rate_limiter.acquire_many(later, pace, 20), Ok(()));
        assert_eq!(rate_limiter.acquire(later, pace), too_fast(1600), "for 15 beyond the burst");
    }

    proptest! {
        #[test]
        fn never_more_than_burst_plus_rate(steps in prop::collection::vec(0_u64..50, 1..200)) {
            let (pace, mut rate_limiter) = (pace(20, 5), RateLimiter::default());
            let (mut now, mut taken) = (Duration::ZERO, 0_u128);
            for step in steps {
                now += Duration::from_millis(step);
                if rate_limiter.acquire(now, pace).is_ok() {
                    taken += 1;
                }
                prop_assert!(taken <= 5 + now.as_millis() * 20 / 1000);
            }
        }
    }
}
