//! The packets of clients, as text: those of `/ws`, and the few of Socket.IO that a client needs.

use std::{borrow::Cow, fmt::Write as _};

use clap::ValueEnum;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// How clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Wire {
    /// Plain WebSocket, at /ws
    Websocket,
    /// Socket.IO over WebSocket
    #[value(name = "socket.io")]
    SocketIo,
}

/// What a client says of itself when it connects.
pub(super) struct Introduction<'a> {
    pub(super) space: &'a str,
    pub(super) room: &'a str,
    pub(super) token: Option<&'a str>,
    /// The last seq of the room, and the epoch of the database, for one that comes back.
    pub(super) since: Option<(u64, &'a str)>,
}

/// A packet of the server.
#[derive(Debug)]
pub(super) enum Packet<'a> {
    /// Socket.IO: the session is open, and spaces may be entered.
    Open,
    /// Socket.IO: the space is entered.
    Entered,
    /// Socket.IO: the space is refused.
    Refused(Answer),
    /// Socket.IO: is the client still there?
    Ping,
    /// The space is left, at the server's wish.
    Left,
    Event {
        name: Cow<'a, str>,
        data: &'a RawValue,
    },
    Answer(u64, Answer),
    Other,
}

/// What an answer or a refusal says, of what matters here.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Answer {
    pub(super) ok: bool,
    pub(super) code: Option<String>,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) seq: Option<u64>,
}

/// A frame of `/ws`.
#[derive(Deserialize)]
struct Frame<'a> {
    ack: Option<u64>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Wire {
    /// Its name, as an option and in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::SocketIo => "socket.io",
        }
    }

    /// Where the WebSocket is opened.
    pub(super) fn path(self, introduction: &Introduction<'_>) -> String {
        let Introduction { space, room, since, .. } = introduction;
        match self {
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            Self::Websocket => {
                let (room, space) = (encode(room), encode(space));
                let mut path = format!("/ws/{room}?space={space}");
                if let Some((seq, epoch)) = since {
                    // `room:seq` is encoded once as a room, and again as a value.
                    let since = encode(&format!("{room}:{seq}"));
                    let _infallible = write!(path, "&since={since}&epoch={}", encode(epoch));
                }
                path
            }
        }
    }

    /// Socket.IO: enters the space.
    pub(super) fn enter(introduction: &Introduction<'_>) -> String {
        let Introduction { space, room, token, since } = introduction;
        let mut auth = json!({ "room": room });
        if let (Some(token), Value::Object(auth)) = (token, &mut auth) {
            auth.insert("token".to_owned(), json!(token));
        }
        if let (Some((seq, epoch)), Value::Object(auth)) = (since, &mut auth) {
            auth.insert("since".to_owned(), json!({ *room: seq }));
            auth.insert("epoch".to_owned(), json!(epoch));
        }
        format!("40{}{auth}", prefix(space))
    }

    /// A request that is answered with this number.
    pub(super) fn request(self, space: &str, ack: u64, event: &str, data: &Value) -> String {
        match self {
            Self::Websocket => json!({ "event": event, "data": data, "ack": ack }).to_string(),
            Self::SocketIo => format!("42{}{ack}{}", prefix(space), json!([event, data])),
        }
    }

    /// Reads a text frame. One that is not understood is `Other`.
    pub(super) fn read(self, text: &str) -> Packet<'_> {
        match self {
            Self::Websocket => read_frame(text),
            Self::SocketIo => read_packet(text),
        }
        .unwrap_or(Packet::Other)
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The space of a packet; `/` is left out.
fn prefix(space: &str) -> String {
    if space == "/" { String::new() } else { format!("{space},") }
}

fn read_frame(text: &str) -> Option<Packet<'_>> {
    let frame: Frame<'_> = serde_json::from_str(text).ok()?;
    match frame {
        Frame { ack: Some(ack), .. } => Some(Packet::Answer(ack, serde_json::from_str(text).ok()?)),
        Frame { event: Some(name), data: Some(data), .. } => Some(Packet::Event { name, data }),
        Frame { .. } => None,
    }
}

