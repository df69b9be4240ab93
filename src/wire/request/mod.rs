//! Requests: the table of names and parsers.

mod answer;
mod conversation;
mod custom;
mod identity;
mod list;
mod post;
mod room;

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    body::{self, AttachmentEncoding},
    json, keys,
};
use crate::{
    chat::{Request, RequestContext},
    domain::{Epoch, EventName, Rejection, Seq, UserName},
};

pub use self::answer::ANSWER_NAME;
pub(super) use self::answer::{AnswerPacket, answer, of_packet};

/// Longest epoch of a client, in bytes. Those of the server are shorter.
const EPOCH_BYTES_MAX: usize = 64;

/// The characters of an unknown event's name that a refusal repeats.
const NAME_CHARS_MAX: usize = 64;

const NOT_AN_OBJECT: Rejection = Rejection::BadRequest("the data is not of the documented form");
const BAD_EPOCH: Rejection = Rejection::BadRequest("an epoch has 1 to 64 visible ASCII characters");

/// Every request of the protocol, in the order of the table in docs/protocol.md.
///
/// A new request is one row here, its parser and its row in the document; a test compares the two.
pub static REQUESTS: [RequestSpec; 22] = [
    RequestSpec::new("new user", ReplyForm::UserAndToken, identity::new_user),
    RequestSpec::new("identify", ReplyForm::Acknowledgement, identity::identify),
    RequestSpec::new("send message", ReplyForm::Acknowledgement, post::send),
    RequestSpec::new("GroupChat", ReplyForm::Acknowledgement, post::group_chat),
    RequestSpec::new("SingleChat", ReplyForm::Acknowledgement, post::single_chat),
    RequestSpec::new("GroupList", ReplyForm::AcknowledgementOrEvent, room::group_list),
    RequestSpec::new("join", ReplyForm::Acknowledgement, room::join),
    RequestSpec::new("leave", ReplyForm::Acknowledgement, room::leave),
    RequestSpec::new("history", ReplyForm::AcknowledgementOrEvent, conversation::history),
    RequestSpec::new("read", ReplyForm::Acknowledgement, conversation::read),
    RequestSpec::new("mute", ReplyForm::Acknowledgement, conversation::mute),
    RequestSpec::new("typing", ReplyForm::Acknowledgement, conversation::typing),
    RequestSpec::new("edit message", ReplyForm::Acknowledgement, post::edit),
    RequestSpec::new("delete message", ReplyForm::Acknowledgement, post::delete),
    RequestSpec::new("invite", ReplyForm::Acknowledgement, room::invite),
    RequestSpec::new("kick", ReplyForm::Acknowledgement, room::kick),
    RequestSpec::new("topic", ReplyForm::Acknowledgement, room::topic),
    RequestSpec::new("notify", ReplyForm::Acknowledgement, post::notify),
    RequestSpec::new("members", ReplyForm::Acknowledgement, list::members),
    RequestSpec::new("rooms", ReplyForm::Acknowledgement, list::rooms),
    RequestSpec::new("presence", ReplyForm::AcknowledgementOrEvent, identity::presence),
    RequestSpec::new("auth", ReplyForm::Acknowledgement, identity::auth),
];

/// One row of [`REQUESTS`].
#[derive(Clone, Copy, Debug)]
pub struct RequestSpec {
    /// The name of the event that carries the request.
    pub name: &'static str,
    /// How the request is answered.
    pub reply: ReplyForm,
    parse: Parser,
}

/// Parses the data of one request.
type Parser = fn(&RequestData<'_>) -> Result<Request, Rejection>;

/// How a request is answered when it succeeds. A refusal without an acknowledgement is always the
/// event `error message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyForm {
    /// In the acknowledgement. Without one, the client receives no answer.
    Acknowledgement,
    /// In the acknowledgement. Without one, as an event with the name of the request.
    AcknowledgementOrEvent,
    /// As [`Acknowledgement`](Self::Acknowledgement), but with two arguments over Socket.IO.
    UserAndToken,
}

/// The arguments of a request as received, and the byte strings beside them.
pub(super) struct RequestData<'a> {
    /// The first argument: all that a request of the table has.
    pub(super) raw: Option<&'a RawValue>,
    /// The others.
    pub(super) more: &'a [&'a RawValue],
    pub(super) attachments: &'a [Bytes],
    pub(super) encoding: AttachmentEncoding,
    pub(super) context: RequestContext<'a>,
}

/// The request of a reply, as far as the reply depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A request of the table.
    Known(&'static str, ReplyForm),
    /// A request that is not in the table, with the beginning of its name if it has one.
    Unknown(Option<Box<str>>),
}

