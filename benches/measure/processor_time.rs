//! The processor time of this process.

use std::{fs, time::Duration};

/// The time that all live threads have run, by the scheduler's count in nanoseconds.
///
/// `/proc/self/schedstat` counts the first thread only. The time of ended threads is missing: the
/// threads of a runtime and of a store live as long as the measurements that use this.
pub(crate) fn processor_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("this is Linux").flatten();
    let times = threads.map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    });
    Duration::from_nanos(times.sum())
}
