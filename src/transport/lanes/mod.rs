//! Lanes: the writing of all connections, done by a fixed number of tasks.
//!
//! A task per connection that wakes for each delivery has cold caches and costs as much as the write
//! itself. Here a delivery only appends a shared frame to the queue of a [`LaneWriter`], and puts the
//! writer on a list of its lane if it is not on it yet. The one task of a [`Lane`](lane::Lane) takes
//! the turns and writes for one connection after the other: all that waits, in one vectored,
//! non-blocking write. Only a socket that would block gets a task, which waits until it is writable.
//!
//! - A queue holds whole frames (`frame`), so frames of the chat and those of a codec or an engine
//!   (through [`LaneStream`]) never mix.
//! - One connection has a bounded part of each turn, so it cannot hold up its lane.
//! - Events with very many receivers have a list of their own, which is served behind the other one
//!   and has a share of the turns, so a large room holds up no small one, nor the reverse.
//! - A lane drives any [`LaneSocket`](output::LaneSocket), which only has to write without blocking.

pub(super) mod frame;
mod frame_queue;
mod lane;
mod output;
mod queue;
mod stream;
#[cfg(test)]
pub(super) mod test_support;
#[cfg(test)]
mod tests;
mod tls;
mod traffic;
mod writer;

pub use self::lane::Lanes;
pub(super) use self::{
    queue::QueueFull,
    stream::LaneStream,
    writer::{LaneWriter, WriterOwner},
};
