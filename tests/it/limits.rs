//! Each limit that a client can reach: input at the limit, input past it, and the effect on others.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use roomcast::config::{Config, LimitSettings};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    clients::{
        Client, ConnectOptions, Wire,
        engine::Polling,
        raw::{self, Raw},
    },
    harness::TestServer,
};

fn size(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).unwrap()
}

async fn with(edit: impl FnOnce(&mut LimitSettings)) -> TestServer {
    TestServer::with(|config: &mut Config| edit(&mut config.limits)).await
}

#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
    let server = with(|limits| limits.body_bytes_max = size(100)).await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        // The text counts as JSON, including its quotes.
        let text = |length: usize| json!({ "msg": "x".repeat(length - 2) });
        assert_eq!(ann.ask("send message", text(100)).await["ok"], true);
        assert_eq!(ann.refusal("send message", text(101)).await, "message_too_large");
        let umlauts = json!({ "msg": "ü".repeat(50) });
        assert_eq!(ann.refusal("send message", umlauts).await, "message_too_large");
        let direct = json!({ "to": format!("ann {wire:?}"), "data": "x".repeat(99) });
        assert_eq!(ann.refusal("SingleChat", direct).await, "message_too_large");
        assert_eq!(ann.ask("GroupChat", "x".repeat(98)).await["ok"], true);
        assert_eq!(ann.refusal("GroupChat", "x".repeat(99)).await, "message_too_large");
        // 136 characters of base64 are 100 bytes or 101.
        let bytes = |end: &str| json!({ "base64": format!("{}{end}", "A".repeat(134)) });
        assert_eq!(ann.ask("send message", bytes("==")).await["ok"], true);
        assert_eq!(ann.refusal("send message", bytes("A=")).await, "message_too_large");
        let in_an_object = |end: &str| json!({ "msg": [bytes(end)] });
        assert_eq!(ann.refusal("send message", in_an_object("==")).await, "message_too_large");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_frame_at_the_limit_passes_and_one_byte_more_ends_the_connection() {
    let server = with(|limits| limits.frame_bytes_max = size(2000)).await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    for (path, head) in [("/ws", ""), ("/socket.io/?EIO=4&transport=websocket", "4")] {
        let frame = |length| raw::text(&format!("{head}{}", "x".repeat(length - head.len())));
        let mut at = Raw::connect(&server).await;
        assert_eq!(at.handshake(path, "").await.status, 101);
        if path == "/ws" {
            at.send(frame(2000)).await;
            let (_, answer) = at.frame().await.unwrap();
            assert!(String::from_utf8(answer).unwrap().contains("bad_request"));
        }
        let mut past = Raw::connect(&server).await;
        past.handshake(path, "").await;
        past.send(frame(2001)).await;
        if path == "/ws" {
            assert_eq!(past.close_code().await, Some(1009));
        }
        past.wait_for_close().await;
    }
    let text = |length: usize| "x".repeat(length);
    let mut sio = Client::named(&server, Wire::SocketIo, "sion").await;
    let over = r#"420["send message",""]"#.len();
    let answer = sio.ask("send message", text(2000 - over - 1)).await;
    assert_eq!(answer["ok"], true, "two digits of the ack make one byte more");
    sio.emit("send message", text(2001)).await;
    assert_eq!(sio.end().await, None);
    assert_eq!(bob.next("new message").await["username"], "sion");
    assert_eq!(bob.post("undisturbed").await, 2);
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn a_polling_request_at_the_limit_passes_and_one_byte_more_is_413() {
    let server = with(|limits| limits.frame_bytes_max = size(2000)).await;
    let mut polly = Polling::open(&server).await;
    polly.enter().await;
    assert_eq!(polly.post(r#"42["new user","polly"]"#).await.status, 200);
    let (begin, end) = (r#"42["send message",""#, r#""]"#);
    let payload =
        |length: usize| format!("{begin}{}{end}", "x".repeat(length - begin.len() - end.len()));
    assert_eq!(polly.post(&payload(2000)).await.status, 200);
    assert_eq!(polly.post(&payload(2001)).await.status, 413);
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let page = bob.ask("history", Value::Null).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn ten_attachments_are_accepted_and_eleven_are_refused() {
    let server = TestServer::start().await;
    let parts = |count: usize| json!({ "msg": vec![json!({ "base64": "AA==" }); count] });
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        assert_eq!(ann.ask("send message", parts(10)).await["ok"], true);
        if wire == Wire::WebSocket {
            assert_eq!(ann.refusal("send message", parts(11)).await, "too_many_attachments");
        } else {
            // As with the official server.
            ann.emit("send message", parts(11)).await;
            ann.end().await;
        }
    }
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    assert_eq!(bob.post("undisturbed").await, 4);
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn joining_beyond_the_room_limit_is_refused() {
    let server = with(|limits| limits.rooms_per_user_max = size(3)).await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        assert_eq!(ann.ask("join", "one").await["ok"], true);
        assert_eq!(ann.ask("join", "two").await["ok"], true);
        assert_eq!(ann.refusal("join", "three").await, "too_many_rooms");
        assert_eq!(ann.ask("join", "two").await["ok"], true, "already a member");
        ann.ask("leave", "one").await;
        assert_eq!(ann.ask("join", "three").await["ok"], true);
        let options = ConnectOptions::new().since("one", 0).since("two", 0);
        assert!(Client::open(&server, wire, options.clone()).await.is_ok());
        let refused = Client::open(&server, wire, options.since("three", 0)).await.err().unwrap();
        assert_eq!(refused.code, "too_many_rooms");
        let (mine, name) = (format!("mine-{wire:?}"), format!("bob {wire:?}"));
        let mut bob = Client::named(&server, wire, &name).await;
        assert_eq!(bob.ask("join", mine.as_str()).await["ok"], true);
        let mut eve = Client::named(&server, wire, &format!("eve {wire:?}")).await;
        let theirs = format!("theirs-{wire:?}");
        assert_eq!(eve.ask("join", theirs.as_str()).await["ok"], true);
        let invitation = json!({ "room": theirs, "user": name });
        let refused = eve.refusal("invite", invitation).await;
        assert_eq!(refused, "too_many_rooms", "half is reserved for own joins");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_history_page_is_never_longer_than_the_limit() {
    let server = with(|limits| limits.history_messages_max = NonZeroU32::new(5).unwrap()).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    for _ in 0..7 {
        ann.post("x").await;
    }
    for limit in
        [json!({}), json!({ "limit": 5 }), json!({ "limit": 6 }), json!({ "limit": u32::MAX })]
    {
        let page = ann.ask("history", limit).await;
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(5));
        assert_eq!(page["more"], true);
    }
    assert_eq!(ann.refusal("history", json!({ "limit": 0 })).await, "bad_request");
    assert_eq!(ann.refusal("history", json!({ "limit": -1 })).await, "bad_request");
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_burst_is_accepted_and_the_next_message_gets_a_retry_delay() {
    let server = with(|limits| {
        limits.messages_burst_max = NonZeroU32::new(3).unwrap();
        limits.messages_per_second_max = NonZeroU32::new(1).unwrap();
    })
    .await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    for wire in Wire::ALL {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        for event in ["send message", "GroupChat", "send message"] {
            assert_eq!(ann.ask(event, "x").await["ok"], true);
        }
        let refused = ann.ask("send message", "x").await;
        assert_eq!(refused["code"], "too_fast");
        assert!((1..=1000).contains(&refused["retryAfterMs"].as_u64().unwrap()), "{refused}");
        let direct = json!({ "to": "bob", "data": 1 });
        assert_eq!(ann.refusal("SingleChat", direct).await, "too_fast");
        assert_eq!(ann.ask("GroupList", Value::Null).await["ok"], true, "queries are not limited");
    }
    assert_eq!(bob.post("at my own pace").await, 10);
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn a_stalled_reader_is_disconnected_and_recovers_everything() {
    let server = with(|limits| {
        limits.outbox_bytes_max = size(1 << 20);
        limits.write_stall_ms_max = 1000;
    })
    .await;
    let token = server.token("stuck", &[]);
    let mut plain = Raw::with_small_buffer(&server).await;
    plain.handshake(&format!("/ws?token={token}"), "").await;
    let mut socketio = Raw::with_small_buffer(&server).await;
    socketio.handshake("/socket.io/?EIO=4&transport=websocket", "").await;
    socketio.send(raw::text(&format!(r#"40{{"token":"{token}"}}"#))).await;
    server.has_connections(2).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let large = "x".repeat(200 << 10);
    let count = 60;
    for _ in 0..count {
        ann.post(&large).await;
        ann.next("new message").await;
    }
    server.has_connections(1).await;
    let options = ConnectOptions::new().token(&token).since("lobby", 0);
    let mut back = Client::open(&server, Wire::SocketIo, options).await.ok().unwrap();
    assert_eq!(back.missed("lobby").await.unwrap().len(), count);
    drop((ann, back, plain, socketio));
    server.stop().await;
}

#[tokio::test]
async fn a_payload_with_more_packets_than_the_inbox_holds_is_413() {
    let server = with(|limits| limits.inbox_requests_max = size(64)).await;
    let mut bob = Client::named(&server, Wire::WebSocket, "bob").await;
    let mut polly = Polling::open(&server).await;
    polly.enter().await;
    polly.post(r#"42["new user","polly"]"#).await;
    let packets = |count| vec![r#"42["GroupList"]"#; count].join("\u{1e}");
    assert_eq!(polly.post(&packets(64)).await.status, 200);
    assert_eq!(polly.post(&packets(65)).await.status, 413);
    assert_eq!(bob.post("undisturbed").await, 1);
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn backpressure_slows_a_fast_sender_and_loses_no_request() {
    let server = with(|limits| limits.inbox_requests_max = size(256)).await;
    for wire in [Wire::WebSocket, Wire::SocketIo] {
        let mut ann = Client::named(&server, wire, &format!("ann {wire:?}")).await;
        let mut numbers = Vec::new();
        for _ in 0..1000 {
            numbers.push(ann.send("GroupList", Value::Null).await);
        }
        for number in numbers {
            assert_eq!(ann.answer(number).await["ok"], true);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_space_beyond_the_limit_is_unavailable() {
    let server = TestServer::with(|config| {
        config.limits.spaces_max = 2;
        config.spaces = vec![roomcast::domain::SpacePattern::parse("/team-*").unwrap()];
    })
    .await;
    let options = |space| ConnectOptions::new().space(space);
    let red = Client::named_at(&server, Wire::SocketIo, "ann", options("/team-red")).await;
    let blue = Client::named_at(&server, Wire::SocketIo, "ann", options("/team-blue")).await;
    let refused =
        Client::open(&server, Wire::SocketIo, options("/team-green")).await.err().unwrap();
    assert_eq!(refused.code, "unavailable");
    assert!(Client::open(&server, Wire::Polling, options("/team-red")).await.is_ok());
    blue.close().await;
    let green = async {
        while Client::open(&server, Wire::SocketIo, options("/team-green")).await.is_err() {}
    };
    crate::harness::wait_for("blue's place", green).await;
    drop(red);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_refused_until_another_closes() {
    let server = with(|limits| limits.connections_max = 2).await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let bob = Client::named(&server, Wire::SocketIo, "bob").await;
    let mut third = Raw::connect(&server).await;
    assert_eq!(third.get("/health/live").await.status, 503);
    third.wait_for_close().await;
    assert_eq!(ann.post("undisturbed").await, 1);
    bob.close().await;
    let place =
        async { while Raw::connect(&server).await.get("/health/live").await.status != 200 {} };
    crate::harness::wait_for("bob's place", place).await;
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_disconnected_and_others_are_not() {
    let server = with(|limits| {
        limits.ping_interval_ms = 200;
        limits.ping_timeout_ms = 200;
    })
    .await;
    let mut ann = Client::named(&server, Wire::WebSocket, "ann").await;
    let mut sion = Client::named(&server, Wire::SocketIo, "sion").await;
    let mut silent = Raw::connect(&server).await;
    silent.handshake("/ws", "").await;
    let mut mute = Raw::connect(&server).await;
    mute.handshake("/socket.io/?EIO=4&transport=websocket", "").await;
    mute.send(raw::text("40")).await;
    let reads = async {
        let (head, _) = silent.frame().await.unwrap();
        assert_eq!(head, 0x89, "a ping");
        let (_, closing) = silent.frame().await.unwrap();
        assert!(String::from_utf8(closing).unwrap().contains("ping_timeout"));
        assert_eq!(silent.close_code().await, Some(4003));
        mute.wait_for_close().await;
    };
    // A client that waits for an event also answers pings.
    let began = Instant::now();
    let ((), first, second) =
        tokio::join!(reads, ann.next("user joined"), async { sion.has_received("x").await });
    assert_eq!((first["user"].as_str(), second), (Some("sion"), false));
    assert!(began.elapsed() >= Duration::from_millis(200));
    drop((ann, sion));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_request_times_out() {
    let server = with(|limits| {
        limits.request_head_wait_ms_max = 200;
        limits.request_body_wait_ms_max = 200;
    })
    .await;
    let mut slow_head = Raw::connect(&server).await;
    slow_head.send("GET /ws HTTP/1.1\r\nHost: here\r\nX-Slow:").await;
    slow_head.wait_for_close().await;
    let polling = Polling::open(&server).await;
    let mut slow_body = Raw::connect(&server).await;
    let line =
        format!("POST {} HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n4", polling.path());
    slow_body.send(line).await;
    assert_eq!(slow_body.answer().await.unwrap().status, 408);
    server.stop().await;
}
