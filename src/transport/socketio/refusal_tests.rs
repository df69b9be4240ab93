//! Names that the engine cannot read, and frames that are refused with a reason.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{Method, Request, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::timeout,
};

use super::test_support::{
    NEW, Stack, TEST_TIMEOUT, WebSocketFrames as _, connect, connect_polling, poll_for, read,
    wait_for_session_end,
};
use crate::{domain::Limits, wire::msgpack};

/// Events with names that JSON writes in an unusual way, and their `error message`.
const NAMES: [(&str, &str); 5] = [
    (r#"42["q\"uote",1]"#, r#"{"event":"q\"uote","code":"unknown_event","#),
    (r#"42["caf\u00e9"]"#, r#"{"event":"café","code":"unknown_event","#),
    (r#"42[300,"x"]"#, r#"{"event":"300","code":"unknown_event","#),
    (r#"42["","x"]"#, r#"{"event":"","code":"unknown_event","#),
    (r#"42["\u0007"]"#, r#"{"event":"\u0007","code":"unknown_event","#),
];

#[tokio::test]
async fn every_name_is_answered_on_a_websocket() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 16, "ann").await;
    for (packet, answer) in NAMES {
        client.send_text(packet).await;
        let received = client.receive_containing("error message").await;
        assert!(received.contains(answer), "{packet}: {received}");
    }
    client.send_text(&format!(r#"42["{}"]"#, "x".repeat(10_000))).await;
    client.receive_containing(&format!(r#""event":"{}","#, "x".repeat(64))).await;
    client.send_text(r#"421["\u0047roupList"]"#).await;
    client.receive_containing(r#"431[{"ok":true"#).await;
    let binary = r#"451-2["Group\u0043hat",{"_placeholder":true,"num":0}]"#;
    client.send_text(binary).await;
    client.write_all(b"\x82\x83\0\0\0\0\x01\x02\x03").await.unwrap();
    client.receive_containing(r#"432[{"ok":true"#).await;
}

#[tokio::test]
async fn every_name_is_answered_on_polling() {
    let stack = Stack::start();
    let (polling_query, _) = connect_polling(&stack).await;
    for (packet, answer) in NAMES {
        let (status, _) = stack.post(&polling_query, format!("{packet}\u{1e}3")).await;
        assert_eq!(status, StatusCode::OK, "{packet}");
        poll_for(&stack, &polling_query, answer).await;
    }
}

#[tokio::test]
async fn every_name_is_answered_on_polling_of_version_3() {
    let stack = Stack::start();
    let polling_query = stack.open(3).await;
    poll_for(&stack, &polling_query, ":40").await;
    for (packet, answer) in NAMES {
        let body = format!("{}:{packet}", packet.len());
        assert_eq!(stack.post(&polling_query, body).await.0, StatusCode::OK, "{packet}");
        poll_for(&stack, &polling_query, answer).await;
    }
}

#[tokio::test]
async fn a_lone_surrogate_is_delivered_as_a_replacement_character() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 16, "ann").await;
    client.send_text(r#"42["send message","a\ud83d"]"#).await;
    client.receive_containing("\"msg\":\"a\u{fffd}\"").await;
}

/// Everything that arrives before the end.
async fn rest(client: &mut DuplexStream) -> Vec<u8> {
    let mut received = Vec::new();
    timeout(TEST_TIMEOUT, client.read_to_end(&mut received)).await.expect("the end").ok();
    received
}

#[tokio::test]
async fn a_broken_frame_is_answered_with_its_close_code() {
    let stack = Stack::start();
    for (user, broken, code) in [
        ("ann", &b"test"[..], 1002_u16),
        ("bob", b"\x81\x7f\x80\0\0\0\0\0\0\x01", 1002),
        ("cleo", b"\x81\x84\0\0\0\x0040\xff\xfe", 1007),
        ("dan", b"\x81\x021x", 1002),
    ] {
        let mut client = connect(&stack, 1 << 16, user).await;
        client.write_all(broken).await.unwrap();
        let received = rest(&mut client).await;
        let close = [&[0x88, 2][..], &code.to_be_bytes()].concat();
        assert!(received.ends_with(&close), "{broken:?}: {received:?}");
        drop(client);
        stack.wait_for_connections(0).await;
    }
}

#[tokio::test]
async fn a_frame_above_the_limit_is_answered_before_the_end() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 16, "ann").await;
    let limit = stack.chat.limits().frame_bytes_max.get();
    let length = u64::try_from(limit + 1).unwrap().to_be_bytes();
    client.write_all(&[&[0x81, 0xff][..], &length, &[0; 4]].concat()).await.unwrap();
    // The client reads only after it has written the whole frame.
    client.write_all(&vec![b'x'; limit + 1]).await.unwrap();
    let received = rest(&mut client).await;
    let text = String::from_utf8_lossy(&received);
    let closing = format!(
        r#"42["closing",{{"code":"frame_too_large","reconnect":true,"afterMs":0,"limit":{limit}}}]"#
    );
    assert!(text.contains(&closing), "{text}");
    assert!(received.ends_with(&[0x88, 2, 0x03, 0xf1]), "{received:?}");
}

#[tokio::test]
async fn a_body_above_the_limit_is_answered_with_its_code() {
    let stack = Stack::start();
    let (polling_query, _) = connect_polling(&stack).await;
    let limit = stack.chat.limits().frame_bytes_max.get();
    let (status, body) = stack.post(&polling_query, "4".repeat(limit + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&answer["code"], &answer["limit"]), (&"frame_too_large".into(), &limit.into()));
    poll_for(&stack, &polling_query, r#""closing",{"code":"frame_too_large""#).await;
    wait_for_session_end(&stack, &polling_query).await;
}

#[tokio::test]
async fn the_path_needs_no_slash_at_its_end() {
    let stack = Stack::start();
    for method in [Method::GET, Method::POST] {
        let of = |path: &str| {
            let uri = format!("{path}?EIO=4&transport=polling");
            Request::builder().method(&method).uri(uri).body("".into()).unwrap()
        };
        let (status, body) = read(stack.send(of("/socket.io")).await).await;
        let (expected, _) = read(stack.send(of("/socket.io/")).await).await;
        assert_eq!(status, expected, "{body}");
    }
}

/// CONNECT as `socket.io-msgpack-parser` writes it.
const FOREIGN_CONNECT: &[u8] = b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/";

#[tokio::test]
async fn another_parser_is_refused_on_a_websocket() {
    let stack = Stack::start();
    let (_, mut client) = stack.open_websocket(NEW, 1 << 16).await;
    client.receive_containing("0{").await;
    let head = [0x82, 0x80 | u8::try_from(FOREIGN_CONNECT.len()).unwrap(), 0, 0, 0, 0];
    client.write_all(&[&head[..], FOREIGN_CONNECT].concat()).await.unwrap();
    let received = rest(&mut client).await;
    let refusal = msgpack::refuse_connect(FOREIGN_CONNECT, &Limits::default()).unwrap();
    let end = [&refusal[..], &[0x88, 2, 0x03, 0xeb]].concat();
    assert!(received.ends_with(&end), "{received:?}");
}

#[tokio::test]
async fn another_parser_is_refused_on_polling() {
    let stack = Stack::start();
    let packet = format!("b{}", BASE64_STANDARD.encode(FOREIGN_CONNECT));
    let refusal = msgpack::refuse_connect(FOREIGN_CONNECT, &Limits::default()).unwrap();
    let answer = format!("b{}", BASE64_STANDARD.encode(refusal));
    // The poll precedes the POST, or follows it.
    let first = stack.open(4).await;
    let posts = async { stack.post(&first, packet.clone()).await };
    let (polled, posted) = tokio::join!(poll_for(&stack, &first, "b"), posts);
    assert_eq!((polled, posted), (answer.clone(), (StatusCode::OK, "ok".to_owned())));
    let second = stack.open(4).await;
    assert_eq!(stack.post(&second, packet).await.0, StatusCode::OK);
    assert_eq!(poll_for(&stack, &second, "b").await, answer);
    for session in [&first, &second] {
        poll_for(&stack, session, "1").await;
        wait_for_session_end(&stack, session).await;
    }
}

#[tokio::test]
async fn another_parser_is_refused_after_an_upgrade_that_takes_the_last_poll() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    let websocket_query = polling_query.replace("transport=polling", "transport=websocket");
    let (_, mut client) = stack.open_websocket(&websocket_query, 1 << 16).await;
    client.send_text("2probe").await;
    client.receive_containing("3probe").await;
    // The poll that waits ends, and the client does not poll again. Its CONNECT is still on its way.
    assert_eq!(stack.get(&polling_query).await, (StatusCode::OK, "6".to_owned()));
    let packet = format!("b{}", BASE64_STANDARD.encode(FOREIGN_CONNECT));
    assert_eq!(stack.post(&polling_query, packet).await.0, StatusCode::OK);
    client.send_text("5").await;
    let received = rest(&mut client).await;
    let refusal = msgpack::refuse_connect(FOREIGN_CONNECT, &Limits::default()).unwrap();
    let end = [&refusal[..], &[0x88, 2, 0x03, 0xeb]].concat();
    assert!(received.ends_with(&end), "{received:?}");
}
