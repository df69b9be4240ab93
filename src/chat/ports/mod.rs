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
pub use store::{
    Batch, DEVICES_PER_USER_MAX, Draft, Outcome, Page, PageLimit, Range, Seen, Store, Voucher,
};
pub use tokens::{Claims, Rooms, Tokens};
