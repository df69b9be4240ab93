//! What plain WebSocket clients put into a frame, and what they get in one, whatever its format.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    answer,
    body::AttachmentEncoding,
    event::{self, EncodedPayload},
    json::Object,
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

/// What a frame asks for, and where its answer goes.
#[derive(Debug)]
pub struct RequestFrame {
    /// Which request it is.
    pub kind: RequestKind,
    /// The number that the answer carries, if one is wanted.
    pub ack: Option<u64>,
    /// What is asked.
    pub request: Result<Request, Rejection>,
}

impl RequestFrame {
    /// What cannot be understood, and so cannot be answered where it was asked.
    pub fn rejected(rejection: Rejection) -> Self {
        Self { kind: RequestKind::Unknown, ack: None, request: Err(rejection) }
    }
}

/// What a frame asks for that is `text` with `attachments` beside it.
pub(super) fn request(
    text: &str,
    attachments: &[Bytes],
    encoding: AttachmentEncoding,
    limits: &Limits,
) -> RequestFrame {
    // Without this an array would do: its items would be taken for the fields, in order.
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

/// The frame of an event.
pub(super) fn event(
    delivery: &Arc<Delivery>,
    encoding: AttachmentEncoding,
    limits: &Limits,
) -> EncodedPayload {
    let data = event::data(delivery.event(), encoding, limits);
    frame(event::delivery_name(delivery), data)
}

/// The frame that tells a reply, if there is anything to tell.
pub(super) fn reply(
    kind: RequestKind,
    ack: Option<u64>,
    reply: &Reply,
    encoding: AttachmentEncoding,
) -> Option<EncodedPayload> {
    match (ack, kind, reply) {
        (Some(ack), _, reply) => {
            let EncodedPayload { json, attachments } = answer::reply(reply, encoding);
            let json = Object::new().add("ack", &ack).add_members(&json).end();
            Some(EncodedPayload { json, attachments })
        }
        (None, kind, Err(rejection)) => {
            let data = EncodedPayload::text(answer::error_message(kind, rejection));
            Some(frame("error message", data))
        }
        (None, RequestKind::Known(name, ReplyForm::AcknowledgementOrEvent), Ok(it)) => {
            Some(frame(name, answer::answer(it, encoding)))
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
pub(super) fn closing(reason: CloseReason) -> EncodedPayload {
    frame("closing", EncodedPayload::text(answer::closing(reason)))
}

fn frame(event: &str, data: EncodedPayload) -> EncodedPayload {
    let EncodedPayload { json, attachments } = data;
    let json = Object::new().add("event", event).add_raw("data", &json).end();
    EncodedPayload { json, attachments }
}
