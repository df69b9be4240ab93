//! The bus with real servers, while all is well and while it is not.

mod cluster;
mod faults;
mod harness;
mod log;
mod proxy;
mod settings;
mod standalone;
mod tls;
