//! Encodes and decodes single values, as strictly as the domain.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::{DecodeError, ID_BYTES_MAX, Malformed};
use crate::domain::{EventName, MessageKind, NodeId, Position, Seq, Space, UserName};

/// Borrowed or owned text.
pub(super) type Text<'a> = Cow<'a, str>;

const NANOS_PER_MILLI: i128 = 1_000_000;

pub(super) fn name(user: &UserName) -> Text<'_> {
    user.as_raw().into()
}

pub(super) fn user(raw: &str) -> Result<UserName, Malformed> {
    UserName::parse(raw).ok().ok_or(Malformed::Value("user"))
}

pub(super) fn space(raw: &str) -> Result<Space, Malformed> {
    Space::parse(raw).ok().ok_or(Malformed::Value("space"))
}

pub(super) fn node(raw: &str) -> Result<NodeId, Malformed> {
    parse_id(raw, "node").map(NodeId::from_raw)
}

/// An id within the limits of length.
pub(super) fn parse_id<'a>(raw: &'a str, what: &'static str) -> Result<&'a str, Malformed> {
    let fits = (1..=ID_BYTES_MAX).contains(&raw.len());
    if fits { Ok(raw) } else { Err(Malformed::Value(what)) }
}

pub(super) fn seq_of(raw: u64) -> Result<Seq, Malformed> {
    let fits = raw <= Seq::MAX.as_raw();
    if fits { Ok(Seq::from_raw(raw)) } else { Err(Malformed::Value("seq")) }
}

/// There cannot be more messages than entries.
pub(super) fn position(seq: u64, messages: u64) -> Result<Position, Malformed> {
    let seq = seq_of(seq)?;
    if messages > seq.as_raw() {
        return Err(Malformed::Value("position"));
    }
    Ok(Position { seq, messages })
}

/// The name of a kind. That of an event of the application is beside it: see [`event_of`].
pub(super) fn kind_name(kind: &MessageKind) -> &'static str {
    match kind {
        MessageKind::Custom(_) => "event",
        MessageKind::Message => "message",
        MessageKind::GroupChat => "group chat",
        MessageKind::SingleChat => "single chat",
        MessageKind::Notification => "notification",
    }
}

/// The name of the event, of a kind that has one.
pub(super) fn event_of(kind: &MessageKind) -> Option<Text<'_>> {
    match kind {
        MessageKind::Custom(name) => Some(name.as_raw().into()),
        MessageKind::Message
        | MessageKind::GroupChat
        | MessageKind::SingleChat
        | MessageKind::Notification => None,
    }
}

pub(super) fn event_name(raw: &str) -> Result<EventName, Malformed> {
    EventName::parse_emitted(raw).ok().ok_or(Malformed::Value("event"))
}

pub(super) fn kind_named(name: &str, event: Option<&str>) -> Result<MessageKind, DecodeError> {
    match name {
        "event" => Ok(MessageKind::Custom(event_name(event.ok_or(Malformed::Form)?)?)),
        "message" => Ok(MessageKind::Message),
        "group chat" => Ok(MessageKind::GroupChat),
        "single chat" => Ok(MessageKind::SingleChat),
        "notification" => Ok(MessageKind::Notification),
        _ => Err(DecodeError::Unknown),
    }
}

pub(super) fn to_ms(at: OffsetDateTime) -> Result<i64, Malformed> {
    let ms = at.unix_timestamp_nanos().div_euclid(NANOS_PER_MILLI);
    i64::try_from(ms).ok().ok_or(Malformed::NotEncodable)
}

pub(super) fn from_ms(ms: i64) -> Result<OffsetDateTime, Malformed> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * NANOS_PER_MILLI);
    at.ok().ok_or(Malformed::Value("time"))
}
