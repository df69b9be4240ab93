//! The HTTP API.

mod session;

pub use session::SessionApi;
