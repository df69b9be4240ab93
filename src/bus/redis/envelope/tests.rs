//! Every kind as it is written, there and back again, and what another version may send.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;
use crate::{
    chat::{event::Delivery, ports},
    domain::{
        self, Body, Channel, Content, Conversation, DeviceId, Kind, MessageId, Position, RoomName,
        Seq, SignInId, Space, UserName,
    },
};

fn announced(news: News) -> Announcement {
    Announcement { from: NodeId::from_raw("n1"), number: 7, news }
}

fn decode(payload: &[u8]) -> Result<Announcement, Malformed> {
    open(payload)?.read()
}

fn written(news: News) -> String {
    String::from_utf8(encode(&announced(news)).unwrap()).unwrap()
}

/// An announcement as text that tells all of it: news are not compared otherwise.
fn told(announcement: &Announcement) -> String {
    match &announcement.news {
        News::Entry(delivery) => {
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
        at: at(1_700_000_000_123),
        act,
    }
}

fn said(body: Body, edited_at: Option<OffsetDateTime>) -> domain::Act {
    domain::Act::Said { kind: Kind::Message, content: Content::Body { body, edited_at } }
}

fn news_of(entry: domain::Entry) -> News {
    News::Entry(Delivery::new(Event::Entry(entry)))
}

fn with_bytes() -> Body {
    let json = r#"{"a": 1.50, "b":{"_placeholder":true,"num":0}}"#;
    Body::from_raw(json.into(), vec![Bytes::from_static(b"\0\xff")])
}

/// News, their kind, and what their data is in JSON.
type Example = (News, &'static str, &'static str);

/// One of each.
fn all() -> Vec<Example> {
    [entries(), places(), acts()].concat()
}

fn entries() -> Vec<Example> {
    use domain::Act::{Deleted, Edited, Said};
    let of = Seq::from_raw(3);
    vec![
        (
            news_of(entry(said(with_bytes(), Some(at(-1))))),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"said","kind":"message","body":{"json":{"a": 1.50, "b":{"_placeholder":true,"num":0}},"attachments":["AP8="]},"edited_at_ms":-1}"#,
        ),
        (
            news_of(entry(Said { kind: Kind::GroupChat, content: Content::Gone })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"said","kind":"group chat"}"#,
        ),
        (
            news_of(entry(Edited { of, body: Some(Body::from_raw("\"x\"".into(), vec![])) })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"edited","of":3,"body":{"json":"x"}}"#,
        ),
        (
            news_of(entry(Edited { of, body: None })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"edited","of":3}"#,
        ),
        (
            news_of(entry(Deleted { of })),
            "entry",
            r#"{"place":{"space":"/shop","room":"lobby"},"seq":5,"messages":4,"id":"m5","author":"ann","at_ms":1700000000123,"act":"deleted","of":3}"#,
        ),
    ]
}

fn places() -> Vec<Example> {
    let inbox = || place(Conversation::Inbox(user("ann")));
    vec![
        (
            News::Cut(direct(), Position::from_raw(9, 8)),
            "cut",
            r#"{"place":{"space":"/shop","direct":["ann","bob"]},"seq":9,"messages":8}"#,
        ),
        (
            News::Changed { place: lobby(), user: user("bob"), by: Some(user("ann")) },
            "changed",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"bob","by":"ann"}"#,
        ),
        (
            News::Changed { place: lobby(), user: user("bob"), by: None },
            "changed",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"bob"}"#,
        ),
        (
            News::Read { place: inbox(), user: user("ann"), seq: Seq::MAX },
            "read",
            r#"{"place":{"space":"/shop","inbox":"ann"},"user":"ann","seq":9007199254740991}"#,
        ),
        (
            News::Typing { place: lobby(), user: user("ann"), typing: Typing::Yes },
            "typing",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann","typing":true}"#,
        ),
        (
            News::Here(lobby(), user("ann")),
            "here",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"ann"}"#,
        ),
        (
            News::Gone(lobby(), user("zoë \"z\"")),
            "gone",
            r#"{"place":{"space":"/shop","room":"lobby"},"user":"zoë \"z\""}"#,
        ),
        (
            News::Roster(lobby(), vec![user("ann"), user("bob")]),
            "roster",
            r#"{"place":{"space":"/shop","room":"lobby"},"users":["ann","bob"]}"#,
        ),
        (
            News::Ask(vec![lobby(), direct()]),
            "ask",
            r#"{"places":[{"space":"/shop","room":"lobby"},{"space":"/shop","direct":["ann","bob"]}]}"#,
        ),
    ]
}

