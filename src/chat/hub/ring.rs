//! The recent entries of a room: short replays are served from memory.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use super::{
    missed::{LastPart, missed},
    replays::{Replay, Replays},
    room_names::RoomNames,
};
use crate::{
    chat::event::{Delivery, Event, Post},
    domain::{Body, ConnectionId, Entry, Limits, RoomName, Seq, UserName},
};

/// A run of entries without gaps, the newest last. Bounded in count and in bytes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    posts: VecDeque<Post>,
    bytes: usize,
    /// Replays of `posts`. Each change of `posts` clears them.
    replays: Replays,
}

impl Ring {
    /// Adds the next entry, and drops the oldest ones above the limits. An edit or deletion also
    /// changes the entry that it refers to.
    pub(super) fn push(&mut self, post: &Post, limits: &Limits) {
        self.replays.clear();
        let post = Post { delivery: Arc::clone(post.delivery.untimed()), ..*post };
        if let Some(change) = post.delivery.entry().filter(|entry| !entry.is_message()) {
            self.amend(change);
        }
        self.bytes += weight(&post.delivery);
        self.posts.push_back(post);
        while self.is_over(limits) {
            let Some(oldest) = self.posts.pop_front() else { break };
            self.bytes -= weight(&oldest.delivery);
        }
    }

    /// Adds older entries, which end where this ring begins or at `head`, as many as the limits allow.
    pub(super) fn fill(&mut self, older: Vec<Entry>, head: Seq, limits: &Limits) {
        self.replays.clear();
        for entry in older.into_iter().rev() {
            if entry.seq() > head || self.first().is_some_and(|first| first <= entry.seq()) {
                continue;
            }
            let next = self.first().unwrap_or_else(|| head.next());
            if entry.seq().next() != next {
                return;
            }
            let delivery = Delivery::new(Event::Entry(entry));
            self.bytes += weight(&delivery);
            self.posts.push_front(Post { delivery, origin: None, except: None });
            if self.is_over(limits) {
                self.pop();
                return;
            }
        }
    }

    /// The entries after `after` up to `head`, if the ring has all of them.
    fn run(&self, after: Seq, head: Seq) -> Option<impl Iterator<Item = &Post>> {
        let wanted = usize::try_from(head.since(after)).ok()?;
        let skipped = self.posts.len().checked_sub(wanted)?;
        Some(self.posts.iter().skip(skipped))
    }

    /// The entries after `after` up to `head` that a connection receives, if the ring has all of them.
    pub(super) fn live(
        &self,
        connection: ConnectionId,
        (after, head): (Seq, Seq),
    ) -> Option<Vec<Arc<Delivery>>> {
        let received = self.run(after, head)?.filter(|post| post.except != Some(connection));
        Some(received.map(|post| Arc::clone(&post.delivery)).collect())
    }

    /// The `missed` events with the entries after `after` up to `head`, if the ring has all of them.
    /// Clients with the same cursor share them: each is encoded once.
    pub(super) fn missed(
        &mut self,
        (room, names): (&RoomName, &RoomNames),
        connection: ConnectionId,
        (after, head): (Seq, Seq),
        limits: &Limits,
    ) -> Option<Vec<Arc<Delivery>>> {
        if let Some(events) = self.replays.get(after, connection) {
            return Some(events);
        }
        let run: Vec<_> = self.run(after, head)?.cloned().collect();
        let except: Vec<_> = run.iter().filter_map(|post| post.except).collect();
        let is_shared = !except.contains(&connection);
        let bytes = run.iter().map(|post| weight(&post.delivery)).sum();
        let received = run.into_iter().filter(|post| post.except != Some(connection));
        let received = received.map(|post| post.delivery).collect();
        let name = |entry: &Entry| names.get(&entry.author).cloned();
        let events = missed(room, received, name, LastPart::Yes);
        if is_shared {
            let replay = Replay { after, events: events.clone(), except, bytes };
            self.replays.keep(replay, limits.ring_bytes_max.get());
        }
        Some(events)
    }

    /// Forgets replays with entries of a user, because the display name is another one.
    pub(super) fn forget_replays_of(&mut self, user: &UserName) {
        let mut entries = self.posts.iter().filter_map(|it| it.delivery.entry());
        if !self.replays.is_empty() && entries.any(|it| it.author == *user) {
            self.replays.clear();
        }
    }

