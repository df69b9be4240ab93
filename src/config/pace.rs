//! A pace: `per_second_max` and `burst_max` of a table.

use std::num::NonZeroU32;

use crate::domain::Pace;

/// The pace of a table: without a burst, as many at once as per second. `None` without either.
pub(super) fn pace(
    per_second_max: Option<NonZeroU32>,
    burst_max: Option<NonZeroU32>,
) -> Result<Option<Pace>, String> {
    match (per_second_max, burst_max) {
        (None, None) => Ok(None),
        (Some(per_second_max), burst_max) => {
            let burst_max = burst_max.unwrap_or(per_second_max);
            Ok(Some(Pace { per_second_max, burst_max }))
        }
        (None, Some(_)) => Err("`burst_max` needs `per_second_max`".to_owned()),
    }
}
