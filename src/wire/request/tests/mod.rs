//! Valid and invalid requests.

mod wrong_keys;

use super::*;
use crate::{
    chat::ports::PageRange,
    domain::{KeyMismatch, Limits, MessageId, Muted, Role, RoomName, View},
    wire::test_support::context,
};

fn parse(event: &str, data: &str) -> Result<Request, Rejection> {
    let raw = RawValue::from_string(data.to_owned()).unwrap();
    let (encoding, limits) = (AttachmentEncoding::Base64, Limits::default());
    let context = context(&limits);
    request(event, &RequestData { raw: Some(&raw), more: &[], attachments: &[], encoding, context })
}

/// The parsed request as debug text.
fn read(event: &str, data: &str) -> String {
    format!("{:?}", parse(event, data).unwrap_or_else(|error| panic!("{event} {data}: {error:?}")))
}

fn room(name: &str) -> View {
    View::Room(RoomName::from_raw(name))
}

fn with(name: &str) -> View {
    View::Direct(UserName::from_raw(name))
}

/// The conversation that a request names.
fn of(event: &str, data: &str) -> Option<View> {
    let (Request::History { of, .. }
    | Request::Read { of, .. }
    | Request::Mute { of, .. }
    | Request::Typing { of, .. }
    | Request::Edit { of, .. }
    | Request::Delete { of, .. }) = parse(event, data).expect(data)
    else {
        panic!("{event} names no conversation")
    };
    of
}

/// The keys that a refusal names.
fn keys(event: &str, data: &str) -> KeyMismatch {
    match parse(event, data) {
        Err(Rejection::Keys(mismatch)) => *mismatch,
        other => panic!("{event} {data}: {other:?}"),
    }
}

/// Whether a refusal has the code `bad_request`.
fn is_bad_request(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::BadRequest(_) | Rejection::Keys(_))
}

/// Checks that each is refused: with the rejection, or as a bad request where there is none.
fn refuses(table: &[(&str, &str, Option<Rejection>)]) {
    for (event, data, expected) in table {
        let refused = parse(event, data).expect_err(data);
        match expected {
            Some(expected) => assert_eq!(refused, *expected, "{event} {data}"),
            None => {
                assert!(is_bad_request(&refused), "{event} {data}: {refused:?}");
            }
        }
    }
}

