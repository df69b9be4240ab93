//! The paces of API keys.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use super::ports::ApiKey;
use crate::domain::{RateLimiter, Rejection};

/// A rate limiter for each key with a pace that was used. The settings bound their number.
#[derive(Debug, Default)]
pub(super) struct ApiPaces(Mutex<HashMap<Box<str>, RateLimiter>>);

impl ApiPaces {
    /// Accepts `items` of a key at `now`, or rejects all of them.
    pub(super) fn acquire(
        &self,
        key: &ApiKey,
        now: Duration,
        items: usize,
    ) -> Result<(), Rejection> {
        let Some(pace) = key.pace else { return Ok(()) };
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let mut rate_limiters = self.0.lock();
        let rate_limiter = rate_limiters.entry(key.name.clone()).or_default();
        rate_limiter.acquire_many(now, pace, items)
    }
}
