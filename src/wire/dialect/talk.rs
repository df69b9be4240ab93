//! `talk`: `{"event"}` with a user directory. `auth` takes a name and gives a token, which every other
//! event of the connection carries.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    ClientFrame, Dialect, Effect, EventFrame, Frame, Handshake, InitialUser, Purpose, Step,
    content, steps,
};
use crate::{
    chat::{Answer, Reply, Request, RequestContext, event::Event},
    domain::{CloseReason, Rejection, RoomName, Token, UserName},
    wire::{code, payload},
};

/// The addressees of one message.
const ADDRESSEES_MAX: usize = 100;

const NAME_TAKEN: &str = "auth error,user name already exist";
const FORM: Rejection = Rejection::BadRequest("a frame is {event, auth, …}");

/// The translator of a connection.
struct Talk {
    room: RoomName,
    /// The token of `auth`.
    token: Option<Token>,
}

/// A frame of the client.
#[derive(Deserialize)]
struct Command<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    user: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    auth: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    /// The misspelling is that of the clients.
    #[serde(borrow, default, rename = "with_cilents")]
    addressees: Option<Vec<Cow<'a, str>>>,
}

/// A frame of the server.
#[derive(Serialize)]
struct TalkData<'a, T> {
    event: &'a str,
    message: T,
    /// The addressee that an error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

/// Starts.
#[expect(clippy::unnecessary_wraps, reason = "other dialects refuse queries")]
pub(super) fn start(handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
    Ok(Box::new(Talk { room: handshake.room.clone(), token: None }))
}

impl Dialect for Talk {
    /// The name comes with `auth`.
    fn open(&mut self, _user: InitialUser) -> Vec<Step> {
        Vec::new()
    }

    fn frame(&mut self, frame: ClientFrame<'_>, context: RequestContext<'_>) -> Vec<Step> {
        let ClientFrame::Text(text) = frame else { return steps(refused(&FORM)) };
        let Some(text) = content::prepared(text) else { return steps(refused(&FORM)) };
        let raw: Option<&RawValue> = serde_json::from_str(&text).ok();
        let command: Option<Command<'_>> = raw.and_then(content::object);
        let Some(command) = command else { return steps(refused(&FORM)) };
        let is_auth = command.event == "auth";
        if !is_auth && !self.proves(command.auth.as_deref()) {
            return steps(closed(&Rejection::Unauthorized, CloseReason::InvalidUser));
        }
        let asked = match &*command.event {
            "auth" => identify(command.user.as_deref()),
            "user_list" => Ok(vec![Step::Ask(Purpose::List, Request::GroupList { room: None })]),
            "talk_with" => talk_with(&command, context),
            _ => Err(Rejection::UnknownEvent),
        };
        asked.unwrap_or_else(|rejection| steps(refused(&rejection)))
    }

    fn reply(&mut self, purpose: &Purpose, reply: &Reply) -> Vec<Effect> {
        match (purpose, reply) {
            (_, Ok(Answer::Identified { token, .. })) => {
                let text = frame("token", token.expose());
                self.token = Some(token.clone());
                vec![Effect::Send(text)]
            }
            (_, Ok(Answer::Users { users, .. })) => {
                let names: Vec<_> = users.iter().map(UserName::as_raw).collect();
                vec![Effect::Send(frame("user_list", names))]
            }
            (Purpose::PostTo(user), Ok(Answer::PostedTo { online: false, .. })) => {
                absent(user, "offline")
            }
            (Purpose::PostTo(user), Err(rejection)) => {
                absent(user, code::rejection(rejection).code)
            }
            (Purpose::Identify, Err(Rejection::NameTaken)) => {
                vec![
                    Effect::Send(frame("error", NAME_TAKEN)),
                    Effect::Close(CloseReason::NameTaken),
                ]
            }
            (_, Err(rejection)) => refused(rejection),
            (_, Ok(_)) => Vec::new(),
        }
    }

    fn event(&mut self, event: &Event) -> Option<EventFrame> {
        let said = content::message(event)?;
        let is_received = said.conversation.room().is_none_or(|it| *it == self.room);
        is_received.then_some(EventFrame::Shared(encode))
    }

