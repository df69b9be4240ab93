//! Builders for the tests of all engines.

use time::{Duration, OffsetDateTime};

use crate::{
    chat::ports::{
        Batch, Change, ChangeResult, Draft, DraftAct, IdentityKind, MemberChange, Membership,
        Outcome, PageLimit, PageRange, Store, UserSeen,
    },
    domain::{
        Act, Body, Content, Conversation, Entry, EventName, JoinMode, Log, Member, MessageId,
        MessageKind, NodeId, Place, Position, Role, RoomName, RoomTopic, Seq, Space, UserName,
    },
};

/// All kinds of messages, with two events of the application.
pub(crate) fn kinds() -> Vec<MessageKind> {
    vec![
        MessageKind::Message,
        MessageKind::GroupChat,
        MessageKind::SingleChat,
        MessageKind::Notification,
        custom("move"),
        custom("stop"),
    ]
}

/// An event of the application.
pub(crate) fn custom(name: &str) -> MessageKind {
    MessageKind::Custom(EventName::from_raw(name))
}

/// The join of most tests.
pub(crate) const JOIN: MemberChange = MemberChange::Join(JoinMode::As(Role::Member));

/// A draft with the number as its id, body and time.
pub(crate) fn numbered(room: &str, n: u64) -> Draft {
    Draft { at: time(n), ..draft(room, &n.to_string(), &n.to_string()) }
}

/// A message of `author` in a room of `/`.
pub(crate) fn draft(room: &str, id: &str, text: &str) -> Draft {
    Draft {
        place: self::room(room),
        id: MessageId::from_raw(id),
        author: user("author"),
        author_name: None,
        guest_session: None,
        needs: None,
        at: time(1),
        act: DraftAct::Say { kind: MessageKind::Message, body: body(text) },
    }
}

/// The same draft with another body.
pub(crate) fn with_body(draft: Draft, body: Body) -> Draft {
    Draft { act: DraftAct::Say { kind: MessageKind::Message, body }, ..draft }
}

/// The same draft with another kind.
pub(crate) fn with_kind(draft: Draft, kind: MessageKind) -> Draft {
    let DraftAct::Say { body, .. } = draft.act else { return draft };
    Draft { act: DraftAct::Say { kind, body }, ..draft }
}

/// An edit by `author` of a message in a room.
pub(crate) fn edit(room: &str, of: u64, text: &str) -> Draft {
    let act = DraftAct::Edit { of: seq(of), body: body(text) };
    Draft { act, ..draft(room, "changed", "") }
}

/// A deletion by `author` of a message in a room.
pub(crate) fn delete(room: &str, of: u64) -> Draft {
    Draft { act: DraftAct::Delete { of: seq(of) }, ..draft(room, "changed", "") }
}

/// A topic by `author` of a room; the empty text removes it.
pub(crate) fn topic(room: &str, text: &str) -> Draft {
    Draft { act: DraftAct::Topic(RoomTopic::from_raw(text)), ..draft(room, "topic", "") }
}

/// A message as it is read from a log without changes.
pub(crate) fn stored(draft: Draft, n: u64) -> Entry {
    let Draft { place, id, author, author_name, guest_session: _, needs: _, at, act } = draft;
    let act = match act {
        DraftAct::Say { kind, body } => {
            Act::Said { kind, content: Content::Body { body, edited_at: None } }
        }
        DraftAct::Edit { of, body } => Act::Edited { of, body: Some(body) },
        DraftAct::Delete { of } => Act::Deleted { of },
        DraftAct::Topic(topic) => Act::Topic(topic),
    };
    Entry { place, position: nth(n), id, author, author_name, at, act }
}

pub(crate) fn room(name: &str) -> Place {
    Place::room(&Space::root(), &RoomName::from_raw(name))
}

pub(crate) fn direct(space: &str, one: &str, other: &str) -> Place {
    let conversation = Conversation::Direct(user(one), user(other));
    Place { space: Space::from_raw(space), conversation }
}

