//! Stored entries of a conversation that cannot be delivered yet because earlier ones are missing.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    chat::{event::Post, request::ReadyReply},
    domain::{Entry, Seq},
};

/// Buffered entries of other nodes per conversation. Entries above are read from the store.
const BUFFERED_MAX: usize = 1024;

/// See the module. Times are durations since an instant that the caller chooses.
#[derive(Default)]
pub(super) struct ReorderBuffer {
    posts: BTreeMap<Seq, Post>,
    replies: Vec<(Seq, ReadyReply)>,
    /// When to read the missing entries from the store.
    pub(super) due: Duration,
    /// The number of unsuccessful attempts.
    pub(super) tries: u32,
}

impl ReorderBuffer {
    /// Creates an empty buffer.
    pub(super) fn due_at(due: Duration) -> Self {
        Self { due, ..Self::default() }
    }

    /// Adds entries. Entries stored by this node replace those that were read from the store,
    /// because they name the connection that they are not delivered to.
    pub(super) fn add(&mut self, run: &[Post], replies: Vec<(Seq, ReadyReply)>) {
        let is_own = !replies.is_empty();
        for post in run {
            let Some(seq) = post.delivery.entry().map(Entry::seq) else { continue };
            if is_own {
                self.posts.insert(seq, post.clone());
            } else if self.posts.len() < BUFFERED_MAX {
                self.posts.entry(seq).or_insert_with(|| post.clone());
            }
        }
        self.replies.extend(replies);
    }

    /// The buffered entries in order.
    pub(super) fn run(&self) -> Vec<Post> {
        self.posts.values().cloned().collect()
    }

    /// The seq of the first buffered entry.
    pub(super) fn first(&self) -> Option<Seq> {
        self.posts.keys().next().copied()
    }

    /// Removes posts that all users of the conversation were sent. The store does not have the
    /// connection that an entry is not delivered to, so posts stay as long as anyone may need them.
    pub(super) fn remove_delivered(&mut self, up_to: Seq) {
        self.posts = self.posts.split_off(&up_to.next());
    }

    /// Takes the replies to entries up to one.
    pub(super) fn take_replies_up_to(&mut self, up_to: Seq) -> Vec<ReadyReply> {
        self.replies.extract_if(.., |(seq, _)| *seq <= up_to).map(|(_, reply)| reply).collect()
    }

    /// Takes all replies: their entries are stored, even while the delivery waits.
    pub(super) fn take_replies(&mut self) -> Vec<ReadyReply> {
        std::mem::take(&mut self.replies).into_iter().map(|(_, reply)| reply).collect()
    }
}
