//! What was heard and not yet asked for: a queue with a bound that remembers where it had holes.
//!
//! Nobody waits for a consumer that does not keep up. What has no room is dropped, its channel is
//! marked, and as soon as there is room again [`Heard::Opened`] stands where the hole is.

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    chat::ports::{Announcement, Heard},
    domain::Channel,
};

/// Bytes of bodies that wait. What is heard past them is dropped, and its channel marked.
const INBOX_BYTES_MAX: usize = 64 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Inbox {
    heard_max: NonZeroUsize,
    state: Mutex<State>,
    changed: Notify,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// There was.
    Yes,
    /// There was not: it is lost.
    No,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(usize, Heard)>,
    bytes: usize,
    /// What is to be said to be opened as soon as there is room.
    opened: BTreeSet<Channel>,
    /// How many were dropped since the consumer was told last.
    lost: usize,
    closed: bool,
}

impl Inbox {
    /// With room for so many.
    pub(super) fn new(heard_max: NonZeroUsize) -> Self {
        Self { heard_max, state: Mutex::default(), changed: Notify::new() }
    }

    /// Puts in what was heard; it holds so many bytes.
    pub(super) fn push(&self, channel: Channel, announcement: Announcement, bytes: usize) -> Kept {
        let mut state = self.lock();
        if state.closed {
            return Kept::Yes;
        }
        state.say_opened(self.heard_max.get());
        let fits = state.queue.len() < self.heard_max.get()
            && (state.bytes + bytes <= INBOX_BYTES_MAX || state.queue.is_empty());
        if fits {
            state.queue.push_back((bytes, Heard::News(channel, announcement)));
            state.bytes += bytes;
        } else {
            state.opened.insert(channel);
            state.lost += 1;
        }
        drop(state);
        self.changed.notify_one();
        if fits { Kept::Yes } else { Kept::No }
    }

    /// Puts in that these channels are heard from here on. That is never lost.
    pub(super) fn open(&self, channels: impl IntoIterator<Item = Channel>) {
        let mut state = self.lock();
        if !state.closed {
            state.opened.extend(channels);
            state.say_opened(self.heard_max.get());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Whether something was dropped, and the consumer was not told yet.
    pub(super) fn overflows(&self) -> bool {
        self.lock().lost > 0
    }

    /// Nothing comes in any more. What is there can still be had.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Waits for the next. Cancel-safe.
    pub(super) async fn next(&self) -> Option<Heard> {
        loop {
            // Made before the look, so that what comes in between wakes it.
            let changed = self.changed.notified();
            let (next, closed) = {
                let mut state = self.lock();
                (state.pop(), state.closed)
            };
            if next.is_some() || closed {
                return next;
            }
            changed.await;
        }
    }

    /// Poisoning is ignored: each step leaves the state consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Says what is to be opened, if there is room: there is, where the same is said already.
    fn say_opened(&mut self, heard_max: usize) {
        if self.opened.is_empty() {
            return;
        }
        if let Some((_, Heard::Opened(last))) = self.queue.back_mut() {
            last.append(&mut self.opened);
        } else if self.queue.len() < heard_max {
            let opened = std::mem::take(&mut self.opened);
            self.queue.push_back((0, Heard::Opened(opened)));
        } else {
            return;
        }
        self.lost = 0;
    }

    fn pop(&mut self) -> Option<Heard> {
        let Some((bytes, heard)) = self.queue.pop_front() else {
            self.lost = 0;
            let opened = std::mem::take(&mut self.opened);
            return (!opened.is_empty()).then_some(Heard::Opened(opened));
        };
        self.bytes -= bytes;
        Some(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::{channel, news};

    fn inbox(heard_max: usize) -> Inbox {
        Inbox::new(NonZeroUsize::new(heard_max).unwrap())
    }

    async fn next(inbox: &Inbox) -> String {
        match inbox.next().await {
            Some(Heard::News(channel, news)) => format!("{} on {}", news.number, channel.as_raw()),
            Some(Heard::Opened(channels)) => {
                format!(
                    "opened {:?}",
                    channels.into_iter().map(Channel::as_raw).collect::<Vec<_>>()
                )
            }
            None => "end".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_hole_is_said_where_it_is() {
        let inbox = inbox(2);
        for number in 1..=4 {
            let kept = inbox.push(channel(7), news("n", number), 1);
            assert_eq!(kept == Kept::Yes, number <= 2);
        }
        assert!(inbox.overflows());
        assert_eq!(next(&inbox).await, "1 on 7");
        assert_eq!(inbox.push(channel(8), news("n", 1), 1), Kept::No, "the hole took the room");
        assert_eq!(next(&inbox).await, "2 on 7");
        assert_eq!(next(&inbox).await, "opened [7]");
        assert_eq!(next(&inbox).await, "opened [8]");
        assert!(!inbox.overflows());
        assert_eq!(inbox.push(channel(7), news("n", 6), 1), Kept::Yes);
        assert_eq!(next(&inbox).await, "6 on 7");
    }

    #[tokio::test]
    async fn too_many_bytes_are_a_hole_but_for_the_only_one() {
        let inbox = inbox(100);
        assert_eq!(inbox.push(channel(1), news("n", 1), INBOX_BYTES_MAX + 1), Kept::Yes);
        assert_eq!(inbox.push(channel(1), news("n", 2), 1), Kept::No);
        assert_eq!(next(&inbox).await, "1 on 1");
        assert_eq!(inbox.push(channel(1), news("n", 3), 1), Kept::Yes);
        assert_eq!(next(&inbox).await, "opened [1]");
        assert_eq!(next(&inbox).await, "3 on 1");
    }

    #[tokio::test]
    async fn channels_that_open_together_are_said_together() {
        let inbox = inbox(1);
        inbox.open([channel(1)]);
        inbox.open([channel(2), channel(3)]);
        assert_eq!(next(&inbox).await, "opened [1, 2, 3]");
        inbox.push(channel(1), news("n", 1), 1);
        inbox.open([channel(4)]);
        assert_eq!(next(&inbox).await, "1 on 1");
        assert_eq!(next(&inbox).await, "opened [4]");
    }

    #[tokio::test]
    async fn after_the_close_what_is_there_can_be_had() {
        let inbox = inbox(2);
        inbox.open([channel(1)]);
        inbox.close();
        inbox.push(channel(1), news("n", 1), 1);
        assert_eq!(next(&inbox).await, "opened [1]");
        assert_eq!(next(&inbox).await, "end");
    }
}
