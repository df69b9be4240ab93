//! One room, step by step: replay and live, slow readers, presence.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::{
    chat::{
        hub::missed::{LastPart, missed},
        test_support::{Shelf, deleted, entry, herald, said, said_with},
    },
    domain::Space,
};

fn topic(head: u64) -> Arc<Topic> {
    let log = Log { head: Position::from_raw(head, head), ..Log::default() };
    Topic::new(Place::room(&Space::root(), &RoomName::lobby()), log, &herald())
}

fn post(seq: u64, except: Option<u64>) -> Post {
    let except = except.map(ConnectionId::from_raw);
    Post { delivery: said("lobby", seq), except }
}

fn come(topic: &Topic, number: u64, shelf: &Arc<Shelf>, cursor: Cursor) -> Reach {
    come_within(topic, number, shelf, cursor, &Limits::default())
}

fn come_within(
    topic: &Topic,
    number: u64,
    shelf: &Arc<Shelf>,
    cursor: Cursor,
    limits: &Limits,
) -> Reach {
    let attached = Attached {
        connection: ConnectionId::from_raw(number),
        user: UserName::parse(&format!("user{number}")).unwrap(),
        outbox: Arc::clone(shelf) as Arc<dyn Outbox>,
        standing: Standing::Home,
    };
    topic.enter(attached, cursor, limits).0
}

fn catch_up(topic: &Topic, number: u64, after: u64) -> Reach {
    let cursor = Cursor { after: Seq::from_raw(after), telling: Telling::Missed };
    topic.catch_up(ConnectionId::from_raw(number), cursor, &Limits::default()).0
}

fn after(seq: u64, telling: Telling) -> Cursor {
    Cursor { after: Seq::from_raw(seq), telling }
}

#[test]
fn replay_and_live_have_no_seam() {
    let (topic, limits) = (topic(3), Limits::default());
    drop(topic.deliver(&[post(4, None), post(5, None)], &limits));
    let shelf = Shelf::with_room_for(10);
    let reach = come(&topic, 1, &shelf, after(3, Telling::Missed));
    assert_eq!(reach, Reach::Live);
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
    assert_eq!(come(&topic, 1, &shelf, after(2, Telling::Missed)), Reach::Behind);
    assert!(shelf.events().is_empty());
    drop(topic.deliver(&[post(4, None)], &Limits::default()));
    assert!(shelf.events().is_empty(), "nothing overtakes the replay");
    assert_eq!(catch_up(&topic, 1, 3), Reach::Live);
    drop(topic.deliver(&[post(5, None)], &Limits::default()));
    assert_eq!(shelf.events(), ["missed [4]", "message 5"]);
}

#[test]
fn what_comes_after_a_hole_waits_until_it_is_filled() {
    let (topic, limits) = (topic(3), Limits::default());
    let shelf = Shelf::with_room_for(10);
    come(&topic, 1, &shelf, after(3, Telling::Live));
    let line = |run: &[u64]| {
        let run: Vec<_> = run.iter().map(|seq| post(*seq, None)).collect();
        topic.deliver(&run, &limits).0
    };
    assert_eq!(line(&[4, 6]), Sent::Part);
    assert_eq!(line(&[7]), Sent::Part);
    assert_eq!(shelf.events(), ["message 4"]);
    assert_eq!(line(&[4, 5, 6, 7]), Sent::All);
    assert_eq!(line(&[5, 6]), Sent::All, "all of it was sent before");
    assert_eq!(shelf.events(), ["message 4", "message 5", "message 6", "message 7"]);
}

#[test]
fn whoever_is_here_is_told_of_what_is_not_kept_any_more() {
    let (topic, limits) = (topic(3), Limits::default());
    let shelf = Shelf::with_room_for(10);
    come(&topic, 1, &shelf, after(3, Telling::Live));
    drop(topic.skip(Position::from_raw(8, 8)));
    drop(topic.skip(Position::from_raw(5, 5)));
    drop(topic.deliver(&[post(8, None), post(9, None)], &limits));
    assert_eq!(shelf.events(), ["too far from 8", "message 9"]);
}

