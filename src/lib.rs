//! Roomcast: live conversations for web products.
//!
//! The folders are the layers; ARCHITECTURE.md is the map.

pub mod bus;
pub mod chat;
pub mod domain;
pub mod store;
pub mod wire;
