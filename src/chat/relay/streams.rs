//! What was heard of each node on each channel, so that what was not heard is noticed.

use std::{collections::HashMap, ops::RangeInclusive};

use crate::domain::{Channel, NodeId};

/// Holes of a stream that are remembered. Whoever has more has asked in vain.
const HOLES_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Streams {
    heard: HashMap<(NodeId, Channel), Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    /// The last number up to which everything was heard or is known to be missing.
    last: u64,
    missing: Vec<RangeInclusive<u64>>,
}

/// What a number says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It is the next one.
    Next,
    /// It was heard before, or comes too late: what it says is known by other ways.
    Known,
    /// These were not heard.
    Missed(RangeInclusive<u64>),
}

impl Streams {
    /// Takes an announcement with this number.
    pub(super) fn hear(&mut self, from: &NodeId, channel: Channel, number: u64) -> Hearing {
        self.reach(from, channel, number, number.saturating_sub(1))
    }

    /// Takes the word that there are so many.
    pub(super) fn beat(&mut self, from: &NodeId, channel: Channel, number: u64) -> Hearing {
        self.reach(from, channel, number, number)
    }

    /// Goes on to `number`. Up to `due`, everything should have been heard.
    fn reach(&mut self, from: &NodeId, channel: Channel, number: u64, due: u64) -> Hearing {
        let stream = self.heard.entry((from.clone(), channel)).or_default();
        if number <= stream.last {
            return Hearing::Known;
        }
        let missed = stream.last + 1..=due;
        stream.last = number;
        if missed.is_empty() {
            return Hearing::Next;
        }
        if stream.missing.len() == HOLES_MAX {
            stream.missing.remove(0);
        }
        stream.missing.push(missed.clone());
        Hearing::Missed(missed)
    }

    /// Whether this number was missed, as far as it is remembered.
    pub(super) fn has_missed(&self, from: &NodeId, channel: Channel, number: u64) -> bool {
        let stream = self.heard.get(&(from.clone(), channel));
        stream.is_some_and(|stream| stream.missing.iter().any(|hole| hole.contains(&number)))
    }

    /// A node is no more.
    pub(super) fn forget(&mut self, node: &NodeId) {
        self.heard.retain(|(from, _), _| from != node);
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
    fn what_was_said_before_the_first_that_is_heard_was_missed() {
        let mut streams = Streams::default();
        assert_eq!(streams.hear(&node(), channel(), 1), Hearing::Next);
        assert_eq!(streams.hear(&node(), channel(), 2), Hearing::Next);
        assert_eq!(streams.hear(&node(), Channel::EVERYBODY, 5), Hearing::Missed(1..=4));
        streams.forget(&node());
        assert_eq!(streams.beat(&node(), channel(), 2), Hearing::Missed(1..=2));
        assert_eq!(streams.hear(&node(), channel(), 3), Hearing::Next);
    }

    #[test]
    fn a_beat_tells_of_the_last_one_that_was_lost() {
        let mut streams = Streams::default();
        streams.hear(&node(), channel(), 1);
        assert_eq!(streams.beat(&node(), channel(), 1), Hearing::Known);
        assert_eq!(streams.beat(&node(), channel(), 3), Hearing::Missed(2..=3));
        assert_eq!(streams.hear(&node(), channel(), 3), Hearing::Known, "too late");
        assert!(streams.has_missed(&node(), channel(), 3));
        assert!(!streams.has_missed(&node(), channel(), 1));
    }

    proptest! {
        /// Whatever is lost, repeated or out of order: what is taken as next is in order and once, and
        /// everything else is said to be missing.
        #[test]
        fn nothing_is_missed_without_a_word(numbers in prop::collection::vec(1_u64..30, 0..60)) {
            let mut streams = Streams::default();
            let mut known = BTreeSet::new();
            for number in numbers {
                match streams.hear(&node(), channel(), number) {
                    Hearing::Next => prop_assert!(known.insert(number)),
                    Hearing::Known => prop_assert!(known.contains(&number)),
                    Hearing::Missed(hole) => {
                        for missed in hole {
                            prop_assert!(known.insert(missed));
                        }
                        prop_assert!(known.insert(number));
                    }
                }
                let last = known.last().copied().unwrap_or_default();
                prop_assert_eq!(known.len() as u64, last, "without a hole");
            }
        }
    }
}
