//! The engines that carry between nodes.

#[cfg(test)]
mod contract;
mod inbox;
mod local;
mod memory;
mod redis;

pub use self::redis::{
    BadAddress, BadOptions, Complaint, RedisBus, RedisKind, RedisOptions, Trouble, Why,
};
pub use local::LocalBus;
pub use memory::{Fault, MemoryBus, Path};
