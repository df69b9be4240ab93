//! Answers of clients to asks of back ends.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{RequestData, custom};
use crate::{
    chat::{Request, RequestContext},
    domain::{AskId, Rejection},
    wire::{body::AttachmentEncoding, json},
};

/// What stands before the arguments of an answer, where the engine reads the name of an event: to
/// the engine, acknowledgements of clients are answers to events of its own, and it has none. An
/// event of a client with this name has [`NAME_MARKER`](crate::wire::socketio::NAME_MARKER) before.
pub const ANSWER_NAME: &str = "\"ack\"";

/// Parses an answer with arguments of any number.
pub(in crate::wire) fn answer(ask: u64, data: &RequestData<'_>) -> Result<Request, Rejection> {
    for raw in data.raw.iter().chain(data.more) {
        json::check_depth(raw.get())?;
    }
    Ok(Request::AnswerAsk { ask: AskId::from_raw(ask), args: custom::arguments(data)? })
}

/// An acknowledgement packet.
#[derive(Debug)]
pub(in crate::wire) enum AnswerPacket {
    /// It answers something, or is refused.
    Answer(Result<Request, Rejection>),
    /// It has no number, so nobody awaits it.
    Unnumbered,
    /// Its arguments are not JSON.
    NotJson,
}

/// Parses `["ack", argument, …]`, an acknowledgement packet with [`ANSWER_NAME`]. `None` if the text is
/// an event.
pub(in crate::wire) fn of_packet(
    text: &str,
    number: Option<i64>,
    attachments: &[Bytes],
    context: RequestContext<'_>,
) -> Option<AnswerPacket> {
    let args = text.trim_start().strip_prefix('[')?.strip_prefix(ANSWER_NAME)?;
    let args = format!("[{}", args.strip_prefix(',').unwrap_or(args));
    let args = json::replace_lone_surrogates(&args);
    let Ok(args) = serde_json::from_str::<Vec<&RawValue>>(&args) else {
        return Some(AnswerPacket::NotJson);
    };
    let Some(ask) = number.and_then(|it| u64::try_from(it).ok()) else {
        return Some(AnswerPacket::Unnumbered);
    };
    let encoding = AttachmentEncoding::Placeholders;
    let (raw, more) = (args.first().copied(), args.get(1..).unwrap_or_default());
    let data = RequestData { raw, more, attachments, encoding, context };
    Some(AnswerPacket::Answer(answer(ask, &data)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Limits,
        wire::{
            request::RequestKind,
            socketio::{self, Received},
            test_support::context,
        },
    };

    #[test]
    fn a_packet_with_the_name_of_answers_is_one() {
        let (limits, attachments) = (Limits::default(), [Bytes::from_static(b"y")]);
        let received =
            |text, number| match socketio::received(text, number, &attachments, context(&limits)) {
                Received::Packet(packet) => packet,
                Received::Nothing | Received::BrokenProtocol => panic!("{text}"),
            };
        for (text, expected) in [
            (r#"["ack"]"#, "[]"),
            (r#"["ack" ]"#, "[]"),
            (r#"["ack","ann",null]"#, r#"["ann",null]"#),
            (r#"["ack",{"num":0,"_placeholder":true}]"#, r#"[{"_placeholder":true,"num":0}]"#),
        ] {
            let packet = received(text, Some(7));
            assert_eq!((packet.kind, packet.ack), (RequestKind::Unknown(None), None));
            let Ok(Request::AnswerAsk { ask, args }) = packet.request else { panic!("{text}") };
            assert_eq!((ask, args.json()), (AskId::from_raw(7), expected));
        }
        let deep = format!(r#"["ack",{}1{}]"#, "[".repeat(65), "]".repeat(65));
        let refused = received(&deep, Some(7)).request;
        assert!(matches!(refused, Err(Rejection::BadRequest(_))), "{deep}");
        let large = format!(r#"["ack","{}"]"#, "x".repeat(limits.body_bytes_max.get()));
        assert_eq!(received(&large, Some(7)).request.unwrap_err(), Rejection::MessageTooLarge);
        let event = received(r#"["","ack",1]"#, Some(7));
        assert_eq!((event.ack, event.request.unwrap_err()), (Some(7), Rejection::UnknownEvent));
        let unnumbered = socketio::received(r#"["ack",1]"#, None, &[], context(&limits));
        assert!(matches!(unnumbered, Received::Nothing));
    }
}
