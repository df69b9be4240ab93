//! Benchmarks: `make bench`. docs/benchmarks.md has the figures and what they mean.
//!
//! The criterion benchmarks run in this process. The processor time of the store, the presence
//! events of a large room, and the memory of idle connections to the real program follow. `cargo bench -- fan-out` runs the
//! benchmarks with "fan-out" in their names.

mod measure;

use std::time::Duration;

use criterion::Criterion;

use measure::{churn, encode, fan_out, is_selected, journal, memory, reconnect, store, store_cost};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .without_plots()
        .configure_from_args();
    fan_out::measure(&mut criterion);
    journal::measure(&mut criterion);
    encode::measure(&mut criterion);
    reconnect::measure(&mut criterion);
    store::measure(&mut criterion);
    criterion.final_summary();
    if is_selected(store_cost::NAME) {
        store_cost::measure();
    }
    if is_selected(churn::NAME) {
        churn::measure();
    }
    if is_selected(memory::NAME) {
        memory::measure();
    }
}