    /// The authors of the entries.
    pub(super) fn authors(&self) -> HashSet<UserName> {
        let entries = self.posts.iter().filter_map(|it| it.delivery.entry());
        entries.map(|it| it.author.clone()).collect()
    }

    /// Drops all entries: the next one does not follow them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops entries below the retention floor.
    pub(super) fn trim(&mut self, floor: Seq) {
        while self.first().is_some_and(|first| first <= floor) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        self.replays.clear();
        let first = self.posts.pop_front();
        self.bytes -= first.map_or(0, |post| weight(&post.delivery));
    }

    /// Applies an edit or deletion to the entry that it refers to, for later replays.
    fn amend(&mut self, change: &Entry) {
        for Post { delivery, .. } in &mut self.posts {
            if let Some(amended) = delivery.entry().and_then(|entry| entry.changed_by(change)) {
                let amended = Delivery::new(Event::Entry(amended));
                self.bytes = self.bytes + weight(&amended) - weight(delivery);
                *delivery = amended;
            }
        }
    }

    fn first(&self) -> Option<Seq> {
        self.posts.front().and_then(|it| it.delivery.entry()).map(Entry::seq)
    }

    fn is_over(&self, limits: &Limits) -> bool {
        self.posts.len() > limits.ring_messages_max.get()
            || self.bytes > limits.ring_bytes_max.get()
    }
}

