//! The recent messages of a room, so that those who come back are served from memory.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    chat::event::Delivery,
    domain::{Limits, Message, Seq},
};

/// A run of messages without holes, the newest last. Bounded in count and in bytes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    deliveries: VecDeque<Arc<Delivery>>,
    bytes: usize,
}

impl Ring {
    /// Adds the next message and lets go of the oldest ones above the limits.
    pub(super) fn push(&mut self, delivery: Arc<Delivery>, limits: &Limits) {
        self.bytes += weight(&delivery);
        self.deliveries.push_back(delivery);
        while self.deliveries.len() > limits.ring_messages_max.get()
            || self.bytes > limits.ring_bytes_max.get()
        {
            let Some(oldest) = self.deliveries.pop_front() else { break };
            self.bytes -= weight(&oldest);
        }
    }

    /// The messages after `after` up to `head`, if every one of them is here.
    pub(super) fn run(&self, after: Seq, head: Seq) -> Option<Vec<Arc<Delivery>>> {
        let wanted = usize::try_from(head.since(after)).ok()?;
        let skipped = self.deliveries.len().checked_sub(wanted)?;
        Some(self.deliveries.iter().skip(skipped).map(Arc::clone).collect())
    }

    /// Forgets everything: what comes next does not follow what is here.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What one message counts, its encodings included, roughly.
fn weight(delivery: &Delivery) -> usize {
    const OVERHEAD_BYTES: usize = 512;
    OVERHEAD_BYTES + delivery.message().map_or(0, |Message { body, .. }| 2 * body.bytes())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::chat::test_support::said;

    fn seqs(run: Option<Vec<Arc<Delivery>>>) -> Option<Vec<u64>> {
        Some(run?.iter().map(|it| it.message().unwrap().seq.as_raw()).collect())
    }

    #[test]
    fn a_run_is_whole_or_not_given() {
        let limits =
            Limits { ring_messages_max: NonZeroUsize::new(3).unwrap(), ..Limits::default() };
        let mut ring = Ring::default();
        for seq in 1..=5 {
            ring.push(said("lobby", seq), &limits);
        }
        let (at, head) = (Seq::from_raw, Seq::from_raw(5));
        assert_eq!(seqs(ring.run(at(2), head)), Some(vec![3, 4, 5]));
        assert_eq!(seqs(ring.run(at(4), head)), Some(vec![5]));
        assert_eq!(seqs(ring.run(at(5), head)), Some(vec![]));
        assert_eq!(seqs(ring.run(at(1), head)), None, "2 was let go of");
    }

    #[test]
    fn bytes_are_bounded_too() {
        let limits =
            Limits { ring_bytes_max: NonZeroUsize::new(1600).unwrap(), ..Limits::default() };
        let mut ring = Ring::default();
        for seq in 1..=10 {
            ring.push(said("lobby", seq), &limits);
        }
        assert!(ring.bytes <= 1600);
        assert!(!ring.deliveries.is_empty());
    }
}
