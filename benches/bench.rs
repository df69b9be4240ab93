//! Benchmarks: `make bench`. docs/benchmarks.md has the figures and what they mean.
//!
//! Works inside the process, by criterion; then the presence events of a large room, and the
//! memory that idle connections take of the real program. `cargo bench -- fan-out` does what its name
//! holds "fan-out".

mod measure;

use std::time::Duration;

use criterion::Criterion;

use measure::{churn, encode, fan_out, journal, memory, reconnect, store};

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
    if churn::is_selected(std::env::args().skip(1)) {
        churn::measure();
    }
    if memory::is_selected(std::env::args().skip(1)) {
        memory::measure();
    }
}
