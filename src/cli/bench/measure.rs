//! What is measured: times, and how often something happened by its code.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The longest time that is told apart. Longer ones count as this.
const MICROS_MAX: u64 = 600_000_000;
/// Significant digits of a time.
const DIGITS: u8 = 3;
/// Histograms that share the clients, so that few of them wait for the same lock.
const SHARDS: usize = 4;

/// Times in microseconds.
pub(super) struct Times {
    shards: Vec<Mutex<Histogram<u64>>>,
}

/// How often, by code.
#[derive(Default)]
pub(super) struct Counts(Mutex<BTreeMap<String, u64>>);

impl Times {
    pub(super) fn new() -> Self {
        let histogram = || {
            Mutex::new(
                Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("the bounds are valid"),
            )
        };
        Self { shards: (0..SHARDS).map(|_| histogram()).collect() }
    }

    /// Records a time that this client has measured.
    pub(super) fn record(&self, client: usize, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(MICROS_MAX).clamp(1, MICROS_MAX);
        if let Some(shard) = self.shards.get(client % SHARDS) {
            shard.lock().saturating_record(micros);
        }
    }

    fn merged(&self) -> Histogram<u64> {
        let mut all = Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("as above");
        for shard in &self.shards {
            all.add(&*shard.lock()).expect("the bounds are the same");
        }
        all
    }

    /// The time in milliseconds below which this part of the times is.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        millis(self.merged().value_at_quantile(part))
    }

    /// Percentiles in milliseconds; `null` without any time.
    pub(super) fn to_json(&self) -> Value {
        let all = self.merged();
        if all.is_empty() {
            return Value::Null;
        }
        let quantile = |part| millis(all.value_at_quantile(part));
        json!({
            "p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99),
            "max": millis(all.max()),
        })
    }
}

/// With the digits that a measurement of clients in one process has.
#[expect(clippy::cast_precision_loss, reason = "the bound is far below")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

impl Counts {
    pub(super) fn add(&self, code: &str) {
        let mut counts = self.0.lock();
        match counts.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(counts.insert(code.to_owned(), 1)),
        }
    }

    pub(super) fn of(&self, code: &str) -> u64 {
        self.0.lock().get(code).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u64 {
        self.0.lock().values().sum()
    }

    pub(super) fn to_json(&self) -> Value {
        json!(&*self.0.lock())
    }

    /// `code (how often), …`
    pub(super) fn to_text(&self) -> String {
        let counts = self.0.lock();
        counts
            .iter()
            .map(|(code, count)| format!("{code} ({count})"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_clients_together() {
        let times = Times::new();
        assert_eq!(times.to_json(), Value::Null);
        for micros in 1..=1000 {
            times.record(usize::try_from(micros).unwrap(), Duration::from_micros(micros));
        }
        let found = times.to_json();
        assert_eq!(found, json!({ "p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0 }));
    }

    #[test]
    fn a_time_beyond_the_bound_counts_as_the_bound() {
        let times = Times::new();
        times.record(0, Duration::from_hours(2));
        times.record(0, Duration::ZERO);
        assert!(times.quantile(1.0) >= 600_000.0);
    }

    #[test]
    fn counts_are_by_code() {
        let counts = Counts::default();
        for code in ["too_fast", "draining", "too_fast"] {
            counts.add(code);
        }
        assert_eq!((counts.of("too_fast"), counts.of("none"), counts.total()), (2, 0, 3));
        assert_eq!(counts.to_text(), "draining (1), too_fast (2)");
    }
}
