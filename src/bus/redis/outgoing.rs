//! What waits to be published: bounded, in the order of each group, and not for long.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use tokio::time::Instant;

use super::names::{GROUPS, Group};
use crate::domain::Channel;

/// How long something may wait. Later it is thrown away: who misses it has asked the store by then.
pub(super) const LETTER_WAIT_MAX: Duration = Duration::from_secs(1);
/// Bytes that wait. What comes past them is dropped.
const OUTGOING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What goes out at once.
const BATCH_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// One announcement, ready to go.
#[derive(Debug)]
pub(super) struct Letter {
    at: Instant,
    pub(super) channel: Channel,
    pub(super) payload: Vec<u8>,
}

/// Whether there was room for a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// There was.
    Yes,
    /// There is enough again, after so many were dropped.
    Again(u64),
    /// There was not, for the first time since there was enough.
    NoMore,
    /// There still was not.
    No,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outgoing {
    letters_max: NonZeroUsize,
    queues: [VecDeque<Letter>; GROUPS],
    count: usize,
    bytes: usize,
    /// How many were dropped since there was enough room last.
    dropped: u64,
}

impl Outgoing {
    pub(super) fn new(letters_max: NonZeroUsize) -> Self {
        let queues = [const { VecDeque::new() }; GROUPS];
        Self { letters_max, queues, count: 0, bytes: 0, dropped: 0 }
    }

    pub(super) fn post(&mut self, channel: Channel, payload: Vec<u8>, now: Instant) -> Posted {
        if self.is_full(payload.len()) {
            Group::all().for_each(|group| self.expire(group, now));
        }
        if self.is_full(payload.len()) {
            self.dropped += 1;
            return if self.dropped == 1 { Posted::NoMore } else { Posted::No };
        }
        let relieved =
            self.count <= self.letters_max.get() / 2 && self.bytes <= OUTGOING_BYTES_MAX / 2;
        let dropped = if relieved { std::mem::take(&mut self.dropped) } else { 0 };
        self.count += 1;
        self.bytes += payload.len();
        self.queue(Group::of(channel)).push_back(Letter { at: now, channel, payload });
        if dropped > 0 { Posted::Again(dropped) } else { Posted::Yes }
    }

    /// The next that are to go to these groups, oldest first within each.
    pub(super) fn take(&mut self, groups: &[Group], now: Instant) -> Vec<Letter> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for group in groups {
            self.expire(*group, now);
            while batch.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
                let Some(letter) = self.pop(*group) else { break };
                bytes += letter.payload.len();
                batch.push(letter);
            }
        }
        batch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn is_full(&self, bytes: usize) -> bool {
        self.count >= self.letters_max.get() || self.bytes + bytes > OUTGOING_BYTES_MAX
    }

    /// Throws away what waited too long.
    fn expire(&mut self, group: Group, now: Instant) {
        let late = |letter: &Letter| now.duration_since(letter.at) > LETTER_WAIT_MAX;
        while self.queue(group).front().is_some_and(late) {
            self.pop(group);
        }
    }

    fn pop(&mut self, group: Group) -> Option<Letter> {
        let letter = self.queue(group).pop_front()?;
        self.count -= 1;
        self.bytes -= letter.payload.len();
        Some(letter)
    }

    fn queue(&mut self, group: Group) -> &mut VecDeque<Letter> {
        self.queues.get_mut(group.index()).expect("there is a queue for each group")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::channel;

    fn outgoing(letters_max: usize) -> Outgoing {
        Outgoing::new(NonZeroUsize::new(letters_max).unwrap())
    }

    fn taken(outgoing: &mut Outgoing, group: u16, now: Instant) -> Vec<u8> {
        let letters = outgoing.take(&[Group::of(channel(group))], now);
        letters.iter().map(|letter| letter.payload[0]).collect()
    }

    #[tokio::test]
    async fn a_full_queue_says_so_once() {
        let (mut outgoing, now) = (outgoing(2), Instant::now());
        let mut post = |payload| outgoing.post(channel(1), vec![payload], now);
        let posted = [post(1), post(2), post(3), post(4)];
        assert_eq!(posted, [Posted::Yes, Posted::Yes, Posted::NoMore, Posted::No]);
        assert_eq!(taken(&mut outgoing, 1, now), [1, 2]);
        assert!(outgoing.is_empty());
        assert_eq!(outgoing.post(channel(1), vec![5], now), Posted::Again(2));
        assert_eq!(outgoing.post(channel(1), vec![6], now), Posted::Yes);
    }

    #[tokio::test]
    async fn what_waited_too_long_does_not_go() {
        let (mut outgoing, now) = (outgoing(2), Instant::now());
        let later = now + LETTER_WAIT_MAX + Duration::from_millis(1);
        outgoing.post(channel(1), vec![1], now);
        outgoing.post(channel(2), vec![2], now);
        assert_eq!(outgoing.post(channel(1), vec![3], later), Posted::Yes, "the late ones go");
        assert_eq!(taken(&mut outgoing, 1, later), [3]);
        assert!(taken(&mut outgoing, 2, later).is_empty());
    }

    #[tokio::test]
    async fn a_batch_has_an_end() {
        let (mut outgoing, now) = (outgoing(10_000), Instant::now());
        for _ in 0..=BATCH_MAX {
            outgoing.post(channel(1), vec![1], now);
        }
        assert_eq!(taken(&mut outgoing, 1, now).len(), BATCH_MAX);
        assert_eq!(taken(&mut outgoing, 1, now).len(), 1);
    }
}
