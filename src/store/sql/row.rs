//! Maps domain types to the columns of either database, and back.
//!
//! Values were validated before they were written. A row with invalid values is damaged, and
//! results in a decoding error.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes};
use time::OffsetDateTime;

use super::{
    columns::{ColumnError, Columns},
    draft_plan::{ContentState, PriorMessage},
    member_plan::CurrentMember,
};
use crate::{
    chat::ports::{Draft, MemberRow, Membership, PostedMessage, RoomRow},
    domain::{
        Act, Body, Content, Conversation, DisplayName, Entry, EventName, Log, Member, MessageId,
        MessageKind, Muted, Place, Position, Role, RoomName, RoomTopic, Seq, Space, UserName,
    },
};

const NANOS_PER_MILLI: i128 = 1_000_000;

/// The `kind` of an edit's row. With a text in `event`, it is the row of a topic: the change of
/// [`ROOM_ITSELF`] to this text. The tables of earlier versions check kinds and bodies.
pub(crate) const EDIT: i64 = 4;
/// The `kind` of a deletion's row.
pub(crate) const DELETION: i64 = 5;
/// The `target` of a topic's row: no entry has this seq.
pub(crate) const ROOM_ITSELF: i64 = 0;

/// A place as `(space, kind, one, other)`.
pub(crate) fn place_columns(place: &Place) -> (&str, i64, &str, &str) {
    let Place { space, conversation } = place;
    match conversation {
        Conversation::Room(room) => (space.as_raw(), 0, room.as_raw(), ""),
        Conversation::Direct(one, other) => (space.as_raw(), 1, one.as_raw(), other.as_raw()),
        Conversation::Inbox(user) => (space.as_raw(), 2, user.as_raw(), ""),
    }
}

/// Reads the columns `kind, one, other`.
pub(crate) fn place(row: &impl Columns, space: Space) -> Result<Place, ColumnError> {
    let (one, other) = (row.text("one")?, row.text("other")?);
    let user = UserName::from_raw;
    let conversation = match row.int("kind")? {
        0 => Conversation::Room(RoomName::from_raw(one)),
        1 => Conversation::Direct(user(one), user(other)),
        2 => Conversation::Inbox(user(one)),
        number => {
            return Err(ColumnError::new(format!("there is no kind {number} of conversation")));
        }
    };
    Ok(Place { space, conversation })
}

/// A log never reaches a database's largest number; a client's `before` may.
pub(crate) fn seq_number(seq: Seq) -> i64 {
    number(seq.as_raw())
}

pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn count(number: i64) -> Result<u64, ColumnError> {
    u64::try_from(number).map_err(ColumnError::new)
}

fn seq(number: i64) -> Result<Seq, ColumnError> {
    count(number).map(Seq::from_raw)
}

pub(crate) fn position(seq: i64, messages: i64) -> Result<Position, ColumnError> {
    Ok(Position::from_raw(count(seq)?, count(messages)?))
}

/// Reads the columns `head, messages, floor, floor_messages, members, deleted`.
pub(crate) fn log(row: &impl Columns) -> Result<Log, ColumnError> {
    Ok(Log {
        head: position(row.int("head")?, row.int("messages")?)?,
        floor: position(row.int("floor")?, row.int("floor_messages")?)?,
        members: count(row.int("members")?)?,
        deleted: count(row.int("deleted")?)?,
    })
}

/// Reads the columns of a log and `topic, one`.
pub(crate) fn room(row: &impl Columns) -> Result<RoomRow, ColumnError> {
    let room = RoomName::from_raw(row.text("one")?);
    Ok(RoomRow { room, log: log(row)?, topic: topic(row)? })
}

/// Reads the column `topic`.
pub(crate) fn topic(row: &impl Columns) -> Result<Option<RoomTopic>, ColumnError> {
    Ok(row.maybe_text("topic")?.and_then(RoomTopic::from_raw))
}

