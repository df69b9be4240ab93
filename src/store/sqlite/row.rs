//! Domain types as they stand in a row, and back.
//!
//! What comes back was parsed before it went in. A row that does not make sense was damaged, and is
//! a decoding error.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes};
use sqlx::{
    Arguments as _, Row,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteRow},
};
use time::OffsetDateTime;

use super::plan::{Message, Says};
use crate::domain::{
    Act, Body, Content, Conversation, Entry, Kind, Log, Member, MessageId, Muted, Place, Position,
    Role, RoomName, Seq, Space, UserName,
};

const NANOS_PER_MILLI: i128 = 1_000_000;

/// What stands in place of a kind in the row of an edit.
pub(super) const EDIT: i64 = 4;
/// And in that of a deletion.
pub(super) const DELETION: i64 = 5;

/// A place as `(space, kind, one, other)`.
pub(super) fn key(place: &Place) -> (&str, i64, &str, &str) {
    let Place { space, conversation } = place;
    match conversation {
        Conversation::Room(room) => (space.as_raw(), 0, room.as_raw(), ""),
        Conversation::Direct(one, other) => (space.as_raw(), 1, one.as_raw(), other.as_raw()),
        Conversation::Inbox(user) => (space.as_raw(), 2, user.as_raw(), ""),
    }
}

pub(super) fn bind_place(
    arguments: &mut SqliteArguments,
    place: &Place,
) -> Result<(), BoxDynError> {
    let (space, kind, one, other) = key(place);
    arguments.add(space)?;
    arguments.add(kind)?;
    arguments.add(one)?;
    arguments.add(other)
}

/// Reads the columns `kind, one, other`.
pub(super) fn place(row: &SqliteRow, space: Space) -> Result<Place, sqlx::Error> {
    let (one, other): (&str, &str) = (row.try_get("one")?, row.try_get("other")?);
    let user = UserName::from_raw;
    let conversation = match row.try_get("kind")? {
        0_i64 => Conversation::Room(RoomName::from_raw(one)),
        1 => Conversation::Direct(user(one), user(other)),
        2 => Conversation::Inbox(user(one)),
        number => return Err(damaged(format!("there is no kind {number} of conversation"))),
    };
    Ok(Place { space, conversation })
}

/// No log comes near SQLite's largest number; a client's `before` may.
pub(super) fn seq_number(seq: Seq) -> i64 {
    number(seq.as_raw())
}

pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn count(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(damaged)
}

fn seq(number: i64) -> Result<Seq, sqlx::Error> {
    count(number).map(Seq::from_raw)
}

pub(super) fn position(seq: i64, messages: i64) -> Result<Position, sqlx::Error> {
    Ok(Position::from_raw(count(seq)?, count(messages)?))
}

pub(super) fn bind_position(
    arguments: &mut SqliteArguments,
    position: Position,
) -> Result<(), BoxDynError> {
    arguments.add(seq_number(position.seq))?;
    arguments.add(number(position.messages))
}

/// Reads the columns `head, messages, floor, floor_messages, members`.
pub(super) fn log(row: &SqliteRow) -> Result<Log, sqlx::Error> {
    Ok(Log {
        head: position(row.try_get("head")?, row.try_get("messages")?)?,
        floor: position(row.try_get("floor")?, row.try_get("floor_messages")?)?,
        members: count(row.try_get("members")?)?,
    })
}

