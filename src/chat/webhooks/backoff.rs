//! How long to wait before the next attempt.

use std::time::Duration;

/// The longest wait after the first failure.
const FIRST: Duration = Duration::from_millis(500);

/// The wait after this number of failures: it doubles with each one up to `longest`, and is between
/// half of that and all of it, as `jitter` from 0 to 1 says, so that many retries do not come at once.
pub(super) fn delay(failures: u32, longest: Duration, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let whole = FIRST.saturating_mul(1 << doublings).min(longest);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_the_longest_one() {
        let longest = Duration::from_mins(10);
        let delays: Vec<_> =
            (1..=4).map(|failures| delay(failures, longest, 1.0).as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000]);
        for failures in [11, 12, 40, u32::MAX] {
            let expected = if failures == 11 { Duration::from_secs(512) } else { longest };
            assert_eq!(delay(failures, longest, 1.0), expected, "{failures}");
        }
        assert_eq!(delay(0, longest, 1.0), FIRST);
    }

    #[test]
    fn jitter_takes_away_up_to_half() {
        let longest = Duration::from_mins(10);
        for (jitter, millis) in [(0.0, 500), (0.5, 750), (1.0, 1000), (7.0, 1000)] {
            assert_eq!(delay(2, longest, jitter).as_millis(), millis);
        }
    }
}
