//! The engines that carry between nodes.

#[cfg(test)]
mod contract;
mod inbox;
mod local;
mod memory;

pub use local::LocalBus;
pub use memory::{Fault, MemoryBus, Path};
