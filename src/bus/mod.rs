//! The bus engines: they carry announcements between nodes.

#[cfg(test)]
mod contract;
mod inbox;
mod local;
mod memory;
mod redis;

pub use self::redis::{
    ProblemCause, RedisAddressError, RedisBus, RedisFailure, RedisKind, RedisMeasurement,
    RedisOptions, RedisOptionsError, RedisPatterns, ServerProblem,
};
pub use local::LocalBus;
pub use memory::{BusFault, BusPath, MemoryBus};
