//! Roomcast: live conversations for web products.
//!
//! The folders are the layers; ARCHITECTURE.md is the map.

pub mod app;
pub mod auth;
pub mod backend;
pub mod bus;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod emitter;
pub mod http_client;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod tls;
pub mod transport;
pub mod wire;
