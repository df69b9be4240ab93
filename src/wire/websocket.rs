//! The vocabulary in JSON text frames, as plain WebSocket clients speak it.

use std::sync::Arc;

use super::{body::Form, frame};
pub use super::{frame::Framed, request::Asked};
use crate::{
    chat::{Reply, event::Delivery},
    domain::{CloseReason, Limits},
};

/// What a text frame asks for.
pub fn request(text: &str, limits: &Limits) -> Framed {
    frame::request(text, &[], Form::Json, limits)
}

/// The frame of an event. The caller remembers it per delivery.
pub fn event(delivery: &Arc<Delivery>, limits: &Limits) -> String {
    frame::event(delivery, Form::Json, limits).json
}

/// The frame that tells a reply, if there is anything to tell.
pub fn reply(asked: Asked, ack: Option<u64>, reply: &Reply) -> Option<String> {
    frame::reply(asked, ack, reply, Form::Json).map(|written| written.json)
}

/// The frame of `closing`.
pub fn closing(reason: CloseReason) -> String {
    frame::closing(reason).json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::{Request, test_support::said},
        domain::Rejection,
    };

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
