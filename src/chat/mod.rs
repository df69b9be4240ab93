//! What the server does: sessions, posts, rooms, history, presence; and the ports that it needs.

pub mod event;
pub mod ports;
mod request;

pub use request::{Answer, Answerer, Hello, HistoryOf, Receipt, Reply, Request, RoomPost};
