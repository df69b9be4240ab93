//! The queue of received events: bounded, and it records gaps.
//!
//! A slow consumer never blocks the bus. An event without room is dropped and its channel is
//! marked; as soon as there is room again, [`BusEvent::Subscribed`] takes the place of the gap.

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZeroUsize,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::{
    chat::ports::{Announcement, BusEvent},
    domain::Channel,
};

/// Bytes of bodies in the queue. Events past the limit are dropped, and their channels are marked.
const INBOX_BYTES_MAX: usize = 64 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct BusInbox {
    events_max: NonZeroUsize,
    state: Mutex<InboxState>,
    changed: Notify,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushResult {
    /// The event is queued.
    Accepted,
    /// The event is lost.
    Dropped,
}

#[derive(Debug, Default)]
struct InboxState {
    queue: VecDeque<(usize, BusEvent)>,
    bytes: usize,
    /// Channels for which [`BusEvent::Subscribed`] is due as soon as there is room.
    subscribed: BTreeSet<Channel>,
    /// The number of events dropped since the last gap was reported.
    dropped: usize,
    closed: bool,
}

impl BusInbox {
    /// An inbox for at most `events_max` events.
    pub(super) fn new(events_max: NonZeroUsize) -> Self {
        Self { events_max, state: Mutex::default(), changed: Notify::new() }
    }

    /// Queues a received event with bodies of `bytes` bytes.
    pub(super) fn push(
        &self,
        channel: Channel,
        announcement: Announcement,
        bytes: usize,
    ) -> PushResult {
        let mut state = self.lock();
        if state.closed {
            return PushResult::Accepted;
        }
        state.enqueue_subscribed(self.events_max.get());
        let fits = state.queue.len() < self.events_max.get()
            && (state.bytes + bytes <= INBOX_BYTES_MAX || state.queue.is_empty());
        if fits {
            state.queue.push_back((bytes, BusEvent::Received(channel, announcement)));
            state.bytes += bytes;
        } else {
            state.subscribed.insert(channel);
            state.dropped += 1;
        }
        drop(state);
        self.changed.notify_one();
        if fits { PushResult::Accepted } else { PushResult::Dropped }
    }

    /// Queues that these channels are received from here on. This is never lost.
    pub(super) fn push_subscribed(&self, channels: impl IntoIterator<Item = Channel>) {
        let mut state = self.lock();
        if !state.closed {
            state.subscribed.extend(channels);
            state.enqueue_subscribed(self.events_max.get());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Queues a probe of this node. It is lost if there is no room.
    pub(super) fn push_probe(&self, number: u64) {
        let mut state = self.lock();
        if !state.closed && state.queue.len() < self.events_max.get() {
            state.queue.push_back((0, BusEvent::Probe(number)));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Whether events were dropped and the gap is not reported yet.
    pub(super) fn overflows(&self) -> bool {
        self.lock().dropped > 0
    }

    /// Refuses further events. Those in the queue can still be read.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Waits for the next event. Cancel-safe.
    pub(super) async fn next(&self) -> Option<BusEvent> {
        loop {
            // Created before the check, so that a change in between wakes it.
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

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock()
    }
}

impl InboxState {
    /// Queues the due [`BusEvent::Subscribed`] if there is room, or merges it with one at the end
    /// of the queue.
    fn enqueue_subscribed(&mut self, events_max: usize) {
        if self.subscribed.is_empty() {
            return;
        }
        if let Some((_, BusEvent::Subscribed(last))) = self.queue.back_mut() {
            last.append(&mut self.subscribed);
        } else if self.queue.len() < events_max {
            let subscribed = std::mem::take(&mut self.subscribed);
            self.queue.push_back((0, BusEvent::Subscribed(subscribed)));
        } else {
            return;
        }
        self.dropped = 0;
    }

    fn pop(&mut self) -> Option<BusEvent> {
        let Some((bytes, event)) = self.queue.pop_front() else {
            self.dropped = 0;
            let subscribed = std::mem::take(&mut self.subscribed);
            return (!subscribed.is_empty()).then_some(BusEvent::Subscribed(subscribed));
        };
        self.bytes -= bytes;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::{channel, event};

    fn inbox(events_max: usize) -> BusInbox {
        BusInbox::new(NonZeroUsize::new(events_max).unwrap())
    }

    async fn next(inbox: &BusInbox) -> String {
        match inbox.next().await {
            Some(BusEvent::Received(channel, event)) => {
                format!("{} on {}", event.number, channel.as_raw())
            }
            Some(BusEvent::Subscribed(channels)) => {
                format!(
                    "opened {:?}",
                    channels.into_iter().map(Channel::as_raw).collect::<Vec<_>>()
                )
            }
            Some(BusEvent::Probe(number)) => format!("probe {number}"),
            None => "end".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_gap_is_reported_at_its_position() {
        let inbox = inbox(2);
        for number in 1..=4 {
            let kept = inbox.push(channel(7), event("n", number), 1);
            assert_eq!(kept == PushResult::Accepted, number <= 2);
        }
        assert!(inbox.overflows());
        assert_eq!(next(&inbox).await, "1 on 7");
        assert_eq!(
            inbox.push(channel(8), event("n", 1), 1),
            PushResult::Dropped,
            "the gap marker took the place"
        );
        assert_eq!(next(&inbox).await, "2 on 7");
        assert_eq!(next(&inbox).await, "opened [7]");
        assert_eq!(next(&inbox).await, "opened [8]");
        assert!(!inbox.overflows());
        assert_eq!(inbox.push(channel(7), event("n", 6), 1), PushResult::Accepted);
        assert_eq!(next(&inbox).await, "6 on 7");
    }

    #[tokio::test]
    async fn the_byte_limit_drops_all_but_a_single_event() {
        let inbox = inbox(100);
        assert_eq!(
            inbox.push(channel(1), event("n", 1), INBOX_BYTES_MAX + 1),
            PushResult::Accepted
        );
        assert_eq!(inbox.push(channel(1), event("n", 2), 1), PushResult::Dropped);
        assert_eq!(next(&inbox).await, "1 on 1");
        assert_eq!(inbox.push(channel(1), event("n", 3), 1), PushResult::Accepted);
        assert_eq!(next(&inbox).await, "opened [1]");
        assert_eq!(next(&inbox).await, "3 on 1");
    }

    #[tokio::test]
    async fn subscribed_channels_are_reported_together() {
        let inbox = inbox(1);
        inbox.push_subscribed([channel(1)]);
        inbox.push_subscribed([channel(2), channel(3)]);
        assert_eq!(next(&inbox).await, "opened [1, 2, 3]");
        inbox.push(channel(1), event("n", 1), 1);
        inbox.push_subscribed([channel(4)]);
        assert_eq!(next(&inbox).await, "1 on 1");
        assert_eq!(next(&inbox).await, "opened [4]");
    }

    #[tokio::test]
    async fn a_probe_takes_a_place_or_is_lost() {
        let inbox = inbox(2);
        inbox.push(channel(1), event("n", 1), 1);
        inbox.push_probe(1);
        inbox.push_probe(2);
        assert_eq!(next(&inbox).await, "1 on 1");
        assert_eq!(next(&inbox).await, "probe 1");
        inbox.push_probe(3);
        assert_eq!(next(&inbox).await, "probe 3");
    }

    #[tokio::test]
    async fn queued_events_can_be_read_after_close() {
        let inbox = inbox(2);
        inbox.push_subscribed([channel(1)]);
        inbox.close();
        inbox.push(channel(1), event("n", 1), 1);
        assert_eq!(next(&inbox).await, "opened [1]");
        assert_eq!(next(&inbox).await, "end");
    }
}
