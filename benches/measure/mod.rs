//! The benchmarks and their fixtures.

pub(crate) mod churn;
pub(crate) mod encode;
pub(crate) mod fan_out;
mod fixtures;
pub(crate) mod journal;
pub(crate) mod memory;
mod postgres;
pub(crate) mod reconnect;
pub(crate) mod store;
