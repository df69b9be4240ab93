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

/// Parses `["ack", argument, …]`, an acknowledgement packet with [`ANSWER_NAME`]. `None` if the text is
/// an event.
pub(in crate::wire) fn of_packet(
    text: &str,
    number: Option<i64>,
    attachments: &[Bytes],
    context: RequestContext<'_>,
) -> Option<Result<Request, Rejection>> {
    let args = text.strip_prefix('[')?.strip_prefix(ANSWER_NAME)?;
    let args = format!("[{}", args.strip_prefix(',').unwrap_or(args));
    let args = json::replace_lone_surrogates(&args);
    let args: Option<Vec<&RawValue>> = serde_json::from_str(&args).ok();
    let ask = number.and_then(|it| u64::try_from(it).ok());
    let Some((args, ask)) = args.zip(ask) else {
        return Some(Err(Rejection::BadRequest("an acknowledgement has a number and arguments")));
    };
    let encoding = AttachmentEncoding::Placeholders;
    let (raw, more) = (args.first().copied(), args.get(1..).unwrap_or_default());
    Some(answer(ask, &RequestData { raw, more, attachments, encoding, context }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Limits,
        wire::{request::RequestKind, socketio, test_support::context},
    };

    #[test]
    fn a_packet_with_the_name_of_answers_is_one() {
        let (limits, attachments) = (Limits::default(), [Bytes::from_static(b"y")]);
        let received =
            |text, number| socketio::received(text, number, &attachments, context(&limits));
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
        let foreign = r#"["ack",{"num":1,"_placeholder":true}]"#;
        for (text, number) in [
            (r#"["ack",1]"#, None),
            (r#"["ack",x]"#, Some(7)),
            (&*deep, Some(7)),
            (foreign, Some(7)),
        ] {
            let refused = received(text, number).request;
            assert!(matches!(refused, Err(Rejection::BadRequest(_))), "{text}");
        }
        let large = format!(r#"["ack","{}"]"#, "x".repeat(limits.body_bytes_max.get()));
        assert_eq!(received(&large, Some(7)).request.unwrap_err(), Rejection::MessageTooLarge);
        let event = received(r#"["","ack",1]"#, Some(7));
        assert_eq!((event.ack, event.request.unwrap_err()), (Some(7), Rejection::UnknownEvent));
    }
}
