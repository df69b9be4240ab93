//! One room: replay and live delivery, slow readers, presence.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::{
    chat::{
        hub::missed::{LastPart, missed},
        ports::{NoMetrics, Outbox},
        test_support::{
            RecordingOutbox, deletion_delivery, delivery_with_attachments, entry, message_delivery,
            publisher,
        },
    },
    domain::{DisplayNames, Space},
};

fn live_room(head: u64) -> Arc<LiveRoom> {
    let log = Log { head: Position::from_raw(head, head), ..Log::default() };
    let place = Place::room(&Space::root(), &RoomName::lobby());
    LiveRoom::new((place, log), &publisher(), PresenceLog::new(None), Arc::new(NoMetrics))
}

fn post(seq: u64, except: Option<u64>) -> Post {
    let except = except.map(ConnectionId::from_raw);
    Post { delivery: message_delivery("lobby", seq), origin: None, except }
}

fn enter(
    live_room: &LiveRoom,
    number: u64,
    recorder: &Arc<RecordingOutbox>,
    cursor: ReplayCursor,
) -> ReplayStatus {
    enter_with_limits(live_room, number, recorder, cursor, &Limits::default())
}

fn enter_with_limits(
    live_room: &LiveRoom,
    number: u64,
    recorder: &Arc<RecordingOutbox>,
    cursor: ReplayCursor,
    limits: &Limits,
) -> ReplayStatus {
    let attached = AttachedConnection {
        connection: ConnectionId::from_raw(number),
        user: UserName::parse(&format!("user{number}")).unwrap(),
        outbox: Arc::clone(recorder) as Arc<dyn Outbox>,
        room_kind: RoomKind::Default,
    };
    live_room.enter((attached, None), cursor, limits).0
}

fn catch_up(live_room: &LiveRoom, number: u64, after: u64) -> ReplayStatus {
    let cursor = ReplayCursor { after: Seq::from_raw(after), mode: ReplayMode::Missed };
    live_room.catch_up(ConnectionId::from_raw(number), cursor, &Limits::default()).0
}

fn after(seq: u64, mode: ReplayMode) -> ReplayCursor {
    ReplayCursor { after: Seq::from_raw(seq), mode }
}

#[test]
fn replay_and_live_neither_lose_nor_repeat_entries() {
    let (live_room, limits) = (live_room(3), Limits::default());
    drop(live_room.deliver(&[post(4, None), post(5, None)], &limits));
    let recorder = RecordingOutbox::with_capacity(10);
    let status = enter(&live_room, 1, &recorder, after(3, ReplayMode::Missed));
    assert_eq!(status, ReplayStatus::Live);
    drop(live_room.deliver(&[post(5, None), post(6, None)], &limits));
    assert_eq!(recorder.events(), ["missed [4, 5]", "message 6"], "5 is delivered once");
}

#[test]
fn entries_since_the_welcome_are_delivered_as_live() {
    let live_room = live_room(3);
    drop(live_room.deliver(&[post(4, None)], &Limits::default()));
    let recorder = RecordingOutbox::with_capacity(10);
    enter(&live_room, 1, &recorder, after(3, ReplayMode::Live));
    assert_eq!(recorder.events(), ["message 4"]);
}

#[test]
fn a_cursor_older_than_the_ring_is_behind() {
    let live_room = live_room(3);
    let recorder = RecordingOutbox::with_capacity(10);
    assert_eq!(enter(&live_room, 1, &recorder, after(2, ReplayMode::Missed)), ReplayStatus::Behind);
    assert!(recorder.events().is_empty());
    drop(live_room.deliver(&[post(4, None)], &Limits::default()));
    assert!(recorder.events().is_empty(), "no entry overtakes the replay");
    assert_eq!(catch_up(&live_room, 1, 3), ReplayStatus::Live);
    drop(live_room.deliver(&[post(5, None)], &Limits::default()));
    assert_eq!(recorder.events(), ["missed [4]", "message 5"]);
}