    fn closing(&mut self, _reason: CloseReason) -> Option<Frame> {
        None
    }
}

impl Talk {
    /// Whether this is the token of `auth`.
    fn proves(&self, auth: Option<&str>) -> bool {
        self.token.as_ref().is_some_and(|token| Some(token.expose()) == auth)
    }
}

fn identify(user: Option<&str>) -> Result<Vec<Step>, Rejection> {
    let user = UserName::parse_guest(user.ok_or(FORM)?)?;
    Ok(vec![Step::Ask(Purpose::Identify, Request::Identify { user, device: None })])
}

/// A message to the room, or one to each of the addressees.
fn talk_with(command: &Command<'_>, context: RequestContext<'_>) -> Result<Vec<Step>, Rejection> {
    let body = content::json_body(command.message, context.limits)?;
    let Some(addressees) = &command.addressees else {
        return Ok(vec![Step::Ask(Purpose::Post, content::send_to_others(body))]);
    };
    if !(1..=ADDRESSEES_MAX).contains(&addressees.len()) {
        return Err(Rejection::BadRequest("with_cilents are 1 to 100 names"));
    }
    let step = |name: &Cow<'_, str>| match content::addressee(name) {
        Ok(to) => {
            let request = Request::SingleChat { to: to.clone(), body: body.clone(), id: None };
            vec![Step::Ask(Purpose::PostTo(to), request)]
        }
        Err(rejection) => steps(refused_for(name, code::rejection(&rejection).code)),
    };
    Ok(addressees.iter().flat_map(step).collect())
}

fn refused(rejection: &Rejection) -> Vec<Effect> {
    vec![Effect::Send(frame("error", code::rejection(rejection).code))]
}

fn closed(rejection: &Rejection, reason: CloseReason) -> Vec<Effect> {
    let mut effects = refused(rejection);
    effects.push(Effect::Close(reason));
    effects
}

fn absent(user: &UserName, message: &str) -> Vec<Effect> {
    refused_for(user.as_raw(), message)
}

/// An error about one of several addressees.
fn refused_for(user: &str, message: &str) -> Vec<Effect> {
    let data = TalkData { event: "error", message, user: Some(user) };
    vec![Effect::Send(Frame::Text(payload::json(&data)))]
}

fn encode(event: &Event) -> Option<Frame> {
    let message = content::json_of(content::message(event)?.body);
    let message: &RawValue = serde_json::from_str(&message).ok()?;
    Some(frame("message", message))
}

