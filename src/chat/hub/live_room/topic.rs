//! The topic of a room, as the newest of what the store and delivered entries say.

use super::LiveRoom;
use crate::domain::{Act, Entry, RoomTopic, Seq};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LatestTopic {
    topic: Option<RoomTopic>,
    /// The entry after which the room had it. The store may be ahead of what was delivered here.
    up_to: Seq,
}

impl LatestTopic {
    /// Takes over the topic after the entry `up_to`, unless a later one is known.
    fn learn(&mut self, topic: Option<RoomTopic>, up_to: Seq) {
        if up_to >= self.up_to {
            *self = Self { topic, up_to };
        }
    }

    /// Takes over the topic of a delivered entry, if it has one.
    pub(super) fn record(&mut self, entry: &Entry) {
        if let Act::Topic(topic) = &entry.act {
            self.learn(topic.clone(), entry.seq());
        }
    }
}

impl LiveRoom {
    /// The topic.
    pub(crate) fn topic(&self) -> Option<RoomTopic> {
        self.lock().topic.topic.clone()
    }

    /// Takes over the topic that the store had at this head of the log.
    pub(in crate::chat::hub) fn learn_topic(&self, topic: Option<RoomTopic>, head: Seq) {
        self.lock().topic.learn(topic, head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_topic_counts_in_whatever_order_it_is_learned() {
        let mut latest = LatestTopic::default();
        let mut learn = |text: &str, up_to| {
            latest.learn(RoomTopic::from_raw(text), Seq::from_raw(up_to));
            RoomTopic::text(latest.topic.as_ref()).to_owned()
        };
        assert_eq!(learn("new", 0), "new", "of a room without entries");
        assert_eq!(learn("of the store", 7), "of the store");
        assert_eq!(learn("delivered late", 5), "of the store");
        assert_eq!(learn("", 8), "");
    }
}