#[test]
fn entries_after_a_gap_wait_until_it_is_filled() {
    let (live_room, limits) = (live_room(3), Limits::default());
    let recorder = RecordingOutbox::with_capacity(10);
    enter(&live_room, 1, &recorder, after(3, ReplayMode::Live));
    let deliver = |run: &[u64]| {
        let run: Vec<_> = run.iter().map(|seq| post(*seq, None)).collect();
        live_room.deliver(&run, &limits).0
    };
    assert_eq!(deliver(&[4, 6]), RunDelivery::Partial);
    assert_eq!(deliver(&[7]), RunDelivery::Partial);
    assert_eq!(recorder.events(), ["message 4"]);
    assert_eq!(deliver(&[4, 5, 6, 7]), RunDelivery::Complete);
    assert_eq!(deliver(&[5, 6]), RunDelivery::Complete, "all entries were sent before");
    assert_eq!(recorder.events(), ["message 4", "message 5", "message 6", "message 7"]);
}

#[test]
fn a_skip_is_reported_as_too_far() {
    let (live_room, limits) = (live_room(3), Limits::default());
    let recorder = RecordingOutbox::with_capacity(10);
    enter(&live_room, 1, &recorder, after(3, ReplayMode::Live));
    drop(live_room.skip(Position::from_raw(8, 8)));
    drop(live_room.skip(Position::from_raw(5, 5)));
    drop(live_room.deliver(&[post(8, None), post(9, None)], &limits));
    assert_eq!(recorder.events(), ["too far from 8", "message 9"]);
}

#[test]
fn remote_joins_and_leaves_are_announced_once() {
    let (live_room, limits) = (live_room(0), Limits::default());
    let recorder = RecordingOutbox::with_capacity(10);
    enter(&live_room, 1, &recorder, after(0, ReplayMode::Live));
    let (other, third) = (NodeId::from_raw("other"), NodeId::from_raw("third"));
    let (ann, me) = (UserName::from_raw("ann"), UserName::from_raw("user1"));
    let apply = |node, remote_presence: RemotePresence<'_>| {
        live_room.apply_remote_presence(node, remote_presence, &limits).0
    };
    let (both, names) = ([ann.clone(), me], DisplayNames::new());
    assert_eq!(apply(&other, RemotePresence::Joined(&ann.clone().into())), PresenceChange::Changed);
    assert_eq!(
        apply(&third, RemotePresence::Snapshot(&both, &names)),
        PresenceChange::Unchanged,
        "both were present"
    );
    assert_eq!(
        apply(&other, RemotePresence::Left(&ann)),
        PresenceChange::Unchanged,
        "still on the third"
    );
    assert_eq!(live_room.count(), 2);
    assert_eq!(apply(&third, RemotePresence::Snapshot(&[], &names)), PresenceChange::Changed);
    assert_eq!(recorder.events(), ["ann joined", "ann left"]);
}

#[test]
fn a_slow_connection_is_dropped_and_a_fast_one_is_not() {
    let (live_room, limits) = (live_room(0), Limits::default());
    let (slow, quick) = (RecordingOutbox::with_capacity(3), RecordingOutbox::with_capacity(100));
    enter(&live_room, 1, &slow, after(0, ReplayMode::Live));
    enter(&live_room, 2, &quick, after(0, ReplayMode::Live));
    let run: Vec<_> = (1..=5).map(|seq| post(seq, None)).collect();
    assert_eq!(live_room.deliver(&run, &limits).1.len(), 1, "one outbox is full");
    drop(live_room.deliver(&[post(6, None)], &limits));
    assert_eq!(slow.events().len(), 3, "no entry follows a gap");
    assert_eq!(quick.events().len(), 6);
}

#[test]
fn the_excluded_connection_does_not_receive_the_message() {
    let live_room = live_room(0);
    let (one, two) = (RecordingOutbox::with_capacity(9), RecordingOutbox::with_capacity(9));
    enter(&live_room, 1, &one, after(0, ReplayMode::Live));
    enter(&live_room, 2, &two, after(0, ReplayMode::Live));
    drop(live_room.deliver(&[post(1, Some(1)), post(2, None)], &Limits::default()));
    assert_eq!(one.events(), ["user2 joined", "message 2"]);
    assert_eq!(two.events(), ["message 1", "message 2"]);
}

#[test]
fn a_large_room_gets_counts_and_no_names() {
    let limits = Limits { presence_list_max: 1, ..Limits::default() };
    let live_room = live_room(0);
    let (one, two) = (RecordingOutbox::with_capacity(9), RecordingOutbox::with_capacity(9));
    enter_with_limits(&live_room, 1, &one, after(0, ReplayMode::Live), &limits);
    drop(live_room.broadcast_presence(&limits));
    enter_with_limits(&live_room, 2, &two, after(0, ReplayMode::Live), &limits);
    drop(live_room.broadcast_presence(&limits));
    assert_eq!(one.events(), ["1 users", "2 here"]);
    assert_eq!(live_room.users(&limits), (Vec::new(), DisplayNames::new(), 2));
}