pub(crate) fn inbox(name: &str) -> Place {
    Place { space: Space::root(), conversation: Conversation::Inbox(user(name)) }
}

/// The node of all tests with a single node.
pub(crate) fn node() -> NodeId {
    NodeId::from_raw("n0")
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::from_raw(name)
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::from_raw(number)
}

pub(crate) fn at(seq: u64, messages: u64) -> Position {
    Position::from_raw(seq, messages)
}

/// The position of the `n`th message in a log without changes.
pub(crate) fn nth(n: u64) -> Position {
    at(n, n)
}

/// A time in 2023, by milliseconds.
pub(crate) fn time(n: u64) -> OffsetDateTime {
    let since = 1_700_000_000_000 + i64::try_from(n % 1_000_000).unwrap();
    OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(since)
}

pub(crate) fn body(text: &str) -> Body {
    Body::from_raw(text.into(), Vec::new())
}

pub(crate) fn placeholder() -> Box<str> {
    r#"{"_placeholder":true,"num":0}"#.into()
}

/// A change of a member in a room of `/`.
pub(crate) fn change(room: &str, name: &str, what: MemberChange) -> Change {
    Change { place: self::room(room), user: user(name), what, rooms_max: None }
}

pub(crate) async fn commit(store: &dyn Store, drafts: Vec<Draft>) -> Vec<Outcome> {
    store.commit(Batch { drafts, ..Batch::default() }.into()).await.unwrap().outcomes
}

pub(crate) async fn apply_changes(store: &dyn Store, changes: Vec<Change>) -> Vec<ChangeResult> {
    store.commit(Batch { changes, ..Batch::default() }.into()).await.unwrap().changed
}

/// Commits a user's connection or disconnection.
pub(crate) async fn record_seen(store: &dyn Store, seen: UserSeen) {
    store.commit(Batch { seen: vec![seen], ..Batch::default() }.into()).await.unwrap();
}

/// The memberships of a user of `/`.
pub(crate) async fn memberships(store: &dyn Store, name: &str) -> Vec<Membership> {
    let membership_queries = vec![(Space::root(), user(name))];
    let committed =
        store.commit(Batch { membership_queries, ..Batch::default() }.into()).await.unwrap();
    committed.memberships.into_iter().next().unwrap()
}

pub(crate) async fn member(store: &dyn Store, place: &Place, name: &str) -> Option<Member> {
    store.member(place, &user(name)).await.unwrap()
}

/// The read position of a member.
pub(crate) async fn read(store: &dyn Store, place: &Place, name: &str) -> Position {
    member(store, place, name).await.unwrap().read
}

pub(crate) async fn log_state(store: &dyn Store, place: &Place) -> Log {
    store.log(place).await.unwrap()
}

pub(crate) async fn head(store: &dyn Store, place: &Place) -> Seq {
    log_state(store, place).await.head.seq
}

pub(crate) async fn page(
    store: &dyn Store,
    place: &Place,
    range: PageRange,
    messages: u32,
) -> Vec<Entry> {
    let limit = PageLimit { messages, bytes: usize::MAX, attachments: usize::MAX };
    store.page(place, range, limit).await.unwrap().entries
}

/// All entries of a place.
pub(crate) async fn log(store: &dyn Store, place: &Place) -> Vec<Entry> {
    page(store, place, PageRange::After(Seq::ZERO), u32::MAX).await
}

pub(crate) async fn user_exists(store: &dyn Store, space: &Space, name: &str) -> bool {
    store.user_exists(space, &user(name)).await.unwrap()
}

/// A guest's first session.
pub(crate) fn guest(space: &Space, name: &str) -> UserSeen {
    UserSeen {
        space: space.clone(),
        user: user(name),
        identity_kind: IdentityKind::Guest("first".into()),
        display_name: None,
        device: None,
        at: time(1),
    }
}