#[test]
fn a_bare_text_is_a_message_for_the_default_room() {
    for event in ["send message", "GroupChat"] {
        let (Request::Send(post) | Request::GroupChat(post)) = parse(event, r#""hi""#).unwrap()
        else {
            panic!("a post")
        };
        assert_eq!((post.room, post.body.json(), post.id), (None, "\"hi\"", None));
    }
}

#[test]
fn bare_bytes_are_a_message() {
    let Request::Send(post) = parse("send message", r#"{"base64":"AAE="}"#).unwrap() else {
        panic!("a post")
    };
    assert_eq!(post.body.attachments().len(), 1);
}

#[test]
fn all_fields_of_a_message_are_parsed() {
    let data = r#"{"room":"news","msg":{"a":[1,2]},"id":"x-1"}"#;
    let Request::Send(post) = parse("send message", data).unwrap() else { panic!("a post") };
    assert_eq!(post.room, Some(RoomName::parse("news").unwrap()));
    assert_eq!(post.body.json(), r#"{"a":[1,2]}"#);
    assert_eq!(post.id, Some(MessageId::parse("x-1").unwrap()));
}

#[test]
fn every_request_names_a_conversation_in_the_same_way() {
    for (event, rest, other) in [
        ("history", "", "with"),
        ("read", r#","seq":7"#, "with"),
        ("mute", r#","muted":true"#, "with"),
        ("typing", r#","typing":true"#, "to"),
        ("edit message", r#","seq":7,"msg":"x""#, "with"),
        ("delete message", r#","seq":7"#, "with"),
    ] {
        let data = |place: &str| format!("{{{place}{rest}}}");
        assert_eq!(of(event, &data(r#""room":null"#)), None, "{event}");
        assert_eq!(of(event, &data(r#""room":"news""#)), Some(room("news")), "{event}");
        let bob = format!(r#""{other}":" bob ""#);
        assert_eq!(of(event, &data(&bob)), Some(with("bob")), "{event}");
        let wrong = if other == "to" { "with" } else { "to" };
        for (place, rejection) in [
            (format!(r#""room":"news",{bob}"#), None),
            (format!(r#""inbox":true,{bob}"#), None),
            (r#""inbox":true,"room":"news""#.to_owned(), None),
            (r#""inbox":false"#.to_owned(), None),
            (r#""inbox":false,"room":"news""#.to_owned(), None),
            (r#""inbox":1"#.to_owned(), None),
            (r#""inbox":"true""#.to_owned(), None),
            (format!(r#""{other}":7"#), None),
            (format!(r#""{other}":"""#), Some(Rejection::NoSuchUser)),
            (r#""room":"a\nb""#.to_owned(), Some(Rejection::RoomInvalid)),
        ] {
            let refused = parse(event, &data(&place)).expect_err(&place);
            match rejection {
                Some(rejection) => assert_eq!(refused, rejection, "{event} {place}"),
                None => assert!(is_bad_request(&refused), "{event} {place}: {refused:?}"),
            }
        }
        let wrong_keys = keys(event, &data(&format!(r#""{wrong}":"bob""#)));
        let nearest = wrong_keys.unknown.first().and_then(|it| it.nearest.as_deref());
        assert_eq!(nearest, Some(other), "{event}");
    }
}

#[test]
fn an_inbox_can_only_be_read_and_muted() {
    for (event, data) in [
        ("history", r#"{"inbox":true}"#),
        ("read", r#"{"inbox":true,"seq":1}"#),
        ("mute", r#"{"inbox":true,"muted":false}"#),
    ] {
        assert_eq!(of(event, data), Some(View::Inbox), "{event}");
    }
    for (event, data, rejection) in [
        ("edit message", r#"{"inbox":true,"seq":1,"msg":"x"}"#, Rejection::NoSuchMessage),
        ("delete message", r#"{"inbox":true,"seq":1}"#, Rejection::NoSuchMessage),
    ] {
        assert_eq!(parse(event, data).unwrap_err(), rejection, "{event}");
    }
    let typing = parse("typing", r#"{"inbox":true,"typing":true}"#);
    assert!(matches!(typing, Err(Rejection::BadRequest(_))));
}

#[test]
fn requests_are_parsed() {
    for (event, data, expected) in [
        ("read", r#"{"seq":9}"#, "Read { of: None, seq: Seq(9) }"),
        ("mute", r#"{"muted":true}"#, "Mute { of: None, muted: Yes }"),
        ("mute", r#"{"muted":false}"#, "Mute { of: None, muted: No }"),
        ("typing", r#"{"typing":false}"#, "Typing { of: None, typing: No }"),
        ("delete message", r#"{"seq":3}"#, "Delete { of: None, seq: Seq(3) }"),
        ("leave", r#""news""#, r#"Leave { room: Some(RoomName("news")) }"#),
        ("join", "null", "Join { room: None, since: None, epoch: None }"),
    ] {
        assert_eq!(read(event, data), expected);
    }
    let join = parse("join", r#"{"room":"news","since":3,"epoch":"e1"}"#).unwrap();
    let Request::Join { room, since, epoch } = join else { panic!("a join") };
    assert_eq!(room, Some(RoomName::from_raw("news")));
    assert_eq!((since, epoch), (Some(Seq::from_raw(3)), Some(Epoch::from_raw("e1"))));
    let edit = parse("edit message", r#"{"with":"bob","seq":3,"msg":[1]}"#).unwrap();
    let Request::Edit { of, seq, body } = edit else { panic!("an edit") };
    assert_eq!((of, seq, body.json()), (Some(with("bob")), Seq::from_raw(3), "[1]"));
    let notify = parse("notify", r#"{"to":"bob","data":{"a":1},"id":"n"}"#).unwrap();
    let Request::Notify { to, body, id } = notify else { panic!("a notification") };
    assert_eq!((to.as_raw(), body.json()), ("bob", r#"{"a":1}"#));
    assert_eq!(id, Some(MessageId::from_raw("n")));
}

#[test]
fn an_invitation_may_name_a_role() {
    for (word, role) in [
        ("owner", Role::Owner),
        ("admin", Role::Admin),
        ("member", Role::Member),
        ("reader", Role::Reader),
    ] {
        let data = format!(r#"{{"room":"news","user":"bob","role":"{word}"}}"#);
        let Ok(Request::Invite { room, user, role: read }) = parse("invite", &data) else {
            panic!("{data}")
        };
        assert_eq!((room.unwrap().as_raw(), user.as_raw(), read), ("news", "bob", Some(role)));
    }
    let invite = parse("invite", r#"{"user":"bob"}"#).unwrap();
    assert!(matches!(invite, Request::Invite { room: None, role: None, .. }));
    let topic = parse("topic", r#"{"room":"news","topic":" Plans "}"#).unwrap();
    let Request::Topic { room: Some(_), topic: Some(topic) } = topic else { panic!("{topic:?}") };
    assert_eq!(topic.as_raw(), "Plans");
    let removed = parse("topic", r#"{"topic":""}"#).unwrap();
    assert!(matches!(removed, Request::Topic { room: None, topic: None }));
    let kick = parse("kick", r#"{"user":"bob"}"#).unwrap();
    assert!(matches!(kick, Request::Kick { room: None, .. }));
}

#[test]
fn presence_accepts_up_to_a_hundred_users() {
    let presence_request = |count: usize| {
        let names: Vec<_> = (0..count).map(|number| format!("\"u{number}\"")).collect();
        parse("presence", &format!(r#"{{"users":[{}]}}"#, names.join(",")))
    };
    let Ok(Request::Presence { users }) = presence_request(100) else { panic!("a hundred") };
    assert_eq!(users.len(), 100);
    for count in [0, 101] {
        assert!(matches!(presence_request(count), Err(Rejection::BadRequest(_))), "{count}");
    }
}

#[test]
fn requests_of_an_undocumented_form_are_refused() {
    use Rejection as R;
    refuses(&[
        ("send message", "7", None),
        ("send message", "[]", None),
        ("send message", r#"{"room":1,"msg":"x"}"#, None),
        ("new user", r#"["ann"]"#, None),
        ("send message", "{}", None),
        ("send message", r#"{"msg":null}"#, Some(R::MessageEmpty)),
        ("send message", r#""  ""#, Some(R::MessageEmpty)),
        ("send message", r#"{"msg":"x","room":"a\nb"}"#, Some(R::RoomInvalid)),
        ("send message", r#"{"msg":"x","id":""}"#, Some(R::IdInvalid)),
        ("SingleChat", r#"{"data":"x"}"#, None),
        ("SingleChat", r#"{"to":"","data":"x"}"#, Some(R::NoSuchUser)),
        ("new user", "{}", None),
        ("new user", r#""""#, Some(R::NameInvalid)),
        ("join", r#"{"base64":"AAE="}"#, None),
        ("history", r#"{"base64":"AAE="}"#, None),
        ("join", r#"{"since":-1}"#, None),
        ("join", r#"{"since":9007199254740992}"#, None),
        ("join", r#"{"epoch":7}"#, None),
        ("join", r#"{"epoch":""}"#, None),
        ("join", r#"{"epoch":"a b"}"#, None),
        ("history", r#"{"before":1,"after":2}"#, None),
        ("history", r#"{"limit":0}"#, None),
        ("history", r#""lobby""#, None),
        ("nonsense", "{}", Some(R::UnknownEvent)),
        ("constructor", "{}", Some(R::UnknownEvent)),
    ]);
}

#[test]
fn reads_edits_and_member_changes_of_an_undocumented_form_are_refused() {
    use Rejection as R;
    refuses(&[
        ("read", "null", None),
        ("read", "{}", None),
        ("read", "7", None),
        ("read", "[7]", None),
        ("read", r#"{"seq":-1}"#, None),
        ("read", r#"{"seq":1.5}"#, None),
        ("read", r#"{"seq":"7"}"#, None),
        ("read", r#"{"seq":9007199254740992}"#, None),
        ("mute", "{}", None),
        ("mute", "true", None),
        ("mute", r#"{"muted":1}"#, None),
        ("mute", r#"{"muted":null}"#, None),
        ("typing", "{}", None),
        ("typing", "true", None),
        ("typing", r#"{"typing":"yes"}"#, None),
        ("edit message", "{}", None),
        ("edit message", r#""x""#, None),
        ("edit message", r#"{"msg":"x"}"#, None),
        ("edit message", r#"{"seq":1}"#, None),
        ("edit message", r#"{"seq":1,"msg":null}"#, Some(R::MessageEmpty)),
        ("edit message", r#"{"seq":1,"msg":" "}"#, Some(R::MessageEmpty)),
        ("edit message", r#"{"seq":1,"msg":{"_placeholder":true,"num":0}}"#, None),
        ("delete message", "{}", None),
        ("delete message", "7", None),
        ("delete message", r#"{"seq":null}"#, None),
        ("invite", "{}", None),
        ("invite", r#""bob""#, None),
        ("invite", r#"{"user":7}"#, None),
        ("invite", r#"{"user":""}"#, Some(R::NoSuchUser)),
        ("invite", r#"{"user":"bob","room":""}"#, Some(R::RoomInvalid)),
        ("invite", r#"{"user":"bob","role":"king"}"#, None),
        ("invite", r#"{"user":"bob","role":"Owner"}"#, None),
        ("invite", r#"{"user":"bob","role":""}"#, None),
        ("invite", r#"{"user":"bob","role":3}"#, None),
        ("topic", r#""Plans""#, None),
        ("topic", r#"{"topic":null}"#, None),
        ("topic", r#"{"topic":"a\nb"}"#, None),
        ("topic", r#"{"room":"a\nb","topic":"x"}"#, Some(R::RoomInvalid)),
        ("kick", "{}", None),
        ("kick", r#""bob""#, None),
        ("kick", r#"{"user":"a\nb"}"#, Some(R::NoSuchUser)),
        ("kick", r#"{"user":"bob","room":"a\u202eb"}"#, Some(R::RoomInvalid)),
        ("notify", "{}", None),
        ("notify", r#"{"data":"x"}"#, None),
        ("notify", r#"{"to":"","data":"x"}"#, Some(R::NoSuchUser)),
        ("notify", r#"{"to":"bob"}"#, None),
        ("notify", r#"{"to":"bob","data":null}"#, Some(R::MessageEmpty)),
        ("notify", r#"{"to":"bob","data":""}"#, Some(R::MessageEmpty)),
        ("notify", r#"{"to":"bob","data":"x","id":"a b"}"#, Some(R::IdInvalid)),
        ("presence", "null", None),
        ("presence", "{}", None),
        ("presence", r#"["ann"]"#, None),
        ("presence", r#"{"users":"ann"}"#, None),
        ("presence", r#"{"users":[]}"#, None),
        ("presence", r#"{"users":[7]}"#, None),
        ("presence", r#"{"users":["ann",""]}"#, Some(R::NameInvalid)),
    ]);
}

#[test]
fn every_named_request_has_a_parser() {
    for RequestSpec { name: event, reply, parse: _ } in &REQUESTS {
        assert_eq!(RequestKind::of(event), RequestKind::Known(event, *reply));
        let refused = parse(event, "7");
        assert!(!matches!(refused, Err(Rejection::UnknownEvent)), "{event}");
    }
    let queries = REQUESTS.iter().filter(|row| row.reply == ReplyForm::AcknowledgementOrEvent);
    let queries: Vec<_> = queries.map(|row| row.name).collect();
    assert_eq!(queries, ["GroupList", "history", "presence"]);
    assert_eq!(RequestKind::of("new message"), RequestKind::Unknown(Some("new message".into())));
}

#[test]
fn missing_data_means_the_default_room() {
    for data in ["null", "{}"] {
        assert!(matches!(parse("GroupList", data), Ok(Request::GroupList { room: None })));
        let Ok(Request::History { of, range, limit }) = parse("history", data) else {
            panic!("{data}")
        };
        assert_eq!((of, range, limit), (None, PageRange::Newest, None));
    }
    let mute = parse("mute", r#"{"muted":true,"room":null,"inbox":null}"#);
    assert!(matches!(mute, Ok(Request::Mute { of: None, muted: Muted::Yes })));
}

#[test]
fn deep_nesting_is_refused_before_recursion() {
    let deep = format!(r#"{{"msg":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(parse("send message", &deep), Err(Rejection::BadRequest(_))));
}
