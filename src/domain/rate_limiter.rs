//! The rate limit of one connection.

use std::time::Duration;

use super::{Limits, Rejection};

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
    pub fn acquire(&mut self, now: Duration, limits: &Limits) -> Result<(), Rejection> {
        let step = Duration::from_secs(1) / limits.messages_per_second_max.get();
        let ahead = step * (limits.messages_burst_max.get() - 1);
        let due = self.due.max(now);
        match due.checked_sub(now + ahead) {
            Some(wait) if !wait.is_zero() => Err(Rejection::TooFast { retry_after: wait }),
            _ => {
                self.due = due + step;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn limits(per_second: u32, burst: u32) -> Limits {
        Limits {
            messages_per_second_max: NonZeroU32::new(per_second).unwrap(),
            messages_burst_max: NonZeroU32::new(burst).unwrap(),
            ..Limits::default()
        }
    }

    #[test]
    fn a_burst_is_accepted_and_the_next_message_gets_a_retry_delay() {
        let (limits, mut rate_limiter) = (limits(10, 3), RateLimiter::default());
        let now = Duration::from_secs(5);
        for _ in 0..3 {
            assert_eq!(rate_limiter.acquire(now, &limits), Ok(()));
        }
        let retry_after = Duration::from_millis(100);
        assert_eq!(rate_limiter.acquire(now, &limits), Err(Rejection::TooFast { retry_after }));
        assert_eq!(rate_limiter.acquire(now + retry_after, &limits), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_plus_rate(steps in prop::collection::vec(0_u64..50, 1..200)) {
            let (limits, mut rate_limiter) = (limits(20, 5), RateLimiter::default());
            let (mut now, mut taken) = (Duration::ZERO, 0_u128);
            for step in steps {
                now += Duration::from_millis(step);
                if rate_limiter.acquire(now, &limits).is_ok() {
                    taken += 1;
                }
                prop_assert!(taken <= 5 + now.as_millis() * 20 / 1000);
            }
        }
    }
}
