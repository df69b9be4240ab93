//! Short words for what the tests of every engine say again and again.

use time::{Duration, OffsetDateTime};

use crate::{
    chat::ports::{Batch, Draft, Outcome, PageLimit, Range, Seen, Store, Voucher},
    domain::{Body, Conversation, Kind, Message, MessageId, Place, RoomName, Seq, Space, UserName},
};

/// A body of each author's own, at a time of its own.
pub(crate) fn numbered(room: &str, n: u64) -> Draft {
    Draft { at: time(n), ..draft(room, &n.to_string(), &n.to_string()) }
}

/// What `author` says in a room of `/`.
pub(crate) fn draft(room: &str, id: &str, text: &str) -> Draft {
    Draft {
        place: self::room(room),
        id: MessageId::from_raw(id),
        kind: Kind::Message,
        author: user("author"),
        body: body(text),
        at: time(1),
    }
}

/// A draft as it comes back.
pub(crate) fn stored(draft: Draft, n: u64) -> Message {
    let Draft { place, id, kind, author, body, at } = draft;
    Message { place, seq: seq(n), id, kind, author, body, at }
}

pub(crate) fn room(name: &str) -> Place {
    Place::room(&Space::root(), &RoomName::from_raw(name))
}

pub(crate) fn direct(space: &str, one: &str, other: &str) -> Place {
    let conversation = Conversation::Direct(user(one), user(other));
    Place { space: Space::from_raw(space), conversation }
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::from_raw(name)
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::from_raw(number)
}

/// Some millisecond of 2023.
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

pub(crate) async fn commit(store: &dyn Store, drafts: Vec<Draft>) -> Vec<Outcome> {
    store.commit(&Batch { seen: Vec::new(), drafts }).await.unwrap()
}

pub(crate) async fn head(store: &dyn Store, place: &Place) -> Seq {
    store.head(place).await.unwrap()
}

pub(crate) async fn page(
    store: &dyn Store,
    place: &Place,
    range: Range,
    messages: u32,
) -> Vec<Message> {
    let limit = PageLimit { messages, bytes: usize::MAX, attachments: usize::MAX };
    store.page(place, range, limit).await.unwrap().messages
}

/// All that was said in a place.
pub(crate) async fn log(store: &dyn Store, place: &Place) -> Vec<Message> {
    page(store, place, Range::After(Seq::ZERO), u32::MAX).await
}

pub(crate) async fn knows(store: &dyn Store, space: &Space, name: &str) -> bool {
    store.knows(space, &user(name)).await.unwrap()
}

/// Somebody whom nobody vouches for.
pub(crate) fn guest(space: &Space, name: &str) -> Seen {
    Seen {
        space: space.clone(),
        user: user(name),
        voucher: Voucher::Nobody,
        device: None,
        at: time(1),
    }
}