/// The approximate size of an entry with its encodings.
fn weight(delivery: &Delivery) -> usize {
    const OVERHEAD_BYTES: usize = 512;
    OVERHEAD_BYTES + delivery.entry().and_then(Entry::body).map_or(0, |body| 2 * Body::bytes(body))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;
    use crate::chat::{
        event::MissedRun,
        test_support::{counted_timers, deletion_delivery, entry, message_delivery},
    };

    fn seqs<'r>(run: Option<impl Iterator<Item = &'r Post>>) -> Option<Vec<u64>> {
        Some(run?.map(|it| it.delivery.entry().unwrap().seq().as_raw()).collect())
    }

    fn post(delivery: Arc<Delivery>) -> Post {
        Post { delivery, origin: None, except: None }
    }

    fn at_most(count: usize) -> Limits {
        Limits { ring_messages_max: NonZeroUsize::new(count).unwrap(), ..Limits::default() }
    }

    #[test]
    fn a_run_is_complete_or_absent() {
        let limits = at_most(3);
        let mut ring = Ring::default();
        for seq in 1..=5 {
            ring.push(&post(message_delivery("lobby", seq)), &limits);
        }
        let (at, head) = (Seq::from_raw, Seq::from_raw(5));
        assert_eq!(seqs(ring.run(at(2), head)), Some(vec![3, 4, 5]));
        assert_eq!(seqs(ring.run(at(4), head)), Some(vec![5]));
        assert_eq!(seqs(ring.run(at(5), head)), Some(vec![]));
        assert_eq!(seqs(ring.run(at(1), head)), None, "2 was let go of");
        ring.trim(at(4));
        assert_eq!(seqs(ring.run(at(4), head)), Some(vec![5]));
        assert_eq!(seqs(ring.run(at(3), head)), None, "4 is not kept any more");
    }

    #[tokio::test]
    async fn a_kept_entry_does_not_prolong_its_delivery() {
        let (timers, ended) = counted_timers();
        let delivery = message_delivery("lobby", 1).timed(timers.start(Instant::now()));
        let mut ring = Ring::default();
        ring.push(&post(Arc::clone(&delivery)), &Limits::default());
        let frame = delivery.timer().unwrap().attach_to(Bytes::from_static(b"frame"));
        drop(delivery);
        assert_eq!(*ended.borrow(), 0, "a connection waits for its frame");
        drop(frame);
        assert_eq!(*ended.borrow(), 1);
        assert_eq!(seqs(ring.run(Seq::ZERO, Seq::from_raw(1))), Some(vec![1]));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let limits =
            Limits { ring_bytes_max: NonZeroUsize::new(1600).unwrap(), ..Limits::default() };
        let mut ring = Ring::default();
        for seq in 1..=10 {
            ring.push(&post(message_delivery("lobby", seq)), &limits);
        }
        assert!(ring.bytes <= 1600);
        assert!(!ring.posts.is_empty());
    }

    #[test]
    fn stored_entries_are_filled_in_before_newer_ones() {
        let limits = at_most(4);
        let mut ring = Ring::default();
        ring.push(&post(message_delivery("lobby", 6)), &limits);
        let older = (3..=6).map(|seq| entry("lobby", seq)).collect();
        ring.fill(older, Seq::from_raw(6), &limits);
        assert_eq!(seqs(ring.run(Seq::from_raw(2), Seq::from_raw(6))), Some(vec![3, 4, 5, 6]));
        ring.fill(vec![entry("lobby", 2)], Seq::from_raw(6), &limits);
        assert_eq!(seqs(ring.run(Seq::from_raw(1), Seq::from_raw(6))), None, "there is no room");

        let mut empty = Ring::default();
        empty.fill(vec![entry("lobby", 1), entry("lobby", 2)], Seq::from_raw(1), &limits);
        assert_eq!(
            seqs(empty.run(Seq::ZERO, Seq::from_raw(1))),
            Some(vec![1]),
            "not past the head"
        );
        let mut holed = Ring::default();
        holed.push(&post(message_delivery("lobby", 6)), &limits);
        holed.fill(vec![entry("lobby", 4)], Seq::from_raw(6), &limits);
        assert_eq!(seqs(holed.run(Seq::from_raw(4), Seq::from_raw(6))), None, "5 is missing");
    }

    #[test]
    fn clients_with_one_cursor_share_a_replay_until_the_ring_changes() {
        let (limits, room) = (Limits::default(), RoomName::lobby());
        let (sender, other) = (ConnectionId::from_raw(1), ConnectionId::from_raw(2));
        let mut ring = Ring::default();
        ring.push(&post(message_delivery("lobby", 1)), &limits);
        let excepted = Post { except: Some(sender), ..post(message_delivery("lobby", 2)) };
        ring.push(&excepted, &limits);
        let missed = |ring: &mut Ring, connection, after, head| {
            let cursor = (Seq::from_raw(after), Seq::from_raw(head));
            let events =
                ring.missed((&room, &RoomNames::default()), connection, cursor, &limits).unwrap();
            assert_eq!(events.len(), 1);
            Arc::clone(&events[0])
        };
        let entries = |delivery: &Arc<Delivery>| match delivery.event() {
            Event::Missed(missed) => match &missed.run {
                MissedRun::Recovered { entries, more: false, .. } => entries.len(),
                run => panic!("{run:?}"),
            },
            event => panic!("{event:?}"),
        };
        let first = missed(&mut ring, other, 0, 2);
        assert_eq!(entries(&first), 2);
        assert!(Arc::ptr_eq(&first, &missed(&mut ring, other, 0, 2)));
        assert_eq!(entries(&missed(&mut ring, other, 1, 2)), 1, "another cursor");
        assert_eq!(entries(&missed(&mut ring, sender, 0, 2)), 1, "without its own entry");
        assert!(Arc::ptr_eq(&first, &missed(&mut ring, other, 0, 2)), "that one is not kept");

        ring.push(&post(deletion_delivery("lobby", 3, 1)), &limits);
        let later = missed(&mut ring, other, 0, 3);
        assert_eq!(entries(&later), 3);
        ring.trim(Seq::from_raw(1));
        let cursor = (Seq::ZERO, Seq::from_raw(3));
        let names = RoomNames::default();
        assert!(
            ring.missed((&room, &names), other, cursor, &limits).is_none(),
            "1 is not kept any more"
        );
    }

    #[test]
    fn a_deleted_message_is_replayed_without_its_body() {
        let limits = Limits::default();
        let mut ring = Ring::default();
        ring.push(&post(message_delivery("lobby", 1)), &limits);
        ring.push(&post(deletion_delivery("lobby", 2, 1)), &limits);
        let mut run = ring.run(Seq::ZERO, Seq::from_raw(2)).unwrap();
        assert!(run.all(|it| it.delivery.entry().unwrap().body().is_none()));
        drop(run);
        assert_eq!(ring.bytes, 2 * 512);
    }
}
