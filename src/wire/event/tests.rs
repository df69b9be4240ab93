//! Golden tests of the events of docs/protocol.md.

use bytes::Bytes;
use time::{OffsetDateTime, macros::datetime};

use super::*;
use crate::{
    chat::{
        Answer,
        event::{Delivery, DeviceVisit, MissedEntries, MissedRun, RoomState, Welcome},
    },
    domain::{
        Act, Body, ConnectionId, Content, Conversation, DisplayName, DisplayNames, Entry, Epoch,
        MessageId, MessageKind, NamedUser, NodeId, Place, Position, Role, RoomName, RoomTopic, Seq,
        Space, Token,
    },
    wire::contract,
};

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const LATER: OffsetDateTime = datetime!(1970-01-01 00:01:00.007 UTC);

fn user(name: &str) -> UserName {
    UserName::from_raw(name)
}

fn lobby() -> Conversation {
    Conversation::Room(RoomName::lobby())
}

fn direct() -> Conversation {
    Conversation::direct(user("ann"), user("bob"))
}

fn body(text: &str) -> Body {
    Body::from_raw(text.into(), Vec::new())
}

/// The 7th entry of a conversation, by ann.
fn entry(conversation: Conversation, act: Act) -> Entry {
    Entry {
        place: Place { space: Space::root(), conversation },
        position: Position::from_raw(7, 5),
        id: MessageId::from_raw("m7"),
        author: user("ann"),
        author_name: None,
        at: AT,
        act,
    }
}

fn said(kind: MessageKind, edited_at: Option<OffsetDateTime>) -> Act {
    Act::Said { kind, content: Content::Body { body: body("\"hi\""), edited_at } }
}

fn gone(kind: MessageKind) -> Act {
    Act::Said { kind, content: Content::Removed }
}

fn edited(body: Option<Body>) -> Act {
    Act::Edited { of: Seq::from_raw(3), body }
}

fn deleted() -> Act {
    Act::Deleted { of: Seq::from_raw(3) }
}

/// The name and the data of an event.
fn encode(event: &Event) -> (&str, String) {
    let name = name(event);
    let json = data(event, AttachmentEncoding::Base64, &Limits::default()).json();
    contract::test_support::assert_event(name, &json);
    (name, json)
}

/// `at` and the end of the object.
const END: &str = r#""at":"1970-01-01T00:00:00.000Z"}"#;

#[test]
fn entries_are_serialized_as_documented() {
    for (conversation, act, name, data) in [
        (
            lobby(),
            said(MessageKind::Message, None),
            "new message",
            r#"{"room":"lobby","seq":7,"id":"m7","username":"ann","msg":"hi","#,
        ),
        (
            lobby(),
            said(MessageKind::GroupChat, None),
            "GroupChat",
            r#"{"room":"lobby","seq":7,"id":"m7","user":"ann","data":"hi","#,
        ),
        (
            direct(),
            said(MessageKind::SingleChat, None),
            "SingleChat",
            r#"{"to":"bob","seq":7,"id":"m7","user":"ann","data":"hi","#,
        ),
        (
            lobby(),
            edited(Some(body("[1]"))),
            "message edited",
            r#"{"room":"lobby","seq":7,"of":3,"id":"m7","user":"ann","msg":[1],"#,
        ),
        (
            direct(),
            edited(Some(body("[1]"))),
            "message edited",
            r#"{"to":"bob","seq":7,"of":3,"id":"m7","user":"ann","msg":[1],"#,
        ),
        (
            lobby(),
            deleted(),
            "message deleted",
            r#"{"room":"lobby","seq":7,"of":3,"id":"m7","user":"ann","#,
        ),
        (
            direct(),
            deleted(),
            "message deleted",
            r#"{"to":"bob","seq":7,"of":3,"id":"m7","user":"ann","#,
        ),
        (
            lobby(),
            gone(MessageKind::Message),
            "new message",
            r#"{"room":"lobby","seq":7,"id":"m7","username":"ann","deleted":true,"#,
        ),
        (
            direct(),
            gone(MessageKind::SingleChat),
            "SingleChat",
            r#"{"to":"bob","seq":7,"id":"m7","user":"ann","deleted":true,"#,
        ),
        (
            lobby(),
            edited(None),
            "message edited",
            r#"{"room":"lobby","seq":7,"of":3,"id":"m7","user":"ann","#,
        ),
    ] {
        let event = Event::Entry(entry(conversation, act));
        assert_eq!(encode(&event), (name, format!("{data}{END}")));
    }
}

