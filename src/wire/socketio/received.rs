//! The events and acknowledgements of clients.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{NAME_MARKER, RequestKind, refused};
use crate::{
    chat::{Request, RequestContext},
    domain::Rejection,
    wire::{
        body::{AttachmentEncoding, PLACEHOLDER},
        json,
        request::{self, AnswerPacket, RequestData},
    },
};

/// An event packet's array: its name, and its arguments. The name is a string, or a number as its
/// text.
struct EventArray<'a> {
    name: Option<Cow<'a, str>>,
    data: Option<&'a RawValue>,
    /// The arguments after the first one; none for a request that does not read them.
    more: Vec<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for EventArray<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = EventArray<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's name and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let missing = |expected| A::Error::invalid_length(0, expected);
        let mut raw: &RawValue = items.next_element()?.ok_or_else(|| missing(&self))?;
        if raw.get() == NAME_MARKER.trim_end_matches(',') {
            raw = items.next_element()?.ok_or_else(|| missing(&self))?;
        }
        let name = match serde_json::from_str(raw.get()) {
            Ok(Value::String(name)) => Some(Cow::Owned(name)),
            Ok(Value::Number(_)) => Some(Cow::Borrowed(raw.get())),
            _ => None,
        };
        let (data, mut more) = (items.next_element()?, Vec::new());
        if name.as_deref().is_some_and(request::reads_one_argument) {
            while items.next_element::<IgnoredAny>()?.is_some() {}
        } else {
            while let Some(argument) = items.next_element()? {
                more.push(argument);
            }
        }
        Ok(EventArray { name, data, more })
    }
}

/// The names that the parser of the official server refuses: those of its own events.
const RESERVED_NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet of a client.
#[derive(Debug)]
pub enum Received {
    /// An event, or an acknowledgement that somebody awaits.
    Packet(ReceivedPacket),
    /// An acknowledgement without a number.
    Nothing,
    /// None that a client may send: the official server ends its session.
    BrokenProtocol,
}

/// An event of a client, or the acknowledgement of one.
#[derive(Debug)]
pub struct ReceivedPacket {
    /// The request that the reply names.
    pub kind: RequestKind,
    /// The number of the acknowledgement, if the client expects one.
    pub ack: Option<i64>,
    /// The request, or why it is refused.
    pub request: Result<Request, Rejection>,
}

/// Parses the array of a packet with its number and byte strings.
pub fn received(
    text: &str,
    number: Option<i64>,
    attachments: &[Bytes],
    context: RequestContext<'_>,
) -> Received {
    let Some((text, rejection)) = refused::read(text) else {
        return received_array(text, number, attachments, context);
    };
    match received_array(&text, number, attachments, context) {
        Received::Packet(packet) => {
            Received::Packet(ReceivedPacket { request: Err(rejection), ..packet })
        }
        received @ (Received::Nothing | Received::BrokenProtocol) => received,
    }
}

fn received_array(
    text: &str,
    number: Option<i64>,
    attachments: &[Bytes],
    context: RequestContext<'_>,
) -> Received {
    if !attachments.is_empty() && !placeholders_fit(text, attachments.len()) {
        return Received::BrokenProtocol;
    }
    match request::of_packet(text, number, attachments, context) {
        Some(AnswerPacket::Answer(request)) => {
            let kind = RequestKind::Unknown(None);
            return Received::Packet(ReceivedPacket { kind, ack: None, request });
        }
        Some(AnswerPacket::Unnumbered) => return Received::Nothing,
        Some(AnswerPacket::NotJson) => return Received::BrokenProtocol,
        None => {}
    }
    match serde_json::from_str(&json::replace_lone_surrogates(text)) {
        Ok(EventArray { name: Some(name), data: raw, more })
            if !RESERVED_NAMES.contains(&&*name) =>
        {
            let encoding = AttachmentEncoding::Placeholders;
            let data = RequestData { raw, more: &more, attachments, encoding, context };
            let (kind, request) = (RequestKind::of(&name), request::request(&name, &data));
            Received::Packet(ReceivedPacket { kind, ack: number, request })
        }
        Ok(_) | Err(_) => Received::BrokenProtocol,
    }
}

