//! The encoding of every kind in both directions, and envelopes of other versions.

mod asks;
mod commands;
mod connections;
mod properties;
mod transfers;

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::*;
use crate::{
    chat::{event::Delivery, ports},
    domain::{
        self, Body, Channel, ConnectionAddress, Content, Conversation, CustomEvent, CustomTarget,
        DeletedCount, DeviceId, DisplayName, DisplayNames, EventName, MessageId, MessageKind,
        NamedUser, PassingDelivery, Position, Retained, RoomName, RoomTopic, Seq, Space, UserName,
    },
};

fn announcement(event: ClusterEvent) -> Announcement {
    Announcement { from: NodeId::from_raw("n1"), number: 7, event }
}

fn decode(payload: &[u8]) -> Result<Announcement, Malformed> {
    open(payload)?.read()
}

fn encoded(event: ClusterEvent) -> String {
    String::from_utf8(encode(&announcement(event)).unwrap()).unwrap()
}

/// A description of an announcement for comparison: announcements have no `Eq`.
fn describe(announcement: &Announcement) -> String {
    match &announcement.event {
        ClusterEvent::Entry(delivery) => {
            format!("{:?} {} {:?}", announcement.from, announcement.number, delivery.entry())
        }
        _ => format!("{announcement:?}"),
    }
}

fn user(name: &str) -> UserName {
    UserName::from_raw(name)
}

fn place(conversation: Conversation) -> domain::Place {
    domain::Place { space: Space::from_raw("/shop"), conversation }
}

fn lobby() -> domain::Place {
    place(Conversation::Room(RoomName::lobby()))
}

fn direct() -> domain::Place {
    place(Conversation::direct(user("bob"), user("ann")))
}

fn at(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap()
}

fn entry(act: domain::Act) -> domain::Entry {
    domain::Entry {
        place: lobby(),
        position: Position::from_raw(5, 4),
        id: MessageId::from_raw("m5"),
        author: user("ann"),
        author_name: None,
        at: at(1_700_000_000_123),
        act,
    }
}

fn said(body: Body, edited_at: Option<OffsetDateTime>) -> domain::Act {
    domain::Act::Said { kind: MessageKind::Message, content: Content::Body { body, edited_at } }
}

fn entry_event(entry: domain::Entry) -> ClusterEvent {
    ClusterEvent::Entry(Delivery::new(Event::Entry(entry)))
}

#[test]
fn an_entry_carries_the_step_of_a_trace_that_earlier_versions_ignore() {
    let step = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let act = || said(Body::from_raw("1".into(), Vec::new()), None);
    let decoded = |payload: &str| match decode(payload.as_bytes()).unwrap().event {
        ClusterEvent::Entry(read) => read.traceparent().map(str::to_owned),
        other => panic!("{other:?}"),
    };
    let sent = Delivery::traced(Event::Entry(entry(act())), Some(step.into()));
    let payload = encoded(ClusterEvent::Entry(sent));
    assert!(payload.contains(&format!(r#""trace":"{step}""#)), "{payload}");
    assert_eq!(decoded(&payload).as_deref(), Some(step));
    // Of an earlier version, and one that no version writes.
    let plain = encoded(entry_event(entry(act())));
    assert!(!plain.contains("trace"), "{plain}");
    assert_eq!(decoded(&plain), None);
    assert_eq!(decoded(&payload.replace(step, &"0".repeat(129))), None);
}

fn with_bytes() -> Body {
    let json = r#"{"a": 1.50, "b":{"_placeholder":true,"num":0}}"#;
    Body::from_raw(json.into(), vec![Bytes::from_static(b"\0\xff")])
}

/// Events, their kind, and their data in JSON.
type Example = (ClusterEvent, &'static str, &'static str);

/// One event of each kind.
fn all() -> Vec<Example> {
    [
        entries(),
        places(),
        names(),
        custom_events(),
        asks::examples(),
        connections::examples(),
        transfers::examples(),
        commands::examples(),
    ]
    .concat()
}

fn custom(name: &str) -> MessageKind {
    MessageKind::Custom(EventName::from_raw(name))
}

fn custom_events() -> Vec<Example> {
    let example = |to, except: Option<ConnectionAddress>, delivery| {
        let event = CustomEvent { name: EventName::from_raw("move"), args: with_bytes() };
        let id = except.as_ref().map(|_| "n1.7".into());
        let event = Delivery::with_id(Event::Custom(event), id);
        ClusterEvent::Custom { to, except, event, delivery }
    };
    let address = || ConnectionAddress::parse("n1.c1a").unwrap();
    vec![
        (
            example(CustomTarget::Place(lobby()), Some(address()), PassingDelivery::Reliable),
            "event",
            r#"{"place":{"space":"/shop","room":"lobby"},"except":"n1.c1a","name":"move","args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"volatile":false,"id":"n1.7"}"#,
        ),
        (
            example(CustomTarget::Space(Space::root()), None, PassingDelivery::Volatile),
            "event",
            r#"{"space":"/","name":"move","args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"volatile":true}"#,
        ),
        (
            example(
                CustomTarget::Connection(Space::root(), address()),
                None,
                PassingDelivery::Reliable,
            ),
            "event",
            r#"{"space":"/","connection":"n1.c1a","name":"move","args":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"volatile":false}"#,
        ),
    ]
}

fn entries() -> Vec<Example> {
    use domain::Act::{Deleted, Edited, Said, Topic};
    let of = Seq::from_raw(3);
    vec![
        (
            entry_event(entry(said(with_bytes(), Some(at(-1))))),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"said","kind":"message","body":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"edited_at_ms":-1}"#,
        ),
        (
            entry_event(entry(Said { kind: MessageKind::GroupChat, content: Content::Removed })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"said","kind":"group chat"}"#,
        ),
        (
            entry_event(entry(Said { kind: custom("move"), content: Content::Removed })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"said","kind":"event","event":"move"}"#,
        ),
        (
            entry_event(entry(Edited { of, body: Some(Body::from_raw("\"x\"".into(), vec![])) })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"edited","of":3,"body":{"json":"x"}}"#,
        ),
        (
            entry_event(entry(Edited { of, body: None })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"edited","of":3}"#,
        ),
        (
            entry_event(entry(Deleted { of })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"deleted","of":3}"#,
        ),
        (
            entry_event(entry(Topic(RoomTopic::from_raw("a \"topic\"")))),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"topic","topic":"a \"topic\""}"#,
        ),
        (
            entry_event(entry(Topic(None))),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"topic"}"#,
        ),
    ]
}

