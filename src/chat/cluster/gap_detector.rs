//! Detects lost announcements by the sequence numbers of each node on each channel.

use std::{collections::HashMap, ops::RangeInclusive};

use crate::domain::{Channel, NodeId};

/// Gaps remembered per stream. The oldest is dropped first: its numbers were requested long ago.
const GAPS_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct GapDetector {
    sequences: HashMap<(NodeId, Channel), ChannelSequence>,
}

#[derive(Debug, Default)]
struct ChannelSequence {
    /// The last number. Each number up to it was received or is known to be missing.
    last: u64,
    missing: Vec<RangeInclusive<u64>>,
}

/// The result of a check of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SequenceCheck {
    /// The number is the next one.
    Next,
    /// The number was received before, or is late and was already recovered by repair.
    Duplicate,
    /// These numbers were not received.
    Gap(RangeInclusive<u64>),
}

impl GapDetector {
    /// Checks the number of an announcement.
    pub(super) fn observe(
        &mut self,
        from: &NodeId,
        channel: Channel,
        number: u64,
    ) -> SequenceCheck {
        self.advance(from, channel, number, number.saturating_sub(1))
    }

    /// Checks the last number on a channel, as announced by a heartbeat.
    pub(super) fn observe_heartbeat(
        &mut self,
        from: &NodeId,
        channel: Channel,
        number: u64,
    ) -> SequenceCheck {
        self.advance(from, channel, number, number)
    }

    /// Advances to `number`. All numbers up to `due` should have been received.
    fn advance(&mut self, from: &NodeId, channel: Channel, number: u64, due: u64) -> SequenceCheck {
        let sequence = self.sequences.entry((from.clone(), channel)).or_default();
        if number <= sequence.last {
            return SequenceCheck::Duplicate;
        }
        let missed = sequence.last + 1..=due;
        sequence.last = number;
        if missed.is_empty() {
            return SequenceCheck::Next;
        }
        if sequence.missing.len() == GAPS_MAX {
            sequence.missing.remove(0);
        }
        sequence.missing.push(missed.clone());
        SequenceCheck::Gap(missed)
    }

    /// The last numbers of all nodes on a channel.
    pub(super) fn last_numbers(
        &self,
        channel: Channel,
    ) -> impl Iterator<Item = (&NodeId, u64)> + '_ {
        let on_channel = self.sequences.iter().filter(move |((_, it), _)| *it == channel);
        on_channel.map(|((from, _), sequence)| (from, sequence.last))
    }

    /// The last number of a node on a channel.
    pub(super) fn last_number(&self, from: &NodeId, channel: Channel) -> u64 {
        self.sequences.get(&(from.clone(), channel)).map_or(0, |it| it.last)
    }

    /// Whether this number is in a remembered gap.
    pub(super) fn has_missed(&self, from: &NodeId, channel: Channel, number: u64) -> bool {
        let sequence = self.sequences.get(&(from.clone(), channel));
        sequence.is_some_and(|sequence| sequence.missing.iter().any(|gap| gap.contains(&number)))
    }

    /// Forgets the streams of a removed node.
    pub(super) fn forget(&mut self, node: &NodeId) {
        self.sequences.retain(|(from, _), _| from != node);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn channel() -> Channel {
        Channel::from_raw(3).unwrap()
    }

    fn node() -> NodeId {
        NodeId::from_raw("other")
    }

    #[test]
    fn the_last_numbers_are_known_by_channel() {
        let (mut gap_detector, node) = (GapDetector::default(), node());
        gap_detector.observe(&node, channel(), 4);
        gap_detector.observe(&node, Channel::BROADCAST, 9);
        assert_eq!(gap_detector.last_numbers(channel()).collect::<Vec<_>>(), [(&node, 4)]);
        assert_eq!(gap_detector.last_number(&node, channel()), 4);
        assert_eq!(gap_detector.last_number(&NodeId::from_raw("unknown"), channel()), 0);
    }

    #[test]
    fn first_number_above_one_reports_gap() {
        let mut gap_detector = GapDetector::default();
        assert_eq!(gap_detector.observe(&node(), channel(), 1), SequenceCheck::Next);
        assert_eq!(gap_detector.observe(&node(), channel(), 2), SequenceCheck::Next);
        assert_eq!(gap_detector.observe(&node(), Channel::BROADCAST, 5), SequenceCheck::Gap(1..=4));
        gap_detector.forget(&node());
        assert_eq!(
            gap_detector.observe_heartbeat(&node(), channel(), 2),
            SequenceCheck::Gap(1..=2)
        );
        assert_eq!(gap_detector.observe(&node(), channel(), 3), SequenceCheck::Next);
    }

    #[test]
    fn heartbeat_reveals_lost_last_announcement() {
        let mut gap_detector = GapDetector::default();
        gap_detector.observe(&node(), channel(), 1);
        assert_eq!(gap_detector.observe_heartbeat(&node(), channel(), 1), SequenceCheck::Duplicate);
        assert_eq!(
            gap_detector.observe_heartbeat(&node(), channel(), 3),
            SequenceCheck::Gap(2..=3)
        );
        assert_eq!(gap_detector.observe(&node(), channel(), 3), SequenceCheck::Duplicate, "late");
        assert!(gap_detector.has_missed(&node(), channel(), 3));
        assert!(!gap_detector.has_missed(&node(), channel(), 1));
    }

    proptest! {
        /// With any loss, repetition or reordering, each number is accepted in order and once, or
        /// is reported as missing.
        #[test]
        fn every_gap_is_reported(numbers in prop::collection::vec(1_u64..30, 0..60)) {
            let mut gap_detector = GapDetector::default();
            let mut known = BTreeSet::new();
            for number in numbers {
                match gap_detector.observe(&node(), channel(), number) {
                    SequenceCheck::Next => prop_assert!(known.insert(number)),
                    SequenceCheck::Duplicate => prop_assert!(known.contains(&number)),
                    SequenceCheck::Gap(gap) => {
                        for missed in gap {
                            prop_assert!(known.insert(missed));
                        }
                        prop_assert!(known.insert(number));
                    }
                }
                let last = known.last().copied().unwrap_or_default();
                prop_assert_eq!(known.len() as u64, last, "without a gap");
            }
        }
    }
}