fn frame(event: &str, message: impl Serialize) -> Frame {
    Frame::Text(payload::json(&TalkData { event, message, user: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::{Receipt, test_support::message_delivery},
        domain::{DisplayNames, Limits, MessageId, Seq},
        wire::test_support::context,
    };

    fn dialect() -> Box<dyn Dialect> {
        start(&Handshake { room: RoomName::lobby(), query: "" }).unwrap()
    }

    fn send(talk: &mut dyn Dialect, text: &str) -> Vec<Step> {
        let limits = Limits::default();
        talk.frame(ClientFrame::Text(text), context(&limits))
    }

    fn identified() -> Box<dyn Dialect> {
        let mut talk = dialect();
        let steps = send(&mut *talk, r#"{"event":"auth","user":"ann"}"#);
        let [Step::Ask(Purpose::Identify, Request::Identify { user, .. })] = &*steps else {
            panic!("{steps:?}")
        };
        let answer = Answer::Identified { user: user.clone(), token: Token::from_raw("t1") };
        let effects = talk.reply(&Purpose::Identify, &Ok(answer));
        assert_eq!(effects, [Effect::Send(Frame::text(r#"{"event":"token","message":"t1"}"#))]);
        talk
    }

    fn error(code: &str) -> Effect {
        Effect::Send(Frame::text(format!(r#"{{"event":"error","message":"{code}"}}"#)))
    }

    #[test]
    fn a_taken_name_is_closed_with_the_words_of_the_original() {
        let effects = dialect().reply(&Purpose::Identify, &Err(Rejection::NameTaken));
        let expected = [error(NAME_TAKEN), Effect::Close(CloseReason::NameTaken)];
        assert_eq!(effects, expected);
        let effects = dialect().reply(&Purpose::Identify, &Err(Rejection::Unavailable));
        assert_eq!(effects, [error("unavailable")]);
    }

    #[test]
    fn every_event_needs_the_token_of_this_connection() {
        for (mut talk, auth) in
            [(dialect(), ""), (dialect(), r#","auth":"t1""#), (identified(), r#","auth":"t0""#)]
        {
            for event in ["user_list", "talk_with", "nothing"] {
                let steps = send(&mut *talk, &format!(r#"{{"event":"{event}"{auth}}}"#));
                let [Step::Effect(first), Step::Effect(second)] = &*steps else { panic!() };
                assert_eq!(*first, error("unauthorized"));
                assert_eq!(*second, Effect::Close(CloseReason::InvalidUser));
            }
        }
    }

    #[test]
    fn a_message_is_for_the_others_or_for_those_named() {
        let mut talk = identified();
        let steps = send(&mut *talk, r#"{"event":"talk_with","auth":"t1","message":"hi"}"#);
        assert!(matches!(&*steps, [Step::Ask(Purpose::Post, Request::GroupChat(_))]));
        let named = r#"{"event":"talk_with","auth":"t1","message":"hi","with_cilents":["bob",""]}"#;
        let steps = send(&mut *talk, named);
        let [Step::Ask(Purpose::PostTo(bob), Request::SingleChat { .. }), Step::Effect(error)] =
            &*steps
        else {
            panic!("{steps:?}")
        };
        let frame = r#"{"event":"error","message":"no_such_user","user":""}"#;
        assert_eq!(*error, Effect::Send(Frame::text(frame)));
        let receipt = Receipt {
            id: MessageId::from_raw("m"),
            seq: Seq::from_raw(1),
            at: time::OffsetDateTime::UNIX_EPOCH,
            duplicate: false,
        };
        let posted =
            |online| Answer::PostedTo { receipt: receipt.clone(), to: bob.clone(), online };
        let purpose = Purpose::PostTo(bob.clone());
        assert_eq!(talk.reply(&purpose, &Ok(posted(true))), []);
        let frame = r#"{"event":"error","message":"offline","user":"bob"}"#;
        let expected = [Effect::Send(Frame::text(frame))];
        assert_eq!(talk.reply(&purpose, &Ok(posted(false))), expected);
    }

    #[test]
    fn bad_frames_are_errors_with_a_code() {
        let names = format!("[{}]", vec!["\"bob\""; 101].join(","));
        let many =
            format!(r#"{{"event":"talk_with","auth":"t1","message":"x","with_cilents":{names}}}"#);
        for (text, code) in [
            ("", "bad_request"),
            ("[\"auth\"]", "bad_request"),
            (r#"{"user":"ann"}"#, "bad_request"),
            (r#"{"event":"auth"}"#, "bad_request"),
            (r#"{"event":"auth","user":" "}"#, "name_invalid"),
            (r#"{"event":"nothing","auth":"t1"}"#, "unknown_event"),
            (r#"{"event":"talk_with","auth":"t1"}"#, "message_empty"),
            (r#"{"event":"talk_with","auth":"t1","message":"x","with_cilents":[]}"#, "bad_request"),
            (&many, "bad_request"),
        ] {
            let steps = send(&mut *identified(), text);
            let [Step::Effect(effect)] = &*steps else { panic!("{text}: {steps:?}") };
            assert_eq!(*effect, error(code), "{text}");
        }
    }

    #[test]
    fn lists_and_messages_have_their_form() {
        let answer = Answer::Users {
            room: RoomName::lobby(),
            users: vec![UserName::from_raw("ann")],
            names: DisplayNames::new(),
            count: 1,
        };
        let frame = r#"{"event":"user_list","message":["ann"]}"#;
        let effects = identified().reply(&Purpose::List, &Ok(answer));
        assert_eq!(effects, [Effect::Send(Frame::text(frame))]);
        let delivery = message_delivery("lobby", 1);
        let Some(EventFrame::Shared(encode)) = dialect().event(delivery.event()) else { panic!() };
        let frame = r#"{"event":"message","message":"hi"}"#;
        assert_eq!(encode(delivery.event()), Some(Frame::text(frame)));
        assert!(dialect().event(message_delivery("news", 1).event()).is_none());
    }
}
