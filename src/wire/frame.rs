//! The frames of plain WebSocket clients, the same for JSON and `MessagePack`.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use serde::{
    Deserializer, Serialize,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    answer::{self, AnswerData, ClosingData, ReplyData},
    body::AttachmentEncoding,
    event::{self, ArgumentsData, EventData},
    json, keys,
    payload::Payload,
    rejection::{self, ErrorMessageData},
    request::{self, BorrowedText, ReplyForm, RequestData, RequestKind},
};
use crate::{
    chat::{Reply, Request, RequestContext, event::Delivery},
    domain::{AskId, CloseReason, Limits, Rejection, Seq},
};

/// A request frame, as far as it can be read.
#[derive(Debug, Default)]
struct RawFrame<'a> {
    event: Option<Cow<'a, str>>,
    data: Option<&'a RawValue>,
    args: Option<Vec<&'a RawValue>>,
    ack: Option<u64>,
    /// The number of an ask. Read only where there is no event.
    answer: Option<&'a RawValue>,
    /// The first key that no frame has.
    unknown: Option<Cow<'a, str>>,
}

/// The keys of frames.
const FRAME_KEYS: [&str; 5] = ["event", "data", "args", "ack", "answer"];

/// Reads the fields of a frame into `self.0`. They stay there after an error.
struct FrameReader<'r, 'a>(&'r mut RawFrame<'a>);

impl<'de> DeserializeSeed<'de> for FrameReader<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FrameReader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{event | answer, data? | args?, ack?}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self(frame) = self;
        let mut is_valid = true;
        while let Some(BorrowedText(key)) = members.next_key()? {
            let value: &RawValue = members.next_value()?;
            is_valid &= match &*key {
                "event" => field(&mut frame.event, request::string(Some(value))),
                "data" => field(&mut frame.data, Some(value).filter(|it| it.get() != "null")),
                "args" => field(&mut frame.args, serde_json::from_str(value.get()).ok()),
                "ack" => field(&mut frame.ack, serde_json::from_str(value.get()).ok()),
                "answer" => field(&mut frame.answer, Some(value)),
                _ => {
                    frame.unknown = frame.unknown.take().or(Some(key.clone()));
                    true
                }
            } || (key != "event" && value.get() == "null");
        }
        if is_valid { Ok(()) } else { Err(A::Error::custom("a field is not valid")) }
    }
}

/// Fills a field. Returns whether its value is valid and the first one.
fn field<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    let is_valid = field.is_none() && value.is_some();
    *field = field.take().or(value);
    is_valid
}

/// The request of a frame, and how it is answered.
#[derive(Debug)]
pub struct RequestFrame {
    /// The request that the reply names.
    pub kind: RequestKind,
    /// The number that the answer carries, if the client asks for an acknowledgement.
    pub ack: Option<u64>,
    /// The request, or why it is refused.
    pub request: Result<Request, Rejection>,
}

impl RequestFrame {
    /// A frame that cannot be parsed. Its `ack` is unknown, so the refusal is an event.
    pub fn rejected(rejection: Rejection) -> Self {
        Self { kind: RequestKind::Unknown(None), ack: None, request: Err(rejection) }
    }
}