pub(super) fn role_number(role: Role) -> i64 {
    match role {
        Role::Reader => 0,
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

/// Reads the columns `role, joined, read, read_messages, muted`.
pub(super) fn member(row: &SqliteRow) -> Result<Member, sqlx::Error> {
    let role = match row.try_get("role")? {
        0_i64 => Role::Reader,
        1 => Role::Member,
        2 => Role::Admin,
        3 => Role::Owner,
        number => return Err(damaged(format!("there is no role {number}"))),
    };
    let read = position(row.try_get("read")?, row.try_get("read_messages")?)?;
    let muted = if row.try_get("muted")? { Muted::Yes } else { Muted::No };
    let joined = seq(row.try_get("joined")?)?;
    Ok(Member { role, joined, read, muted })
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Message => 0,
        Kind::GroupChat => 1,
        Kind::SingleChat => 2,
        Kind::Notification => 3,
    }
}

fn kind(number: i64) -> Result<Kind, sqlx::Error> {
    match number {
        0 => Ok(Kind::Message),
        1 => Ok(Kind::GroupChat),
        2 => Ok(Kind::SingleChat),
        3 => Ok(Kind::Notification),
        _ => Err(damaged(format!("there is no kind {number}"))),
    }
}

/// Whole milliseconds since 1970; what is left over is cut off.
pub(super) fn millis(at: OffsetDateTime) -> i64 {
    let millis = at.unix_timestamp_nanos().div_euclid(NANOS_PER_MILLI);
    i64::try_from(millis).unwrap_or(i64::MAX)
}

pub(super) fn time(millis: i64) -> Result<OffsetDateTime, sqlx::Error> {
    let nanos = i128::from(millis) * NANOS_PER_MILLI;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(damaged)
}

/// Every byte string with its length before it; nothing for none.
fn frame(attachments: &[Bytes]) -> Result<Option<Vec<u8>>, BoxDynError> {
    if attachments.is_empty() {
        return Ok(None);
    }
    let size = attachments.iter().map(|bytes| bytes.len() + size_of::<u32>()).sum();
    let mut framed = Vec::with_capacity(size);
    for bytes in attachments {
        framed.put_u32_le(u32::try_from(bytes.len())?);
        framed.put_slice(bytes);
    }
    Ok(Some(framed))
}

fn unframe(framed: Option<Vec<u8>>) -> Result<Vec<Bytes>, sqlx::Error> {
    let mut rest = Bytes::from(framed.unwrap_or_default());
    let mut attachments = Vec::new();
    while rest.has_remaining() {
        let length = rest.try_get_u32_le().map_err(damaged)?;
        let length = usize::try_from(length).map_err(damaged)?;
        if length > rest.len() {
            return Err(damaged("an attachment is cut off"));
        }
        attachments.push(rest.split_to(length));
    }
    Ok(attachments)
}

/// Binds the columns `body, attachments`.
pub(super) fn bind_body(
    arguments: &mut SqliteArguments,
    body: Option<&Body>,
) -> Result<(), BoxDynError> {
    arguments.add(body.map(Body::json))?;
    arguments.add(body.map_or(Ok(None), |body| frame(body.attachments()))?)
}

/// Reads the columns `body, attachments`.
fn body(row: &SqliteRow) -> Result<Option<Body>, sqlx::Error> {
    let Some(json) = row.try_get::<Option<String>, _>("body")? else { return Ok(None) };
    Ok(Some(Body::from_raw(json.into(), unframe(row.try_get("attachments")?)?)))
}

/// Reads the columns `seq, messages, at, kind, target, edited_at, author, id, body, attachments`,
/// of which the last two are, in an edit, those of the message.
pub(super) fn entry(row: &SqliteRow, place: &Place) -> Result<Entry, sqlx::Error> {
    let of = || seq(row.try_get("target")?);
    let act = match row.try_get("kind")? {
        EDIT => Act::Edited { of: of()?, body: body(row)? },
        DELETION => Act::Deleted { of: of()? },
        number => Act::Said { kind: kind(number)?, content: content(row)? },
    };
    Ok(Entry {
        place: place.clone(),
        position: position(row.try_get("seq")?, row.try_get("messages")?)?,
        id: MessageId::from_raw(row.try_get("id")?),
        author: UserName::from_raw(row.try_get("author")?),
        at: time(row.try_get("at")?)?,
        act,
    })
}

fn content(row: &SqliteRow) -> Result<Content, sqlx::Error> {
    let Some(body) = body(row)? else { return Ok(Content::Gone) };
    let edited_at = row.try_get::<Option<i64>, _>("edited_at")?.map(time).transpose()?;
    Ok(Content::Body { body, edited_at })
}

/// Reads the columns `seq, at, kind, edited_at, deletion, deleted_at, body, attachments` of a
/// message.
pub(super) fn message(row: &SqliteRow) -> Result<(Seq, Message<'static>), sqlx::Error> {
    let says = match (row.try_get::<Option<i64>, _>("deletion")?, content(row)?) {
        (Some(deletion), _) => {
            Says::Nothing { seq: seq(deletion)?, at: time(row.try_get("deleted_at")?)? }
        }
        (None, Content::Body { body, edited_at: None }) => Says::First(Cow::Owned(body)),
        (None, Content::Body { .. } | Content::Gone) => Says::Other,
    };
    let (at, kind) = (time(row.try_get("at")?)?, kind(row.try_get("kind")?)?);
    Ok((seq(row.try_get("seq")?)?, Message { at, kind, says }))
}

fn damaged(why: impl Into<BoxDynError>) -> sqlx::Error {
    sqlx::Error::Decode(why.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn attachments_come_back_as_they_were(
            attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..5),
        ) {
            let attachments: Vec<_> = attachments.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(unframe(frame(&attachments).unwrap()).unwrap(), attachments);
        }

        #[test]
        fn damaged_attachments_are_an_error_and_no_panic(
            bytes in prop::collection::vec(0_u8..4, 0..20),
        ) {
            drop(unframe(Some(bytes)));
        }
    }

    #[test]
    fn a_time_before_1970_is_cut_downwards_too() {
        let at = OffsetDateTime::UNIX_EPOCH - time::Duration::microseconds(1500);
        assert_eq!(millis(at), -2);
    }

    #[test]
    fn an_attachment_that_is_cut_off_is_damage() {
        assert!(unframe(Some(vec![2, 0, 0, 0, 7])).is_err());
        assert!(unframe(Some(vec![2, 0, 0])).is_err());
        assert!(kind(EDIT).is_err());
        assert!(seq(-1).is_err());
    }
}