/// Whether every placeholder of a packet has one of its `count` byte strings, as the official parser
/// demands. What is too deep for ours is refused later.
fn placeholders_fit(text: &str, count: usize) -> bool {
    fn fits(value: &Value, count: f64) -> bool {
        match value {
            Value::Object(object) if object.get(PLACEHOLDER) == Some(&Value::Bool(true)) => {
                object.get("num").and_then(Value::as_f64).is_some_and(|it| 0.0 <= it && it < count)
            }
            Value::Object(object) => object.values().all(|it| fits(it, count)),
            Value::Array(items) => items.iter().all(|it| fits(it, count)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
    let count = u32::try_from(count).unwrap_or(u32::MAX).into();
    let value: Result<Value, _> = serde_json::from_str(&json::replace_lone_surrogates(text));
    value.map_or(true, |it| fits(&it, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Limits,
        wire::{request::ReplyForm, test_support::context},
    };

    fn request(
        text: &str,
        attachments: &[Bytes],
        context: RequestContext<'_>,
    ) -> (RequestKind, Result<Request, Rejection>) {
        let received = received(text, None, attachments, context);
        let Received::Packet(ReceivedPacket { kind, request, .. }) = received else {
            panic!("{text}: {received:?}");
        };
        (kind, request)
    }

    #[test]
    fn an_event_is_a_name_and_its_first_argument() {
        let limits = Limits::default();
        for text in [r#"["send message","hi"]"#, r#"["send message","hi",1,{}]"#] {
            let (kind, request) = request(text, &[], context(&limits));
            assert_eq!(kind, RequestKind::Known("send message", ReplyForm::Acknowledgement));
            assert!(matches!(request, Ok(Request::Send(_))), "{text}");
        }
        let (kind, request) = request(r#"["GroupList"]"#, &[], context(&limits));
        assert_eq!(kind, RequestKind::of("GroupList"));
        assert!(matches!(request, Ok(Request::GroupList { room: None })));
    }

    #[test]
    fn packets_that_clients_may_not_send_break_the_protocol() {
        let limits = Limits::default();
        for text in [
            r#"[{"toString":"foo"}]"#,
            r#"[true,"x"]"#,
            "[null]",
            "{}",
            "[]",
            "7",
            "[\"a",
            r#"["connect"]"#,
            r#"["disconnect","123"]"#,
            r#"["","\u0063onnect"]"#,
            r#"["ack",x]"#,
        ] {
            let received = received(text, Some(7), &[], context(&limits));
            assert!(matches!(received, Received::BrokenProtocol), "{text}");
        }
        for text in [r#"["error"]"#, r#"["ping"]"#, r#"["Connect"]"#] {
            let (_, request) = request(text, &[], context(&limits));
            assert_eq!(request.unwrap_err(), Rejection::UnknownEvent, "{text}");
        }
    }

    #[test]
    fn placeholders_have_byte_strings() {
        let (limits, two) = (Limits::default(), [Bytes::new(), Bytes::new()]);
        let breaks = |placeholder: &str| {
            let text = format!(r#"["x",[{{"a":{{{placeholder}}}}}]]"#);
            matches!(received(&text, None, &two, context(&limits)), Received::BrokenProtocol)
        };
        for broken in ["2", "-1", "1e9", r#""0""#, "null"] {
            assert!(breaks(&format!(r#""_placeholder":true,"num":{broken}"#)), "{broken}");
        }
        assert!(breaks(r#""_placeholder":true"#));
        assert!(breaks(r#""_placehol\u0064er":true,"num":2"#));
        for good in [r#"true,"num":0"#, r#"true,"num":1"#, r#"false,"num":2"#, r#"1,"num":2"#] {
            assert!(!breaks(&format!(r#""_placeholder":{good}"#)), "{good}");
        }
        let answer = r#"["ack",{"_placeholder":true,"num":2}]"#;
        let answer = received(answer, Some(7), &two, context(&limits));
        assert!(matches!(answer, Received::BrokenProtocol));
    }

    #[test]
    fn a_name_of_any_form_is_named_in_its_refusal() {
        let long = "\u{e9}".repeat(10_000);
        for (text, name) in [
            (r#"["","q\"uote"]"#.to_owned(), "q\"uote"),
            (r#"["","caf\u00e9",1]"#.to_owned(), "caf\u{e9}"),
            (r#"["",300,"x"]"#.to_owned(), "300"),
            (r#"["",""]"#.to_owned(), ""),
            (r#"["","\ud83d"]"#.to_owned(), "\u{fffd}"),
            (format!(r#"["","{long}"]"#), &*"\u{e9}".repeat(64)),
        ] {
            let (kind, request) = request(&text, &[], context(&Limits::default()));
            assert_eq!(request.unwrap_err(), Rejection::UnknownEvent, "{text}");
            assert_eq!(kind, RequestKind::Unknown(Some(name.into())));
        }
        let (kind, _) =
            request(r#"["","\u0073end message","x"]"#, &[], context(&Limits::default()));
        assert_eq!(kind, RequestKind::of("send message"));
    }
}
