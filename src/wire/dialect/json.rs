//! `json`: `{"event", "message"}`. `helloworld` is said to the room, and `close` closes.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    ClientFrame, Dialect, Effect, EventFrame, Frame, Handshake, Purpose, Step, content,
    refusal::close_reason, steps,
};
use crate::{
    chat::{Reply, Request, RequestContext, event::Event},
    domain::{Body, CloseReason, Rejection, RoomName},
    wire::{
        code, parameter,
        payload::{self, Timestamp},
    },
};

const HELLO: &str = "helloworld";

/// The translator of a connection.
struct Json {
    room: RoomName,
    /// The request that posts a message.
    post: fn(Body) -> Request,
}

/// A frame of the client. What is not an object has no event.
#[derive(Deserialize)]
struct Command<'a> {
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// A frame of the server.
#[derive(Serialize)]
struct EventData<'a, T> {
    event: &'a str,
    message: T,
}

/// Starts. With `?exclude=sender` the sender does not receive its own messages.
pub(super) fn start(handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
    let post = match parameter(handshake.query, "exclude")?.as_deref() {
        None => content::send,
        Some("sender") => content::send_to_others,
        Some(_) => return Err(Rejection::BadRequest("exclude is sender")),
    };
    Ok(Box::new(Json { room: handshake.room.clone(), post }))
}

impl Dialect for Json {
    fn frame(&mut self, frame: ClientFrame<'_>, context: RequestContext<'_>) -> Vec<Step> {
        let no_json = || vec![Step::send("message is not json")];
        let ClientFrame::Text(text) = frame else { return no_json() };
        let Some(text) = content::prepared(text) else { return no_json() };
        let Ok(raw) = serde_json::from_str::<&RawValue>(&text) else { return no_json() };
        let command: Option<Command<'_>> = content::object(raw);
        let Some(event) = command.as_ref().and_then(|it| it.event).filter(|it| !is_false(it))
        else {
            return vec![Step::send("no event")];
        };
        let message = command.and_then(|it| it.message);
        match serde_json::from_str::<String>(event.get()).as_deref() {
            Ok(HELLO) => match content::json_body(message, context.limits) {
                Ok(body) => vec![Step::Ask(Purpose::Post, (self.post)(body))],
                Err(rejection) => steps(refused(&rejection)),
            },
            Ok("close") => vec![Step::Finish],
            Ok(_) | Err(_) => vec![Step::send("unkonwn command")],
        }
    }

    fn reply(&mut self, purpose: &Purpose, reply: &Reply) -> Vec<Effect> {
        match (purpose, reply) {
            (_, Ok(_)) => Vec::new(),
            (Purpose::Identify, Err(rejection)) => vec![Effect::Close(close_reason(rejection))],
            (_, Err(rejection)) => refused(rejection),
        }
    }

    fn event(&mut self, event: &Event) -> Option<EventFrame> {
        let is_received = content::is_message_in(event, &self.room)
            || matches!(event, Event::Clock { .. } | Event::Custom(_) | Event::Ask { .. });
        is_received.then_some(EventFrame::Shared(encode))
    }

    fn closing(&mut self, reason: CloseReason) -> Option<Frame> {
        Some(frame("closing", code::close(reason).code))
    }
}

/// Whether JavaScript takes a value for `false`, so that the original finds no event.
fn is_false(raw: &RawValue) -> bool {
    matches!(raw.get(), "null" | "false" | "0" | "\"\"")
}

fn refused(rejection: &Rejection) -> Vec<Effect> {
    vec![Effect::Send(frame("error", code::rejection(rejection).code))]
}

fn encode(event: &Event) -> Option<Frame> {
    if let Some(said) = content::message(event) {
        return Some(frame(HELLO, format!("{HELLO} {}", content::text_of(said.body))));
    }
    if let Event::Clock { at } = event {
        return Some(frame("clock", Timestamp(*at)));
    }
    let (Event::Custom(event) | Event::Ask { event, ask: _ }) = event else { return None };
    let args = content::json_of(&event.args);
    let args: Vec<&RawValue> = serde_json::from_str(&args).ok()?;
    let name = event.name.as_raw();
    Some(if let [one] = &*args { frame(name, one) } else { frame(name, &args) })
}

