//! Valid and invalid frames.

use proptest::prelude::*;
use serde_json::{Map, Value, json, value::RawValue};

use super::*;
use crate::{
    chat::{Answer, Request, event::Event, test_support::message_delivery},
    domain::{Act, Body, Entry, Rejection, Seq},
    wire::{payload::Payload, test_support::context, websocket},
};

/// A packed value in which every `bin` is a byte string.
fn packed(value: &Value, attachments: &[&'static [u8]]) -> Vec<u8> {
    let attachments = attachments.iter().map(|it| Bytes::from_static(it)).collect();
    pack(Payload { data: value, attachments }).to_vec()
}

fn unpack_frame(frame: &[u8]) -> Result<Unpacked, Rejection> {
    unpack(frame, FRAME_DEPTH_MAX, ForeignValues::Refused, &Limits::default())
}

fn bin(number: usize) -> Value {
    json!({ "_placeholder": true, "num": number })
}

fn read_frame(frame: &[u8]) -> RequestFrame {
    request(frame, context(&Limits::default()))
}

/// The body of `send message`.
fn body(frame: &[u8]) -> Result<Body, Rejection> {
    let Request::Send(post) = read_frame(frame).request? else { panic!("a post") };
    Ok(post.body)
}

/// A `send message` with these bytes as its `data`.
fn sending(data: &[u8]) -> Vec<u8> {
    [b"\x83\xa5event\xacsend message\xa3ack\x07\xa4data", data].concat()
}

/// A `send message` with these bytes as its message.
fn saying(message: &[u8]) -> Vec<u8> {
    sending(&[b"\x81\xa3msg", message].concat())
}

#[test]
fn a_frame_is_a_request() {
    let frame = packed(
        &json!({ "event": "send message", "ack": 7, "data": {
            "room": "news", "id": "x-1", "msg": { "text": "hi", "file": bin(0), "more": [bin(1)] },
        } }),
        &[b"zero", b"one"],
    );
    let request_frame = read_frame(&frame);
    assert_eq!((request_frame.kind, request_frame.ack), (RequestKind::of("send message"), Some(7)));
    let Ok(Request::Send(post)) = request_frame.request else { panic!("a post") };
    assert_eq!(post.room.unwrap().as_raw(), "news");
    assert_eq!(post.id.unwrap().as_raw(), "x-1");
    assert_eq!(post.body.attachments(), [&b"zero"[..], b"one"]);
    let json = r#"{"file":{"_placeholder":true,"num":0},"more":[{"_placeholder":true,"num":1}],"text":"hi"}"#;
    assert_eq!(post.body.json(), json);
}

#[test]
fn bare_text_and_bare_bytes_are_messages() {
    assert_eq!(body(&sending(b"\xa2hi")).unwrap().json(), "\"hi\"");
    assert_eq!(body(&sending(b"\xc4\x02\x00\xff")).unwrap().attachments(), [&b"\x00\xff"[..]]);
    let request_frame = read_frame(&packed(&json!({ "event": "GroupList" }), &[]));
    assert_eq!((request_frame.ack, request_frame.request.is_ok()), (None, true));
}

#[test]
fn every_json_type_is_read() {
    for (message, json) in [
        (&b"\x01"[..], "1"),
        (b"\xff", "-1"),
        (b"\xcc\xff", "255"),
        (b"\xcd\xff\xff", "65535"),
        (b"\xce\xff\xff\xff\xff", "4294967295"),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        (b"\xd0\x80", "-128"),
        (b"\xd1\x80\x00", "-32768"),
        (b"\xd2\x80\x00\x00\x00", "-2147483648"),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"),
        (b"\xca\x3f\x00\x00\x00", "0.5"),
        (b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1"),
        (b"\xcb\x42\x70\x00\x00\x00\x00\x00\x00", "1099511627776"),
        (b"\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", "1e+300"),
        (b"\x92\xc2\xc3", "[false,true]"),
        (b"\x91\xc0", "[null]"),
        (b"\xdc\x00\x01\x01", "[1]"),
        (b"\xdd\x00\x00\x00\x01\x01", "[1]"),
        (b"\xde\x00\x01\xa1a\x01", r#"{"a":1}"#),
        (b"\xdf\x00\x00\x00\x01\xa1a\x01", r#"{"a":1}"#),
        (b"\xd9\x02hi", "\"hi\""),
        (b"\xda\x00\x02hi", "\"hi\""),
        (b"\xdb\x00\x00\x00\x02hi", "\"hi\""),
        (b"\xa3\"\\\n", r#""\"\\\n""#),
        (b"\x90", "[]"),
        (b"\x80", "{}"),
    ] {
        assert_eq!(body(&saying(message)).unwrap().json(), json, "{message:x?}");
    }
    for message in [&b"\xc4\x01x"[..], b"\xc5\x00\x01x", b"\xc6\x00\x00\x00\x01x"] {
        assert_eq!(body(&saying(message)).unwrap().attachments(), [&b"x"[..]], "{message:x?}");
    }
}

#[test]
fn values_without_a_json_form_are_refused() {
    for (message, what) in [
        (&b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"[..], "NaN"),
        (b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "infinity"),
        (b"\xca\xff\x80\x00\x00", "minus infinity"),
        (b"\xc1", "the reserved marker"),
        (b"\xd6\xff\x00\x00\x00\x00", "a time"),
        (b"\xd4\x01\x00", "an extension of 1 byte"),
        (b"\xd8\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "of 16"),
        (b"\xc7\x00\x01", "an empty extension"),
        (b"\xc9\xff\xff\xff\xff\x01", "a long one"),
        (b"\x81\x01\x01", "a number as a key"),
        (b"\x81\xc4\x01a\x01", "bytes as a key"),
        (b"\x81\xc0\x01", "nil as a key"),
        (b"\x81\x90\x01", "an array as a key"),
        (b"\x82\xa1a\x01\xa1a\x02", "a key twice"),
        (b"\x82\xa1a\x01\xd9\x01a\x02", "a key twice, spelled otherwise"),
        (b"\xa1\xff", "text that is not UTF-8"),
        (b"\x81\xa1\xff\x01", "a key that is not UTF-8"),
        (b"\xa3\xed\xa0\xff", "a broken character"),
        (b"\x01\x01", "bytes after the end"),
        (b"", "an end too early"),
        (b"\xa2h", "a text cut off"),
        (b"\x92\x01", "an array cut off"),
        (b"\x81\xa1a", "a map cut off"),
        (b"\xcb\x00\x00", "a number cut off"),
        (b"\xdd\xff\xff\xff\xff", "four billion items in five bytes"),
        (b"\xdf\xff\xff\xff\xff", "four billion members"),
        (b"\xdb\xff\xff\xff\xff", "four billion bytes of text"),
        (b"\xc6\xff\xff\xff\xff", "four billion bytes"),
    ] {
        let request_frame = read_frame(&saying(message));
        assert!(
            matches!(request_frame.request, Err(Rejection::BadRequest(_))),
            "{what}: {request_frame:?}"
        );
    }
}

#[test]
fn invalid_requests_are_refused() {
    for (frame, what) in [
        (&b""[..], "nothing"),
        (b"\xc0", "nil"),
        (b"\x91\xa4join", "an array"),
        (b"\xa4join", "a text"),
        (b"\xc4\x01x", "bytes"),
        (b"\x80", "no event"),
        (b"\x81\xa5event\x07", "an event that is a number"),
        (b"\x81\xa5event\xc4\x04join", "an event that is bytes"),
        (b"\x82\xa5event\xa4join\xa3ack\xff", "a negative ack"),
        (b"\x82\xa5event\xa4join\xa3ack\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00", "half an ack"),
        (b"\x82\xa5event\xa4join\xa3ack\xcf\x00\x20\x00\x00\x00\x00\x00\x00", "2^53"),
        (b"{\"event\":\"join\"}", "JSON"),
    ] {
        let request_frame = read_frame(frame);
        assert!(
            matches!(request_frame.request, Err(Rejection::BadRequest(_))),
            "{what}: {request_frame:?}"
        );
        assert_eq!(request_frame.ack, None, "{what}");
    }
    let whole = read_frame(b"\x82\xa5event\xa4join\xa3ack\xcb\x41\xf0\x00\x00\x00\x00\x00\x00");
    assert_eq!((whole.ack, whole.request.is_ok()), (Some(1 << 32), true), "as a float");
}

#[test]
fn a_placeholder_of_a_client_is_refused_with_its_ack() {
    let smuggled = b"\x82\xac_placeholder\xc3\xa3num\x00";
    let key_alone = b"\x81\xac_placeholder\x01";
    let beside_bytes = [b"\x92\xc4\x01x", &smuggled[..]].concat();
    for message in [&smuggled[..], key_alone, &beside_bytes] {
        for frame in [saying(message), sending(message)] {
            let request_frame = read_frame(&frame);
            assert_eq!(request_frame.ack, Some(7));
            assert!(matches!(request_frame.request, Err(Rejection::BadRequest(_))), "{message:x?}");
        }
    }
    let outside_data = [b"\x82\xa5event\xa9GroupList\xa1x", &smuggled[..]].concat();
    assert!(matches!(read_frame(&outside_data).request, Err(Rejection::BadRequest(_))));
    let text = br#"{"_placeholder":true,"num":0}"#;
    let text = [&[0xd9, 29][..], text].concat();
    let with_bytes = [b"\x92", &text[..], b"\xc4\x01x"].concat();
    let body = body(&saying(&with_bytes)).unwrap();
    let json = r#"["{\"_placeholder\":true,\"num\":0}",{"_placeholder":true,"num":0}]"#;
    assert_eq!(body.json(), json, "a text in the form of a placeholder is a text");
}

#[test]
fn unexpected_bytes_are_not_delivered() {
    let frame = packed(
        &json!({ "event": "send message", "data": { "msg": [bin(1)], "id": bin(0) } }),
        &[b"lost", b"kept"],
    );
    assert!(matches!(body(&frame), Err(Rejection::Keys(_))), "`id` is a text");
    let join = packed(&json!({ "event": "join", "data": bin(0) }), &[b"x"]);
    assert!(matches!(read_frame(&join).request, Err(Rejection::BadRequest(_))));
}

#[test]
fn a_request_nests_as_deep_as_in_json() {
    // The message is inside of the data.
    let nested = |depth: usize| saying(&[vec![0x91; depth], vec![0x01]].concat());
    assert!(body(&nested(63)).is_ok());
    for depth in [64, 65, 1000, 100_000] {
        let request_frame = read_frame(&nested(depth));
        assert!(matches!(request_frame.request, Err(Rejection::BadRequest(_))), "{depth}");
    }
}

#[test]
fn more_than_ten_byte_strings_are_refused_with_their_ack() {
    let parts = |count: u16| {
        let parts = b"\xc4\x01x".repeat(count.into());
        read_frame(&saying(&[b"\xdc", &count.to_be_bytes()[..], &parts].concat()))
    };
    assert!(parts(10).request.is_ok());
    for count in [11, 60_000] {
        let request_frame = parts(count);
        assert_eq!(request_frame.request.unwrap_err(), Rejection::TooManyAttachments);
        assert_eq!(request_frame.ack, Some(7));
    }
}

#[test]
fn the_decoded_size_of_a_frame_is_bounded() {
    for (part, most) in [(&b"\xc2"[..], 6), (b"\x01", 6), (b"\xc4\x00", 6), (b"\xa1\x00", 6)] {
        let count = 100_000 / part.len();
        let length = u32::try_from(count).unwrap().to_be_bytes();
        let frame = saying(&[b"\xdd", &length[..], &part.repeat(count)].concat());
        let Unpacked { text, attachments, .. } = unpack_frame(&frame).unwrap();
        assert!(text.len() <= most * frame.len(), "{part:x?}: {}", text.len());
        assert!(attachments.len() <= 10);
    }
}

#[test]
fn an_event_has_its_byte_strings_as_bin() {
    let body = Body::from_raw(r#"[1.5,{"_placeholder":true,"num":0}]"#.into(), vec!["x".into()]);
    let act = Act::Edited { of: Seq::from_raw(1), body: Some(body) };
    let entry = Entry { act, ..message_delivery("lobby", 2).entry().unwrap().clone() };
    let delivery = Delivery::new(Event::Entry(entry));
    let golden = [
        &b"\x82\xa4data\x87"[..],
        b"\xa2at\xb81970-01-01T00:00:00.000Z",
        b"\xa2id\xa2m2",
        b"\xa3msg\x92\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xc4\x01x",
        b"\xa2of\x01",
        b"\xa4room\xa5lobby",
        b"\xa3seq\x02",
        b"\xa4user\xa3ann",
        b"\xa5event\xaemessage edited",
    ];
    assert_eq!(event(&delivery, &Limits::default()), golden.concat());
}

#[test]
fn a_reply_has_its_ack_or_is_an_event() {
    let (kind, refused) = (RequestKind::of("typing"), Err(Rejection::NotMember));
    assert_eq!(
        reply(&kind, Some(3), &Ok(Answer::Acknowledged)).unwrap(),
        &b"\x82\xa3ack\x03\xa2ok\xc3"[..]
    );
    assert_eq!(reply(&kind, None, &Ok(Answer::Acknowledged)), None);
    let event_frame = reply(&kind, None, &refused).unwrap();
    assert!(event_frame.starts_with(b"\x82\xa4data\x83\xa4code\xaanot_member\xa5event\xa6typing"));
    let queried = reply(&RequestKind::of("presence"), None, &Ok(Answer::Presences(Vec::new())));
    assert_eq!(queried.unwrap(), &b"\x82\xa4data\x81\xa5users\x90\xa5event\xa8presence"[..]);
    let closed = closing(CloseReason::Replaced);
    assert!(closed.starts_with(b"\x82\xa4data\x83\xa7afterMs\x00\xa4code\xa8replaced"));
}

/// Any JSON that a body may be.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |it| it.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Numbers as JavaScript has them.
fn in_javascript(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter_mut().for_each(in_javascript),
        Value::Object(members) => members.values_mut().for_each(in_javascript),
        Value::Null | Value::Bool(_) | Value::String(_) => (),
    }
}

proptest! {
    /// The same message has the same body in both formats, and survives a round trip.
    #[test]
    fn a_body_is_the_same_in_both_formats(value in values()) {
        let request = json!({ "event": "send message", "data": { "msg": { "v": value } } });
        let Ok(Request::Send(own)) = read_frame(&packed(&request, &[])).request else { panic!("a post") };
        let json = websocket::request(&request.to_string(), context(&Limits::default()));
        let Ok(Request::Send(other)) = json.request else { panic!("a post") };
        let read = |body: &Body| serde_json::from_str::<Value>(body.json()).unwrap();
        let (mut own, mut other) = (read(&own.body), read(&other.body));
        in_javascript(&mut own);
        in_javascript(&mut other);
        prop_assert_eq!(&own, &other);
        let unpacked = unpack_frame(&packed(&own, &[])).unwrap();
        let mut again: Value = serde_json::from_str(&unpacked.text).unwrap();
        in_javascript(&mut again);
        prop_assert_eq!(again, own);
    }

    /// Any bytes are read or refused, in bounded memory.
    #[test]
    fn any_bytes_are_read_or_refused(frame in prop::collection::vec(any::<u8>(), 0..512)) {
        for frame in [frame.clone(), saying(&frame)] {
            drop(read_frame(&frame));
            if let Ok(unpacked) = unpack_frame(&frame) {
                prop_assert!(unpacked.text.len() <= 6 * frame.len() + 10 * 40);
                let text = serde_json::from_str::<&RawValue>(&unpacked.text);
                prop_assert!(text.is_ok(), "{}", unpacked.text);
            }
        }
    }

    /// A frame truncated anywhere is refused.
    #[test]
    fn a_truncated_frame_is_refused(value in values(), cut in any::<prop::sample::Index>()) {
        let frame = saying(&packed(&value, &[]));
        let cut = cut.index(frame.len());
        prop_assert!(read_frame(&frame[..cut]).request.is_err());
    }
}

#[test]
fn a_refusal_carries_whatever_can_be_read() {
    let deep = [vec![0x91; 100], vec![0xc0]].concat();
    let frame = [&b"\x83\xa4data"[..], &deep, b"\xa5event\xac", b"send message", b"\xa3ack\x07"];
    let request_frame = read_frame(&frame.concat());
    assert_eq!((request_frame.kind, request_frame.ack), (RequestKind::of("send message"), Some(7)));
    assert!(matches!(request_frame.request, Err(Rejection::BadRequest(_))));
}

#[test]
fn a_surrogate_becomes_the_replacement_character() {
    let request_frame = read_frame(&saying(b"\xa5a\xed\xa0\x80b"));
    let Ok(Request::Send(post)) = request_frame.request else { panic!("{request_frame:?}") };
    assert_eq!(post.body.json(), "\"a\u{fffd}b\"");
}
