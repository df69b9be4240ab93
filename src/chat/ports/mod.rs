//! What the chat needs from outside: traits with their guarantees written on them.
//!
//! An engine is an implementation of one of these. Only `app` names engines.

mod bus;
mod clock;
mod fault;
mod nodes;
mod outbox;
mod store;
mod tokens;

pub use bus::{Act, Announcement, Bus, Heard, News};
pub use clock::{Clock, IdSource};
pub use fault::{Fault, with_causes};
pub use nodes::{Census, Claim, GuestName, LEASE, Nodes, Online};
pub use outbox::{Outbox, Overflow};
pub use store::{
    Batch, Change, Changed, Committed, DEVICES_PER_USER_MAX, DIRECTS_LISTED_MAX, Draft, DraftAct,
    Gone, MemberChange, Membership, Outcome, Page, PageLimit, Range, Refusal, Retention, Seen,
    Store, Trimmed, Voucher, Went,
};
pub use tokens::{Claims, Rooms, Tokens};
