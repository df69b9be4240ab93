//! The benchmarks and their fixtures.

pub(crate) mod churn;
pub(crate) mod encode;
pub(crate) mod fan_out;
mod fixtures;
pub(crate) mod journal;
pub(crate) mod memory;
mod postgres;
mod processor_time;
pub(crate) mod reconnect;
mod selection;
pub(crate) mod store;
pub(crate) mod store_cost;

pub(crate) use selection::is_selected;
