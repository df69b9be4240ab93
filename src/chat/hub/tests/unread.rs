//! Unread counts: deleted messages do not count.

use super::*;
use crate::{
    chat::{hub::StaleMemberships, test_support::entry},
    domain::{Act, DeletedCount, Retained, Seq},
};

/// What is posted to a log.
#[derive(Clone, Copy)]
enum Posted {
    Message(&'static str),
    Deletion(u64),
}
use Posted::{Deletion, Message};

/// A log to which tests post.
struct TestLog {
    hub: Arc<Hub>,
    place: Place,
    head: Position,
}

impl TestLog {
    fn new(hub: &Arc<Hub>, place: Place) -> Self {
        Self { hub: Arc::clone(hub), place, head: Position::ZERO }
    }

    /// The next entries, by `ann` if they are deletions.
    fn next(&mut self, run: &[Posted]) -> Vec<Post> {
        let next = |posted: &Posted| {
            let new = Entry { place: self.place.clone(), ..entry("lobby", 1) };
            let new = match *posted {
                Message(author) => {
                    self.head = self.head.next_message();
                    Entry { author: user(author), ..new }
                }
                Deletion(of) => {
                    self.head = self.head.next_change();
                    Entry { act: Act::Deleted { of: Seq::from_raw(of) }, ..new }
                }
            };
            let delivery = Delivery::new(Event::Entry(Entry { position: self.head, ..new }));
            Post { delivery, origin: None, except: None }
        };
        run.iter().map(next).collect()
    }

    fn deliver(&mut self, run: &[Posted]) {
        let run = self.next(run);
        self.hub.deliver(&self.place, &run);
    }

    fn unread(&self, claim: &NameClaim) -> u64 {
        claim.member(&self.place.conversation).unwrap().1.unread
    }

