//! The queue of messages to publish: bounded, ordered within each group, and with a maximum age.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use tokio::time::Instant;

use super::names::{ChannelGroup, GROUPS};
use crate::domain::Channel;

/// The greatest age of a message in the queue. Older ones are dropped: receivers have repaired the
/// gap from the store by then.
pub(super) const OUTGOING_WAIT_MAX: Duration = Duration::from_secs(1);
/// Bytes in the queue. Messages past the limit are dropped.
const OUTGOING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The largest number of messages per pipeline.
const BATCH_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// One encoded announcement.
#[derive(Debug)]
pub(super) struct OutgoingMessage {
    at: Instant,
    pub(super) channel: Channel,
    pub(super) payload: Vec<u8>,
}

/// Whether there was room for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnqueueResult {
    /// The message is queued.
    Queued,
    /// The message is queued; so many were dropped before it.
    Recovered(u64),
    /// The message is dropped, the first one since the queue is full.
    Overflowed,
    /// The message is dropped, like the one before it.
    Dropped,
}

/// See the module.
#[derive(Debug)]
pub(super) struct OutgoingQueue {
    messages_max: NonZeroUsize,
    queues: [VecDeque<OutgoingMessage>; GROUPS],
    count: usize,
    bytes: usize,
    /// The number of messages dropped since there was room.
    dropped: u64,
}

impl OutgoingQueue {
    pub(super) fn new(messages_max: NonZeroUsize) -> Self {
        let queues = [const { VecDeque::new() }; GROUPS];
        Self { messages_max, queues, count: 0, bytes: 0, dropped: 0 }
    }

    pub(super) fn enqueue(
        &mut self,
        channel: Channel,
        payload: Vec<u8>,
        now: Instant,
    ) -> EnqueueResult {
        if self.is_full(payload.len()) {
            ChannelGroup::all().for_each(|group| self.expire(group, now));
        }
        if self.is_full(payload.len()) {
            self.dropped += 1;
            return if self.dropped == 1 {
                EnqueueResult::Overflowed
            } else {
                EnqueueResult::Dropped
            };
        }
        let has_room =
            self.count <= self.messages_max.get() / 2 && self.bytes <= OUTGOING_BYTES_MAX / 2;
        let dropped = if has_room { std::mem::take(&mut self.dropped) } else { 0 };
        self.count += 1;
        self.bytes += payload.len();
        self.queue(ChannelGroup::of(channel)).push_back(OutgoingMessage {
            at: now,
            channel,
            payload,
        });
        if dropped > 0 { EnqueueResult::Recovered(dropped) } else { EnqueueResult::Queued }
    }

    /// Takes the next messages of these groups, oldest first within each.
    pub(super) fn take(&mut self, groups: &[ChannelGroup], now: Instant) -> Vec<OutgoingMessage> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for group in groups {
            self.expire(*group, now);
            while batch.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
                let Some(message) = self.pop(*group) else { break };
                bytes += message.payload.len();
                batch.push(message);
            }
        }
        batch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn is_full(&self, bytes: usize) -> bool {
        self.count >= self.messages_max.get() || self.bytes + bytes > OUTGOING_BYTES_MAX
    }

    /// Drops the messages that are too old.
    fn expire(&mut self, group: ChannelGroup, now: Instant) {
        let late = |message: &OutgoingMessage| now.duration_since(message.at) > OUTGOING_WAIT_MAX;
        while self.queue(group).front().is_some_and(late) {
            self.pop(group);
        }
    }

    fn pop(&mut self, group: ChannelGroup) -> Option<OutgoingMessage> {
        let message = self.queue(group).pop_front()?;
        self.count -= 1;
        self.bytes -= message.payload.len();
        Some(message)
    }

    fn queue(&mut self, group: ChannelGroup) -> &mut VecDeque<OutgoingMessage> {
        self.queues.get_mut(group.index()).expect("there is a queue for each group")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::channel;

    fn outgoing(messages_max: usize) -> OutgoingQueue {
        OutgoingQueue::new(NonZeroUsize::new(messages_max).unwrap())
    }

    fn taken(outgoing: &mut OutgoingQueue, group: u16, now: Instant) -> Vec<u8> {
        let messages = outgoing.take(&[ChannelGroup::of(channel(group))], now);
        messages.iter().map(|message| message.payload[0]).collect()
    }

    #[tokio::test]
    async fn a_full_queue_reports_once() {
        let (mut outgoing, now) = (outgoing(2), Instant::now());
        let mut enqueue = |payload| outgoing.enqueue(channel(1), vec![payload], now);
        let enqueued = [enqueue(1), enqueue(2), enqueue(3), enqueue(4)];
        assert_eq!(
            enqueued,
            [
                EnqueueResult::Queued,
                EnqueueResult::Queued,
                EnqueueResult::Overflowed,
                EnqueueResult::Dropped
            ]
        );
        assert_eq!(taken(&mut outgoing, 1, now), [1, 2]);
        assert!(outgoing.is_empty());
        assert_eq!(outgoing.enqueue(channel(1), vec![5], now), EnqueueResult::Recovered(2));
        assert_eq!(outgoing.enqueue(channel(1), vec![6], now), EnqueueResult::Queued);
    }

    #[tokio::test]
    async fn expired_messages_are_dropped() {
        let (mut outgoing, now) = (outgoing(2), Instant::now());
        let later = now + OUTGOING_WAIT_MAX + Duration::from_millis(1);
        outgoing.enqueue(channel(1), vec![1], now);
        outgoing.enqueue(channel(2), vec![2], now);
        assert_eq!(
            outgoing.enqueue(channel(1), vec![3], later),
            EnqueueResult::Queued,
            "expired messages are dropped"
        );
        assert_eq!(taken(&mut outgoing, 1, later), [3]);
        assert!(taken(&mut outgoing, 2, later).is_empty());
    }

    #[tokio::test]
    async fn a_batch_is_bounded() {
        let (mut outgoing, now) = (outgoing(10_000), Instant::now());
        for _ in 0..=BATCH_MAX {
            outgoing.enqueue(channel(1), vec![1], now);
        }
        assert_eq!(taken(&mut outgoing, 1, now).len(), BATCH_MAX);
        assert_eq!(taken(&mut outgoing, 1, now).len(), 1);
    }
}
