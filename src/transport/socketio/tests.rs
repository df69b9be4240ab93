//! Sessions from the first byte to the last, on polling and on WebSockets.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep, timeout},
};

use super::{
    SocketIoTransport,
    session::FLUSH_WAIT_MAX,
    test_support::{
        NEW, Stack, TEST_TIMEOUT, WebSocketFrames as _, connect, connect_polling, poll_for, read,
        wait_for_session_end,
    },
};
use crate::domain::Limits;

#[tokio::test]
async fn a_message_is_acknowledged_and_delivered() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    assert_eq!(stack.post(&polling_query, "40").await.0, StatusCode::OK);
    poll_for(&stack, &polling_query, "40{").await;
    let sent = "42[\"new user\",\"ann\"]\u{1e}427[\"send message\",\"hi\"]\u{1e}3";
    stack.post(&polling_query, sent).await;
    // The acknowledgement and the event arrive in one payload or in two.
    let mut received = String::new();
    while !(received.contains("437[") && received.contains(r#"42["new message",{"#)) {
        received.push_str(&poll_for(&stack, &polling_query, "4").await);
    }
    assert_eq!(stack.chat.connections(), 1);
    stack.post(&polling_query, "1").await;
    stack.wait_for_connections(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_for_events_receives_what_the_engine_answers_to_a_post() {
    let stack = Stack::start();
    let (polling_query, _) = connect_polling(&stack).await;
    let mut other = connect(&stack, 1 << 16, "bob").await;
    // Until no packet of the engine is expected any more. The answer with the event polls it again.
    sleep(Duration::from_secs(3)).await;
    other.send_text(r#"42["send message","hi"]"#).await;
    poll_for(&stack, &polling_query, "new message").await;
    let begun_at = Instant::now();
    let answer = poll_for(&stack, &polling_query, "40/shop");
    tokio::join!(answer, stack.post(&polling_query, "40/shop,"));
    assert!(begun_at.elapsed() < Duration::from_millis(500), "{:?}", begun_at.elapsed());
}

#[test]
fn the_files_of_the_client_have_other_paths() {
    let serves = |path: &&str| SocketIoTransport::route(path).is_some();
    let own = ["/socket.io/", "/socket.io", "/socket.io-msgpack/", "/socket.io-msgpack"];
    assert!(own.iter().all(serves));
    let others = ["/socket.io/socket.io.js", "/socket.io//", "/socket.iox", "/socket.io-", "/"];
    assert!(!others.iter().any(serves));
}

#[tokio::test]
async fn version_3_attachments_have_their_packet_type() {
    let stack = Stack::start();
    let polling_query = stack.open(3).await;
    poll_for(&stack, &polling_query, ":40").await;
    let packet = r#"451-["send message",{"msg":{"_placeholder":true,"num":0}}]"#;
    let name = r#"42["new user","ann"]"#;
    let body = format!("{}:{name}{}:{packet}6:b4AQID", name.len(), packet.len());
    assert_eq!(stack.post(&polling_query, body).await.0, StatusCode::OK);
    let received = poll_for(&stack, &polling_query, "new message").await;
    assert!(received.ends_with("6:b4AQID"), "{received}");
}

#[tokio::test]
async fn a_bad_request_gets_the_official_answer() {
    let stack = Stack::start();
    let sid = "AAAAAAAAAAAAAAHs";
    for (method, query, code) in [
        (Method::GET, "EIO=4&transport=carrier-pigeon".to_owned(), 0),
        (Method::GET, format!("EIO=4&transport=polling&sid={sid}"), 1),
        (Method::POST, "EIO=4&transport=polling".to_owned(), 2),
        (Method::GET, "EIO=4&transport=websocket".to_owned(), 3),
        (Method::GET, "EIO=5&transport=polling".to_owned(), 5),
    ] {
        let (status, body) = stack.call(method, &query, "").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.starts_with(&format!(r#"{{"code":{code},"#)), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_ends_the_session() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    let max = stack.chat.limits().frame_bytes_max.get();
    let (status, _) = stack.post(&polling_query, "4".repeat(max + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    wait_for_session_end(&stack, &polling_query).await;
}

#[tokio::test]
async fn a_binary_body_on_version_4_ends_the_session() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    let request = Request::post(format!("/socket.io/?{polling_query}"))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(Body::from("x"))
        .unwrap();
    assert_eq!(stack.send(request).await.status(), StatusCode::BAD_REQUEST);
    wait_for_session_end(&stack, &polling_query).await;
}

#[tokio::test]
async fn too_many_packets_in_a_payload_end_the_session() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    let max = stack.chat.limits().inbox_requests_max.get();
    let (status, _) = stack.post(&polling_query, "\u{1e}".repeat(max)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    wait_for_session_end(&stack, &polling_query).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_times_out() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let (status, _) = stack.post(&polling_query, Body::from_stream(never)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn a_polling_client_receives_closing_before_the_end() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    stack.post(&polling_query, "40").await;
    poll_for(&stack, &polling_query, "40{").await;
    stack.wait_for_connections(1).await;
    stack.drain().await;
    poll_for(&stack, &polling_query, r#"42["closing",{"#).await;
    wait_for_session_end(&stack, &polling_query).await;
    stack.wait_for_connections(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_poll_does_not_delay_the_drain() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    stack.post(&polling_query, "40").await;
    poll_for(&stack, &polling_query, "40{").await;
    stack.wait_for_connections(1).await;
    stack.drain().await;
    stack.wait_for_connections(0).await;
    sleep(FLUSH_WAIT_MAX * 2).await;
    assert_eq!(stack.get(&polling_query).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_draining_server_refuses_sessions_and_ends_those_without_a_space() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    let pending = stack.get(&polling_query);
    let drain = async {
        tokio::task::yield_now().await;
        stack.drain().await;
        stack.tasks.finish(TEST_TIMEOUT).await
    };
    let ((_, last), drained) = tokio::join!(pending, drain);
    drained.unwrap();
    assert_eq!(last, "1");
    let (status, body) = stack.get("EIO=4&transport=polling").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("draining"), "{body}");
}

#[tokio::test]
async fn origins_are_checked_and_answers_are_not_cached() {
    let stack = Stack::start();
    let send = |method: Method, origin: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri("/socket.io/?EIO=4&transport=polling")
            .header(header::ORIGIN, origin)
            .body(Body::empty())
            .unwrap();
        stack.send(request)
    };
    let good = send(Method::GET, "https://good.example").await;
    let value = |response: &Response<Body>, name: HeaderName| {
        response.headers().get(name).map(|it| it.to_str().unwrap().to_owned())
    };
    let origin = value(&good, header::ACCESS_CONTROL_ALLOW_ORIGIN);
    assert_eq!(origin.as_deref(), Some("https://good.example"));
    assert_eq!(value(&good, header::CACHE_CONTROL).as_deref(), Some("no-store"));
    let preflight = send(Method::OPTIONS, "https://good.example").await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    let (status, body) = read(send(Method::GET, "https://evil.example").await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("origin_forbidden"), "{body}");
}

#[tokio::test]
async fn an_empty_pattern_space_is_removed_and_a_refused_one_is_not_created() {
    let stack = Stack::start();
    let polling_query = stack.open(4).await;
    stack.post(&polling_query, "40/team-red,").await;
    poll_for(&stack, &polling_query, "40/team-red,").await;
    stack.wait_for_connections(1).await;
    stack.post(&polling_query, "40/team-blue,{\"token\":\"bad\"}").await;
    let refused = r#"44/team-blue,{"message":"unauthorized","data":{"code":"unauthorized","#;
    poll_for(&stack, &polling_query, refused).await;
    stack.post(&polling_query, "40/other,").await;
    poll_for(&stack, &polling_query, r#"44/other,{"message":"Invalid namespace"}"#).await;
    stack.post(&polling_query, "41/team-red,").await;
    stack.wait_for_connections(0).await;
    let spaces = &stack.transport.context.spaces;
    let empty = async {
        while spaces.count() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(TEST_TIMEOUT, empty).await.expect("no space is left");
}

#[tokio::test]
async fn a_burst_after_connect_is_answered_in_order() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 20, "ann").await;
    for number in 0..500 {
        client.send_text(&format!(r#"42{number}["send message",{{"msg":{number}}}]"#)).await;
    }
    for number in 0..500 {
        let ack = client.receive_containing("\"ok\":true").await;
        assert!(ack.starts_with(&format!("43{number}[")), "{ack}");
    }
    drop(client);
    stack.wait_for_connections(0).await;
}

#[tokio::test]
async fn closing_is_sent_before_the_stream_ends() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 16, "ann").await;
    stack.wait_for_connections(1).await;
    stack.drain().await;
    client.receive_containing(r#"42["closing",{"#).await;
    while client.receive_text().await.is_some() {}
    stack.wait_for_connections(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_disconnected_after_the_deadline() {
    let stack = Stack::start();
    let _stuck = connect(&stack, 1 << 10, "stuck").await;
    let mut talker = connect(&stack, 1 << 20, "talker").await;
    stack.wait_for_connections(2).await;
    let begin = Instant::now();
    talker.send_text(&format!(r#"42["send message","{}"]"#, "x".repeat(4000))).await;
    stack.wait_for_connections(1).await;
    let max = stack.chat.limits().write_stall_max;
    assert!(begin.elapsed() < max + Duration::from_secs(1), "{:?}", begin.elapsed());
    talker.receive_containing("new message").await;
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_ends_only_the_slow_connection() {
    let bound = |size| std::num::NonZeroUsize::new(size).unwrap();
    let limits = Limits { outbox_bytes_max: bound(20_000), ..Limits::default() };
    let stack = Stack::with_limits(limits);
    let mut slow = connect(&stack, 1 << 10, "slow").await;
    let mut quick = connect(&stack, 1 << 20, "quick").await;
    stack.wait_for_connections(2).await;
    for _ in 0..10 {
        quick.send_text(&format!(r#"42["GroupChat","{}"]"#, "x".repeat(4000))).await;
    }
    // What is being written still arrives, and then the reason, in place of the events that waited.
    let mut received = Vec::new();
    while let Some(text) = slow.receive_text().await {
        received.push(text);
    }
    assert!(received.len() < 10, "{received:?}");
    let last = received.pop().unwrap();
    assert!(last.starts_with(r#"42["closing",{"code":"slow_reader""#), "{last}");
    stack.wait_for_connections(1).await;
    quick.send_text("421[\"GroupList\"]").await;
    quick.receive_containing("431[").await;
}

#[tokio::test]
async fn a_broken_frame_ends_the_session() {
    let stack = Stack::start();
    for (number, broken) in [
        &b"test"[..],
        b"\x81\x7f\x80\0\0\0\0\0\0\x01",
        b"\x81\xff\x00\0\x01\0\0\0\0\0\0\0\0\0",
        b"\x81\x84\0\0\0\x0040\xff\xfe",
        b"\x81\x021x",
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = connect(&stack, 1 << 16, &format!("user{number}")).await;
        stack.wait_for_connections(1).await;
        client.write_all(broken).await.unwrap();
        while client.receive_text().await.is_some() {}
        stack.wait_for_connections(0).await;
    }
}

#[tokio::test]
async fn a_polling_session_upgrades_without_a_gap() {
    let stack = Stack::start();
    let (polling_query, websocket_query) = connect_polling(&stack).await;
    stack.post(&polling_query, r#"420["GroupList"]"#).await;
    let (status, mut client) = stack.open_websocket(&websocket_query, 1 << 16).await;
    assert_eq!(status, StatusCode::SWITCHING_PROTOCOLS);
    client.send_text("2probe").await;
    assert_eq!(client.receive_text().await.as_deref(), Some("3probe"));
    client.send_text("5").await;
    client.send_text(r#"422["GroupList"]"#).await;
    client.receive_containing("430[").await;
    client.receive_containing("432[").await;
    assert_eq!(stack.get(&polling_query).await.0, StatusCode::BAD_REQUEST);
    let (status, _) = stack.open_websocket(&websocket_query, 1 << 16).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(stack.chat.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_upgrade_leaves_polling_unaffected() {
    let stack = Stack::start();
    let (polling_query, websocket_query) = connect_polling(&stack).await;
    for sent in [&[][..], &["2probe"], &["hello"], &["2probe", "4x"]] {
        let (status, mut client) = stack.open_websocket(&websocket_query, 1 << 16).await;
        assert_eq!(status, StatusCode::SWITCHING_PROTOCOLS, "after {sent:?}");
        for text in sent {
            client.send_text(text).await;
        }
        let (second, _) = stack.open_websocket(&websocket_query, 1 << 16).await;
        let open = second == StatusCode::BAD_REQUEST;
        assert!(open || sent.len() > 1 || *sent == ["hello"], "a second attempt: {second}");
        while client.receive_text().await.is_some() {}
        stack.post(&polling_query, r#"421["GroupList"]"#).await;
        loop {
            let (status, body) = stack.get(&polling_query).await;
            assert_eq!(status, StatusCode::OK, "after {sent:?}: {body}");
            if body.contains("431[") {
                break;
            }
            stack.post(&polling_query, "3").await;
        }
    }
    assert_eq!(stack.chat.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pending_poll_is_answered_with_bounded_noops_during_an_upgrade() {
    let stack = Stack::start();
    let (polling_query, websocket_query) = connect_polling(&stack).await;
    let (_, mut client) = stack.open_websocket(&websocket_query, 1 << 16).await;
    client.send_text("2probe").await;
    client.receive_text().await;
    let mut polls = 0;
    let begin = Instant::now();
    // The client never receives the answer and continues to poll until the attempt ends.
    while begin.elapsed() < Duration::from_secs(12) {
        let (status, _) = stack.get(&polling_query).await;
        assert_eq!(status, StatusCode::OK);
        polls += 1;
        stack.post(&polling_query, "3").await;
    }
    assert!(polls < 15, "{polls}");
}

#[tokio::test]
async fn an_unknown_session_is_refused_before_the_upgrade() {
    let stack = Stack::start();
    let (status, _) = stack.open_websocket(&format!("{NEW}&sid=AAAAAAAAAAAAAAHs"), 1 << 16).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_drain_ends_sessions_without_a_space() {
    let stack = Stack::start();
    let (_, mut client) = stack.open_websocket(NEW, 1 << 16).await;
    client.receive_containing("sid").await;
    stack.drain().await;
    stack.tasks.drain();
    while client.receive_text().await.is_some() {}
    let (status, _) = stack.open_websocket(NEW, 1 << 16).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
