//! Integration tests: one process, real sockets, one test binary.
//!
//! All tests use [`harness::TestServer`]. Every wait is for an event and has the timeout
//! [`harness::WAIT_MAX`]; where something must *not* happen, the test waits for a later event.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails a test"
)]

mod architecture;
mod asks;
mod backends;
mod bad_input;
mod bans;
mod clients;
mod cluster;
mod devices;
mod direct_messages;
mod edits;
mod escapes;
mod expiry;
mod gauges;
mod guests;
mod harness;
mod identity;
mod keys;
mod lifecycle;
mod limits;
mod lists;
mod members;
mod messages;
mod metrics;
mod msgpack;
mod names;
mod presence;
mod read_state;
mod recovery;
mod reload;
mod restart;
mod rights;
mod rooms;
mod sign_in;
mod sockets;
mod spaces;
mod supervisor;
mod topics;
#[cfg(feature = "otlp")]
mod traces;
mod unread;
mod webhooks;