fn read_packet(text: &str) -> Option<Packet<'_>> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "0" => return Some(Packet::Open),
        "2" => return Some(Packet::Ping),
        "4" => {}
        _ => return None,
    }
    let (kind, rest) = rest.split_at_checked(1)?;
    // A space is followed by a comma, and a number by the data.
    let rest = match rest.split_once(',') {
        Some((space, rest)) if space.starts_with('/') => rest,
        _ => rest,
    };
    match kind {
        "0" => Some(Packet::Entered),
        "1" => Some(Packet::Left),
        "2" => {
            let (name, data): (Cow<'_, str>, &RawValue) = serde_json::from_str(rest).ok()?;
            Some(Packet::Event { name, data })
        }
        "3" => {
            let (ack, arguments) = rest.split_at_checked(rest.find('[')?)?;
            Some(Packet::Answer(ack.parse().ok()?, read_answer(arguments)?))
        }
        "4" => {
            let refusal: Value = serde_json::from_str(rest).ok()?;
            let answer = serde_json::from_value(refusal.get("data")?.clone());
            Some(Packet::Refused(answer.ok()?))
        }
        _ => None,
    }
}

/// The answer to a request is an object; that to `new user` is `true` or `false` and an object.
fn read_answer(arguments: &str) -> Option<Answer> {
    let arguments: Vec<&RawValue> = serde_json::from_str(arguments).ok()?;
    match arguments.as_slice() {
        [answer] => serde_json::from_str(answer.get()).ok(),
        [ok, answer] => {
            let answer: Answer = serde_json::from_str(answer.get()).ok()?;
            Some(Answer { ok: ok.get() == "true", ..answer })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn introduction(space: &'static str) -> Introduction<'static> {
        Introduction { space, room: "a-1", token: Some("t"), since: Some((7, "e")) }
    }

    #[test]
    fn a_client_says_who_it_is_and_what_it_has() {
        let there = introduction("/shop");
        assert_eq!(
            Wire::Websocket.path(&there),
            "/ws/a%2D1?space=%2Fshop&since=a%252D1%3A7&epoch=e"
        );
        let auth = r#"{"epoch":"e","room":"a-1","since":{"a-1":7},"token":"t"}"#;
        assert_eq!(Wire::enter(&there), format!("40/shop,{auth}"));
        assert_eq!(Wire::enter(&introduction("/")), format!("40{auth}"));
    }

    #[test]
    fn requests_have_the_form_of_their_wire() {
        let data = json!({ "msg": "hi" });
        assert_eq!(
            Wire::Websocket.request("/", 3, "send message", &data),
            r#"{"ack":3,"data":{"msg":"hi"},"event":"send message"}"#
        );
        assert_eq!(
            Wire::SocketIo.request("/shop", 3, "send message", &data),
            r#"42/shop,3["send message",{"msg":"hi"}]"#
        );
    }

    #[test]
    fn answers_are_the_same_on_both_wires() {
        let stored = Answer { ok: true, seq: Some(2), ..Answer::default() };
        let slow = Answer {
            code: Some("too_fast".to_owned()),
            retry_after_ms: Some(9),
            ..Answer::default()
        };
        for (wire, text, expected) in [
            (Wire::Websocket, r#"{"ack":1,"ok":true,"id":"x","seq":2}"#, &stored),
            (Wire::SocketIo, r#"431[{"ok":true,"id":"x","seq":2}]"#, &stored),
            (Wire::SocketIo, r#"43/shop,1[true,{"user":"a","seq":2}]"#, &stored),
            (Wire::SocketIo, r#"431[false,{"code":"too_fast","retryAfterMs":9}]"#, &slow),
            (
                Wire::Websocket,
                r#"{"ack":1,"ok":false,"code":"too_fast","message":"m","retryAfterMs":9}"#,
                &slow,
            ),
        ] {
            let Packet::Answer(1, answer) = wire.read(text) else { panic!("{text}") };
            assert_eq!(&answer, expected, "{text}");
        }
        let Packet::Refused(answer) = Wire::SocketIo
            .read(r#"44{"message":"too_fast","data":{"code":"too_fast","retryAfterMs":9}}"#)
        else {
            panic!("a refusal");
        };
        assert_eq!(answer, slow);
    }

    #[test]
    fn events_have_a_name_and_data() {
        for (wire, text) in [
            (Wire::Websocket, r#"{"event":"new message","data":{"seq":1}}"#),
            (Wire::SocketIo, r#"42["new message",{"seq":1}]"#),
            (Wire::SocketIo, r#"42/shop,["new message",{"seq":1}]"#),
        ] {
            let Packet::Event { name, data } = wire.read(text) else { panic!("{text}") };
            assert_eq!((&*name, data.get()), ("new message", r#"{"seq":1}"#), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for text in ["", "4", "42", "42[", "43[]", "431[]", "43x[{}]", "44{}", "é", "9", "{}", "[]"]
        {
            assert!(matches!(Wire::SocketIo.read(text), Packet::Other), "{text}");
            assert!(matches!(Wire::Websocket.read(text), Packet::Other), "{text}");
        }
    }
}
