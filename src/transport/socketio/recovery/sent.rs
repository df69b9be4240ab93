//! The last events of a connection with their offsets, those that were sent and those that wait.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    chat::{
        event::Delivery,
        ports::{EventSource, KeptEvent},
    },
    domain::Limits,
    wire::recovery,
};

/// An event that was sent, or that waits for the client.
#[derive(Debug)]
struct SentEvent {
    offset: u64,
    event: Sent,
    bytes: usize,
}

/// See [`SentEvents`].
#[derive(Clone, Debug)]
pub(super) enum Sent {
    /// An event of this node.
    Delivery(Arc<Delivery>),
    /// An event that the node before has kept.
    Kept(Arc<KeptEvent>),
    /// The last event that the client received from the node before.
    Received,
}

impl Sent {
    /// The event, for another node.
    fn kept(&self, limits: &Limits) -> Option<KeptEvent> {
        match self {
            Self::Delivery(delivery) => {
                let source = if let Some(entry) = delivery.entry() {
                    EventSource::Entry(entry.place.clone(), entry.seq())
                } else if let Some(id) = delivery.passing_id() {
                    EventSource::Passing(id.into())
                } else {
                    EventSource::Other
                };
                Some(KeptEvent { args: recovery::args(delivery, limits), source })
            }
            Self::Kept(event) => Some(KeptEvent::clone(event)),
            Self::Received => None,
        }
    }
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

    /// No events, for a client that continues after the one with this offset.
    pub(super) fn after_received(offset: u64) -> Self {
        let received = SentEvent { offset, event: Sent::Received, bytes: 0 };
        Self { events: VecDeque::from([received]), largest: offset, ..Self::new(None) }
    }

    /// Whether the client could not tell which event has this offset: a delivery that is kept, as a
    /// replay is, may be sent twice.
    pub(super) fn is_ambiguous(&self, offset: u64) -> bool {
        self.stale == Some(offset) || (offset <= self.largest && self.has(offset))
    }

    /// Adds the next event, whose frames have `bytes`, and drops the oldest ones above the limits.
    pub(super) fn add(&mut self, offset: u64, event: Sent, bytes: usize, limits: &Limits) {
        self.events.push_back(SentEvent { offset, event, bytes });
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
    pub(super) fn after(&mut self, offset: u64) -> Vec<(u64, Sent)> {
        if let Some(last) = self.events.iter().position(|it| it.offset == offset) {
            // The client has these. The last one stays: it may lose its next transport at once.
            for received in self.events.drain(..last) {
                self.bytes -= received.bytes;
            }
        }
        self.events.iter().skip(1).map(|it| (it.offset, it.event.clone())).collect()
    }

    /// The first event of this node that fits.
    pub(super) fn find(&self, fits: impl Fn(&Delivery) -> bool) -> Option<Arc<Delivery>> {
        self.events.iter().find_map(|it| match &it.event {
            Sent::Delivery(delivery) if fits(delivery) => Some(Arc::clone(delivery)),
            Sent::Delivery(_) | Sent::Kept(_) | Sent::Received => None,
        })
    }

    /// The events after the one with this offset, for another node, and the offset of the last one.
    /// `None` if that event is not known.
    pub(super) fn kept_after(&self, offset: u64, limits: &Limits) -> Option<(Vec<KeptEvent>, u64)> {
        let last = self.events.iter().position(|it| it.offset == offset)?;
        let events = self.events.iter().skip(last + 1).filter_map(|it| it.event.kept(limits));
        Some((events.collect(), self.events.back()?.offset))
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
            let event = Sent::Delivery(message_delivery("lobby", offset));
            sent.add(offset, event, 100, limits);
        }
        sent
    }

    fn seqs(events: &[(u64, Sent)]) -> Vec<u64> {
        let seq = |(_, it): &(u64, Sent)| match it {
            Sent::Delivery(it) => it.entry().unwrap().seq().as_raw(),
            other => panic!("{other:?}"),
        };
        events.iter().map(seq).collect()
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

    #[test]
    fn another_node_gets_what_follows_an_offset_and_can_hand_it_on() {
        let limits = Limits::default();
        let events = sent(&limits, [5, 2, 9]);
        let (kept, last) = events.kept_after(5, &limits).unwrap();
        let seqs: Vec<_> = kept
            .iter()
            .map(|it| match &it.source {
                EventSource::Entry(_, seq) => seq.as_raw(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((seqs, last), (vec![2, 9], 9));
        assert!(kept[0].args.json().starts_with(r#"["new message",{"#), "{:?}", kept[0]);
        assert_eq!(events.kept_after(9, &limits), Some((Vec::new(), 9)));
        assert_eq!(events.kept_after(7, &limits), None, "it is not known");

        let mut next = SentEvents::after_received(5);
        assert_eq!(next.kept_after(5, &limits), Some((Vec::new(), 5)));
        assert!(next.is_ambiguous(5), "the client has it from the node before");
        for (offset, event) in (20..).zip(kept.clone()) {
            next.add(offset, Sent::Kept(Arc::new(event)), 100, &limits);
        }
        assert_eq!(next.kept_after(5, &limits), Some((kept, 21)));
    }
}