impl RequestSpec {
    const fn new(name: &'static str, reply: ReplyForm, parse: Parser) -> Self {
        Self { name, reply, parse }
    }

    /// The row of the request with this name.
    fn find(name: &str) -> Option<&'static Self> {
        REQUESTS.iter().find(|row| row.name == name)
    }
}

impl RequestKind {
    /// The request with this name.
    pub fn of(event: &str) -> Self {
        let unknown = || Self::Unknown(Some(event.chars().take(NAME_CHARS_MAX).collect()));
        RequestSpec::find(event).map_or_else(unknown, |row| Self::Known(row.name, row.reply))
    }

    /// The name of the request, if it is in the table.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Known(name, _) => Some(name),
            Self::Unknown(_) => None,
        }
    }

    /// The name that the client sent, cut at [`NAME_CHARS_MAX`].
    pub fn sent_name(&self) -> Option<&str> {
        match self {
            Self::Known(name, _) => Some(name),
            Self::Unknown(name) => name.as_deref(),
        }
    }
}

/// Parses one request: one of the table, or an event of the application for which there is a rule.
pub(super) fn request(event: &str, data: &RequestData<'_>) -> Result<Request, Rejection> {
    for raw in data.raw.iter().chain(data.more) {
        json::check_depth(raw.get())?;
    }
    if let Some(row) = RequestSpec::find(event) {
        return (row.parse)(data).map_err(|rejection| name_keys(rejection, row, data));
    }
    let RequestContext { events, space, .. } = data.context;
    let name = EventName::parse(event)?;
    let (number, rule) = events.find(space, &name).ok_or(Rejection::UnknownEvent)?;
    custom::event(name, (number, rule), data)
}

/// Names the wrong keys of data that has not the documented form, if some are wrong.
fn name_keys(rejection: Rejection, row: &RequestSpec, data: &RequestData<'_>) -> Rejection {
    let is_bytes = data.raw.is_some_and(|raw| body::is_bytes(raw, data.encoding));
    if rejection != NOT_AN_OBJECT || is_bytes {
        return rejection;
    }
    let mismatch = keys::of_request(row.name, data.raw);
    mismatch.map_or(rejection, |it| Rejection::Keys(Box::new(it)))
}

/// Whether a request of this name reads its first argument only.
pub(super) fn reads_one_argument(event: &str) -> bool {
    RequestSpec::find(event).is_some()
}

/// An object of the documented form. The structs refuse unknown keys, which [`name_keys`] names.
fn object<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, Rejection> {
    // serde would accept an array and read its items as the fields, in order.
    let text = raw.map(RawValue::get).filter(|text| text.starts_with('{'));
    serde_json::from_str(text.ok_or(NOT_AN_OBJECT)?).map_err(|_error| NOT_AN_OBJECT)
}

/// Text that is borrowed if it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct BorrowedText<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The data, if it is a string.
pub(super) fn string(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str(raw?.get()).ok().map(|BorrowedText(text)| text)
}

/// Whether there is no data. A byte string is refused.
fn is_absent(data: &RequestData<'_>) -> Result<bool, Rejection> {
    match data.raw {
        Some(raw) if body::is_bytes(raw, data.encoding) => Err(NOT_AN_OBJECT),
        raw => Ok(raw.is_none_or(|raw| raw.get() == "null")),
    }
}

/// Parses an optional text.
fn parse<T>(
    raw: Option<Cow<'_, str>>,
    parse: impl FnOnce(&str) -> Result<T, Rejection>,
) -> Result<Option<T>, Rejection> {
    raw.map(|raw| parse(&raw)).transpose()
}

/// The name of another user. No user has an invalid name.
fn other_user(raw: &str) -> Result<UserName, Rejection> {
    UserName::parse(raw).map_err(|_not_a_name| Rejection::NoSuchUser)
}

/// A `seq` that a JavaScript client can hold.
pub(super) fn seq(raw: u64) -> Result<Seq, Rejection> {
    let seq = Seq::from_raw(raw);
    if seq <= Seq::MAX { Ok(seq) } else { Err(Rejection::BadRequest("a seq is at most 2^53 - 1")) }
}

/// An epoch, of this database or another. It is kept as long as the connection, so its length is
/// bounded.
pub(super) fn epoch(raw: &str) -> Result<Epoch, Rejection> {
    let fits = (1..=EPOCH_BYTES_MAX).contains(&raw.len());
    let plain = raw.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && plain { Ok(Epoch::from_raw(raw)) } else { Err(BAD_EPOCH) }
}

#[cfg(test)]
mod tests;
