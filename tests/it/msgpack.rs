//! `roomcast.msgpack`: a conversation in binary frames, byte for byte.

use serde_json::json;

use crate::{
    clients::{
        Client, Wire,
        raw::{Raw, frame, text},
    },
    harness::{TestServer, wait_for},
};

/// The handshake header for binary frames.
const OFFER: &str = "Sec-WebSocket-Protocol: roomcast.msgpack, roomcast.json\r\n";
/// The first byte of a binary frame.
const BINARY: u8 = 0x82;

/// A connection with `MessagePack`.
async fn open(server: &TestServer) -> Raw {
    let mut raw = Raw::connect(server).await;
    let answer = raw.handshake("/ws", OFFER).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("roomcast.msgpack"));
    raw
}

/// Sends one frame.
async fn send(raw: &mut Raw, payload: &[&[u8]]) {
    raw.send(frame(BINARY, &payload.concat())).await;
}

/// The next frame that contains `part`.
async fn receive(raw: &mut Raw, part: &[u8]) -> Vec<u8> {
    loop {
        let (head, payload) =
            wait_for("a frame", raw.frame()).await.expect("the connection is open");
        assert_eq!(head, BINARY, "all frames are binary");
        if has(&payload, part) {
            return payload;
        }
    }
}

fn has(payload: &[u8], part: &[u8]) -> bool {
    payload.windows(part.len()).any(|window| window == part)
}

/// An identified connection.
async fn named(server: &TestServer, name: &str) -> Raw {
    let mut raw = open(server).await;
    let name = [&[0xa0 | u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
    send(&mut raw, &[b"\x83\xa3ack\x01\xa5event\xa8new user\xa4data", &name]).await;
    receive(&mut raw, b"\xa3ack\x01\xa2ok\xc3").await;
    raw
}

#[tokio::test]
async fn msgpack_and_json_clients_share_a_room_and_bytes_stay_bytes() {
    let server = TestServer::start().await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let mut ann = named(&server, "ann").await;
    send(&mut ann, &[b"\x83\xa3ack\x02\xa5event\xacsend message\xa4data\xc4\x03\x00\x01\xff"])
        .await;
    let event = receive(&mut ann, b"\xabnew message").await;
    assert!(has(&event, b"\xa3msg\xc4\x03\x00\x01\xff"), "{event:x?}");
    assert_eq!(bob.next("new message").await["msg"], json!({ "base64": "AAH/" }));
    bob.emit("send message", json!({ "msg": [{ "base64": "AAH/" }, 7] })).await;
    receive(&mut ann, b"\xa3msg\x92\xc4\x03\x00\x01\xff\x07").await;
    send(&mut ann, &[b"\x82\xa3ack\x03\xa5event\xa7history"]).await;
    let page = receive(&mut ann, b"\xa3ack\x03").await;
    assert!(has(&page, b"\xc4\x03\x00\x01\xff") && has(&page, b"\xa5event\xabnew message"));
    drop((ann, bob));
    server.stop().await;
}

#[tokio::test]
async fn an_invalid_msgpack_request_is_answered_and_the_connection_stays_open() {
    let server = TestServer::start().await;
    let mut ann = named(&server, "ann").await;
    let refused = b"\xabbad_request";
    ann.send(text(r#"{"event":"GroupList","ack":9}"#)).await;
    receive(&mut ann, refused).await;
    for payload in [
        &b""[..],
        b"\xc1",
        b"\x81\xa5event",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa5event\xa9GroupList\x00",
        &vec![0x91; 100_000],
    ] {
        send(&mut ann, &[payload]).await;
        let told = receive(&mut ann, b"\xaderror message").await;
        assert!(has(&told, refused), "{told:x?}");
    }
    send(&mut ann, &[b"\x82\xa3ack\x04\xa5event\xa9GroupList"]).await;
    receive(&mut ann, b"\xa3ack\x04").await;
    drop(ann);
    server.stop().await;
}