#[test]
fn edited_entries_have_the_time_of_the_edit() {
    let act = said(MessageKind::Message, Some(LATER));
    let golden = concat!(
        r#"{"room":"lobby","seq":7,"id":"m7","username":"ann","msg":"hi","#,
        r#""at":"1970-01-01T00:00:00.000Z","editedAt":"1970-01-01T00:01:00.007Z"}"#
    );
    assert_eq!(encode(&Event::Entry(entry(lobby(), act))), ("new message", golden.to_owned()));
}

#[test]
fn a_notification_has_the_unread_count_but_no_recipient() {
    let entry = entry(Conversation::Inbox(user("bob")), said(MessageKind::Notification, None));
    let golden = concat!(
        r#"{"seq":7,"id":"m7","user":"ann","data":"hi","#,
        r#""at":"1970-01-01T00:00:00.000Z","unread":4}"#
    );
    let event = Event::Notified { entry, unread: 4 };
    assert_eq!(encode(&event), ("notification", golden.to_owned()));
}

#[test]
fn a_topic_is_an_entry_and_empty_when_it_was_removed() {
    for text in ["Plans", ""] {
        let entry = entry(lobby(), Act::Topic(RoomTopic::from_raw(text)));
        let golden = format!(
            "{}{text:?}{}",
            r#"{"room":"lobby","seq":7,"id":"m7","user":"ann","topic":"#,
            r#","at":"1970-01-01T00:00:00.000Z"}"#
        );
        assert_eq!(encode(&Event::Entry(entry)), ("topic", golden));
    }
}

