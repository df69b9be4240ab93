//! From an event's name and data to what is asked.

mod conversation;
mod identity;
mod post;
mod room;

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    body::{self, AttachmentEncoding},
    json,
};
use crate::{
    chat::Request,
    domain::{Epoch, Limits, Rejection, Seq, UserName},
};

/// Requests for nothing but their answer.
const QUERIES: [&str; 3] = ["GroupList", "history", "presence"];

/// All others but `new user`.
const OTHERS: [&str; 14] = [
    "send message",
    "GroupChat",
    "SingleChat",
    "join",
    "leave",
    "read",
    "mute",
    "typing",
    "edit message",
    "delete message",
    "invite",
    "kick",
    "notify",
    "auth",
];

/// Longest name of a database, in bytes. Ours are shorter.
const EPOCH_BYTES_MAX: usize = 64;

const NOT_AN_OBJECT: Rejection = Rejection::BadRequest("the data is not of the documented form");
const BAD_EPOCH: Rejection = Rejection::BadRequest("an epoch has 1 to 64 visible ASCII characters");

/// The data of a request as it came, and the byte strings beside it.
pub(super) struct RequestData<'a> {
    pub(super) raw: Option<&'a RawValue>,
    pub(super) attachments: &'a [Bytes],
    pub(super) encoding: AttachmentEncoding,
}

/// Which request an answer belongs to, as far as its form depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `new user`, whose answer has a form of its own.
    NewUser,
    /// Asked for nothing but its answer, which comes as an event when no acknowledgement was
    /// asked for.
    Query(&'static str),
    /// Any other.
    Other(&'static str),
    /// One that we do not know.
    Unknown,
}

impl RequestKind {
    /// The request with this name.
    pub fn of(event: &str) -> Self {
        let among = |names: &[&'static str]| names.iter().find(|name| **name == event).copied();
        match (among(&QUERIES), among(&OTHERS)) {
            (Some(name), _) => Self::Query(name),
            (None, Some(name)) => Self::Other(name),
            (None, None) if event == "new user" => Self::NewUser,
            (None, None) => Self::Unknown,
        }
    }

    /// Its name, where it is one of ours.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::NewUser => Some("new user"),
            Self::Query(name) | Self::Other(name) => Some(name),
            Self::Unknown => None,
        }
    }
}

/// Parses one request.
pub(super) fn request(
    event: &str,
    data: &RequestData<'_>,
    limits: &Limits,
) -> Result<Request, Rejection> {
    if let Some(raw) = data.raw {
        json::check_depth(raw.get())?;
    }
    match event {
        "new user" => identity::new_user(data),
        "auth" => identity::auth(data),
        "presence" => identity::presence(data),
        "send message" => post::send(data, limits),
        "GroupChat" => post::group_chat(data, limits),
        "SingleChat" => post::single_chat(data, limits),
        "notify" => post::notify(data, limits),
        "edit message" => post::edit(data, limits),
        "delete message" => post::delete(data),
        "GroupList" => room::group_list(data),
        "join" => room::join(data),
        "leave" => room::leave(data),
        "invite" => room::invite(data),
        "kick" => room::kick(data),
        "history" => conversation::history(data),
        "read" => conversation::read(data),
        "mute" => conversation::mute(data),
        "typing" => conversation::typing(data),
        _ => Err(Rejection::UnknownEvent),
    }
}

/// An object of the documented form.
fn object<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, Rejection> {
    // Without this an array would do: its items would be taken for the fields, in order.
    let text = raw.map(RawValue::get).filter(|text| text.starts_with('{'));
    serde_json::from_str(text.ok_or(NOT_AN_OBJECT)?).map_err(|_error| NOT_AN_OBJECT)
}

/// Text that is borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

/// The data, if it is a string and nothing else.
fn string(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str(raw?.get()).ok().map(|BorrowedText(text)| text)
}

/// Whether there is no data. Bytes are some, and never what these requests want.
fn is_absent(data: &RequestData<'_>) -> Result<bool, Rejection> {
    match data.raw {
        Some(raw) if body::is_bytes(raw, data.encoding) => Err(NOT_AN_OBJECT),
        raw => Ok(raw.is_none_or(|raw| raw.get() == "null")),
    }
}

/// Parses the text that is there.
fn parse<T>(
    raw: Option<Cow<'_, str>>,
    parse: impl FnOnce(&str) -> Result<T, Rejection>,
) -> Result<Option<T>, Rejection> {
    raw.map(|raw| parse(&raw)).transpose()
}

/// Somebody else. Nobody has a name that is none.
fn other_user(raw: &str) -> Result<UserName, Rejection> {
    UserName::parse(raw).map_err(|_not_a_name| Rejection::NoSuchUser)
}

/// A `seq` that a JavaScript client can hold.
pub(super) fn seq(raw: u64) -> Result<Seq, Rejection> {
    let seq = Seq::from_raw(raw);
    if seq <= Seq::MAX { Ok(seq) } else { Err(Rejection::BadRequest("a seq is at most 2^53 - 1")) }
}

/// The name of a database, ours or not. It is kept for as long as the connection is.
pub(super) fn epoch(raw: &str) -> Result<Epoch, Rejection> {
    let fits = (1..=EPOCH_BYTES_MAX).contains(&raw.len());
    let plain = raw.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && plain { Ok(Epoch::from_raw(raw)) } else { Err(BAD_EPOCH) }
}

#[cfg(test)]
mod tests;
