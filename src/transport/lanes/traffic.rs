//! What connections send and receive, counted by lane: so the cores share no counter.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::chat::ports::Traffic;

/// The counters of the connections of one lane. They have a cache line of their own: the tasks that
/// read and the one that writes change them.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(in crate::transport) struct TrafficCounters {
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
}

impl TrafficCounters {
    /// Counts a request.
    pub(in crate::transport) fn request_received(&self) {
        self.packets_in.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes that were read.
    pub(in crate::transport) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts what one write has sent.
    pub(in crate::transport) fn sent(&self, bytes: usize, packets: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        self.packets_out.fetch_add(packets as u64, Ordering::Relaxed);
    }

    /// Adds what was counted.
    pub(super) fn add_to(&self, sum: &mut Traffic) {
        let Self { packets_in, bytes_in, packets_out, bytes_out } = self;
        sum.packets_in += packets_in.load(Ordering::Relaxed);
        sum.bytes_in += bytes_in.load(Ordering::Relaxed);
        sum.packets_out += packets_out.load(Ordering::Relaxed);
        sum.bytes_out += bytes_out.load(Ordering::Relaxed);
    }
}
