//! What the chat needs from outside: traits with their guarantees written on them.
//!
//! An engine is an implementation of one of these. Only `app` names engines.

mod bus;
mod clock;
mod fault;
mod outbox;
mod store;
mod tokens;

pub use bus::{Announcement, Bus};
pub use clock::{Clock, IdSource};
pub use fault::Fault;
pub use outbox::{Outbox, Overflow};
pub use store::{Batch, Draft, Outcome, Page, PageLimit, Range, Repute, Seen, Store, Voucher};
pub use tokens::{Claims, Tokens};
