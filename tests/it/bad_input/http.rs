//! Invalid HTTP requests.

use serde_json::json;

use super::Bystanders;
use crate::{clients::raw::Raw, harness::TestServer};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn an_invalid_engine_io_query_gets_the_official_error() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for (query, code) in [
        ("", 0),
        ("?EIO=4", 0),
        ("?EIO=4&transport=__proto__", 0),
        ("?EIO=4&transport=constructor", 0),
        ("?EIO=4&transport=polling&transport=websocket", 0),
        ("?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", 1),
        ("?EIO=4&transport=polling&sid=__proto__", 1),
        ("?EIO=4&transport=polling&sid=", 1),
        ("?EIO=99&transport=polling", 5),
        ("?transport=polling", 5),
        ("?EIO=4&EIO=3&transport=polling", 5),
    ] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.get(&format!("/socket.io/{query}")).await;
        assert_eq!((answer.status, answer.code()), (400, json!(code)), "{query}");
        bystanders.check_undisturbed(query).await;
    }
    let mut raw = Raw::connect(&server).await;
    let answer = raw.post(POLLING, "text/plain", b"40").await;
    assert_eq!((answer.status, answer.code()), (400, json!(2)));
    for (path, status) in [
        ("/ws", 426),
        ("/ws/", 426),
        ("/ws/a/", 426),
        ("/ws/a/b", 404),
        ("/ws/a/b/", 404),
        ("/wsx", 404),
        ("/nothing", 404),
        ("/socket.io/nothing", 404),
        ("//etc/passwd", 404),
        ("/..%2f..%2fetc/passwd", 404),
    ] {
        let mut raw = Raw::connect(&server).await;
        assert_eq!(raw.get(path).await.status, status, "{path}");
    }
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.handshake("/nothing", "").await.status, 404, "before any upgrade");
    bystanders.finish(server).await;
}

#[tokio::test]
async fn an_invalid_websocket_handshake_is_refused_and_extra_offers_are_ignored() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    let websocket = "/socket.io/?EIO=4&transport=websocket";
    for (path, headers, status) in [
        ("/ws", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 426),
        (websocket, "Connection: Upgrade\r\nUpgrade: h2c\r\n", 400),
        (
            websocket,
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
            400,
        ),
        ("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n", 426),
        (
            websocket,
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n",
            426,
        ),
        ("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400),
        (
            "/ws",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
            400,
        ),
    ] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.request(&format!("GET {path}"), headers, b"").await;
        assert_eq!(answer.status, status, "{path} {headers}");
        bystanders.check_undisturbed(headers).await;
    }
    let blanks = " ".repeat(8000);
    for headers in [
        "Sec-WebSocket-Extensions: constructor; __proto__\r\n".to_owned(),
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n".to_owned(),
        "Sec-WebSocket-Protocol: ,,,\r\n".to_owned(),
        format!("Sec-WebSocket-Protocol: b{blanks}x\r\n"),
    ] {
        for path in ["/ws", websocket] {
            let mut raw = Raw::connect(&server).await;
            let answer = raw.handshake(path, &headers).await;
            let expected = if headers.contains(&blanks) { 400 } else { 101 };
            assert_eq!(answer.status, expected, "{path}");
            assert_eq!(answer.header("sec-websocket-extensions"), None);
            drop(raw);
            bystanders.check_undisturbed("a handshake").await;
        }
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn an_oversized_request_head_is_answered_with_431() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for (what, headers) in [
        ("2,000 headers", "X-Y: z\r\n".repeat(2000)),
        ("one large header", format!("X-Y: {}\r\n", "z".repeat(32 << 10))),
        ("many blanks", format!("Sec-WebSocket-Protocol: b{}x\r\n", " ".repeat(32_000))),
    ] {
        for path in ["/ws", "/", POLLING] {
            let mut raw = Raw::connect(&server).await;
            let answer = raw.request(&format!("GET {path}"), &headers, b"").await;
            assert_eq!(answer.status, 431, "{what} to {path}");
            raw.wait_for_close().await;
        }
        bystanders.check_undisturbed(what).await;
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn a_request_with_ambiguous_length_is_refused() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for (what, headers, body) in [
        ("two lengths", "Content-Length: 2\r\nContent-Length: 5\r\n", "40GET "),
        ("a length with a sign", "Content-Length: +2\r\n", "40"),
        ("a length below zero", "Content-Length: -1\r\n", "40"),
        ("a length above 2^64", "Content-Length: 99999999999999999999\r\n", "40"),
        ("a list of lengths", "Content-Length: 2, 3\r\n", "40"),
        ("an unknown encoding", "Transfer-Encoding: identity, x\r\n", "40"),
        (
            "chunked, and then something else",
            "Transfer-Encoding: chunked, identity\r\n",
            "0\r\n\r\n",
        ),
        ("a blank before the colon", "Content-Length : 2\r\n", "40"),
    ] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.request(&format!("POST {POLLING}"), headers, body.as_bytes()).await;
        assert_eq!(answer.status, 400, "{what}");
        raw.wait_for_close().await;
        bystanders.check_undisturbed(what).await;
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn an_oversized_body_is_refused_before_it_is_read() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    let session = || async { crate::clients::engine::Polling::open(&server).await };
    for (what, headers, body) in [
        ("a length of a million million", "Content-Length: 1000000000000\r\n", "4"),
        ("a chunk above 2^64", "Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n4"),
        ("a chunk that is no number", "Transfer-Encoding: chunked\r\n", "xyz\r\n4"),
    ] {
        let polling = session().await;
        let mut raw = Raw::connect(&server).await;
        let answer =
            raw.request(&format!("POST {}", polling.path()), headers, body.as_bytes()).await;
        assert!(matches!(answer.status, 400 | 413), "{what}: {}", answer.status);
        bystanders.check_undisturbed(what).await;
    }
    bystanders.finish(server).await;
}

#[tokio::test]
async fn a_request_that_is_not_http_closes_the_connection() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::new(&server).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: here\r\n\r\n\r\nnonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\n folded: x\r\n\r\n",
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.send(bytes).await;
        raw.wait_for_close().await;
        bystanders.check_undisturbed(&format!("{bytes:?}")).await;
    }
    bystanders.finish(server).await;
}
