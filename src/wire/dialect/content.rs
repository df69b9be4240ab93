//! What dialects make of messages and events, and the bodies that they make of frames.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Request, RoomPost, event::Event},
    domain::{
        Act, Body, Content, Conversation, Limits, MessageKind, Rejection, RoomName, UserName,
    },
    wire::{
        body::{self, AttachmentEncoding},
        json,
    },
};

/// The text of a body that is one byte string.
const BYTES_ALONE: &str = r#"{"_placeholder":true,"num":0}"#;

/// A message with its author.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'e> {
    pub(super) user: &'e UserName,
    pub(super) body: &'e Body,
    pub(super) conversation: &'e Conversation,
}

/// The new message of an event, in a room or a direct conversation.
pub(super) fn message(event: &Event) -> Option<Said<'_>> {
    let Event::Entry(entry) = event else { return None };
    let Act::Said { kind, content: Content::Body { body, .. } } = &entry.act else { return None };
    let is_message = match kind {
        MessageKind::Message | MessageKind::GroupChat | MessageKind::SingleChat => true,
        MessageKind::Notification | MessageKind::Custom(_) => false,
    };
    let conversation = &entry.place.conversation;
    is_message.then_some(Said { user: &entry.author, body, conversation })
}

/// Whether an event is a new message in this room. A frame without the name of a room is read as one
/// of the room that the client has come for.
pub(super) fn is_message_in(event: &Event, room: &RoomName) -> bool {
    message(event).is_some_and(|it| it.conversation.room() == Some(room))
}

/// The body of a text.
pub(super) fn text_body(text: &str, limits: &Limits) -> Result<Body, Rejection> {
    let json = serde_json::to_string(text).expect("a text is JSON");
    Body::parse(json.into(), Vec::new(), limits)
}

/// The body of a JSON value. A missing one is refused as an empty one.
pub(super) fn json_body(raw: Option<&RawValue>, limits: &Limits) -> Result<Body, Rejection> {
    let raw = raw.ok_or(Rejection::MessageEmpty)?;
    body::read(raw.get(), AttachmentEncoding::Base64, &[], limits)
}

/// The request that posts a message to all in the room of the connection.
pub(super) fn send(body: Body) -> Request {
    Request::Send(RoomPost { room: None, body, id: None })
}

/// The same to all but the sending connection.
pub(super) fn send_to_others(body: Body) -> Request {
    Request::GroupChat(RoomPost { room: None, body, id: None })
}

/// The addressee of a message.
pub(super) fn addressee(name: &str) -> Result<UserName, Rejection> {
    UserName::parse(name).map_err(|_not_a_name| Rejection::NoSuchUser)
}

/// A body as text: a string as it is, another value as its JSON.
pub(super) fn text_of(body: &Body) -> String {
    let json = json_of(body);
    serde_json::from_str(&json).unwrap_or_else(|_not_a_string| json.into_owned())
}

/// A body as JSON, with bytes as base64.
pub(super) fn json_of(body: &Body) -> Cow<'_, str> {
    body::write(body, AttachmentEncoding::Base64, 0)
}

/// The bytes of a body that is one byte string.
pub(super) fn bytes_of(body: &Body) -> Option<&Bytes> {
    let [bytes] = body.attachments() else { return None };
    (body.json() == BYTES_ALONE).then_some(bytes)
}

/// The text of a frame, ready for a parser of JSON. `None` if it is nested too deeply.
pub(super) fn prepared(text: &str) -> Option<Cow<'_, str>> {
    json::check_depth(text).ok()?;
    Some(json::replace_lone_surrogates(text))
}

/// The fields of an object. Another value has none: serde would read an array as fields in order.
pub(super) fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok().filter(|_| raw.get().starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::test_support::{deletion_delivery, message_delivery};

    #[test]
    fn only_messages_of_the_room_are_messages_in_it() {
        let lobby = RoomName::lobby();
        assert!(is_message_in(message_delivery("lobby", 1).event(), &lobby));
        assert!(!is_message_in(message_delivery("news", 1).event(), &lobby));
        assert!(!is_message_in(deletion_delivery("lobby", 2, 1).event(), &lobby));
        assert!(!is_message_in(&Event::Users(Vec::new()), &lobby));
    }

    #[test]
    fn a_body_is_text_json_or_bytes() {
        let body = |json: &str| Body::from_raw(json.into(), Vec::new());
        assert_eq!(text_of(&body(r#""a\n\"b\"""#)), "a\n\"b\"");
        assert_eq!(text_of(&body(r#"{"a":1}"#)), r#"{"a":1}"#);
        assert_eq!(bytes_of(&body(r#""x""#)), None);
        let bytes = vec![Bytes::from_static(b"\x00\x01")];
        let alone = Body::from_raw(BYTES_ALONE.into(), bytes.clone());
        assert_eq!(bytes_of(&alone), bytes.first());
        assert_eq!(text_of(&alone), r#"{"base64":"AAE="}"#);
        let inside = Body::from_raw(format!("[{BYTES_ALONE}]").into(), bytes);
        assert_eq!(bytes_of(&inside), None);
    }

    #[test]
    fn bodies_are_within_the_limits() {
        let limits = Limits::default();
        assert_eq!(text_body("a\"b", &limits).unwrap().json(), r#""a\"b""#);
        assert_eq!(text_body("  ", &limits), Err(Rejection::MessageEmpty));
        let long = "x".repeat(limits.body_bytes_max.get());
        assert_eq!(text_body(&long, &limits), Err(Rejection::MessageTooLarge));
        assert_eq!(json_body(None, &limits), Err(Rejection::MessageEmpty));
    }
}
