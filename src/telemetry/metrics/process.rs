//! The process and its runtime, under the names that Prometheus' own libraries use.

use procfs::{
    WithCurrentSystemInfo as _,
    process::{LimitValue, Process},
};
use std::time::Duration;

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};
use tokio::runtime::{Handle, RuntimeMetrics};

use super::gauge;

/// The values of one scrape. What the system does not tell is left out.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("roomcast_build", "This program", version);
    if let Ok(process) = Process::myself() {
        add_process(&mut registry, &process);
    }
    if let Ok(handle) = Handle::try_current() {
        add_runtime(&mut registry, &handle.metrics());
    }
    registry
}

fn add_process(registry: &mut Registry, process: &Process) {
    if let Ok(stat) = process.stat() {
        let cpu = ConstCounter::new(of_ticks(stat.utime + stat.stime).as_secs_f64());
        registry.register_with_unit("process_cpu", "Processor time", Unit::Seconds, cpu);
        let memory = gauge(stat.rss_bytes().get());
        registry.register_with_unit("process_resident_memory", "Memory", Unit::Bytes, memory);
        let size = gauge(stat.vsize);
        registry.register_with_unit("process_virtual_memory", "Addresses", Unit::Bytes, size);
        let threads = gauge(stat.num_threads);
        registry.register("process_threads", "Threads", threads);
        if let Ok(booted) = procfs::boot_time_secs() {
            let started = Duration::from_secs(booted) + of_ticks(stat.starttime);
            let started = ConstGauge::new(started.as_secs_f64());
            let help = "When the process started, as Unix time";
            registry.register_with_unit("process_start_time", help, Unit::Seconds, started);
        }
    }
    if let Ok(count) = process.fd_count() {
        registry.register("process_open_fds", "Open files and sockets", gauge(count));
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        registry.register("process_max_fds", "The most of them", gauge(most));
    }
}

fn add_runtime(registry: &mut Registry, metrics: &RuntimeMetrics) {
    let workers = metrics.num_workers();
    registry.register("tokio_workers", "Threads that run tasks", gauge(workers));
    let tasks = gauge(metrics.num_alive_tasks());
    registry.register("tokio_tasks", "Tasks", tasks);
    let queue = gauge(metrics.global_queue_depth());
    registry.register("tokio_global_queue_tasks", "Tasks that wait for a thread", queue);
    let busy = (0..workers).map(|it| metrics.worker_total_busy_duration(it).as_secs_f64()).sum();
    let help = "The time in which these threads ran tasks";
    registry.register_with_unit("tokio_busy", help, Unit::Seconds, ConstCounter::<f64>::new(busy));
}

/// A time that the system counts in ticks.
fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / procfs::ticks_per_second())
}