#[test]
fn history_and_missed_entries_are_flat_and_name_their_event() {
    let entries = [
        entry(lobby(), said(MessageKind::Message, Some(LATER))),
        entry(lobby(), gone(MessageKind::GroupChat)),
        entry(lobby(), edited(None)),
        entry(lobby(), deleted()),
        entry(Conversation::Inbox(user("bob")), said(MessageKind::Notification, None)),
    ];
    let at = r#""at":"1970-01-01T00:00:00.000Z""#;
    let golden = [
        format!(
            "{}{at}{}",
            r#"{"event":"new message","room":"lobby","seq":7,"id":"m7","username":"ann","msg":"hi","#,
            r#","editedAt":"1970-01-01T00:01:00.007Z"}"#
        ),
        format!(
            "{}{at}}}",
            r#"{"event":"GroupChat","room":"lobby","seq":7,"id":"m7","user":"ann","deleted":true,"#
        ),
        format!(
            "{}{at}}}",
            r#"{"event":"message edited","room":"lobby","seq":7,"of":3,"id":"m7","user":"ann","#
        ),
        format!(
            "{}{at}}}",
            r#"{"event":"message deleted","room":"lobby","seq":7,"of":3,"id":"m7","user":"ann","#
        ),
        format!(
            "{}{at}}}",
            r#"{"event":"notification","seq":7,"id":"m7","user":"ann","data":"hi","#
        ),
    ];
    let golden = format!("[{}]", golden.join(","));
    let page = flat(entries.iter(), AttachmentEncoding::Base64);
    assert_eq!((page.json(), page.attachments), (golden.clone(), Vec::new()));
    let deliveries = entries.map(|entry| Delivery::new(Event::Entry(entry)));
    let (entries, names) = (deliveries.into(), DisplayNames::new());
    let run = MissedRun::Recovered { entries, more: true, names };
    let missed = Event::Missed(MissedEntries { room: RoomName::lobby(), run });
    let data = format!(r#"{{"room":"lobby","messages":{golden},"recovered":true,"more":true}}"#);
    assert_eq!(encode(&missed), ("missed", data));
    let run = MissedRun::TooFar { head: Seq::from_raw(9) };
    let missed = Event::Missed(MissedEntries { room: RoomName::lobby(), run });
    let data = r#"{"room":"lobby","messages":[],"recovered":false,"head":9}"#;
    assert_eq!(encode(&missed), ("missed", data.to_owned()));
}

#[test]
fn attachments_are_numbered_across_a_page() {
    let bytes = |byte| {
        let attachments = vec![Bytes::from_static(byte)];
        Body::from_raw(r#"{"_placeholder":true,"num":0}"#.into(), attachments)
    };
    let content = Content::Body { body: bytes(b"a"), edited_at: None };
    let entries = [
        entry(lobby(), Act::Said { kind: MessageKind::Message, content }),
        entry(lobby(), edited(None)),
        entry(lobby(), edited(Some(bytes(b"b")))),
    ];
    let page = flat(entries.iter(), AttachmentEncoding::Placeholders);
    let json = page.json();
    assert_eq!(page.attachments, [Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
    assert!(json.contains(r#""msg":{"_placeholder":true,"num":1}"#), "{json}");
    let event = Event::Entry(entries[2].clone());
    let live = data(&event, AttachmentEncoding::Placeholders, &Limits::default());
    assert_eq!(live.attachments, [Bytes::from_static(b"b")]);
    assert!(live.json().contains(r#""num":0}"#), "{}", live.json());
}

#[test]
fn read_has_an_unread_count_only_for_the_reader() {
    let seq = Seq::from_raw(7);
    let read = |view, unread| Event::Read { view, who: user("ann").into(), seq, unread };
    for (event, data) in [
        (read(View::Room(RoomName::lobby()), None), r#"{"room":"lobby","user":"ann","seq":7}"#),
        (
            read(View::Room(RoomName::lobby()), Some(0)),
            r#"{"room":"lobby","user":"ann","seq":7,"unread":0}"#,
        ),
        (read(View::Direct(user("bob")), None), r#"{"with":"bob","user":"ann","seq":7}"#),
        (read(View::Inbox, Some(2)), r#"{"inbox":true,"user":"ann","seq":7,"unread":2}"#),
    ] {
        assert_eq!(encode(&event), ("read", data.to_owned()));
    }
}

#[test]
fn typing_names_its_conversation() {
    let typing = |view, typing| Event::Typing { view, who: user("ann").into(), typing };
    let (here, there) = (View::Room(RoomName::lobby()), View::Direct(user("ann")));
    let data = r#"{"room":"lobby","user":"ann","typing":true}"#;
    assert_eq!(encode(&typing(here, Typing::Yes)), ("typing", data.to_owned()));
    let data = r#"{"with":"ann","user":"ann","typing":false}"#;
    assert_eq!(encode(&typing(there, Typing::No)), ("typing", data.to_owned()));
}

/// Ann with a display name.
fn ann() -> NamedUser {
    NamedUser { user: user("ann"), name: DisplayName::parse("Ann Lee") }
}

#[test]
fn events_of_one_user_have_the_display_name_beside_it() {
    let named = |conversation, act| Entry { author_name: ann().name, ..entry(conversation, act) };
    let (room, name) = (RoomName::lobby, r#""name":"Ann Lee""#);
    let inbox = named(Conversation::Inbox(user("bob")), said(MessageKind::Notification, None));
    let by = Event::Membership { room: room(), state: None, by: Some(ann()) };
    let read = Event::Read { view: View::Inbox, who: ann(), seq: Seq::ZERO, unread: None };
    for (event, before) in [
        (Event::Joined { room: room(), who: ann() }, r#""user":"ann","#),
        (Event::Left { room: room(), who: ann() }, r#""user":"ann","#),
        (
            Event::Typing { view: View::Direct(user("ann")), who: ann(), typing: Typing::Yes },
            r#""user":"ann","#,
        ),
        (read, r#""user":"ann","#),
        (Event::Entry(named(lobby(), said(MessageKind::Message, None))), r#""username":"ann","#),
        (Event::Entry(named(lobby(), said(MessageKind::GroupChat, None))), r#""user":"ann","#),
        (Event::Entry(named(direct(), said(MessageKind::SingleChat, None))), r#""user":"ann","#),
        (Event::Entry(named(lobby(), edited(None))), r#""user":"ann","#),
        (Event::Entry(named(lobby(), deleted())), r#""user":"ann","#),
        (Event::Notified { entry: inbox, unread: 1 }, r#""user":"ann","#),
        (by, r#""by":"ann","byName":"Ann Lee""#),
    ] {
        let (_, json) = encode(&event);
        let expected =
            if before.contains("byName") { before.to_owned() } else { format!("{before}{name}") };
        assert!(json.contains(&expected), "{json}");
    }
}

#[test]
fn a_list_has_one_object_of_names_beside_it() {
    let of = |author: &str, name: Option<&str>| Entry {
        author: user(author),
        author_name: name.map(DisplayName::from_raw),
        ..entry(lobby(), deleted())
    };
    let entries = [of("ann", Some("Before")), of("bob", None), of("ann", Some("Ann"))];
    let answer = Answer::Page { entries: entries.to_vec(), more: false };
    let json = crate::wire::answer::answer(&answer, AttachmentEncoding::Base64).json();
    assert!(json.ends_with(r#"],"names":{"ann":"Ann"},"more":false}"#), "{json}");
    assert!(!json.contains("Before"), "{json}");
    let entries = entries.map(|entry| Delivery::new(Event::Entry(entry))).into();
    let names = [(user("ann"), DisplayName::from_raw("Now"))].into();
    let run = MissedRun::Recovered { entries, more: false, names };
    let (_, json) = encode(&Event::Missed(MissedEntries { room: RoomName::lobby(), run }));
    let end = r#"],"names":{"ann":"Now"},"recovered":true,"more":false}"#;
    assert!(json.ends_with(end) && !json.contains("Before"), "{json}");
}

fn tally(muted: Muted) -> Tally {
    Tally { head: Seq::from_raw(9), unread: 2, read: Seq::from_raw(6), muted }
}

fn state(muted: Muted) -> RoomState {
    let topic = RoomTopic::from_raw(if muted == Muted::Yes { "Quiet" } else { "" });
    RoomState { room: RoomName::lobby(), role: Role::Admin, topic, tally: tally(muted) }
}

#[test]
fn membership_changes_are_serialized_as_documented() {
    let membership = |state, by: Option<&str>| Event::Membership {
        room: RoomName::lobby(),
        state,
        by: by.map(|it| user(it).into()),
    };
    for (event, data) in [
        (
            membership(Some(state(Muted::No)), None),
            r#"{"room":"lobby","role":"admin","seq":9,"unread":2,"read":6}"#,
        ),
        (
            membership(Some(state(Muted::Yes)), Some("bob")),
            concat!(
                r#"{"room":"lobby","role":"admin","topic":"Quiet","seq":9,"unread":2,"read":6,"#,
                r#""muted":true,"by":"bob"}"#
            ),
        ),
        (membership(None, None), r#"{"room":"lobby","role":null}"#),
        (membership(None, Some("bob")), r#"{"room":"lobby","role":null,"by":"bob"}"#),
    ] {
        assert_eq!(encode(&event), ("membership", data.to_owned()));
    }
}

#[test]
fn welcome_is_serialized_as_documented() {
    let welcome = Welcome {
        user: user("ann"),
        name: DisplayName::parse("Ann Lee"),
        admin: true,
        token: Some(Token::from_raw("a.b.c")),
        expires_at: AT,
        visit: Some(DeviceVisit::Returning { last_seen: LATER }),
        connection: ConnectionId::from_raw(10),
        node: NodeId::from_raw("n1"),
        epoch: Epoch::from_raw("e1"),
        rooms: vec![state(Muted::No), state(Muted::Yes)],
        directs: vec![(user("bob"), tally(Muted::Yes)), (user("zoe"), Tally::default())],
        names: [(user("bob"), DisplayName::from_raw("Bob"))].into(),
        inbox: tally(Muted::No),
    };
    let golden = concat!(
        r#"{"user":"ann","name":"Ann Lee","admin":true,"token":"a.b.c","#,
        r#""expiresAt":"1970-01-01T00:00:00.000Z","returning":true,"#,
        r#""lastSeen":"1970-01-01T00:01:00.007Z","connection":"ca","node":"n1","epoch":"e1","#,
        r#""rooms":[{"room":"lobby","role":"admin","seq":9,"unread":2,"read":6},"#,
        r#"{"room":"lobby","role":"admin","topic":"Quiet","seq":9,"unread":2,"read":6,"#,
        r#""muted":true}],"#,
        r#""directs":[{"with":"bob","seq":9,"unread":2,"read":6,"muted":true},"#,
        r#"{"with":"zoe","seq":0,"unread":0,"read":0}],"names":{"bob":"Bob"},"#,
        r#""inbox":{"seq":9,"unread":2,"read":6},"#,
        r#""limits":{"bodyBytesMax":524288,"frameBytesMax":4194304,"attachmentsMax":10,"#,
        r#""historyMax":200,"roomsMax":1000}}"#
    );
    assert_eq!(encode(&Event::Welcome(Box::new(welcome))), ("welcome", golden.to_owned()));
}
