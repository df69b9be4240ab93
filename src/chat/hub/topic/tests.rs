//! One room, step by step: replay and live, slow readers, presence.

use std::num::NonZeroUsize;

use super::*;
use crate::{
    chat::test_support::{Shelf, said, said_with},
    domain::Space,
};

fn topic(head: u64) -> Arc<Topic> {
    let topic = Topic::new(Place::room(&Space::root(), &RoomName::lobby()));
    topic.learn_head(Seq::from_raw(head));
    topic
}

fn post(seq: u64, except: Option<u64>) -> Post {
    let except = except.map(ConnectionId::from_raw);
    Post { delivery: said("lobby", seq), seq: Seq::from_raw(seq), except }
}

fn come(topic: &Topic, number: u64, shelf: &Arc<Shelf>, cursor: Cursor) -> Attempt {
    come_within(topic, number, shelf, cursor, &Limits::default())
}

fn come_within(
    topic: &Topic,
    number: u64,
    shelf: &Arc<Shelf>,
    cursor: Cursor,
    limits: &Limits,
) -> Attempt {
    let attached = Attached {
        connection: ConnectionId::from_raw(number),
        user: UserName::parse(&format!("user{number}")).unwrap(),
        outbox: Arc::clone(shelf) as Arc<dyn Outbox>,
        standing: Standing::Home,
    };
    topic.attach(&attached, cursor, limits).0
}

fn after(seq: u64, telling: Telling) -> Cursor {
    Cursor { after: Seq::from_raw(seq), telling }
}

#[test]
fn replay_and_live_have_no_seam() {
    let (topic, limits) = (topic(3), Limits::default());
    drop(topic.deliver(&[post(4, None), post(5, None)], &limits));
    let shelf = Shelf::with_room_for(10);
    let attempt = come(&topic, 1, &shelf, after(3, Telling::Missed));
    assert_eq!(attempt, Attempt::Attached(Seq::from_raw(5)));
    drop(topic.deliver(&[post(5, None), post(6, None)], &limits));
    assert_eq!(shelf.events(), ["missed [4, 5]", "message 6"], "5 came once");
}

#[test]
fn what_came_since_the_welcome_comes_as_if_live() {
    let topic = topic(3);
    drop(topic.deliver(&[post(4, None)], &Limits::default()));
    let shelf = Shelf::with_room_for(10);
    come(&topic, 1, &shelf, after(3, Telling::Live));
    assert_eq!(shelf.events(), ["message 4"]);
}

#[test]
fn a_cursor_that_the_ring_does_not_reach_has_to_be_fetched() {
    let topic = topic(3);
    let shelf = Shelf::with_room_for(10);
    assert_eq!(come(&topic, 1, &shelf, after(2, Telling::Missed)), Attempt::Behind);
    assert!(shelf.events().is_empty());
    drop(topic.deliver(&[post(4, None)], &Limits::default()));
    assert!(shelf.events().is_empty(), "not attached: nothing overtakes the replay");
}

#[test]
fn a_hole_in_what_is_delivered_empties_the_ring() {
    let topic = topic(3);
    drop(topic.deliver(&[post(4, None)], &Limits::default()));
    drop(topic.deliver(&[post(6, None)], &Limits::default()));
    let shelf = Shelf::with_room_for(10);
    assert_eq!(come(&topic, 1, &shelf, after(3, Telling::Missed)), Attempt::Behind);
    assert_eq!(
        come(&topic, 1, &shelf, after(5, Telling::Missed)),
        Attempt::Attached(Seq::from_raw(6))
    );
}

#[test]
fn slow_connection_is_dropped_and_the_quick_one_is_not() {
    let (topic, limits) = (topic(0), Limits::default());
    let (slow, quick) = (Shelf::with_room_for(3), Shelf::with_room_for(100));
    come(&topic, 1, &slow, after(0, Telling::Live));
    come(&topic, 2, &quick, after(0, Telling::Live));
    let run: Vec<_> = (1..=5).map(|seq| post(seq, None)).collect();
    assert_eq!(topic.deliver(&run, &limits).len(), 1, "one is too slow");
    drop(topic.deliver(&[post(6, None)], &limits));
    assert_eq!(slow.events().len(), 3, "nothing comes after a gap");
    assert_eq!(quick.events().len(), 6);
}

#[test]
fn who_said_it_to_the_others_does_not_hear_it() {
    let topic = topic(0);
    let (one, two) = (Shelf::with_room_for(9), Shelf::with_room_for(9));
    come(&topic, 1, &one, after(0, Telling::Live));
    come(&topic, 2, &two, after(0, Telling::Live));
    drop(topic.deliver(&[post(1, Some(1)), post(2, None)], &Limits::default()));
    assert_eq!(one.events(), ["user2 joined", "message 2"]);
    assert_eq!(two.events(), ["message 1", "message 2"]);
}

#[test]
fn a_large_room_gets_counts_and_no_names() {
    let limits = Limits { presence_list_max: 1, ..Limits::default() };
    let topic = topic(0);
    let (one, two) = (Shelf::with_room_for(9), Shelf::with_room_for(9));
    come_within(&topic, 1, &one, after(0, Telling::Live), &limits);
    drop(topic.tell_presence(&limits));
    come_within(&topic, 2, &two, after(0, Telling::Live), &limits);
    drop(topic.tell_presence(&limits));
    assert_eq!(one.events(), ["1 users", "2 here"]);
    assert_eq!(topic.users(&limits), (Vec::new(), 2));
}

#[test]
fn a_replay_is_cut_where_clients_would_refuse_it() {
    let run = (1..=4).map(|seq| said_with("lobby", seq, 4)).collect();
    let shelf = Shelf::with_room_for(9);
    for part in missed(&RoomName::lobby(), run, LastPart::Yes) {
        shelf.push(&part).unwrap();
    }
    assert_eq!(shelf.events(), ["missed [1, 2] …", "missed [3, 4]"], "ten attachments each");
    let nothing = missed(&RoomName::lobby(), Vec::new(), LastPart::Yes);
    assert_eq!(nothing.len(), 1, "that nothing was missed is told, too");
}

#[test]
fn the_ring_may_be_smaller_than_the_gap() {
    let limits = Limits { ring_messages_max: NonZeroUsize::MIN, ..Limits::default() };
    let topic = topic(0);
    drop(topic.deliver(&[post(1, None), post(2, None)], &limits));
    let shelf = Shelf::with_room_for(9);
    assert_eq!(come(&topic, 1, &shelf, after(0, Telling::Missed)), Attempt::Behind);
    assert_eq!(
        come(&topic, 1, &shelf, after(1, Telling::Missed)),
        Attempt::Attached(Seq::from_raw(2))
    );
}

#[test]
fn a_head_that_is_known_is_not_moved_by_what_the_store_has_beyond_it() {
    let (topic, limits) = (topic(4), Limits::default());
    let shelf = Shelf::with_room_for(10);
    come(&topic, 1, &shelf, after(4, Telling::Live));
    // Another one asked the store before the head was known, and 5 was stored meanwhile.
    assert_eq!(topic.learn_head(Seq::from_raw(5)), Seq::from_raw(4));
    drop(topic.deliver(&[post(5, None)], &limits));
    assert_eq!(shelf.events(), ["message 5"]);
}
