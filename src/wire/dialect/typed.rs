//! `typed`: `{"type", "usr", "data"}` with a number as type. A token names the user.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    ClientFrame, Dialect, Effect, EventFrame, Frame, Handshake, InitialUser, Purpose, Step,
    content, refusal, steps,
};
use crate::{
    chat::{Answer, Reply, Request, RequestContext, event::Event},
    domain::{CloseReason, Conversation, Rejection, RoomName, UserName},
    wire::{code, payload},
};

const ERROR: u8 = 0;
const GROUP_LIST: u8 = 1;
const GROUP_CHAT: u8 = 2;
const SINGLE_CHAT: u8 = 3;

const INVALID_TOKEN: &str = "Invalid Token";

/// The translator of a connection.
struct Typed {
    room: RoomName,
}

/// A frame of the client. Its `usr` is not read: the token names the user.
#[derive(Deserialize)]
struct Command<'a> {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
}

/// A frame of the server.
#[derive(Serialize)]
struct TypedData<'a, T> {
    #[serde(rename = "type")]
    kind: u8,
    usr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    data: T,
}

/// Starts.
#[expect(clippy::unnecessary_wraps, reason = "other dialects refuse queries")]
pub(super) fn start(handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
    Ok(Box::new(Typed { room: handshake.room.clone() }))
}

impl Dialect for Typed {
    fn open(&mut self, user: InitialUser) -> Vec<Step> {
        match user {
            InitialUser::Identified => Vec::new(),
            InitialUser::Anonymous(_) => {
                vec![Step::Effect(Effect::Close(CloseReason::InvalidUser))]
            }
        }
    }

    fn frame(&mut self, frame: ClientFrame<'_>, context: RequestContext<'_>) -> Vec<Step> {
        match request(frame, context) {
            Ok((purpose, request)) => vec![Step::Ask(purpose, request)],
            Err(rejection) => steps(refused(&rejection)),
        }
    }

    fn reply(&mut self, _purpose: &Purpose, reply: &Reply) -> Vec<Effect> {
        match reply {
            Ok(Answer::Users { users, .. }) => vec![Effect::Send(names(users))],
            Ok(_) => Vec::new(),
            Err(rejection) => refused(rejection),
        }
    }

    fn event(&mut self, event: &Event) -> Option<EventFrame> {
        let is_received = match content::message(event) {
            Some(said) => said.conversation.room().is_none_or(|it| *it == self.room),
            None => matches!(event, Event::Welcome(_) | Event::Users(_)),
        };
        is_received.then_some(EventFrame::Shared(encode))
    }

    fn closing(&mut self, reason: CloseReason) -> Option<Frame> {
        let row = code::close(reason);
        let text = if reason == CloseReason::InvalidUser { INVALID_TOKEN } else { row.code };
        Some(error(text))
    }

    fn refusal(&self, rejection: &Rejection) -> Option<CloseReason> {
        refusal::is_about_identity(rejection).then_some(CloseReason::InvalidUser)
    }
}

fn request(
    frame: ClientFrame<'_>,
    context: RequestContext<'_>,
) -> Result<(Purpose, Request), Rejection> {
    let form = Rejection::BadRequest("a frame is {type, usr, data, to?} with type 1, 2 or 3");
    let ClientFrame::Text(text) = frame else { return Err(form) };
    let text = content::prepared(text).ok_or(form.clone())?;
    let raw: &RawValue = serde_json::from_str(&text).map_err(|_error| form.clone())?;
    let command: Command<'_> = content::object(raw).ok_or(form.clone())?;
    let body = || content::json_body(command.data, context.limits);
    match command.kind {
        GROUP_LIST => Ok((Purpose::List, Request::GroupList { room: None })),
        GROUP_CHAT => Ok((Purpose::Post, content::send_to_others(body()?))),
        SINGLE_CHAT => {
            let to = content::addressee(command.to.as_deref().ok_or(form)?)?;
            Ok((Purpose::Post, Request::SingleChat { to, body: body()?, id: None }))
        }
        _ => Err(form),
    }
}

fn refused(rejection: &Rejection) -> Vec<Effect> {
    vec![Effect::Send(error(code::rejection(rejection).code))]
}

fn encode(event: &Event) -> Option<Frame> {
    if let Event::Users(users) = event {
        return Some(names(users));
    }
    if let Event::Welcome(welcome) = event {
        let data = format!("Welcome {}", welcome.user.as_raw());
        return Some(frame(&TypedData { kind: GROUP_CHAT, usr: None, to: None, data }));
    }
    let said = content::message(event)?;
    let (usr, data) = (Some(said.user.as_raw()), content::json_of(said.body));
    let data: &RawValue = serde_json::from_str(&data).ok()?;
    let (kind, to) = match said.conversation {
        Conversation::Direct(one, other) => {
            (SINGLE_CHAT, Some(if one == said.user { other.as_raw() } else { one.as_raw() }))
        }
        Conversation::Room(_) | Conversation::Inbox(_) => (GROUP_CHAT, None),
    };
    Some(frame(&TypedData { kind, usr, to, data }))
}

fn names(users: &[UserName]) -> Frame {
    let data: Vec<_> = users.iter().map(UserName::as_raw).collect();
    frame(&TypedData { kind: GROUP_LIST, usr: None, to: None, data })
}

fn error(text: &str) -> Frame {
    frame(&TypedData { kind: ERROR, usr: None, to: None, data: text })
}