fn acts() -> Vec<Example> {
    let came = |device: Option<&str>| ports::Act::Came {
        space: Space::root(),
        user: user("ann"),
        device: device.map(DeviceId::from_raw),
        ticket: 7,
    };
    let vouched = ports::Act::Vouched { space: Space::root(), user: user("ann") };
    vec![
        (
            News::Missed { of: NodeId::from_raw("n2"), from: 3, to: u64::MAX },
            "missed",
            r#"{"of":"n2","from":3,"to":18446744073709551615}"#,
        ),
        (
            News::Act(came(Some("phone"))),
            "act",
            r#"{"what":"came","space":"/","user":"ann","device":"phone","ticket":7}"#,
        ),
        (News::Act(came(None)), "act", r#"{"what":"came","space":"/","user":"ann","ticket":7}"#),
        (News::Act(vouched), "act", r#"{"what":"vouched","space":"/","user":"ann"}"#),
        (
            News::Again(12, ports::Act::SignedOut(SignInId::from_raw("s1"))),
            "again",
            r#"{"number":12,"act":{"what":"signed out","sign_in":"s1"}}"#,
        ),
        (
            News::Beat(vec![(Channel::from_raw(7).unwrap(), 3), (Channel::EVERYBODY, 0)]),
            "beat",
            r#"{"channels":[[7,3],[1024,0]]}"#,
        ),
    ]
}

#[test]
fn each_kind_is_written_like_this_and_read_again() {
    for (news, kind, data) in all() {
        let expected = format!(r#"{{"v":1,"from":"n1","n":7,"kind":"{kind}","data":{data}}}"#);
        assert_eq!(written(news.clone()), expected);
        let read = decode(expected.as_bytes()).unwrap();
        assert_eq!(told(&read), told(&announced(news)));
    }
}

#[test]
fn what_cannot_be_said_is_not() {
    assert_eq!(encode(&announced(News::Unknown)), Err(Malformed::Unsayable));
    let broken = said(Body::from_raw("{".into(), vec![]), None);
    assert_eq!(encode(&announced(news_of(entry(broken)))), Err(Malformed::Unsayable));
    let large = vec![Bytes::from(vec![0; ENVELOPE_BYTES_MAX])];
    let large = said(Body::from_raw("[]".into(), large), None);
    assert_eq!(encode(&announced(news_of(entry(large)))), Err(Malformed::TooLarge));
}

#[test]
fn what_another_version_says_is_unknown_and_counted() {
    for text in [
        r#"{"v":2,"from":"n1","n":7}"#,
        r#"{"v":2,"from":"n1","n":7,"kind":["here",3],"data":17}"#,
        r#"{"v":18446744073709551615,"from":"n1","n":7,"kind":"here","data":{}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"poll","data":{"anything":[1]}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"act","data":{"what":"moved","to":"x"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"here","data":{"place":{"space":"/","club":"x"},"user":"ann"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":0,"act":"pinned"}}"#,
        r#"{"v":1,"from":"n1","n":7,"kind":"entry","data":{"place":{"space":"/","room":"x"},"seq":1,"messages":1,"id":"m","author":"ann","at_ms":0,"act":"said","kind":"whisper"}}"#,
    ] {
        let Announcement { from, number, news } = decode(text.as_bytes()).unwrap();
        assert!(matches!(news, News::Unknown), "{text}: {news:?}");
        assert_eq!((from.as_raw(), number), ("n1", 7));
    }
}

#[test]
fn fields_that_are_not_known_are_ignored() {
    let text = r#"{"hops":2,"v":1,"from":"n1","n":7,"kind":"here","data":{"mood":{},"place":{"space":"/shop","room":"lobby","since":1},"user":"ann"}}"#;
    let expected = told(&announced(News::Here(lobby(), user("ann"))));
    assert_eq!(told(&decode(text.as_bytes()).unwrap()), expected);
}

#[test]
fn channels_that_are_none_are_passed_over_in_a_beat() {
    let text = r#"{"v":1,"from":"n1","n":7,"kind":"beat","data":{"channels":[[1025,3],[1,2]]}}"#;
    let expected = told(&announced(News::Beat(vec![(Channel::from_raw(1).unwrap(), 2)])));
    assert_eq!(told(&decode(text.as_bytes()).unwrap()), expected);
}

#[test]
fn what_is_malformed_is_nobodys_news() {
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
        &here(r#"{"place":{"space":"/","room":"a b"},"user":"ann"}"#),
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

/// Any JSON text without white space around it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<f64>()
            .prop_map(|it| format!("{it:e}"))
            .prop_filter("JSON", |it| !it.contains('N') && !it.contains('i')),
        any::<String>().prop_map(|it| serde_json::to_string(&it).unwrap()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|it| format!("[{}]", it.join(" , "))),
            inner.prop_map(|it| format!("{{\"k\": {it}}}")),
        ]
    })
}

fn any_place() -> impl Strategy<Value = domain::Place> {
    let name = || "[a-zäß0-9]{1,20}";
    let conversation = prop_oneof![
        name().prop_map(|it| Conversation::Room(RoomName::from_raw(&it))),
        (name(), name()).prop_map(|(one, other)| Conversation::direct(user(&one), user(&other))),
        name().prop_map(|it| Conversation::Inbox(user(&it))),
    ];
    ("/[a-z]{0,10}", conversation).prop_map(|(space, conversation)| domain::Place {
        space: Space::from_raw(&space),
        conversation,
    })
}

fn any_entry() -> impl Strategy<Value = domain::Entry> {
    let attachments = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3);
    let ms = -62_000_000_000_000_i64..253_000_000_000_000;
    let parts = (json(), attachments, 0..4_u8, ms, any::<bool>(), 1..1_000_000_u64);
    (any_place(), parts).prop_map(|(place, (json, bytes, what, ms, flag, seq))| {
        let bytes = bytes.into_iter().map(Bytes::from).collect();
        let body = Body::from_raw(json.into(), bytes);
        let kinds = [Kind::Message, Kind::GroupChat, Kind::SingleChat, Kind::Notification];
        let kind = kinds[usize::from(what)];
        let of = Seq::from_raw(seq - 1);
        let act = match what {
            0 => domain::Act::Edited { of, body: flag.then_some(body) },
            1 => domain::Act::Deleted { of },
            _ => {
                let content = Content::Body { body, edited_at: flag.then(|| at(ms / 2)) };
                domain::Act::Said { kind, content }
            }
        };
        let position = Position::from_raw(seq, seq / 2);
        domain::Entry { place, position, at: at(ms), act, ..entry(domain::Act::Deleted { of }) }
    })
}

proptest! {
    #[test]
    fn entries_come_back_as_they_were(entry in any_entry()) {
        let payload = encode(&announced(news_of(entry.clone()))).unwrap();
        let News::Entry(read) = decode(&payload).unwrap().news else { panic!("no entry") };
        prop_assert_eq!(Arc::as_ref(&read).entry(), Some(&entry));
    }

    #[test]
    fn nothing_that_comes_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(decode(&bytes));
    }

    /// What is cut short, or has one byte changed, is read or refused.
    #[test]
    fn nothing_broken_is_a_panic(which in 0..20_usize, place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (news, _, _) = all().swap_remove(which);
        let mut payload = encode(&announced(news)).unwrap();
        let place = place.index(payload.len());
        drop(decode(&payload[..place]));
        payload[place] = byte;
        drop(decode(&payload));
    }
}
