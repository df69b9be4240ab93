//! What plain WebSocket clients put into a frame, and what they get in one, whatever its format.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    answer,
    body::Form,
    event::{self, Written},
    json::Object,
    request::{self, Asked, Data},
};
use crate::{
    chat::{Reply, Request, event::Delivery},
    domain::{CloseReason, Limits, Rejection, Seq},
};

/// A request frame.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    ack: Option<u64>,
}

/// What a frame asks for, and where its answer goes.
#[derive(Debug)]
pub struct Framed {
    /// Which request it is.
    pub asked: Asked,
    /// The number that the answer carries, if one is wanted.
    pub ack: Option<u64>,
    /// What is asked.
    pub request: Result<Request, Rejection>,
}

impl Framed {
    /// What cannot be understood, and so cannot be answered where it was asked.
    pub fn refused(rejection: Rejection) -> Self {
        Self { asked: Asked::Unknown, ack: None, request: Err(rejection) }
    }
}

/// What a frame asks for that is `text` with `attachments` beside it.
pub(super) fn request(text: &str, attachments: &[Bytes], form: Form, limits: &Limits) -> Framed {
    // Without this an array would do: its items would be taken for the fields, in order.
    let object = Some(text).filter(|text| text.trim_start().starts_with('{'));
    let Some(Ok(Frame { event, data, ack })) = object.map(serde_json::from_str) else {
        return Framed::refused(Rejection::BadRequest("a frame is {event, data?, ack?}"));
    };
    if ack.is_some_and(|ack| ack > Seq::MAX.as_raw()) {
        let request = Err(Rejection::BadRequest("ack is at most 2^53 - 1"));
        return Framed { asked: Asked::of(&event), ack: None, request };
    }
    let data = Data { raw: data, attachments, form };
    Framed { asked: Asked::of(&event), ack, request: request::request(&event, &data, limits) }
}

/// The frame of an event.
pub(super) fn event(delivery: &Arc<Delivery>, form: Form, limits: &Limits) -> Written {
    let data = event::data(delivery.event(), form, limits);
    frame(event::delivery_name(delivery), data)
}

/// The frame that tells a reply, if there is anything to tell.
pub(super) fn reply(asked: Asked, ack: Option<u64>, reply: &Reply, form: Form) -> Option<Written> {
    match (ack, asked, reply) {
        (Some(ack), _, reply) => {
            let Written { json, attachments } = answer::reply(reply, form);
            let json = Object::new().add("ack", &ack).add_members(&json).end();
            Some(Written { json, attachments })
        }
        (None, asked, Err(rejection)) => {
            let data = Written::text(answer::error_message(asked, rejection));
            Some(frame("error message", data))
        }
        (None, Asked::Query(name), Ok(it)) => Some(frame(name, answer::answer(it, form))),
        (None, Asked::NewUser | Asked::Other(_) | Asked::Unknown, Ok(_)) => None,
    }
}

/// The frame of `closing`.
pub(super) fn closing(reason: CloseReason) -> Written {
    frame("closing", Written::text(answer::closing(reason)))
}

fn frame(event: &str, data: Written) -> Written {
    let Written { json, attachments } = data;
    let json = Object::new().add("event", event).add_raw("data", &json).end();
    Written { json, attachments }
}
