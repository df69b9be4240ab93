//! JSON text frames of plain WebSocket clients.

use std::sync::Arc;

use super::{body::AttachmentEncoding, frame};
pub use super::{frame::RequestFrame, request::RequestKind};
use crate::{
    chat::{Reply, RequestContext, event::Delivery},
    domain::{CloseReason, Limits},
};

/// Parses a text frame.
pub fn request(text: &str, context: RequestContext<'_>) -> RequestFrame {
    frame::request(text, &[], AttachmentEncoding::Base64, context)
}

/// The frame of an event. The caller caches it per delivery.
pub fn event(delivery: &Arc<Delivery>, limits: &Limits) -> String {
    frame::event(delivery, AttachmentEncoding::Base64, limits).json()
}

/// The frame of a reply, if the request has one.
pub fn reply(kind: &RequestKind, ack: Option<u64>, reply: &Reply) -> Option<String> {
    frame::reply(kind, ack, reply, AttachmentEncoding::Base64).map(|payload| payload.json())
}

/// The frame of `closing`.
pub fn closing(reason: CloseReason) -> String {
    frame::closing(reason).json()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::{Request, event::Event, test_support::message_delivery},
        domain::{AskId, Body, CustomEvent, EventName, Rejection},
        wire::test_support::context,
    };

    #[test]
    fn a_frame_has_an_event_and_perhaps_an_ack() {
        let limits = Limits::default();
        let request_frame =
            request(r#"{"event":"send message","data":"hi","ack":7}"#, context(&limits));
        assert_eq!(request_frame.ack, Some(7));
        assert!(matches!(request_frame.request, Ok(Request::Send(_))));
        for bad in [
            "",
            "7",
            "[]",
            r#"["join"]"#,
            "{}",
            r#"{"event":7}"#,
            r#"{"event":7,"room":1}"#,
            r#"{"event":"join","ack":-1}"#,
            "nonsense",
        ] {
            let request_frame = request(bad, context(&limits));
            assert!(matches!(request_frame.request, Err(Rejection::BadRequest(_))), "{bad}");
        }
    }

    #[test]
    fn a_refusal_carries_whatever_can_be_read() {
        let unknown = || RequestKind::Unknown(None);
        for (frame, kind, ack) in [
            (r#"{"ack":7,"event":5}"#, unknown(), Some(7)),
            (r#"{"event":"join","ack":7,"ack":8}"#, RequestKind::of("join"), Some(7)),
            (r#"{"event":"join","ack":7,"data""#, RequestKind::of("join"), Some(7)),
            (r#"{"data":1,"ack":7}"#, unknown(), Some(7)),
            (r#"{"ack":-1,"event":"join"}"#, RequestKind::of("join"), None),
        ] {
            let request_frame = request(frame, context(&Limits::default()));
            assert_eq!((request_frame.kind, request_frame.ack), (kind, ack), "{frame}");
            assert!(matches!(request_frame.request, Err(Rejection::BadRequest(_))), "{frame}");
        }
    }

    #[test]
    fn an_answer_repeats_the_number_of_the_event() {
        let limits = Limits::default();
        let ask = Delivery::new(Event::Ask {
            event: CustomEvent {
                name: EventName::from_raw("whoami"),
                args: Body::from_raw("[1]".into(), Vec::new()),
            },
            ask: AskId::from_raw(7),
        });
        assert_eq!(event(&ask, &limits), r#"{"event":"whoami","args":[1],"ask":7}"#);
        for (frame, expected) in [
            (r#"{"answer":7,"args":["ann",null]}"#, r#"["ann",null]"#),
            (r#"{"answer":7,"data":{"a":1}}"#, r#"[{"a":1}]"#),
            (r#"{"answer":7}"#, "[]"),
        ] {
            let RequestFrame { kind, ack, request } = request(frame, context(&limits));
            assert_eq!((kind, ack), (RequestKind::Unknown(None), None));
            let Ok(Request::AnswerAsk { ask, args }) = request else { panic!("{frame}") };
            assert_eq!((ask, args.json()), (AskId::from_raw(7), expected));
        }
        let deep = format!(r#"{{"answer":7,"args":[{}1{}]}}"#, "[".repeat(65), "]".repeat(65));
        for bad in [
            r#"{"answer":"7"}"#,
            r#"{"answer":-7}"#,
            r#"{"answer":7,"data":1,"args":[]}"#,
            r#"{"answer":7,"args":{}}"#,
            &deep,
        ] {
            let request_frame = request(bad, context(&limits));
            assert!(matches!(request_frame.request, Err(Rejection::BadRequest(_))), "{bad}");
        }
        let beside = request(r#"{"event":"join","room":"news","ack":1}"#, context(&limits));
        assert_eq!((beside.kind, beside.ack), (RequestKind::of("join"), Some(1)));
        let Err(Rejection::Keys(wrong)) = beside.request else { panic!("it has no data") };
        assert_eq!(
            wrong.to_string(),
            "there is no key `room`; there are `event`, `data`, `args`, `ack`, `answer`"
        );
        let both = request(r#"{"event":"join","answer":"x","ack":1}"#, context(&limits));
        assert!(matches!(both.request, Ok(Request::Join { .. })), "it is a request as before");
    }

    #[test]
    fn a_message_is_serialized_as_documented() {
        let golden = concat!(
            r#"{"event":"new message","data":{"room":"lobby","seq":7,"id":"m7","username":"ann","#,
            r#""msg":"hi","at":"1970-01-01T00:00:00.000Z"}}"#
        );
        assert_eq!(event(&message_delivery("lobby", 7), &Limits::default()), golden);
    }

    #[test]
    fn a_rejection_is_an_ack_or_an_event() {
        let refused = Err(Rejection::NotMember);
        let kind = RequestKind::of("send message");
        let answer = r#"{"ack":3,"ok":false,"code":"not_member","message":"join the room first"}"#;
        assert_eq!(reply(&kind, Some(3), &refused).as_deref(), Some(answer));
        let event_json = concat!(
            r#"{"event":"error message","data":{"event":"send message","#,
            r#""code":"not_member","message":"join the room first"}}"#
        );
        assert_eq!(reply(&kind, None, &refused).as_deref(), Some(event_json));
    }
}
