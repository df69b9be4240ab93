//! A body within its limit passes however its client writes JSON.

use roomcast::config::Config;
use serde_json::{Value, json};

use crate::{
    clients::{
        Client, Wire,
        engine::{Engine, Packet},
        raw::{self, Raw},
    },
    harness::{TestServer, wait_for},
};

/// The largest body, of which a text uses two bytes for its quotes.
const BODY_BYTES: usize = 4000;
/// The smallest limit of a frame that the settings accept for such a body.
const FRAME_BYTES: usize = 6 * BODY_BYTES + 4096;

/// A character and the way in which it is written.
const ESCAPES: [(&str, &str); 5] = [
    ("a", r"\u0061"),
    ("я", r"\u044f"),
    ("€", r"\u20ac"),
    ("\u{1f600}", r"\ud83d\ude00"),
    ("/", r"\/"),
];

async fn server() -> TestServer {
    TestServer::with(|config: &mut Config| {
        config.limits.body_bytes_max = BODY_BYTES.try_into().unwrap();
        config.limits.frame_bytes_max = FRAME_BYTES.try_into().unwrap();
    })
    .await
}

/// The answer to `send message` with this JSON as its data, on a connection of its own.
async fn send(server: &TestServer, wire: Wire, user: &str, data: &str) -> Value {
    let token = server.token(user, &[]);
    let answer = match wire {
        Wire::WebSocket => send_plain(server, &token, data).await,
        Wire::SocketIo => send_packet(Engine::websocket(server).await, &token, data).await,
        Wire::Polling => send_packet(Engine::polling(server).await, &token, data).await,
    };
    serde_json::from_str(&answer).unwrap()
}

async fn send_plain(server: &TestServer, token: &str, data: &str) -> String {
    let mut raw = Raw::connect(server).await;
    assert_eq!(raw.handshake(&format!("/ws?token={token}"), "").await.status, 101);
    raw.send(raw::text(&format!(r#"{{"event":"send message","data":{data},"ack":1}}"#))).await;
    loop {
        let (_, payload) = wait_for("an answer", raw.frame()).await.expect("the connection lives");
        let text = String::from_utf8(payload).expect("a text");
        if text.starts_with(r#"{"ack":1"#) {
            return text;
        }
    }
}

async fn send_packet(mut engine: Engine, token: &str, data: &str) -> String {
    engine.send(vec![Packet::Text(format!(r#"0{{"token":"{token}"}}"#))]).await;
    receive(&mut engine, "0{").await;
    engine.send(vec![Packet::Text(format!(r#"21["send message",{data}]"#))]).await;
    receive(&mut engine, "31[").await.trim_end_matches(']').to_owned()
}

/// The rest of the next text with this beginning.
async fn receive(engine: &mut Engine, begin: &str) -> String {
    loop {
        let packet = wait_for(begin, engine.next()).await.expect("the session lives");
        if let Packet::Text(text) = packet
            && let Some(rest) = text.strip_prefix(begin)
        {
            return rest.to_owned();
        }
    }
}

/// The answer to `send message` with this text in a frame of `MessagePack`.
async fn send_packed(raw: &mut Raw, text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let head = b"\x83\xa3ack\x01\xa5event\xacsend message\xa4data\xda";
    raw.send(raw::frame(0x82, &[&head[..], &length, text.as_bytes()].concat())).await;
    loop {
        let (_, payload) = wait_for("an answer", raw.frame()).await.expect("the connection lives");
        if payload.windows(5).any(|it| it == b"\xa3ack\x01") {
            return payload;
        }
    }
}

#[tokio::test]
async fn a_body_at_the_limit_passes_with_every_escape_on_every_wire() {
    let server = server().await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    for wire in Wire::ALL {
        let user = format!("ann {wire:?}");
        for (character, escape) in ESCAPES {
            let most = (BODY_BYTES - 2) / character.len();
            let at = format!("\"{}\"", escape.repeat(most));
            assert_eq!(send(&server, wire, &user, &at).await["ok"], true, "{wire:?} {escape}");
            let received = bob.next("new message").await;
            assert!(received["msg"] == character.repeat(most), "{wire:?} {escape}");
            let past = format!(r#"{{"msg":"{}"}}"#, escape.repeat(most + 1));
            let refused = send(&server, wire, &user, &past).await;
            assert_eq!(refused["code"], "message_too_large", "{wire:?} {escape}");
        }
    }
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn a_large_text_with_escapes_passes_with_the_default_limits() {
    let server = TestServer::start().await;
    // As Python and others write text beyond ASCII: 400 KB are 1.2 MB.
    let text = format!("\"{}\"", r"\u044f".repeat(200_000));
    for wire in Wire::ALL {
        let answer = send(&server, wire, &format!("ann {wire:?}"), &text).await;
        assert_eq!(answer["ok"], true, "{wire:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_text_has_the_same_size_in_messagepack() {
    let server = server().await;
    let token = server.token("ann", &[]);
    let mut raw = Raw::connect(&server).await;
    let offer = "Sec-WebSocket-Protocol: roomcast.msgpack\r\n";
    assert_eq!(raw.handshake(&format!("/ws?token={token}"), offer).await.status, 101);
    for (character, _) in [("\u{1}", ""), ("\"", "")].into_iter().chain(ESCAPES) {
        let size = json!(character).to_string().len() - 2;
        let most = (BODY_BYTES - 2) / size;
        for (count, answer) in [(most, &b"\xa2ok\xc3"[..]), (most + 1, b"message_too_large")] {
            let received = send_packed(&mut raw, &character.repeat(count)).await;
            let is_expected = received.windows(answer.len()).any(|it| it == answer);
            assert!(is_expected, "{count} of {character:?}: {received:?}");
        }
    }
    drop(raw);
    server.stop().await;
}