pub(crate) fn role_number(role: Role) -> i64 {
    match role {
        Role::Reader => 0,
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

pub(crate) fn role(number: i64) -> Result<Role, ColumnError> {
    match number {
        0 => Ok(Role::Reader),
        1 => Ok(Role::Member),
        2 => Ok(Role::Admin),
        3 => Ok(Role::Owner),
        number => Err(ColumnError::new(format!("there is no role {number}"))),
    }
}

/// Reads the columns `user, role, joined_at, display_name`.
pub(crate) fn member_row(row: &impl Columns) -> Result<MemberRow, ColumnError> {
    Ok(MemberRow {
        user: UserName::from_raw(row.text("user")?),
        role: role(row.int("role")?)?,
        joined_at: row.maybe_int("joined_at")?.map(time).transpose()?,
        name: row.maybe_text("display_name")?.map(DisplayName::from_raw),
    })
}

/// Reads the columns `role, joined, read, read_messages, muted`.
pub(crate) fn member(row: &impl Columns) -> Result<Member, ColumnError> {
    let role = role(row.int("role")?)?;
    let read = position(row.int("read")?, row.int("read_messages")?)?;
    let muted = if row.flag("muted")? { Muted::Yes } else { Muted::No };
    let joined = seq(row.int("joined")?)?;
    Ok(Member { role, joined, read, muted })
}

/// Reads the columns of a member, of the log, and `kind, one, other, topic, unread_deleted`.
pub(crate) fn membership(row: &impl Columns, space: Space) -> Result<Membership, ColumnError> {
    let (place, deleted) = (place(row, space)?, count(row.int("unread_deleted")?)?);
    Ok(Membership { place, member: member(row)?, log: log(row)?, topic: topic(row)?, deleted })
}

/// Reads the columns of a member and `up_to, unread_deleted`.
pub(crate) fn current_member(row: &impl Columns) -> Result<CurrentMember, ColumnError> {
    let messages = row.maybe_int("up_to")?.map(count).transpose()?;
    let deleted = count(row.int("unread_deleted")?)?;
    Ok(CurrentMember { member: member(row)?, messages, deleted })
}

/// The guest session of a draft's author; empty for a registered user.
pub(crate) fn stay(draft: &Draft) -> &str {
    draft.guest_session.as_deref().unwrap_or_default()
}

/// Reads the columns `id, author, stay, kind, event` of a message.
pub(crate) fn posted_message(row: &impl Columns) -> Result<PostedMessage, ColumnError> {
    let stay = row.text("stay")?;
    Ok(PostedMessage {
        id: MessageId::from_raw(row.text("id")?),
        author: UserName::from_raw(row.text("author")?),
        guest_session: (!stay.is_empty()).then(|| stay.into()),
        kind: kind(row)?,
    })
}

/// A kind as the columns `kind, event`. An event of the application has the number of a message,
/// because the tables of earlier versions check the numbers.
pub(crate) fn kind_columns(kind: &MessageKind) -> (i64, Option<&str>) {
    match kind {
        MessageKind::Message => (0, None),
        MessageKind::GroupChat => (1, None),
        MessageKind::SingleChat => (2, None),
        MessageKind::Notification => (3, None),
        MessageKind::Custom(name) => (0, Some(name.as_raw())),
    }
}

/// Reads the columns `kind, event` of a message.
fn kind(row: &impl Columns) -> Result<MessageKind, ColumnError> {
    let event = row.maybe_text("event")?;
    event.map_or_else(
        || numbered_kind(row.int("kind")?),
        |name| Ok(MessageKind::Custom(EventName::from_raw(name))),
    )
}

fn numbered_kind(number: i64) -> Result<MessageKind, ColumnError> {
    match number {
        0 => Ok(MessageKind::Message),
        1 => Ok(MessageKind::GroupChat),
        2 => Ok(MessageKind::SingleChat),
        3 => Ok(MessageKind::Notification),
        _ => Err(ColumnError::new(format!("there is no kind {number}"))),
    }
}

/// Whole milliseconds since 1970; the rest is truncated.
pub(crate) fn millis(at: OffsetDateTime) -> i64 {
    let millis = at.unix_timestamp_nanos().div_euclid(NANOS_PER_MILLI);
    i64::try_from(millis).unwrap_or(i64::MAX)
}

pub(crate) fn time(millis: i64) -> Result<OffsetDateTime, ColumnError> {
    let nanos = i128::from(millis) * NANOS_PER_MILLI;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(ColumnError::new)
}

/// Every byte string with its length before it; nothing for none.
fn frame(attachments: &[Bytes]) -> Result<Option<Vec<u8>>, ColumnError> {
    if attachments.is_empty() {
        return Ok(None);
    }
    let size = attachments.iter().map(|bytes| bytes.len() + size_of::<u32>()).sum();
    let mut framed = Vec::with_capacity(size);
    for bytes in attachments {
        framed.put_u32_le(u32::try_from(bytes.len()).map_err(ColumnError::new)?);
        framed.put_slice(bytes);
    }
    Ok(Some(framed))
}

fn unframe(framed: Option<&[u8]>) -> Result<Vec<Bytes>, ColumnError> {
    let mut rest = Bytes::copy_from_slice(framed.unwrap_or_default());
    let mut attachments = Vec::new();
    while rest.has_remaining() {
        let length = rest.try_get_u32_le().map_err(ColumnError::new)?;
        let length = usize::try_from(length).map_err(ColumnError::new)?;
        if length > rest.len() {
            return Err(ColumnError::new("an attachment is cut off"));
        }
        attachments.push(rest.split_to(length));
    }
    Ok(attachments)
}

/// A body as the columns `body, attachments`.
pub(crate) fn body_columns(
    body: Option<&Body>,
) -> Result<(Option<&str>, Option<Vec<u8>>), ColumnError> {
    let attachments = body.map_or(Ok(None), |body| frame(body.attachments()))?;
    Ok((body.map(Body::json), attachments))
}

/// Reads the columns `body, attachments`.
fn body(row: &impl Columns) -> Result<Option<Body>, ColumnError> {
    let Some(json) = row.maybe_text("body")? else { return Ok(None) };
    Ok(Some(Body::from_raw(json.into(), unframe(row.maybe_bytes("attachments")?)?)))
}

/// Reads the columns `seq, messages, at, kind, event, target, edited_at, author, id, body,
/// attachments`; in an edit, the last two are those of the message.
pub(crate) fn entry(row: &impl Columns, place: &Place) -> Result<Entry, ColumnError> {
    let of = || seq(row.int("target")?);
    let act = match row.int("kind")? {
        EDIT => match row.maybe_text("event")? {
            Some(topic) => Act::Topic(RoomTopic::from_raw(topic)),
            None => Act::Edited { of: of()?, body: body(row)? },
        },
        DELETION => Act::Deleted { of: of()? },
        _ => Act::Said { kind: kind(row)?, content: content(row)? },
    };
    Ok(Entry {
        place: place.clone(),
        position: position(row.int("seq")?, row.int("messages")?)?,
        id: MessageId::from_raw(row.text("id")?),
        author: UserName::from_raw(row.text("author")?),
        author_name: None,
        at: time(row.int("at")?)?,
        act,
    })
}

fn content(row: &impl Columns) -> Result<Content, ColumnError> {
    let Some(body) = body(row)? else { return Ok(Content::Removed) };
    let edited_at = row.maybe_int("edited_at")?.map(time).transpose()?;
    Ok(Content::Body { body, edited_at })
}

/// Reads the columns `seq, at, kind, event, edited_at, deletion, deleted_at, body, attachments` of a
/// message.
pub(crate) fn message(row: &impl Columns) -> Result<(Seq, PriorMessage<'static>), ColumnError> {
    let content_state = match (row.maybe_int("deletion")?, content(row)?) {
        (Some(deletion), _) => {
            ContentState::Deleted { seq: seq(deletion)?, at: time(row.int("deleted_at")?)? }
        }
        (None, Content::Body { body, edited_at: None }) => ContentState::Original(Cow::Owned(body)),
        (None, Content::Body { .. } | Content::Removed) => ContentState::Edited,
    };
    let (at, kind) = (time(row.int("at")?)?, kind(row)?);
    Ok((seq(row.int("seq")?)?, PriorMessage { at, kind: Cow::Owned(kind), content: content_state }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn attachments_round_trip(
            attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..5),
        ) {
            let attachments: Vec<_> = attachments.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(unframe(frame(&attachments).unwrap().as_deref()).unwrap(), attachments);
        }

        #[test]
        fn damaged_attachments_do_not_panic(
            bytes in prop::collection::vec(0_u8..4, 0..20),
        ) {
            drop(unframe(Some(&bytes)));
        }
    }

    #[test]
    fn time_before_1970_is_rounded_down() {
        let at = OffsetDateTime::UNIX_EPOCH - time::Duration::microseconds(1500);
        assert_eq!(millis(at), -2);
    }

    #[test]
    fn truncated_attachment_is_an_error() {
        assert!(unframe(Some(&[2, 0, 0, 0, 7])).is_err());
        assert!(unframe(Some(&[2, 0, 0])).is_err());
        assert!(numbered_kind(EDIT).is_err());
        assert!(seq(-1).is_err());
    }
}
