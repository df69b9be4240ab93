//! The engines that carry between nodes.

#[cfg(test)]
mod contract;
mod local;

pub use local::LocalBus;
