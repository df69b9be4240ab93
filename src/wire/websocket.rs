//! The vocabulary in JSON text frames, as plain WebSocket clients speak it.

use std::{borrow::Cow, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

pub use super::request::Asked;
use super::{
    answer,
    body::Form,
    event::{self, Written},
    json::Object,
    request::{self, Data},
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

/// What a text frame asks for.
pub fn request(text: &str, limits: &Limits) -> Framed {
    // Without this an array would do: its items would be taken for the fields, in order.
    let object = Some(text).filter(|text| text.trim_start().starts_with('{'));
    let Some(Ok(Frame { event, data, ack })) = object.map(serde_json::from_str) else {
        let request = Err(Rejection::BadRequest("a frame is {event, data?, ack?}"));
        return Framed { asked: Asked::Unknown, ack: None, request };
    };
    if ack.is_some_and(|ack| ack > Seq::MAX.as_raw()) {
        let request = Err(Rejection::BadRequest("ack is at most 2^53 - 1"));
        return Framed { asked: Asked::of(&event), ack: None, request };
    }
    let data = Data { raw: data, attachments: &[], form: Form::Json };
    Framed { asked: Asked::of(&event), ack, request: request::request(&event, &data, limits) }
}

/// The frame of an event. The caller remembers it per delivery.
pub fn event(delivery: &Arc<Delivery>, limits: &Limits) -> String {
    let Written { json, .. } = event::data(delivery.event(), Form::Json, limits);
    frame(event::delivery_name(delivery), &json)
}

/// The frame that tells a reply, if there is anything to tell.
pub fn reply(asked: Asked, ack: Option<u64>, reply: &Reply) -> Option<String> {
    match (ack, asked, reply) {
        (Some(ack), _, reply) => {
            let Written { json, .. } = answer::reply(reply, Form::Json);
            Some(Object::new().add("ack", &ack).add_members(&json).end())
        }
        (None, asked, Err(rejection)) => {
            Some(frame("error message", &answer::error_message(asked, rejection)))
        }
        (None, Asked::Query(name), Ok(it)) => {
            Some(frame(name, &answer::answer(it, Form::Json).json))
        }
        (None, Asked::NewUser | Asked::Other(_) | Asked::Unknown, Ok(_)) => None,
    }
}

/// The frame of `closing`.
pub fn closing(reason: CloseReason) -> String {
    frame("closing", &answer::closing(reason))
}

fn frame(event: &str, data: &str) -> String {
    Object::new().add("event", event).add_raw("data", data).end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::test_support::said;

    #[test]
    fn a_frame_has_an_event_and_perhaps_an_ack() {
        let limits = Limits::default();
        let framed = request(r#"{"event":"send message","data":"hi","ack":7}"#, &limits);
        assert_eq!(framed.ack, Some(7));
        assert!(matches!(framed.request, Ok(Request::Send(_))));
        for bad in [
            "",
            "7",
            "[]",
            r#"["join"]"#,
            "{}",
            r#"{"event":7}"#,
            r#"{"event":"join","ack":-1}"#,
            "nonsense",
        ] {
            let framed = request(bad, &limits);
            assert!(matches!(framed.request, Err(Rejection::BadRequest(_))), "{bad}");
        }
    }

    #[test]
    fn a_message_goes_out_as_documented() {
        let golden = concat!(
            r#"{"event":"new message","data":{"room":"lobby","seq":7,"id":"m7","username":"ann","#,
            r#""msg":"hi","at":"1970-01-01T00:00:00.000Z"}}"#
        );
        assert_eq!(event(&said("lobby", 7), &Limits::default()), golden);
    }

    #[test]
    fn a_refusal_goes_to_its_ack_or_is_an_event() {
        let refused = Err(Rejection::NotMember);
        let asked = Asked::of("send message");
        let answer = r#"{"ack":3,"ok":false,"code":"not_member","message":"join the room first"}"#;
        assert_eq!(reply(asked, Some(3), &refused).as_deref(), Some(answer));
        let told = concat!(
            r#"{"event":"error message","data":{"event":"send message","#,
            r#""code":"not_member","message":"join the room first"}}"#
        );
        assert_eq!(reply(asked, None, &refused).as_deref(), Some(told));
    }
}
