//! Socket.IO and Engine.IO packets that broke other parsers, over WebSocket and over polling.

use serde_json::json;

use super::Bystanders;
use crate::{
    clients::{
        Client, ConnectOptions, Wire,
        engine::{Engine, Packet, Polling},
        raw::{Raw, frame, text},
    },
    harness::{TestServer, wait_for},
};

/// A connection of a user that is alone in a room.
async fn connect_mallory(server: &TestServer) -> Raw {
    let mut raw = Raw::connect(server).await;
    let answer = raw.handshake("/socket.io/?EIO=4&transport=websocket&room=cellar", "").await;
    assert_eq!(answer.status, 101);
    raw.send(text("40")).await;
    raw.read_until("40{").await;
    raw.send(text(r#"420["new user","mallory"]"#)).await;
    raw.read_until("430[true,").await;
    raw
}

/// A name must be free at once for the next connection.
async fn server() -> TestServer {
    TestServer::with(|config| {
        config.limits.presence_grace_ms = 0;
        // A stop waits for an unfinished request until this timeout.
        config.drain_ms_max = 2000;
    })
    .await
}

/// The input, frame by frame.
type Case = (&'static str, Vec<Vec<u8>>);

/// Packets with attachments that do not match.
fn attachments() -> Vec<Case> {
    let bytes = || frame(0x82, b"bytes");
    let event = |placeholder: &str| text(&format!(r#"451-["send message",{placeholder}]"#));
    let good = || event(r#"{"_placeholder":true,"num":0}"#);
    let many = text(r#"45999999999-["x",{"_placeholder":true,"num":0}]"#);
    let many_more = text(r#"4565-["x",{"_placeholder":true,"num":0}]"#);
    vec![
        ("a thousand million attachments", vec![many]),
        ("more attachments than are counted", vec![many_more, bytes().repeat(65)]),
        ("num is splice", vec![event(r#"{"_placeholder":true,"num":"splice"}"#), bytes()]),
        ("num is out of range", vec![event(r#"{"_placeholder":true,"num":1}"#), bytes()]),
        ("num is below zero", vec![event(r#"{"_placeholder":true,"num":-1}"#), bytes()]),
        ("num is no number", vec![event(r#"{"_placeholder":true,"num":1e99}"#), bytes()]),
        ("num is left out", vec![event(r#"{"_placeholder":true}"#), bytes()]),
        ("bytes without a head", vec![bytes()]),
        ("text where bytes belong", vec![good(), text(r#"42["x"]"#)]),
    ]
}

/// Packets with invalid text.
fn texts() -> Vec<Case> {
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        text(&format!(r#"42["send message",{open}1{close}]"#))
    };
    vec![
        ("a name that is an object", vec![text(r#"42[{"toString":"foo"}]"#)]),
        ("a name that is true", vec![text(r#"42[true,"x"]"#)]),
        ("a name that is null", vec![text("42[null]")]),
        ("an event that is an object", vec![text("42{}")]),
        ("an event that is empty", vec![text("42[]"), text("42")]),
        ("an event that does not end", vec![text(r#"442["some","data""#)]),
        ("CONNECT with an array", vec![text("40[]"), text(r#"40/admin,"invalid""#)]),
        ("unknown types", vec![text("47"), text("4x"), text("4"), text("9"), text("")]),
        ("a probe", vec![text("2probe"), text("5"), text("6")]),
        ("an unknown space", vec![text("42/,[\"x\"]"), text("42/nowhere,[\"x\"]")]),
        ("deep arrays", vec![deep("[", "]")]),
        ("deep objects", vec![deep(r#"{"a":"#, "}")]),
        ("brackets", vec![text(&format!("42{}", "[".repeat(100_000)))]),
    ]
}

/// Packets without an answer.
fn unanswered() -> Vec<Case> {
    let head = || text(r#"451-["send message",{"_placeholder":true,"num":0}]"#);
    vec![
        ("an ack without a number", vec![text(r#"43["x"]"#), text("43[]")]),
        ("an ack with a large number", vec![text("4399999999999999999999[]")]),
        ("acks for nothing", vec![text("43999[1]"), text("430[]"), text("43999[1]")]),
        ("a head and silence", vec![head()]),
        ("a head and the end", vec![head(), frame(0x88, b"")]),
        ("DISCONNECT of a stranger", vec![text("41/admin,{}")]),
        ("a large ack number", vec![text(r#"4299999999999999999999["GroupList"]"#)]),
        ("deep auth", vec![text(&format!("40{}", r#"{"a":"#.repeat(100_000)))]),
    ]
}

/// Whether the client receives an error: an event, or the end of the connection.
async fn receives_error(raw: &mut Raw) -> bool {
    raw.send(text(r#"429["GroupList"]"#)).await;
    loop {
        match wait_for("an answer or the end", raw.frame()).await {
            Some((_, payload)) if payload.starts_with(br#"42["error message""#) => return true,
            Some((_, payload)) if payload.starts_with(b"44/admin,") => return true,
            Some((_, payload)) if payload.starts_with(b"439[") => return false,
            Some(_) => (),
            None => return true,
        }
    }
}

#[tokio::test]
async fn an_invalid_packet_affects_only_its_sender() {
    let server = server().await;
    let mut bystanders = Bystanders::new(&server).await;
    let answered = attachments().into_iter().chain(texts()).map(|case| (case, true));
    let unanswered = unanswered().into_iter().map(|case| (case, false));
    for ((what, frames), answered) in answered.chain(unanswered) {
        let mut raw = connect_mallory(&server).await;
        for bytes in frames {
            raw.send(bytes).await;
        }
        assert!(!answered || receives_error(&mut raw).await, "{what}");
        bystanders.check_undisturbed(what).await;
        raw.send(frame(0x88, b"")).await;
        raw.wait_for_close().await;
        server.has_connections(2).await;
    }
    let options = ConnectOptions::new().room("cellar").since("cellar", 0);
    let mut carl = Client::named_at(&server, Wire::WebSocket, "carl", options).await;
    assert_eq!(carl.missed("cellar").await, Ok(Vec::new()), "nothing was stored in that room");
    carl.close().await;
    bystanders.finish(server).await;
}

#[tokio::test]
async fn error_is_an_event_like_any_other() {
    let server = server().await;
    let bystanders = Bystanders::new(&server).await;
    for wire in [Wire::SocketIo, Wire::Polling] {
        let options = ConnectOptions::new().room("cellar");
        let name = format!("mallory {wire:?}");
        let mut mallory = Client::named_at(&server, wire, &name, options).await;
        for event in ["error", "ping", "constructor"] {
            mallory.emit(event, "123").await;
            let refusal = mallory.next("error message").await;
            assert_eq!(refusal["code"], "unknown_event", "{wire:?} {event}");
        }
        assert_eq!(mallory.ask("GroupList", json!({})).await["ok"], true);
        mallory.close().await;
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn an_invalid_payload_affects_only_its_sender() {
    let server = server().await;
    let mut bystanders = Bystanders::new(&server).await;
    for (what, payload) in [
        ("separators alone", "\u{1e}".repeat(8 << 10)),
        ("a million separators", "\u{1e}".repeat(1_000_000)),
        ("nothing", String::new()),
        ("unknown types", "x\u{1e}9\u{1e}4x".to_owned()),
        ("bytes that are no base64", "b%%%".to_owned()),
        ("bytes without a head", "bAAAA".to_owned()),
        ("packets of version 3", "1:2".repeat(100)),
        ("too many attachments", r#"45999999999-["x",{"_placeholder":true,"num":0}]"#.to_owned()),
        ("an event that does not end", r#"42["some","data""#.to_owned()),
        ("an end and more", "1\u{1e}42[\"x\"]".to_owned()),
    ] {
        let mut polling = Polling::open(&server).await;
        polling.post("40").await;
        let answer = polling.post(&payload).await;
        assert!(matches!(answer.status, 200 | 400 | 413), "{what}: {}", answer.status);
        bystanders.check_undisturbed(what).await;
        polling.post("1").await;
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn a_binary_polling_body_is_refused_and_ends_the_session() {
    let server = server().await;
    let mut bystanders = Bystanders::new(&server).await;
    let mut polling = Polling::open(&server).await;
    polling.enter().await;
    server.has_connections(3).await;
    let mut raw = Raw::connect(&server).await;
    let answer = raw.post(polling.path(), "application/octet-stream", b"\x00\x04").await;
    assert_eq!(answer.status, 400);
    server.has_connections(2).await;
    assert_eq!(polling.post("2").await.status, 400, "the session has ended");
    bystanders.check_undisturbed("octets").await;
    bystanders.finish(server).await;
}

#[tokio::test]
async fn concurrent_posts_end_the_session() {
    let server = server().await;
    let mut bystanders = Bystanders::new(&server).await;
    let mut polling = Polling::open(&server).await;
    polling.post("40").await;
    let mut slow = Raw::connect(&server).await;
    let head =
        format!("POST {} HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n4", polling.path());
    slow.send(head).await;
    // The second request is refused while the first one is being read.
    let second = async { while polling.post("3").await.status == 200 {} };
    wait_for("a refusal", second).await;
    bystanders.check_undisturbed("two posts").await;
    server.has_connections(2).await;
    bystanders.finish(server).await;
}

#[tokio::test]
async fn a_session_upgrades_once_and_an_unknown_session_never() {
    let server = server().await;
    let mut bystanders = Bystanders::new(&server).await;
    let polling = Polling::open(&server).await;
    let path = polling.path().replace("transport=polling", "transport=websocket");
    let mut first = Raw::connect(&server).await;
    assert_eq!(first.handshake(&path, "").await.status, 101);
    let mut second = Raw::connect(&server).await;
    assert_eq!(second.handshake(&path, "").await.status, 400);
    let mut stranger = Raw::connect(&server).await;
    let unknown = "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA";
    assert_eq!(stranger.handshake(unknown, "").await.status, 400);
    let mut engine = Engine::Polling(Box::new(polling));
    engine.send(vec![Packet::Text("0".to_owned())]).await;
    let answer = wait_for("polling, undisturbed", engine.next()).await;
    assert!(matches!(answer, Some(Packet::Text(text)) if text.starts_with("0{")));
    // After a failed upgrade, the session continues to poll.
    first.send(text("nonsense")).await;
    first.wait_for_close().await;
    engine.send(vec![Packet::Text(r#"2["new user","polly"]"#.to_owned())]).await;
    let answer = wait_for("an event by polling", engine.next()).await;
    assert!(matches!(answer, Some(Packet::Text(_))), "{answer:?}");
    engine.close().await;
    bystanders.check_undisturbed("upgrades").await;
    bystanders.finish(server).await;
}