/// What has display names.
fn names() -> Vec<Example> {
    let ann = || NamedUser { user: user("ann"), name: DisplayName::parse("Ann \"Lee\"") };
    let names = [(user("ann"), DisplayName::from_raw("Ann"))].into();
    let author_name = ann().name;
    let deleted = domain::Act::Deleted { of: Seq::from_raw(3) };
    vec![
        (
            entry_event(domain::Entry { author_name, ..entry(deleted) }),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","name":"Ann \"Lee\"","at_ms":1700000000123,"act":"deleted","of":3}"#,
        ),
        (
            ClusterEvent::MembershipChanged { place: lobby(), user: user("bob"), by: Some(ann()) },
            "changed",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"bob","by":"ann","by_name":"Ann \"Lee\""}"#,
        ),
        (
            ClusterEvent::Typing { place: lobby(), who: ann(), typing: Typing::Yes },
            "typing",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann","name":"Ann \"Lee\"","typing":true}"#,
        ),
        (
            ClusterEvent::Read { place: lobby(), who: ann(), seq: Seq::from_raw(7) },
            "read",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann","name":"Ann \"Lee\"","seq":7}"#,
        ),
        (
            ClusterEvent::Joined(lobby(), ann()),
            "here",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann","name":"Ann \"Lee\""}"#,
        ),
        (
            ClusterEvent::Roster(lobby(), vec![user("ann"), user("bob")], names),
            "roster",
            r#"{"place":{"space":"/shop","room":"lobby"},"users":["ann","bob"],"names":[["ann","Ann"]]}"#,
        ),
    ]
}

fn places() -> Vec<Example> {
    let inbox = || place(Conversation::Inbox(user("ann")));
    let deleted = DeletedCount { count: 2, up_to: Seq::from_raw(12) };
    vec![
        (
            ClusterEvent::Trimmed(direct(), Retained { floor: Position::from_raw(9, 8), deleted }),
            "cut",
            r#"{"place":{"space":"/shop","direct":["ann","bob"]},"seq":9,"messages":8,"deleted":2,"head":12}"#,
        ),
        (
            ClusterEvent::MembershipChanged {
                place: lobby(),
                user: user("bob"),
                by: Some(user("ann").into()),
            },
            "changed",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"bob","by":"ann"}"#,
        ),
        (
            ClusterEvent::MembershipChanged { place: lobby(), user: user("bob"), by: None },
            "changed",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"bob"}"#,
        ),
        (
            ClusterEvent::Read { place: inbox(), who: user("ann").into(), seq: Seq::MAX },
            "read",
            r#"{"place":{"space":"/shop","inbox":"ann"},"user":"ann","seq":9007199254740991}"#,
        ),
        (
            ClusterEvent::Typing { place: lobby(), who: user("ann").into(), typing: Typing::Yes },
            "typing",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann","typing":true}"#,
        ),
        (
            ClusterEvent::Joined(lobby(), user("ann").into()),
            "here",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann"}"#,
        ),
        (
            ClusterEvent::Left(lobby(), user("zoë \"z\"")),
            "gone",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"zoë \"z\""}"#,
        ),
        (
            ClusterEvent::Roster(lobby(), vec![user("ann"), user("bob")], DisplayNames::new()),
            "roster",
            r#"{"place":{"space":"/shop","room":"lobby"},"users":["ann","bob"]}"#,
        ),
        (
            ClusterEvent::RosterRequest(vec![lobby(), direct()]),
            "ask",
            r#"{"places":[{"space":"/shop","room":"lobby"},{"space":"/shop","direct":["ann","bob"]}]}"#,
        ),
    ]
}