#[test]
fn a_replay_is_split_at_the_attachment_limit() {
    let run = (1..=4).map(|seq| delivery_with_attachments("lobby", seq, 4)).collect();
    let recorder = RecordingOutbox::with_capacity(9);
    for part in missed(&RoomName::lobby(), run, |_| None, LastPart::Yes) {
        recorder.push(&part).unwrap();
    }
    assert_eq!(recorder.events(), ["missed [1, 2] …", "missed [3, 4]"], "ten attachments each");
    let nothing = missed(&RoomName::lobby(), Vec::new(), |_| None, LastPart::Yes);
    assert_eq!(nothing.len(), 1, "an empty replay is sent, too");
}

#[test]
fn the_ring_may_be_smaller_than_the_gap() {
    let limits = Limits { ring_messages_max: NonZeroUsize::MIN, ..Limits::default() };
    let live_room = live_room(0);
    drop(live_room.deliver(&[post(1, None), post(2, None)], &limits));
    let recorder = RecordingOutbox::with_capacity(9);
    assert_eq!(enter(&live_room, 1, &recorder, after(0, ReplayMode::Missed)), ReplayStatus::Behind);
    assert_eq!(catch_up(&live_room, 1, 1), ReplayStatus::Live);
}

#[test]
fn a_connection_that_is_behind_receives_presence_events() {
    let live_room = live_room(3);
    let recorder = RecordingOutbox::with_capacity(10);
    assert_eq!(enter(&live_room, 1, &recorder, after(0, ReplayMode::Missed)), ReplayStatus::Behind);
    enter(&live_room, 2, &RecordingOutbox::with_capacity(10), after(3, ReplayMode::Live));
    assert_eq!(recorder.events(), ["user2 joined"]);
}

#[test]
fn a_cursor_before_the_floor_is_too_far() {
    let (live_room, limits) = (live_room(3), Limits::default());
    drop(live_room.deliver(&[post(4, None), post(5, None)], &limits));
    let floor = Position::from_raw(4, 4);
    live_room.trim(&Retained { floor, ..Retained::default() });
    let (early, late) = (RecordingOutbox::with_capacity(9), RecordingOutbox::with_capacity(9));
    assert_eq!(enter(&live_room, 1, &early, after(3, ReplayMode::Missed)), ReplayStatus::Live);
    assert_eq!(enter(&live_room, 2, &late, after(4, ReplayMode::Missed)), ReplayStatus::Live);
    assert_eq!(early.events(), ["too far from 5", "user2 joined"]);
    assert_eq!(late.events(), ["missed [5]"]);
}

#[test]
fn a_replay_contains_deletions_without_the_deleted_body() {
    let (live_room, limits) = (live_room(0), Limits::default());
    let deletion = Post { delivery: deletion_delivery("lobby", 2, 1), origin: None, except: None };
    drop(live_room.deliver(&[post(1, None), deletion], &limits));
    let recorder = RecordingOutbox::with_capacity(9);
    enter(&live_room, 1, &recorder, after(0, ReplayMode::Missed));
    assert_eq!(recorder.events(), ["missed [1, 2]"]);
    assert_eq!(live_room.log().head, Position::from_raw(2, 2));
}

#[tokio::test]
async fn concurrent_requests_fill_a_cold_ring_once() {
    let (live_room, limits) = (live_room(3), Limits::default());
    let reads = AtomicUsize::new(0);
    let read = async || {
        reads.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok::<_, ()>((1..=3).map(|seq| entry("lobby", seq)).collect())
    };
    let (one, two) = tokio::join!(live_room.warm(&limits, read), live_room.warm(&limits, read));
    assert_eq!((one, two), (Ok(true), Ok(true)), "both are to try again");
    assert_eq!(live_room.warm(&limits, read).await, Ok(false));
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    let recorder = RecordingOutbox::with_capacity(9);
    enter(&live_room, 1, &recorder, after(0, ReplayMode::Missed));
    assert_eq!(recorder.events(), ["missed [1, 2, 3]"]);
}
