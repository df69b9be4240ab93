//! WebSocket frames that violate or exploit RFC 6455, and texts that are not requests.

use serde_json::json;

use super::Bystanders;
use crate::{
    clients::{
        Client, Wire,
        raw::{Raw, frame, text},
    },
    harness::TestServer,
};

/// The addresses of both wires.
const BOTH: [&str; 2] = ["/ws", "/socket.io/?EIO=4&transport=websocket"];

async fn open(server: &TestServer, path: &str) -> Raw {
    let mut raw = Raw::connect(server).await;
    assert_eq!(raw.handshake(path, "").await.status, 101);
    raw
}

#[tokio::test]
async fn an_invalid_frame_closes_its_connection_with_the_code_of_the_rfc() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    let long = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    let cases = [
        ("bytes that are no frame (CVE-2022-21676)", b"test".to_vec(), 1002),
        ("a reserved bit", frame(0xc1, b"x"), 1002),
        ("no mask", b"\x81\x01x".to_vec(), 1002),
        ("an unknown opcode", frame(0x83, b"x"), 1002),
        ("an unknown control opcode", frame(0x8b, b""), 1002),
        ("a ping in parts", frame(0x09, b""), 1002),
        ("a long ping", frame(0x89, &[b'x'; 126]), 1002),
        ("the rest of nothing", frame(0x80, b"x"), 1002),
        ("a text within a text", [frame(0x01, b"x"), frame(0x81, b"y")].concat(), 1002),
        ("half a close code", frame(0x88, b"\x03"), 1002),
        ("text that is not UTF-8", frame(0x81, b"\xff\xfe"), 1007),
        ("2^40 bytes (RUSTSEC-2022-0035)", long(1 << 40), 1009),
        ("the top bit of the length (CVE-2020-27813)", long(0x8000_0000_0000_0001), 1002),
        ("the largest length", long(u64::MAX), 1002),
    ];
    for (what, bytes, code) in cases {
        for path in BOTH {
            let mut raw = open(&server, path).await;
            raw.send(&bytes).await;
            assert_eq!(raw.close_code().await, Some(code), "{what} on {path}");
            drop(raw);
            bystanders.check_undisturbed(what).await;
        }
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn endless_tiny_fragments_affect_only_their_sender() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for path in BOTH {
        let mut raw = open(&server, path).await;
        raw.send(frame(0x01, b"x")).await;
        let fragments = frame(0x00, b"x").repeat(10_000);
        // Two million bytes of text, more than a message may have.
        for _ in 0..20 {
            raw.send(&fragments).await;
        }
        bystanders.check_undisturbed(path).await;
        raw.send(frame(0x00, b"").repeat(10_000)).await;
        drop(raw);
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn many_pings_are_answered_and_a_vanished_client_is_removed() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for path in BOTH {
        let mut raw = open(&server, path).await;
        raw.send(frame(0x89, b"ping").repeat(10_000)).await;
        loop {
            let (head, payload) = raw.frame().await.unwrap();
            if head == 0x8a {
                assert_eq!(payload, b"ping");
                break;
            }
        }
        drop(raw);
        bystanders.check_undisturbed(path).await;
    }
    server.has_connections(2).await;
    bystanders.finish(server).await;
}

#[tokio::test]
async fn an_invalid_request_is_answered_and_the_connection_stays_open() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    let mut mallory = Client::open_at(&server, "/ws/cellar", "").await.ok().unwrap();
    mallory.identify("mallory").await;
    let deep = |open: &str, close: &str| {
        format!(
            r#"{{"event":"send message","data":{}1{}}}"#,
            open.repeat(100_000),
            close.repeat(100_000)
        )
    };
    let texts = [
        String::new(),
        "7".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "nonsense".to_owned(),
        r#"{"event":7}"#.to_owned(),
        r#"{"event":{"toString":"foo"}}"#.to_owned(),
        r#"{"event":"send message","data":"x","ack":-1}"#.to_owned(),
        r#"{"event":"send message","data":"x","ack":9007199254740992}"#.to_owned(),
        r#"{"event":"send message","data":"x","ack":"1"}"#.to_owned(),
        r#"{"event":"send message","data":{"msg":{"_placeholder":true,"num":0}}}"#.to_owned(),
        r#"{"event":"send message","data":{"msg":{"base64":"%"}}}"#.to_owned(),
        r#"{"event":"send message","data":"x"#.to_owned(),
        r#"{"event":"send message","data":"\ud8"}"#.to_owned(),
        deep("[", "]"),
        deep(r#"{"a":"#, "}"),
        "[".repeat(100_000),
    ];
    for bad in texts {
        let what: String = bad.chars().take(60).collect();
        mallory.send_text(bad).await;
        let refusal = mallory.next("error message").await;
        assert_eq!(refusal["code"], "bad_request", "{what}");
        bystanders.check_undisturbed(&what).await;
    }
    for event in ["error", "connect", "disconnect", "constructor", "__proto__", "toString", ""] {
        mallory.emit(event, json!({})).await;
        assert_eq!(mallory.next("error message").await["code"], "unknown_event", "{event:?}");
    }
    let page = mallory.ask("history", json!({})).await;
    assert_eq!(page["messages"], json!([]));
    mallory.close().await;
    server.has_connections(2).await;
    bystanders.finish(server).await;
}

#[tokio::test]
async fn binary_frames_are_refused_on_a_text_connection() {
    let server = TestServer::start().await;
    let mut raw = open(&server, "/ws").await;
    raw.send(frame(0x82, br#"{"event":"new user","data":"ann"}"#)).await;
    let (_, refusal) = raw.frame().await.unwrap();
    assert!(String::from_utf8(refusal).unwrap().contains(r#""code":"bad_request""#));
    raw.send(text(r#"{"event":"new user","data":"ann","ack":1}"#)).await;
    let (_, answer) = raw.frame().await.unwrap();
    assert!(String::from_utf8(answer).unwrap().contains(r#""ok":true"#));
    drop(raw);
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_blanks_is_an_empty_message() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for wire in Wire::ALL {
        let mut mallory = Client::named(&server, wire, &format!("mallory {wire:?}")).await;
        let blanks = " ".repeat(400 << 10);
        assert_eq!(
            mallory.refusal("send message", json!({ "msg": blanks })).await,
            "message_empty"
        );
        mallory.ask("leave", json!({})).await;
        mallory.close().await;
        bystanders.check_undisturbed("blanks").await;
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn an_incomplete_frame_blocks_no_other_client() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    let mut waiting = Vec::new();
    for path in BOTH {
        for begin in
            [&b"\x81"[..], b"\x81\xfe", b"\x81\xff\0\0\0\0\0\x0f\xff\xff\0\0\0\0", b"\x01\x81aaaax"]
        {
            let mut raw = open(&server, path).await;
            raw.send(begin).await;
            waiting.push(raw);
        }
        bystanders.check_undisturbed(path).await;
    }
    bystanders.finish(server).await;
    for mut raw in waiting {
        raw.wait_for_close().await;
    }
}