#[test]
fn each_kind_has_a_stable_encoding_and_round_trips() {
    for (event, kind, data) in all() {
        let expected = format!(r#"{{"v":1,"from":"n1","n":7,"kind":"{kind}","data":{data}}}"#);
        assert_eq!(encoded(event.clone()), expected);
        let read = decode(expected.as_bytes()).unwrap();
        assert_eq!(describe(&read), describe(&announcement(event)));
    }
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    assert_eq!(encode(&announcement(ClusterEvent::Unknown)), Err(Malformed::NotEncodable));
    let broken = said(Body::from_raw("{".into(), vec![]), None);
    assert_eq!(encode(&announcement(entry_event(entry(broken)))), Err(Malformed::NotEncodable));
    let large = vec![Bytes::from(vec![0; ENVELOPE_BYTES_MAX])];
    let large = said(Body::from_raw("[]".into(), large), None);
    assert_eq!(encode(&announcement(entry_event(entry(large)))), Err(Malformed::TooLarge));
}

#[test]
fn events_of_another_version_are_unknown_but_numbered() {
    for text in [
        r#"{"v":2,"from":"n1","n":7}"#,
        r#"{"v":2,"from":"n1","n":7,"kind":["here",3],"data":17}"#,
        r#"{"v":18446744073709551615,"from":"n1","n":7,"kind":"here","data":{}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"cut","data":{"place":{"space":"/","room":"x"},"seq":2,"messages":1}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"poll","data":{"anything":[1]}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"act","data":{"what":"moved","to":"x"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"here","data":{"place":{"space":"/","club":"x"},"user":"ann"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":0,"act":"pinned"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":0,"act":"said","kind":"whisper"}}"#,
    ] {
        let Announcement { from, number, event } = decode(text.as_bytes()).unwrap();
        assert!(matches!(event, ClusterEvent::Unknown), "{text}: {event:?}");
        assert_eq!((from.as_raw(), number), ("n1", 7));
    }
}

#[test]
fn fields_that_are_not_known_are_ignored() {
    let text = r#"{"hops":2,"v":1,"from":"n1","n":7,"kind":"here","data":{"mood":{},"place":{"space":"/shop","room":"lobby","since":1},"user":"ann"}}"#;
    let expected = describe(&announcement(ClusterEvent::Joined(lobby(), user("ann").into())));
    assert_eq!(describe(&decode(text.as_bytes()).unwrap()), expected);
}

#[test]
fn invalid_channels_in_a_heartbeat_are_ignored() {
    let text = r#"{"v":1,"from":"n1","n":7,"kind":"beat","data":{"channels":[[1025,3],[1,2]]}}"#;
    let expected =
        describe(&announcement(ClusterEvent::Heartbeat(vec![(Channel::from_raw(1).unwrap(), 2)])));
    assert_eq!(describe(&decode(text.as_bytes()).unwrap()), expected);
}

#[test]
fn malformed_envelopes_are_errors() {
    let here = |data: &str| format!(r#"{{"v":1,"from":"n1","n":7,"kind":"here","data":{data}}}"#);
    let in_lobby =
        |user: &str| here(&format!(r#"{{"place":{{"space":"/","room":"lobby"}},"user":{user}}}"#));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"v":1,"from":"n1","n":7,"kind":"here"}"#,
        r#"{"v":0,"from":"n1","n":7,"kind":"here","data":{}}"#,
        r#"{"v":1,"from":"","n":7,"kind":"poll","data":{}}"#,
        r#"{"v":1,"from":"n1","n":-7,"kind":"poll","data":{}}"#,
        r#"{"v":1,"from":"n1","n":1e3,"kind":"poll","data":{}}"#,
        r#"{"v":1,"from":"n1","n":18446744073709551616,"kind":"poll","data":{}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":5,"data":{}}"#,
        &here("{}"),
        &here(&deep),
        &here(r#"{"place":{"space":"/","room":"a\nb"},"user":"ann"}"#),
        &here(r#"{"place":{"space":"shop","room":"lobby"},"user":"ann"}"#),
        &here(r#"{"place":{"space":"/","room":"lobby","inbox":"ann"},"user":"ann"}"#),
        &in_lobby("7"),
        &in_lobby(r#""""#),
        &in_lobby(r#""a\nb""#),
        &in_lobby(&format!("\"{}\"", "x".repeat(65))),
        r#"{"v":1,"from":"n1","n":7,"kind":"cut","data":{"place":{"space":"/","room":"x"},"seq":9007199254740992,"messages":1}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"cut","data":{"place":{"space":"/","room":"x"},"seq":2,"messages":3}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":9223372036854775807,"act":"deleted","of":1}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":0,"act":"deleted"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":0,"act":"edited","of":1,"body":{"json":1,"attachments":["*"]}}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"act","data":{"what":"came","space":"/"}}"#,
    ] {
        assert!(decode(text.as_bytes()).is_err(), "{text}");
    }
    assert!(decode(b"{\"v\":1,\"from\":\"\xff\",\"n\":7}").is_err());
    assert_eq!(decode(&vec![b' '; ENVELOPE_BYTES_MAX + 1]).err(), Some(Malformed::TooLarge));
}
