//! What was stored of a conversation and cannot be sent yet, because something before it is missing.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    chat::event::Post,
    domain::{Entry, Seq},
};

/// Called once what it belongs to was sent.
pub(crate) type DeliveryCallback = Box<dyn FnOnce() + Send>;

/// Tells everybody whose turn it is.
pub(crate) fn run_callbacks(callbacks: Vec<DeliveryCallback>) {
    for answer in callbacks {
        answer();
    }
}

/// Entries of other nodes that wait in one conversation. Those above are read from the store.
const BUFFERED_MAX: usize = 1024;

/// See the module. Times are durations since a moment of the caller's choice.
#[derive(Default)]
pub(super) struct ReorderBuffer {
    posts: BTreeMap<Seq, Post>,
    callbacks: Vec<(Seq, DeliveryCallback)>,
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
    pub(super) fn add(&mut self, run: &[Post], callbacks: Vec<(Seq, DeliveryCallback)>) {
        let is_own = !callbacks.is_empty();
        for post in run {
            let Some(seq) = post.delivery.entry().map(Entry::seq) else { continue };
            if is_own {
                self.posts.insert(seq, post.clone());
            } else if self.posts.len() < BUFFERED_MAX {
                self.posts.entry(seq).or_insert_with(|| post.clone());
            }
        }
        self.callbacks.extend(callbacks);
    }

    /// What waits, in order.
    pub(super) fn run(&self) -> Vec<Post> {
        self.posts.values().cloned().collect()
    }

    /// The place of the first that waits.
    pub(super) fn first(&self) -> Option<Seq> {
        self.posts.keys().next().copied()
    }

    /// Lets go of what was sent. Answers whom to answer.
    pub(super) fn remove_delivered(&mut self, up_to: Seq) -> Vec<DeliveryCallback> {
        self.posts = self.posts.split_off(&up_to.next());
        let callbacks = std::mem::take(&mut self.callbacks);
        let (sent, waiting) = callbacks.into_iter().partition(|(seq, _)| *seq <= up_to);
        self.callbacks = waiting;
        let sent: Vec<(Seq, DeliveryCallback)> = sent;
        sent.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Answers everybody: what they said is stored, whenever it is sent.
    pub(super) fn callbacks(&mut self) -> Vec<DeliveryCallback> {
        std::mem::take(&mut self.callbacks).into_iter().map(|(_, answer)| answer).collect()
    }
}