    /// The membership as the store has it, with a read position and a number of deleted messages.
    fn membership(&self, read: u64, deleted: u64) -> Membership {
        let member = Member::new(Role::Member, Position::from_raw(read, read));
        let log = Log { head: self.head, members: 1, deleted, ..Log::default() };
        Membership { place: self.place.clone(), member, log, topic: None, deleted }
    }
}

fn direct(one: &str, other: &str) -> Place {
    Place { conversation: Conversation::direct(user(one), user(other)), ..lobby().place }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_message_is_not_unread_in_rooms_and_direct_conversations() {
    for place in [lobby().place, direct("ann", "bob")] {
        let hub = Hub::new(Limits::default(), publisher());
        let (_, ann) = connect(&hub, "ann", &RecordingOutbox::with_capacity(99));
        let (_, bob) = connect(&hub, "bob", &RecordingOutbox::with_capacity(99));
        let mut log = TestLog::new(&hub, place);
        log.deliver(&[Message("ann"), Message("ann"), Message("ann"), Deletion(1)]);
        log.deliver(&[Deletion(3)]);
        assert_eq!((log.unread(&ann), log.unread(&bob)), (0, 1));
        let repeated = log.next(&[Message("ann"), Deletion(2)]);
        for _ in 0..2 {
            hub.deliver(&log.place, &repeated);
        }
        assert_eq!((log.unread(&ann), log.unread(&bob)), (0, 1), "6 is left");
        log.deliver(&[Message("bob"), Deletion(6)]);
        assert_eq!((log.unread(&ann), log.unread(&bob)), (1, 0), "6 was read by both");
        log.deliver(&[Deletion(8)]);
        assert_eq!((log.unread(&ann), log.unread(&bob)), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn many_deletions_are_counted_for_all_members() {
    let hub = Hub::new(Limits::default(), publisher());
    let (_, ann) = connect(&hub, "ann", &RecordingOutbox::with_capacity(9));
    let (_, bob) = connect(&hub, "bob", &RecordingOutbox::with_capacity(9));
    for place in [lobby().place, direct("ann", "bob")] {
        let mut log = TestLog::new(&hub, place);
        // The read position of Bob is after the floor, so the log's own count is not his.
        log.deliver(&[Message("bob")]);
        log.deliver(&[Message("ann"); 1001]);
        for of in 2..=1001 {
            log.deliver(&[Deletion(of)]);
        }
        assert_eq!((log.unread(&ann), log.unread(&bob)), (0, 1));
        log.deliver(&[Deletion(1002), Message("ann")]);
        assert_eq!((log.unread(&ann), log.unread(&bob)), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn counts_of_the_store_and_delivered_deletions_add_up() {
    let hub = Hub::new(Limits::default(), publisher());
    let (_, ann) = connect(&hub, "ann", &RecordingOutbox::with_capacity(99));
    let claim = |name| NameClaim::claim(&hub, &Space::root(), &user(name), Proof::User).unwrap();
    let mut log = TestLog::new(&hub, lobby().place);
    log.deliver(&[Message("ann"); 4]);
    log.deliver(&[Deletion(2)]);
    // The store is read before the next deletion is delivered, and the result arrives after it.
    let (early, bob) = (log.membership(1, 1), claim("bob"));
    log.deliver(&[Deletion(3)]);
    hub.users.cache_memberships(bob.online_user(), vec![early]);
    assert_eq!(log.unread(&bob), 1);
    // The store has an entry that is not delivered yet.
    let ahead = log.next(&[Deletion(4)]);
    let (late, cleo) = (log.membership(1, 3), claim("cleo"));
    hub.users.cache_memberships(cleo.online_user(), vec![late]);
    hub.deliver(&log.place, &ahead);
    assert_eq!([&ann, &bob, &cleo].map(|claim| log.unread(claim)), [0, 0, 0]);
    log.deliver(&[Message("ann"), Message("ann"), Deletion(8)]);
    assert_eq!([&ann, &bob, &cleo].map(|claim| log.unread(claim)), [0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_moved_read_position_takes_the_count_of_the_store() {
    for place in [lobby().place, direct("ann", "bob")] {
        let hub = Hub::new(Limits::default(), publisher());
        let _ann = connect(&hub, "ann", &RecordingOutbox::with_capacity(99));
        let laptop = RecordingOutbox::with_capacity(99);
        let (_registration, bob) = connect(&hub, "bob", &laptop);
        let mut log = TestLog::new(&hub, place);
        log.deliver(&[Message("ann"), Message("ann"), Message("ann"), Message("ann")]);
        log.deliver(&[Deletion(1), Deletion(3)]);
        let stored = |read: u64, deleted, before| {
            let Membership { place, member, log, .. } = log.membership(read, 2);
            let change =
                Change { place, user: user("bob"), what: MemberChange::Leave, rooms_max: None };
            let changed = ChangeResult {
                before,
                after: Some(member),
                log,
                topic: None,
                deleted,
                refused: None,
            };
            hub.apply_change(&change, &changed, &Cause::default());
            member
        };
        let read = stored(2, 1, Some(Member::new(Role::Member, Position::ZERO)));
        assert_eq!(log.unread(&bob), 1);
        assert_eq!(events_without_lists(&laptop).last().unwrap(), "bob read 2, 1 unread");
        stored(4, 0, Some(read));
        assert_eq!(log.unread(&bob), 0);
        // Memberships that were read before this do not move it back.
        let (space, early) = (Space::root(), log.membership(2, 1));
        hub.refresh((&space, &user("bob")), vec![early], &StaleMemberships::default());
        assert_eq!(log.unread(&bob), 0);
        log.deliver(&[Deletion(4), Message("ann")]);
        assert_eq!(log.unread(&bob), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trim_counts_what_is_left() {
    for place in [lobby().place, direct("ann", "bob")] {
        let hub = Hub::new(Limits::default(), publisher());
        let _ann = connect(&hub, "ann", &RecordingOutbox::with_capacity(99));
        let (_registration, bob) = connect(&hub, "bob", &RecordingOutbox::with_capacity(99));
        let mut log = TestLog::new(&hub, place);
        log.deliver(&[Message("ann"); 6]);
        log.deliver(&[Deletion(1), Deletion(5)]);
        assert_eq!(log.unread(&bob), 4);
        let deleted = DeletedCount { count: 1, up_to: log.head.seq };
        log.deliver(&[Deletion(6)]);
        let retained = Retained { floor: Position::from_raw(3, 3), deleted };
        hub.fanout.trim(&[(log.place.clone(), retained)]);
        assert_eq!(log.unread(&bob), 1, "4 is left");
        log.deliver(&[Deletion(4)]);
        assert_eq!(log.unread(&bob), 0);
    }
}