fn frame(event: &str, message: impl Serialize) -> Frame {
    Frame::Text(payload::json(&EventData { event, message }))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{
        chat::{event::Delivery, test_support::message_delivery},
        domain::{CustomEvent, EventName, Limits},
        wire::test_support::context,
    };

    fn dialect(query: &str) -> Box<dyn Dialect> {
        start(&Handshake { room: RoomName::lobby(), query }).unwrap()
    }

    fn steps_of(query: &str, text: &str) -> Vec<Step> {
        let limits = Limits::default();
        dialect(query).frame(ClientFrame::Text(text), context(&limits))
    }

    #[test]
    fn bad_frames_are_answered_with_the_words_of_the_original() {
        let deep = format!(r#"{{"event":{}1{}}}"#, "[".repeat(65), "]".repeat(65));
        for (text, answer) in [
            ("", "message is not json"),
            ("helloworld", "message is not json"),
            (r#"{"event":"helloworld"#, "message is not json"),
            (&deep, "message is not json"),
            ("{}", "no event"),
            ("7", "no event"),
            ("[1]", "no event"),
            (r#"{"event":null}"#, "no event"),
            (r#"{"event":""}"#, "no event"),
            (r#"{"event":"hello"}"#, "unkonwn command"),
            (r#"{"event":7}"#, "unkonwn command"),
        ] {
            let steps = steps_of("", text);
            let [Step::Effect(Effect::Send(frame))] = &*steps else { panic!("{text}: {steps:?}") };
            assert_eq!(*frame, Frame::text(answer), "{text}");
        }
        assert!(matches!(&*steps_of("", r#"{"event":"close"}"#), [Step::Finish]));
    }

    #[test]
    fn a_message_is_for_all_or_for_the_others() {
        let text = r#"{"event":"helloworld","message":"\ud83d hi"}"#;
        let steps = steps_of("", text);
        let [Step::Ask(Purpose::Post, Request::Send(post))] = &*steps else { panic!("{steps:?}") };
        assert_eq!(content::text_of(&post.body), "\u{fffd} hi");
        let steps = steps_of("exclude=sender", text);
        assert!(matches!(&*steps, [Step::Ask(Purpose::Post, Request::GroupChat(_))]));
        let handshake = Handshake { room: RoomName::lobby(), query: "exclude=me" };
        assert!(start(&handshake).is_err());
    }

    #[test]
    fn a_refusal_has_its_code() {
        let expected = Frame::text(r#"{"event":"error","message":"message_empty"}"#);
        let steps = steps_of("", r#"{"event":"helloworld"}"#);
        assert!(matches!(&*steps, [Step::Effect(Effect::Send(frame))] if *frame == expected));
        let effects = dialect("").reply(&Purpose::Post, &Err(Rejection::MessageEmpty));
        assert_eq!(effects, [Effect::Send(expected)]);
    }

    #[test]
    fn events_have_a_name_and_a_message() {
        let custom = |args: &str| CustomEvent {
            name: EventName::from_raw("price"),
            args: Body::from_raw(args.into(), Vec::new()),
        };
        let clock = Event::Clock { at: OffsetDateTime::UNIX_EPOCH };
        for (delivery, expected) in [
            (message_delivery("lobby", 1), r#"{"event":"helloworld","message":"helloworld hi"}"#),
            (Delivery::new(clock), r#"{"event":"clock","message":"1970-01-01T00:00:00.000Z"}"#),
            (
                Delivery::new(Event::Custom(custom(r#"[{"eur":1}]"#))),
                r#"{"event":"price","message":{"eur":1}}"#,
            ),
            (Delivery::new(Event::Custom(custom("[1,2]"))), r#"{"event":"price","message":[1,2]}"#),
        ] {
            let Some(EventFrame::Shared(encode)) = dialect("").event(delivery.event()) else {
                panic!("{expected}")
            };
            assert_eq!(encode(delivery.event()), Some(Frame::text(expected)));
        }
        assert!(dialect("").event(&Event::Users(Vec::new())).is_none());
        assert!(dialect("").event(message_delivery("news", 1).event()).is_none());
    }

    #[test]
    fn a_close_is_announced() {
        let closing = dialect("").closing(CloseReason::DRAINING);
        assert_eq!(closing, Some(Frame::text(r#"{"event":"closing","message":"draining"}"#)));
    }
}
