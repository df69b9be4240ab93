//! From an event's name and data to what is asked.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    body::{self, Form},
    json,
};
use crate::{
    chat::{HistoryOf, Request, RoomPost, ports::Range},
    domain::{Body, DeviceId, Limits, MessageId, Rejection, RoomName, Seq, Token, UserName},
};

/// The data of a request as it came, and the byte strings beside it.
pub(super) struct Data<'a> {
    pub(super) raw: Option<&'a RawValue>,
    pub(super) attachments: &'a [Bytes],
    pub(super) form: Form,
}

/// Which request an answer belongs to, as far as its form depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
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

impl Asked {
    /// The request with this name.
    pub fn of(event: &str) -> Self {
        match event {
            "new user" => Self::NewUser,
            "GroupList" => Self::Query("GroupList"),
            "history" => Self::Query("history"),
            "send message" => Self::Other("send message"),
            "GroupChat" => Self::Other("GroupChat"),
            "SingleChat" => Self::Other("SingleChat"),
            "join" => Self::Other("join"),
            "leave" => Self::Other("leave"),
            "auth" => Self::Other("auth"),
            _ => Self::Unknown,
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
pub(super) fn request(event: &str, data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    if let Some(raw) = data.raw {
        json::check_depth(raw.get())?;
    }
    match event {
        "new user" => new_user(data),
        "send message" => Ok(Request::Send(room_post::<Message<'_>>(data, limits)?)),
        "GroupChat" => Ok(Request::GroupChat(room_post::<GroupChat<'_>>(data, limits)?)),
        "SingleChat" => single_chat(data, limits),
        "GroupList" => Ok(Request::GroupList { room: room_and_since(data)?.0 }),
        "join" => {
            let (room, since) = room_and_since(data)?;
            Ok(Request::Join { room, since })
        }
        "leave" => Ok(Request::Leave { room: room_and_since(data)?.0 }),
        "history" => history(data),
        "auth" => auth(data),
        _ => Err(Rejection::UnknownEvent),
    }
}

const NOT_AN_OBJECT: Rejection = Rejection::BadRequest("the data is not of the documented form");

/// `send message`.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `GroupChat`.
#[derive(Deserialize)]
struct GroupChat<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `SingleChat`.
#[derive(Deserialize)]
struct SingleChat<'a> {
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `new user`.
#[derive(Deserialize)]
struct NewUser<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    device: Option<Cow<'a, str>>,
}

/// `auth`.
#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
}

/// `join`, `leave`, `GroupList`.
#[derive(Deserialize)]
struct Room<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(default)]
    since: Option<u64>,
}

/// `history`.
#[derive(Default, Deserialize)]
struct History<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    with: Option<Cow<'a, str>>,
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// The two messages for rooms differ in the key of their body.
trait RoomMessage<'a>: Deserialize<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, Option<&'a RawValue>, Option<Cow<'a, str>>);
}

impl<'a> RoomMessage<'a> for Message<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, Option<&'a RawValue>, Option<Cow<'a, str>>) {
        (self.room, self.msg, self.id)
    }
}