/// Parses a frame that is `text` with `attachments` beside it.
pub(super) fn request(
    text: &str,
    attachments: &[Bytes],
    encoding: AttachmentEncoding,
    context: RequestContext<'_>,
) -> RequestFrame {
    let text = json::replace_lone_surrogates(text);
    let mut frame = RawFrame::default();
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = FrameReader(&mut frame).deserialize(&mut json).and_then(|()| json.end());
    let RawFrame { event, data, args, ack, answer, unknown } = frame;
    let kind = event.as_deref().map_or(RequestKind::Unknown(None), RequestKind::of);
    let is_safe = ack.is_none_or(|ack| ack <= Seq::MAX.as_raw());
    let ack = ack.filter(|_| is_safe);
    let has_form = read.is_ok() && (data.is_none() || args.is_none());
    let args = args.unwrap_or_default();
    let (raw, more) = (data.or(args.first().copied()), args.get(1..).unwrap_or_default());
    let data = RequestData { raw, more, attachments, encoding, context };
    let ask = answer.and_then(|it| serde_json::from_str(it.get()).ok());
    let request = match (event, ask) {
        // A client that writes the data beside the event does not mean a request without data.
        (Some(_), _) if has_form && unknown.is_some() => {
            let mismatch = keys::of_unknown(unknown.as_deref(), &FRAME_KEYS);
            Err(Rejection::Keys(Box::new(mismatch)))
        }
        _ if !is_safe => Err(Rejection::BadRequest("ack is at most 2^53 - 1")),
        (Some(event), _) if has_form => request::request(&event, &data),
        (None, Some(ask)) if has_form => request::answer(ask, &data),
        _ => Err(Rejection::BadRequest(
            "a frame is {event, data? or args?, ack?} or {answer, data? or args?}",
        )),
    };
    RequestFrame { kind, ack, request }
}

/// `{event, data}`, or `{event, args, ask?}` for an event of the application.
#[derive(Debug, Serialize)]
pub(super) struct EventFrame<'a, T> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<ArgumentsData<'a>>,
    /// The number that the client's answer repeats, if one is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<u64>,
}

impl<'a, T> EventFrame<'a, T> {
    fn new(event: &'a str, data: T) -> Self {
        Self { event, data: Some(data), args: None, ask: None }
    }
}

/// A reply, in whichever form its request asks for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ReplyFrame<'a> {
    /// The request has an `ack`.
    Acknowledgement(ReplyData<'a>),
    /// A query without an `ack`.
    Answer(EventFrame<'a, AnswerData<'a>>),
    /// A refused request without an `ack`.
    Error(EventFrame<'a, ErrorMessageData<'a>>),
}

/// The frame of an event.
pub(super) fn event<'a>(
    delivery: &'a Arc<Delivery>,
    encoding: AttachmentEncoding,
    limits: &Limits,
) -> Payload<EventFrame<'a, EventData<'a>>> {
    let (event, ask) = (event::name(delivery.event()), event::ask(delivery.event()));
    event::data(delivery.event(), encoding, limits).map(|data| {
        if let EventData::Arguments(args) = data {
            EventFrame { event, data: None, args: Some(args), ask: ask.map(AskId::as_raw) }
        } else {
            EventFrame::new(event, data)
        }
    })
}

/// The frame of a reply. A request without an `ack` that is no query has none when it succeeds.
pub(super) fn reply<'a>(
    kind: &'a RequestKind,
    ack: Option<u64>,
    reply: &'a Reply,
    encoding: AttachmentEncoding,
) -> Option<Payload<ReplyFrame<'a>>> {
    match (ack, kind, reply) {
        (Some(ack), _, reply) => {
            Some(answer::reply(Some(ack), reply, encoding).map(ReplyFrame::Acknowledgement))
        }
        (None, kind, Err(rejection)) => {
            let data = rejection::error_message(kind, rejection);
            let frame = EventFrame::new("error message", data);
            Some(Payload::without_attachments(ReplyFrame::Error(frame)))
        }
        (None, RequestKind::Known(event, ReplyForm::AcknowledgementOrEvent), Ok(it)) => {
            let answer = answer::answer(it, encoding);
            Some(answer.map(|data| ReplyFrame::Answer(EventFrame::new(event, data))))
        }
        (
            None,
            RequestKind::Known(_, ReplyForm::Acknowledgement | ReplyForm::UserAndToken)
            | RequestKind::Unknown(_),
            Ok(_),
        ) => None,
    }
}

/// The frame of `closing`.
pub(super) fn closing(reason: CloseReason) -> Payload<EventFrame<'static, ClosingData>> {
    let frame = EventFrame::new("closing", answer::closing(reason));
    Payload::without_attachments(frame)
}
