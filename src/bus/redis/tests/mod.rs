//! The bus with real servers, with and without failures.

mod cluster;
mod faults;
mod harness;
mod log;
mod patterns;
mod proxy;
mod settings;
mod standalone;
mod tls;