#[test]
fn who_comes_or_goes_on_another_node_is_told_once() {
    let (topic, limits) = (topic(0), Limits::default());
    let shelf = Shelf::with_room_for(10);
    come(&topic, 1, &shelf, after(0, Telling::Live));
    let (other, third) = (NodeId::from_raw("other"), NodeId::from_raw("third"));
    let (ann, me) = (UserName::from_raw("ann"), UserName::from_raw("user1"));
    let hear = |node, word: Word<'_>| topic.hear(node, word, &limits).0;
    let both = [ann.clone(), me];
    assert_eq!(hear(&other, Word::Came(&ann)), Presences::Changed);
    assert_eq!(hear(&third, Word::Are(&both)), Presences::Same, "both are here");
    assert_eq!(hear(&other, Word::Went(&ann)), Presences::Same, "still on the third");
    assert_eq!(topic.count(), 2);
    assert_eq!(hear(&third, Word::Are(&[])), Presences::Changed);
    assert_eq!(shelf.events(), ["ann joined", "ann left"]);
}

#[test]
fn slow_connection_is_dropped_and_the_quick_one_is_not() {
    let (topic, limits) = (topic(0), Limits::default());
    let (slow, quick) = (Shelf::with_room_for(3), Shelf::with_room_for(100));
    come(&topic, 1, &slow, after(0, Telling::Live));
    come(&topic, 2, &quick, after(0, Telling::Live));
    let run: Vec<_> = (1..=5).map(|seq| post(seq, None)).collect();
    assert_eq!(topic.deliver(&run, &limits).1.len(), 1, "one is too slow");
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
    assert_eq!(come(&topic, 1, &shelf, after(0, Telling::Missed)), Reach::Behind);
    assert_eq!(catch_up(&topic, 1, 1), Reach::Live);
}

#[test]
fn who_catches_up_hears_who_comes_meanwhile() {
    let topic = topic(3);
    let shelf = Shelf::with_room_for(10);
    assert_eq!(come(&topic, 1, &shelf, after(0, Telling::Missed)), Reach::Behind);
    come(&topic, 2, &Shelf::with_room_for(10), after(3, Telling::Live));
    assert_eq!(shelf.events(), ["user2 joined"]);
}

#[test]
fn what_is_not_kept_any_more_is_said_to_be_missing() {
    let (topic, limits) = (topic(3), Limits::default());
    drop(topic.deliver(&[post(4, None), post(5, None)], &limits));
    topic.trimmed(Position::from_raw(4, 4));
    let (early, late) = (Shelf::with_room_for(9), Shelf::with_room_for(9));
    assert_eq!(come(&topic, 1, &early, after(3, Telling::Missed)), Reach::Live);
    assert_eq!(come(&topic, 2, &late, after(4, Telling::Missed)), Reach::Live);
    assert_eq!(early.events(), ["too far from 5", "user2 joined"]);
    assert_eq!(late.events(), ["missed [5]"]);
}

#[test]
fn who_comes_back_is_told_what_was_deleted_and_not_what_it_was() {
    let (topic, limits) = (topic(0), Limits::default());
    let deletion = Post { delivery: deleted("lobby", 2, 1), except: None };
    drop(topic.deliver(&[post(1, None), deletion], &limits));
    let shelf = Shelf::with_room_for(9);
    come(&topic, 1, &shelf, after(0, Telling::Missed));
    assert_eq!(shelf.events(), ["missed [1, 2]"]);
    assert_eq!(topic.log().head, Position::from_raw(2, 2));
}

#[tokio::test]
async fn a_cold_ring_is_filled_once_however_many_ask() {
    let (topic, limits) = (topic(3), Limits::default());
    let reads = AtomicUsize::new(0);
    let read = async || {
        reads.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok::<_, ()>((1..=3).map(|seq| entry("lobby", seq)).collect())
    };
    let (one, two) = tokio::join!(topic.warm(&limits, read), topic.warm(&limits, read));
    assert_eq!((one, two), (Ok(true), Ok(true)), "both are to try again");
    assert_eq!(topic.warm(&limits, read).await, Ok(false));
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    let shelf = Shelf::with_room_for(9);
    come(&topic, 1, &shelf, after(0, Telling::Missed));
    assert_eq!(shelf.events(), ["missed [1, 2, 3]"]);
}
