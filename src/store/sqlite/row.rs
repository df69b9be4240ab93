//! Domain types as they stand in a row, and back.
//!
//! What comes back was parsed before it went in. A row that does not make sense was damaged, and is
//! a decoding error.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes};
use sqlx::{Row, error::BoxDynError, sqlite::SqliteRow};
use time::OffsetDateTime;

use super::plan::First;
use crate::domain::{Body, Conversation, Kind, Message, MessageId, Place, Seq, UserName};

const NANOS_PER_MILLI: i128 = 1_000_000;

/// A place as `(space, kind, one, other)`.
pub(super) fn key(place: &Place) -> (&str, i64, &str, &str) {
    let Place { space, conversation } = place;
    match conversation {
        Conversation::Room(room) => (space.as_raw(), 0, room.as_raw(), ""),
        Conversation::Direct(one, other) => (space.as_raw(), 1, one.as_raw(), other.as_raw()),
    }
}

/// No log comes near SQLite's largest number; a client's `before` may.
pub(super) fn seq_number(seq: Seq) -> i64 {
    i64::try_from(seq.as_raw()).unwrap_or(i64::MAX)
}

pub(super) fn seq(number: i64) -> Result<Seq, sqlx::Error> {
    u64::try_from(number).map(Seq::from_raw).map_err(damaged)
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Message => 0,
        Kind::GroupChat => 1,
        Kind::SingleChat => 2,
    }
}

fn kind(number: i64) -> Result<Kind, sqlx::Error> {
    match number {
        0 => Ok(Kind::Message),
        1 => Ok(Kind::GroupChat),
        2 => Ok(Kind::SingleChat),
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
pub(super) fn frame(attachments: &[Bytes]) -> Result<Option<Vec<u8>>, BoxDynError> {
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

/// Reads the columns `seq, at, kind, body, attachments, author, id`.
pub(super) fn message(row: &SqliteRow, place: &Place) -> Result<Message, sqlx::Error> {
    let First { seq, at, kind, body } = first(row)?;
    Ok(Message {
        place: place.clone(),
        seq,
        id: MessageId::from_raw(row.try_get("id")?),
        kind,
        author: UserName::from_raw(row.try_get("author")?),
        body: body.into_owned(),
        at,
    })
}

/// Reads the columns `seq, at, kind, body, attachments`.
pub(super) fn first(row: &SqliteRow) -> Result<First<'static>, sqlx::Error> {
    let json: String = row.try_get("body")?;
    let body = Body::from_raw(json.into(), unframe(row.try_get("attachments")?)?);
    Ok(First {
        seq: seq(row.try_get("seq")?)?,
        at: time(row.try_get("at")?)?,
        kind: kind(row.try_get("kind")?)?,
        body: Cow::Owned(body),
    })
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
        assert!(kind(3).is_err());
        assert!(seq(-1).is_err());
    }
}