fn frame(data: &impl Serialize) -> Frame {
    Frame::Text(payload::json(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::test_support::message_delivery,
        domain::{
            Act, Body, Content, DisplayNames, Entry, Limits, MessageId, MessageKind, Place,
            Position, Space,
        },
        wire::test_support::context,
    };

    fn dialect() -> Box<dyn Dialect> {
        start(&Handshake { room: RoomName::lobby(), query: "" }).unwrap()
    }

    fn steps_of(text: &str) -> Vec<Step> {
        let limits = Limits::default();
        dialect().frame(ClientFrame::Text(text), context(&limits))
    }

    fn encoded(event: &Event) -> Option<Frame> {
        match dialect().event(event)? {
            EventFrame::Shared(encode) => encode(event),
            EventFrame::Own(frame) => Some(frame),
        }
    }

    #[test]
    fn each_type_is_a_request() {
        let list = steps_of(r#"{"type":1,"usr":"ann","data":""}"#);
        assert!(matches!(&*list, [Step::Ask(Purpose::List, Request::GroupList { room: None })]));
        let chat = steps_of(r#"{"type":2,"usr":"ann","data":{"a":1}}"#);
        let [Step::Ask(Purpose::Post, Request::GroupChat(post))] = &*chat else { panic!() };
        assert_eq!(post.body.json(), r#"{"a":1}"#);
        let single = steps_of(r#"{"type":3,"usr":"ann","to":"bob","data":"hi"}"#);
        let [Step::Ask(Purpose::Post, Request::SingleChat { to, .. })] = &*single else { panic!() };
        assert_eq!(to.as_raw(), "bob");
    }

    #[test]
    fn bad_frames_are_errors_with_a_code() {
        for (text, code) in [
            ("", "bad_request"),
            ("[2,\"x\"]", "bad_request"),
            (r#"{"usr":"ann","data":"x"}"#, "bad_request"),
            (r#"{"type":0,"data":"x"}"#, "bad_request"),
            (r#"{"type":4,"data":"x"}"#, "bad_request"),
            (r#"{"type":"2","data":"x"}"#, "bad_request"),
            (r#"{"type":2}"#, "message_empty"),
            (r#"{"type":3,"data":"x"}"#, "bad_request"),
            (r#"{"type":3,"to":"","data":"x"}"#, "no_such_user"),
        ] {
            let steps = steps_of(text);
            let [Step::Effect(Effect::Send(frame))] = &*steps else { panic!("{text}: {steps:?}") };
            let expected = format!(r#"{{"type":0,"usr":null,"data":"{code}"}}"#);
            assert_eq!(*frame, Frame::Text(expected), "{text}");
        }
        let limits = Limits::default();
        let bytes = bytes::Bytes::from_static(b"{}");
        let steps = dialect().frame(ClientFrame::Binary(&bytes), context(&limits));
        assert!(matches!(&*steps, [Step::Effect(Effect::Send(_))]));
    }

    #[test]
    fn messages_have_their_author_and_their_addressee() {
        let room = encoded(message_delivery("lobby", 1).event());
        assert_eq!(room, Some(Frame::text(r#"{"type":2,"usr":"ann","data":"hi"}"#)));
        assert_eq!(encoded(message_delivery("news", 1).event()), None);
        let (ann, bob) = (UserName::from_raw("ann"), UserName::from_raw("bob"));
        let body = Body::from_raw("[1]".into(), Vec::new());
        let content = Content::Body { body, edited_at: None };
        let entry = Entry {
            place: Place {
                space: Space::root(),
                conversation: Conversation::direct(ann, bob.clone()),
            },
            position: Position::from_raw(1, 1),
            id: MessageId::from_raw("m"),
            author: bob,
            author_name: None,
            at: time::OffsetDateTime::UNIX_EPOCH,
            act: Act::Said { kind: MessageKind::SingleChat, content },
        };
        let direct = encoded(&Event::Entry(entry));
        let expected = r#"{"type":3,"usr":"bob","to":"ann","data":[1]}"#;
        assert_eq!(direct, Some(Frame::text(expected)));
    }

    #[test]
    fn names_are_a_list() {
        let users = vec![UserName::from_raw("ann"), UserName::from_raw("bob")];
        let expected = Frame::text(r#"{"type":1,"usr":null,"data":["ann","bob"]}"#);
        assert_eq!(encoded(&Event::Users(users.clone())).as_ref(), Some(&expected));
        let (room, names) = (RoomName::lobby(), DisplayNames::new());
        let answer = Answer::Users { room, users, names, count: 2 };
        let effects = dialect().reply(&Purpose::List, &Ok(answer));
        assert_eq!(effects, [Effect::Send(expected)]);
    }

    #[test]
    fn a_client_without_a_valid_token_is_told_and_closed() {
        let anonymous = InitialUser::Anonymous(UserName::from_raw("guest-1"));
        let steps = dialect().open(anonymous);
        let reason = CloseReason::InvalidUser;
        assert!(matches!(&*steps, [Step::Effect(Effect::Close(it))] if *it == reason));
        let closing = dialect().closing(reason);
        let expected = r#"{"type":0,"usr":null,"data":"Invalid Token"}"#;
        assert_eq!(closing, Some(Frame::text(expected)));
        for rejection in [Rejection::Unauthorized, Rejection::TokenExpired] {
            assert_eq!(dialect().refusal(&rejection), Some(reason), "{rejection:?}");
        }
        assert_eq!(dialect().refusal(&Rejection::RoomForbidden), None);
    }
}