impl<'a> RoomMessage<'a> for GroupChat<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, Option<&'a RawValue>, Option<Cow<'a, str>>) {
        (self.room, self.data, self.id)
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
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The data, if it is a string and nothing else.
fn string(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str(raw?.get()).ok().map(|Text(text)| text)
}

fn new_user(data: &Data<'_>) -> Result<Request, Rejection> {
    let NewUser { name, device } = match string(data.raw) {
        Some(name) => NewUser { name, device: None },
        None => object(data.raw)?,
    };
    let device = parse(device, DeviceId::parse)?;
    Ok(Request::Identify { user: UserName::parse_guest(&name)?, device })
}

fn auth(data: &Data<'_>) -> Result<Request, Rejection> {
    let Auth { token } = object(data.raw)?;
    Ok(Request::Auth { token: Token::from_raw(&token) })
}

fn room_post<'a, T: RoomMessage<'a>>(
    data: &Data<'a>,
    limits: &Limits,
) -> Result<RoomPost, Rejection> {
    let raw = data.raw.ok_or(NOT_AN_OBJECT)?;
    if raw.get().starts_with('"') || body::is_bytes(raw, data.form) {
        let body = body::read(raw, data.form, data.attachments, limits)?;
        return Ok(RoomPost { room: None, body, id: None });
    }
    let (room, body, id) = object::<T>(data.raw)?.parts();
    let room = parse(room, RoomName::parse)?;
    let id = parse(id, MessageId::parse)?;
    Ok(RoomPost { room, body: read_body(body, data, limits)?, id })
}

fn single_chat(data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    let SingleChat { to, data: body, id } = object(data.raw)?;
    let to = UserName::parse(&to).map_err(|_not_a_name| Rejection::NoSuchUser)?;
    let id = parse(id, MessageId::parse)?;
    Ok(Request::SingleChat { to, body: read_body(body, data, limits)?, id })
}

/// A body that may be left out only to be told that it is empty.
fn read_body(raw: Option<&RawValue>, data: &Data<'_>, limits: &Limits) -> Result<Body, Rejection> {
    let raw = raw.ok_or(Rejection::MessageEmpty)?;
    body::read(raw, data.form, data.attachments, limits)
}

fn room_and_since(data: &Data<'_>) -> Result<(Option<RoomName>, Option<Seq>), Rejection> {
    if is_nothing(data)? {
        return Ok((None, None));
    }
    if let Some(room) = string(data.raw) {
        return Ok((Some(RoomName::parse(&room)?), None));
    }
    let Room { room, since } = object(data.raw)?;
    Ok((parse(room, RoomName::parse)?, since.map(seq).transpose()?))
}

/// Whether there is no data. Bytes are some, and never what these requests want.
fn is_nothing(data: &Data<'_>) -> Result<bool, Rejection> {
    match data.raw {
        Some(raw) if body::is_bytes(raw, data.form) => Err(NOT_AN_OBJECT),
        raw => Ok(raw.is_none_or(|raw| raw.get() == "null")),
    }
}

fn history(data: &Data<'_>) -> Result<Request, Rejection> {
    let History { room, with, before, after, limit } =
        if is_nothing(data)? { History::default() } else { object(data.raw)? };
    let of = match (room, with) {
        (Some(_), Some(_)) => return Err(Rejection::BadRequest("room or with, not both")),
        (None, Some(with)) => {
            let with = UserName::parse(&with).map_err(|_not_a_name| Rejection::NoSuchUser)?;
            HistoryOf::With(with)
        }
        (room, None) => HistoryOf::Room(parse(room, RoomName::parse)?),
    };
    let range = match (before.map(seq).transpose()?, after.map(seq).transpose()?) {
        (Some(_), Some(_)) => return Err(Rejection::BadRequest("before or after, not both")),
        (Some(before), None) => Range::Before(before),
        (None, Some(after)) => Range::After(after),
        (None, None) => Range::Newest,
    };
    match limit {
        Some(0) => Err(Rejection::BadRequest("limit is at least 1")),
        limit => Ok(Request::History { of, range, limit }),
    }
}

/// Parses the text that is there.
fn parse<T>(
    raw: Option<Cow<'_, str>>,
    parse: impl FnOnce(&str) -> Result<T, Rejection>,
) -> Result<Option<T>, Rejection> {
    raw.map(|raw| parse(&raw)).transpose()
}

/// A `seq` that a JavaScript client can hold.
pub(super) fn seq(raw: u64) -> Result<Seq, Rejection> {
    let seq = Seq::from_raw(raw);
    if seq <= Seq::MAX { Ok(seq) } else { Err(Rejection::BadRequest("a seq is at most 2^53 - 1")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(event: &str, data: &str) -> Result<Request, Rejection> {
        let raw = RawValue::from_string(data.to_owned()).unwrap();
        let data = Data { raw: Some(&raw), attachments: &[], form: Form::Json };
        request(event, &data, &Limits::default())
    }

    #[test]
    fn a_text_alone_is_a_message_for_the_default_room() {
        for event in ["send message", "GroupChat"] {
            let (Request::Send(post) | Request::GroupChat(post)) = parse(event, r#""hi""#).unwrap()
            else {
                panic!("a post")
            };
            assert_eq!((post.room, post.body.json(), post.id), (None, "\"hi\"", None));
        }
    }

    #[test]
    fn bytes_alone_are_a_message_too() {
        let Request::Send(post) = parse("send message", r#"{"base64":"AAE="}"#).unwrap() else {
            panic!("a post")
        };
        assert_eq!(post.body.attachments().len(), 1);
    }

    #[test]
    fn everything_that_may_be_said_with_a_message_is_read() {
        let data = r#"{"room":"news","msg":{"a":[1,2]},"id":"x-1","unknown":0}"#;
        let Request::Send(post) = parse("send message", data).unwrap() else { panic!("a post") };
        assert_eq!(post.room, Some(RoomName::parse("news").unwrap()));
        assert_eq!(post.body.json(), r#"{"a":[1,2]}"#);
        assert_eq!(post.id, Some(MessageId::parse("x-1").unwrap()));
    }

    #[test]
    fn what_is_not_of_the_documented_form_is_refused() {
        use Rejection as R;
        let bad = |rejection: &R| matches!(rejection, R::BadRequest(_));
        for (event, data, expected) in [
            ("send message", "7", None),
            ("send message", "[]", None),
            ("send message", r#"{"room":1,"msg":"x"}"#, None),
            ("new user", r#"["ann"]"#, None),
            ("send message", "{}", Some(R::MessageEmpty)),
            ("send message", r#"{"msg":null}"#, Some(R::MessageEmpty)),
            ("send message", r#""  ""#, Some(R::MessageEmpty)),
            ("send message", r#"{"msg":"x","room":"a b"}"#, Some(R::RoomInvalid)),
            ("send message", r#"{"msg":"x","id":""}"#, Some(R::IdInvalid)),
            ("SingleChat", r#"{"data":"x"}"#, None),
            ("SingleChat", r#"{"to":"","data":"x"}"#, Some(R::NoSuchUser)),
            ("new user", "{}", None),
            ("new user", r#""""#, Some(R::NameInvalid)),
            ("join", r#"{"base64":"AAE="}"#, None),
            ("history", r#"{"base64":"AAE="}"#, None),
            ("join", r#"{"since":-1}"#, None),
            ("join", r#"{"since":9007199254740992}"#, None),
            ("history", r#"{"before":1,"after":2}"#, None),
            ("history", r#"{"room":"a","with":"b"}"#, None),
            ("history", r#"{"limit":0}"#, None),
            ("nonsense", "{}", Some(R::UnknownEvent)),
            ("constructor", "{}", Some(R::UnknownEvent)),
        ] {
            let refused = parse(event, data).expect_err(data);
            match expected {
                Some(expected) => assert_eq!(refused, expected, "{event} {data}"),
                None => assert!(bad(&refused), "{event} {data}: {refused:?}"),
            }
        }
    }

    #[test]
    fn nothing_means_the_default_room() {
        for data in ["null", "{}"] {
            assert!(matches!(parse("GroupList", data), Ok(Request::GroupList { room: None })));
            let Ok(Request::History { of, range, limit }) = parse("history", data) else {
                panic!("{data}")
            };
            assert!(matches!(of, HistoryOf::Room(None)));
            assert_eq!((range, limit), (Range::Newest, None));
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_anything_recurses() {
        let deep = format!(r#"{{"msg":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(parse("send message", &deep), Err(Rejection::BadRequest(_))));
    }
}
