//! What was stored of a conversation and cannot be sent yet, because something before it is missing.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    chat::{event::Post, request::ReadyReply},
    domain::{Entry, Seq},
};

/// Entries of other nodes that wait in one conversation. Those above are read from the store.
const BUFFERED_MAX: usize = 1024;

/// See the module. Times are durations since a moment of the caller's choice.
#[derive(Default)]
pub(super) struct ReorderBuffer {
    posts: BTreeMap<Seq, Post>,
    replies: Vec<(Seq, ReadyReply)>,
    /// When the store is to be asked for what is missing.
    pub(super) due: Duration,
    /// How often that was in vain.
    pub(super) tries: u32,
}

impl ReorderBuffer {
    /// Nothing waits so far.
    pub(super) fn due_at(due: Duration) -> Self {
        Self { due, ..Self::default() }
    }

    /// Adds what waits. What this node has stored goes before what was read: it knows who is not to
    /// hear it.
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

    /// What waits, in order.
    pub(super) fn run(&self) -> Vec<Post> {
        self.posts.values().cloned().collect()
    }

    /// The place of the first that waits.
    pub(super) fn first(&self) -> Option<Seq> {
        self.posts.keys().next().copied()
    }

    /// Removes the delivered posts and returns their replies.
    pub(super) fn remove_delivered(&mut self, up_to: Seq) -> Vec<ReadyReply> {
        self.posts = self.posts.split_off(&up_to.next());
        let replies = std::mem::take(&mut self.replies);
        let (sent, waiting) = replies.into_iter().partition(|(seq, _)| *seq <= up_to);
        self.replies = waiting;
        let sent: Vec<(Seq, ReadyReply)> = sent;
        sent.into_iter().map(|(_, reply)| reply).collect()
    }

    /// Takes all replies: their entries are stored, even while the delivery waits.
    pub(super) fn take_replies(&mut self) -> Vec<ReadyReply> {
        std::mem::take(&mut self.replies).into_iter().map(|(_, reply)| reply).collect()
    }
}
