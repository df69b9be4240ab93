//! Recent replays of a room: clients with the same cursor share the events and their encodings.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    chat::event::Delivery,
    domain::{ConnectionId, Seq},
};

/// Cursors whose replays are kept. Clients that lost their connections together have few different
/// ones.
const REPLAYS_MAX: usize = 8;

/// The `missed` events from one cursor up to the head.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) after: Seq,
    pub(super) events: Vec<Arc<Delivery>>,
    /// Connections that do not receive all of its entries, so that they cannot share it.
    pub(super) except: Vec<ConnectionId>,
    /// The size of its entries in the ring.
    pub(super) bytes: usize,
}

/// The replays of a ring, until the ring changes. Bounded in count and in bytes.
#[derive(Debug, Default)]
pub(super) struct Replays {
    kept: VecDeque<Replay>,
    bytes: usize,
}

impl Replays {
    /// The events after `after`, if they are kept and the connection receives all of them.
    pub(super) fn get(&self, after: Seq, connection: ConnectionId) -> Option<Vec<Arc<Delivery>>> {
        let kept = self.kept.iter().find(|it| it.after == after)?;
        (!kept.except.contains(&connection)).then(|| kept.events.clone())
    }

    /// Keeps a replay in place of the oldest ones. One above `bytes_max` is not kept.
    pub(super) fn keep(&mut self, replay: Replay, bytes_max: usize) {
        if replay.bytes > bytes_max || self.kept.iter().any(|it| it.after == replay.after) {
            return;
        }
        self.bytes += replay.bytes;
        self.kept.push_back(replay);
        while self.kept.len() > REPLAYS_MAX || self.bytes > bytes_max {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Drops all replays, because the ring has changed.
    pub(super) fn clear(&mut self) {
        if !self.kept.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::test_support::message_delivery;

    fn replay(after: u64, bytes: usize) -> Replay {
        let events = vec![message_delivery("lobby", after + 1)];
        Replay { after: Seq::from_raw(after), events, except: Vec::new(), bytes }
    }

    fn kept(replays: &Replays, after: u64) -> bool {
        replays.get(Seq::from_raw(after), ConnectionId::from_raw(1)).is_some()
    }

    #[test]
    fn replays_are_bounded_in_count_and_in_bytes() {
        let mut replays = Replays::default();
        for after in 0..10 {
            replays.keep(replay(after, 10), 1000);
        }
        assert!(!kept(&replays, 1) && kept(&replays, 2), "the oldest ones are dropped");
        replays.keep(replay(20, 930), 1000);
        assert!(kept(&replays, 20) && kept(&replays, 9));
        assert!(!kept(&replays, 2), "seven small ones fit beside a large one");
        replays.keep(replay(21, 1001), 1000);
        assert!(!kept(&replays, 21) && kept(&replays, 20), "too large to be kept");
        replays.keep(replay(20, 930), 1000);
        assert_eq!(replays.bytes, 1000, "once each");
        replays.clear();
        assert!(!kept(&replays, 20));
        assert_eq!(replays.bytes, 0);
    }

    #[test]
    fn a_connection_that_lacks_an_entry_shares_no_replay() {
        let mut replays = Replays::default();
        let excepted = ConnectionId::from_raw(7);
        replays.keep(Replay { except: vec![excepted], ..replay(0, 10) }, 1000);
        assert!(replays.get(Seq::ZERO, excepted).is_none());
        assert!(replays.get(Seq::ZERO, ConnectionId::from_raw(8)).is_some());
    }
}
