//! The last events of a connection with their offsets, those that were sent and those that wait.

use std::{collections::VecDeque, sync::Arc};

use crate::{chat::event::Delivery, domain::Limits};

/// An event that was sent, or that waits for the client.
#[derive(Debug)]
struct SentEvent {
    offset: u64,
    delivery: Arc<Delivery>,
    bytes: usize,
}

/// See the module. Bounded like the recent messages of a conversation, which serve the same purpose.
#[derive(Debug)]
pub(super) struct SentEvents {
    events: VecDeque<SentEvent>,
    bytes: usize,
    /// The largest offset so far.
    largest: u64,
    /// The offset that the client has from an earlier connection. It sends it until the first event.
    stale: Option<u64>,
}

impl SentEvents {
    /// No events, for a client that has this offset from an earlier connection.
    pub(super) fn new(stale: Option<u64>) -> Self {
        Self { events: VecDeque::new(), bytes: 0, largest: 0, stale }
    }

    /// Whether the client could not tell which event has this offset: a delivery that is kept, as a
    /// replay is, may be sent twice.
    pub(super) fn is_ambiguous(&self, offset: u64) -> bool {
        self.stale == Some(offset) || (offset <= self.largest && self.has(offset))
    }

    /// Adds the next event, whose frames have `bytes`, and drops the oldest ones above the limits.
    pub(super) fn add(
        &mut self,
        offset: u64,
        delivery: &Arc<Delivery>,
        bytes: usize,
        limits: &Limits,
    ) {
        self.events.push_back(SentEvent { offset, delivery: Arc::clone(delivery), bytes });
        self.bytes += bytes;
        self.largest = self.largest.max(offset);
        while self.events.len() > limits.ring_messages_max.get()
            || self.bytes > limits.ring_bytes_max.get()
        {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.bytes;
        }
    }

    /// Whether the event with this offset is known, so that all events after it are.
    pub(super) fn has(&self, offset: u64) -> bool {
        self.events.iter().any(|it| it.offset == offset)
    }

    /// The events after the one with this offset, and no more than these are kept.
    pub(super) fn after(&mut self, offset: u64) -> Vec<(u64, Arc<Delivery>)> {
        if let Some(last) = self.events.iter().position(|it| it.offset == offset) {
            // The client has these. The last one stays: it may lose its next transport at once.
            for received in self.events.drain(..last) {
                self.bytes -= received.bytes;
            }
        }
        self.events.iter().skip(1).map(|it| (it.offset, Arc::clone(&it.delivery))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::chat::test_support::message_delivery;

    fn sent(limits: &Limits, offsets: impl IntoIterator<Item = u64>) -> SentEvents {
        let mut sent = SentEvents::new(None);
        for offset in offsets {
            sent.add(offset, &message_delivery("lobby", offset), 100, limits);
        }
        sent
    }

    fn seqs(events: &[(u64, Arc<Delivery>)]) -> Vec<u64> {
        events.iter().map(|(_, it)| it.entry().unwrap().seq().as_raw()).collect()
    }

    #[test]
    fn the_events_after_an_offset_are_all_or_unknown() {
        let limits =
            Limits { ring_messages_max: NonZeroUsize::new(3).unwrap(), ..Limits::default() };
        let mut sent = sent(&limits, [5, 2, 9, 7]);
        assert!(!sent.has(5) && !sent.has(1), "dropped, and never sent");
        assert!(sent.has(2));
        assert_eq!(seqs(&sent.after(2)), [9, 7], "in the order of sending");
        assert_eq!(seqs(&sent.after(9)), [7]);
        assert!(!sent.has(2) && sent.has(9));
        assert_eq!(seqs(&sent.after(7)), [0; 0]);
        assert_eq!(sent.bytes, 100);
    }

    #[test]
    fn an_offset_names_one_event() {
        let events = sent(&Limits::default(), [3, 5]);
        assert!(events.is_ambiguous(3) && events.is_ambiguous(5));
        assert!(!events.is_ambiguous(4) && !events.is_ambiguous(6));
        let new = SentEvents::new(Some(9));
        assert!(new.is_ambiguous(9) && !new.is_ambiguous(8));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let limits =
            Limits { ring_bytes_max: NonZeroUsize::new(250).unwrap(), ..Limits::default() };
        let sent = sent(&limits, 1..=4);
        assert!(!sent.has(2) && sent.has(3) && sent.has(4));
        assert_eq!(sent.bytes, 200);
    }
}
