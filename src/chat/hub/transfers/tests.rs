//! Claims and their replies, and what is a repeat.

use std::sync::Arc;

use bytes::Bytes;
use time::macros::datetime;

use super::*;
use crate::{
    chat::{
        event::{Delivery, Event, Tally, Welcome},
        hub::Hub,
        ports::{EventSource, TakenSession},
        test_support::{RecordingOutbox, message_delivery, publisher},
    },
    domain::{
        Body, Conversation, CustomEvent, DisplayNames, Epoch, EventName, Limits, Log, Member,
        Position, Role, RoomName, Seq, Space, Typing, UserName, View,
    },
};

fn claim(step: ClaimStep) -> SessionClaim {
    SessionClaim {
        step,
        pid: "secret".into(),
        space: Space::root(),
        user: None,
        offset: 7,
        required: vec![],
        seen: vec![],
    }
}

fn node(name: &str) -> NodeId {
    NodeId::from_raw(name)
}

fn hub() -> Arc<Hub> {
    Hub::new(Limits::default(), publisher())
}

/// Claims a session, and records these replies.
async fn replies(replies: Vec<(&'static str, SessionReply)>) -> SessionReply {
    let hub = hub();
    let claimed = hub.transfers.claim(claim(ClaimStep::Find), vec![node("b"), node("c")]);
    let recording = async {
        let me = hub.publisher.node();
        for (from, reply) in replies {
            let id = SessionClaimId::from_raw(1);
            hub.transfers.record(&node(from), (&node("other"), id), SessionReply::NotYet);
            hub.transfers.record(&node(from), (me, id), reply);
        }
    };
    let (claimed, ()) = tokio::join!(claimed, recording);
    assert!(hub.transfers.table.lock().claims.is_empty());
    claimed
}

fn taken() -> SessionReply {
    SessionReply::Taken(TakenSession::default())
}

#[tokio::test(start_paused = true)]
async fn the_first_node_that_has_the_session_ends_the_wait() {
    let begun_at = tokio::time::Instant::now();
    assert_eq!(replies(vec![("c", taken())]).await, taken());
    assert_eq!(replies(vec![("b", SessionReply::Unknown), ("c", taken())]).await, taken());
    let none = vec![("b", SessionReply::Unknown), ("c", SessionReply::Unknown)];
    assert_eq!(replies(none).await, SessionReply::Unknown);
    assert_eq!(begun_at.elapsed(), Duration::ZERO, "no node was waited for");
    let twice = vec![("b", SessionReply::Unknown), ("b", taken())];
    assert_eq!(replies(twice).await, SessionReply::Unknown, "a node replies once");
    assert_eq!(begun_at.elapsed(), REPLY_WAIT_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_is_not_awaited() {
    let (hub, begun_at) = (hub(), tokio::time::Instant::now());
    let claimed = hub.transfers.claim(claim(ClaimStep::Find), vec![node("b")]);
    let (reply, ()) = tokio::join!(claimed, async { hub.forget_replies_of(&node("b")) });
    assert_eq!((reply, begun_at.elapsed()), (SessionReply::Unknown, Duration::ZERO));
    let alone = hub.transfers.claim(claim(ClaimStep::Find), Vec::new()).await;
    assert_eq!(alone, SessionReply::Unknown);
}

#[test]
fn events_that_are_too_large_for_a_reply_stay() {
    let event = |bytes: usize| KeptEvent {
        args: Body::from_raw("[]".into(), vec![Bytes::from(vec![0; bytes])]),
        source: EventSource::Other,
    };
    let half = REPLY_BYTES_MAX / 2;
    assert!(fit(&[event(half - 2), event(half - 2)]));
    assert!(!fit(&[event(half), event(half)]));
}

#[test]
fn a_connection_is_put_back_into_the_rooms_of_emitters() {
    let hub = hub();
    let outbox: Arc<dyn Outbox> = RecordingOutbox::with_capacity(1);
    let now = datetime!(2026-03-01 12:00 UTC);
    let registration = hub.connections.register(Space::root(), Arc::clone(&outbox), now);
    let rooms = [place("a"), place("b")];
    hub.transfers.enter_emitter_rooms(registration.id(), &outbox, &rooms);
    assert_eq!(hub.connections.emitter_rooms_of(registration.id()), rooms);
}

fn place(room: &str) -> Place {
    Place::room(&Space::root(), &RoomName::parse(room).unwrap())
}

fn direct(other: &str) -> Place {
    let conversation = Conversation::direct(UserName::from_raw("me"), UserName::from_raw(other));
    Place { space: Space::root(), conversation }
}

fn kept(source: EventSource, json: &str) -> KeptEvent {
    KeptEvent { args: Body::from_raw(json.into(), Vec::new()), source }
}

fn found() -> FoundSession {
    let seq = Seq::from_raw;
    FoundSession {
        sid: "sid".into(),
        state: SessionState::default(),
        emitter_rooms: Vec::new(),
        positions: vec![(place("lobby"), seq(2)), (direct("bob"), seq(5))],
        events: vec![kept(EventSource::Entry(place("lobby"), seq(2)), r#"["m",2]"#)],
        last_offset: 9,
    }
}

/// What is handed over: the lobby is at 4, where 3 and 4 were sent after the session was found.
fn handed_over() -> ContinuedSession {
    let seq = Seq::from_raw;
    let taken = TakenSession {
        rooms: vec![(place("lobby"), seq(4))],
        events: vec![
            kept(EventSource::Passing("n.1".into()), r#"["move"]"#),
            kept(EventSource::Entry(direct("bob"), seq(6)), r#"["d",6]"#),
            kept(EventSource::Other, r#"["typing"]"#),
        ],
    };
    ContinuedSession::new(Space::root(), found(), taken)
}

#[test]
fn entries_are_repeats_up_to_the_last_one_that_was_sent() {
    let ContinuedSession { events, mut repeats } = handed_over();
    let sent: Vec<_> = events.iter().map(|it| it.args.json()).collect();
    assert_eq!(sent, [r#"["m",2]"#, r#"["move"]"#, r#"["d",6]"#, r#"["typing"]"#]);
    for (seq, is_repeat) in [(3, true), (4, true), (5, false), (6, false)] {
        assert_eq!(repeats.is_repeat(&message_delivery("lobby", seq)), is_repeat, "{seq}");
    }
    assert!(!repeats.is_repeat(&message_delivery("other", 1)), "of a room that was unknown");
}

#[test]
fn an_event_that_passes_by_is_recognised_by_its_id() {
    let mut repeats = handed_over().repeats;
    let event = |id: Option<&str>| {
        let args = Body::from_raw("[]".into(), Vec::new());
        let event = CustomEvent { name: EventName::from_raw("move"), args };
        Delivery::with_id(Event::Custom(event), id.map(Into::into))
    };
    assert!(!repeats.is_repeat(&event(Some("n.2"))), "the same content, but another event");
    assert!(!repeats.is_repeat(&event(None)));
    assert!(repeats.is_repeat(&event(Some("n.1"))));
}

#[test]
fn another_event_is_recognised_by_its_content_as_often_as_it_was_sent() {
    let mut repeats = handed_over().repeats;
    let typing = Delivery::new(Event::Typing {
        view: View::Inbox,
        who: UserName::from_raw("bob").into(),
        typing: Typing::Yes,
    });
    let args = |json: &str| Body::from_raw(json.into(), Vec::new());
    assert!(!repeats.take_equal(&typing, || args(r#"["other"]"#)));
    let entry = message_delivery("lobby", 9);
    assert!(!repeats.take_equal(&entry, || args(r#"["typing"]"#)), "it has a place in its log");
    assert!(repeats.take_equal(&typing, || args(r#"["typing"]"#)));
    assert!(!repeats.take_equal(&typing, || args(r#"["typing"]"#)), "the second one is new");
}

fn welcome(rooms: &[&str], directs: &[(&str, u64)], inbox: u64) -> Welcome {
    let tally = |head: u64| {
        let position = Position::from_raw(head, head);
        let log = Log { head: position, ..Log::default() };
        Tally::of(&Member::new(Role::Member, position), &log, 0)
    };
    let room = |room: &&str| crate::chat::event::RoomState {
        room: RoomName::parse(room).unwrap(),
        role: Role::Member,
        topic: None,
        tally: tally(99),
    };
    let direct = |(user, head): &(&str, u64)| (UserName::from_raw(user), tally(*head));
    Welcome {
        user: UserName::from_raw("me"),
        name: None,
        names: DisplayNames::new(),
        admin: false,
        token: None,
        expires_at: datetime!(2026-03-01 12:00 UTC),
        visit: None,
        connection: ConnectionId::from_raw(1),
        node: node("here"),
        epoch: Epoch::from_raw("e"),
        rooms: rooms.iter().map(room).collect(),
        directs: directs.iter().map(direct).collect(),
        inbox: tally(inbox),
    }
}

#[test]
fn a_session_is_whole_if_the_node_before_was_not_behind() {
    let repeats = handed_over().repeats;
    let is_whole = |rooms: &[&str], directs: &[(&str, u64)], inbox| {
        repeats.are_complete(&welcome(rooms, directs, inbox))
    };
    assert!(is_whole(&["lobby"], &[("bob", 6)], 0), "entries of the room are in its log");
    assert!(is_whole(&["lobby"], &[("bob", 5)], 0), "this node was behind");
    assert!(!is_whole(&["lobby"], &[("bob", 7)], 0), "a direct message is missing");
    assert!(!is_whole(&["lobby"], &[("bob", 6), ("eve", 1)], 0));
    assert!(!is_whole(&["lobby"], &[("bob", 6)], 1), "a notification is missing");
    assert!(!is_whole(&[], &[("bob", 6)], 0), "a membership has changed");
    assert!(!is_whole(&["other"], &[("bob", 6)], 0));
}

#[test]
fn what_this_node_has_sent_before_is_required_of_the_other_one() {
    let required = |directs: &[(&str, u64)], inbox| {
        required(&Space::root(), &found(), &welcome(&["lobby"], directs, inbox))
    };
    assert!(required(&[("bob", 5), ("eve", 0)], 0).is_empty());
    let (inbox, seq) = (Conversation::Inbox(UserName::from_raw("me")), Seq::from_raw);
    let inbox = Place { space: Space::root(), conversation: inbox };
    let missing = [(direct("bob"), seq(6)), (direct("eve"), seq(1)), (inbox, seq(2))];
    assert_eq!(required(&[("bob", 6), ("eve", 1)], 2), missing);
}
