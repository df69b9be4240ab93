//! The frames of plain WebSocket clients, the same for JSON and `MessagePack`.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    answer::{self, AnswerData, ClosingData, ErrorMessageData, ReplyData},
    body::AttachmentEncoding,
    event::{self, EventData},
    payload::Payload,
    request::{self, ReplyForm, RequestData, RequestKind},
};
use crate::{
    chat::{Reply, Request, event::Delivery},
    domain::{CloseReason, Limits, Rejection, Seq},
};

/// A request frame.
#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    ack: Option<u64>,
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
        Self { kind: RequestKind::Unknown, ack: None, request: Err(rejection) }
    }
}

/// Parses a frame that is `text` with `attachments` beside it.
pub(super) fn request(
    text: &str,
    attachments: &[Bytes],
    encoding: AttachmentEncoding,
    limits: &Limits,
) -> RequestFrame {
    // serde would accept an array and read its items as the fields, in order.
    let object = Some(text).filter(|text| text.trim_start().starts_with('{'));
    let Some(Ok(RawFrame { event, data, ack })) = object.map(serde_json::from_str) else {
        return RequestFrame::rejected(Rejection::BadRequest("a frame is {event, data?, ack?}"));
    };
    if ack.is_some_and(|ack| ack > Seq::MAX.as_raw()) {
        let request = Err(Rejection::BadRequest("ack is at most 2^53 - 1"));
        return RequestFrame { kind: RequestKind::of(&event), ack: None, request };
    }
    let data = RequestData { raw: data, attachments, encoding, limits };
    RequestFrame { kind: RequestKind::of(&event), ack, request: request::request(&event, &data) }
}

/// `{event, data}`.
#[derive(Debug, Serialize)]
pub(super) struct EventFrame<T> {
    event: &'static str,
    data: T,
}

/// A reply, in whichever form its request asks for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ReplyFrame<'a> {
    /// The request has an `ack`.
    Acknowledgement(ReplyData<'a>),
    /// A query without an `ack`.
    Answer(EventFrame<AnswerData<'a>>),
    /// A refused request without an `ack`.
    Error(EventFrame<ErrorMessageData>),
}

/// The frame of an event.
pub(super) fn event<'a>(
    delivery: &'a Arc<Delivery>,
    encoding: AttachmentEncoding,
    limits: &Limits,
) -> Payload<EventFrame<EventData<'a>>> {
    let event = event::delivery_name(delivery);
    event::data(delivery.event(), encoding, limits).map(|data| EventFrame { event, data })
}

/// The frame of a reply. A request without an `ack` that is no query has none when it succeeds.
pub(super) fn reply(
    kind: RequestKind,
    ack: Option<u64>,
    reply: &Reply,
    encoding: AttachmentEncoding,
) -> Option<Payload<ReplyFrame<'_>>> {
    match (ack, kind, reply) {
        (Some(ack), _, reply) => {
            Some(answer::reply(Some(ack), reply, encoding).map(ReplyFrame::Acknowledgement))
        }
        (None, kind, Err(rejection)) => {
            let data = answer::error_message(kind, rejection);
            let frame = EventFrame { event: "error message", data };
            Some(Payload::without_attachments(ReplyFrame::Error(frame)))
        }
        (None, RequestKind::Known(event, ReplyForm::AcknowledgementOrEvent), Ok(it)) => {
            let answer = answer::answer(it, encoding);
            Some(answer.map(|data| ReplyFrame::Answer(EventFrame { event, data })))
        }
        (
            None,
            RequestKind::Known(_, ReplyForm::Acknowledgement | ReplyForm::UserAndToken)
            | RequestKind::Unknown,
            Ok(_),
        ) => None,
    }
}

/// The frame of `closing`.
pub(super) fn closing(reason: CloseReason) -> Payload<EventFrame<ClosingData>> {
    let frame = EventFrame { event: "closing", data: answer::closing(reason) };
    Payload::without_attachments(frame)
}
