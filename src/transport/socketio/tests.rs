//! Sessions from the first byte to the last, on both carriers.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, timeout},
};

use super::{
    FLUSH_WAIT_MAX,
    test_support::{Frames as _, NEW, PATIENCE, Stack, connect, gone, poll, poll_for, read},
};
use crate::domain::Limits;

#[tokio::test]
async fn a_message_is_acknowledged_and_heard() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    assert_eq!(stack.post(&here, "40").await.0, StatusCode::OK);
    poll_for(&stack, &here, "40{").await;
    let said = "42[\"new user\",\"ann\"]\u{1e}427[\"send message\",\"hi\"]\u{1e}3";
    stack.post(&here, said).await;
    // The two come in one payload or in two.
    let mut heard = String::new();
    while !(heard.contains("437[") && heard.contains(r#"42["new message",{"#)) {
        heard.push_str(&poll_for(&stack, &here, "4").await);
    }
    assert_eq!(stack.chat.connections(), 1);
    stack.post(&here, "1").await;
    stack.lives(0).await;
}

#[tokio::test]
async fn version_3_gets_its_attachments_right() {
    let stack = Stack::start();
    let here = stack.open(3).await;
    poll_for(&stack, &here, ":40").await;
    let packet = r#"451-["send message",{"msg":{"_placeholder":true,"num":0}}]"#;
    let name = r#"42["new user","ann"]"#;
    let body = format!("{}:{name}{}:{packet}6:b4AQID", name.len(), packet.len());
    assert_eq!(stack.post(&here, body).await.0, StatusCode::OK);
    let heard = poll_for(&stack, &here, "new message").await;
    assert!(heard.ends_with("6:b4AQID"), "{heard}");
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
    let here = stack.open(4).await;
    let max = stack.chat.limits().frame_bytes_max.get();
    let (status, _) = stack.post(&here, "4".repeat(max + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    gone(&stack, &here).await;
}

#[tokio::test]
async fn bytes_where_text_belongs_end_the_session() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    let request = Request::post(format!("/socket.io/?{here}"))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(Body::from("x"))
        .unwrap();
    assert_eq!(stack.ask(request).await.status(), StatusCode::BAD_REQUEST);
    gone(&stack, &here).await;
}

#[tokio::test]
async fn too_many_packets_in_a_payload_end_the_session() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    let max = stack.chat.limits().inbox_requests_max.get();
    let (status, _) = stack.post(&here, "\u{1e}".repeat(max)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    gone(&stack, &here).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let (status, _) = stack.post(&here, Body::from_stream(never)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn closing_is_collected_before_the_end() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    stack.post(&here, "40").await;
    poll_for(&stack, &here, "40{").await;
    stack.lives(1).await;
    stack.chat.drain();
    poll_for(&stack, &here, r#"42["closing",{"#).await;
    gone(&stack, &here).await;
    stack.lives(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_collects_is_not_waited_for() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    stack.post(&here, "40").await;
    stack.lives(1).await;
    stack.chat.drain();
    stack.lives(0).await;
    tokio::time::sleep(FLUSH_WAIT_MAX * 2).await;
    assert_eq!(stack.get(&here).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_draining_server_takes_no_sessions_and_ends_those_without_a_space() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    // The first poll takes the ping.
    stack.get(&here).await;
    let pending = stack.get(&here);
    let drain = async {
        tokio::task::yield_now().await;
        stack.chat.drain();
        stack.tasks.finish(PATIENCE).await
    };
    let ((_, last), drained) = tokio::join!(pending, drain);
    drained.unwrap();
    assert!(["6", "1"].contains(&&*last), "{last}");
    let (status, body) = stack.get("EIO=4&transport=polling").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("draining"), "{body}");
}

#[tokio::test]
async fn origins_are_checked_and_answers_are_not_cached() {
    let stack = Stack::start();
    let ask = |method: Method, origin: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri("/socket.io/?EIO=4&transport=polling")
            .header(header::ORIGIN, origin)
            .body(Body::empty())
            .unwrap();
        stack.ask(request)
    };
    let good = ask(Method::GET, "https://good.example").await;
    let value = |response: &Response<Body>, name: HeaderName| {
        response.headers().get(name).map(|it| it.to_str().unwrap().to_owned())
    };
    let origin = value(&good, header::ACCESS_CONTROL_ALLOW_ORIGIN);
    assert_eq!(origin.as_deref(), Some("https://good.example"));
    assert_eq!(value(&good, header::CACHE_CONTROL).as_deref(), Some("no-store"));
    let preflight = ask(Method::OPTIONS, "https://good.example").await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    let (status, body) = read(ask(Method::GET, "https://evil.example").await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("origin_forbidden"), "{body}");
}

#[tokio::test]
async fn an_empty_space_of_a_pattern_goes_and_a_refused_one_never_comes() {
    let stack = Stack::start();
    let here = stack.open(4).await;
    stack.post(&here, "40/team-red,").await;
    poll_for(&stack, &here, "40/team-red,").await;
    stack.lives(1).await;
    stack.post(&here, "40/team-blue,{\"token\":\"bad\"}").await;
    poll_for(&stack, &here, r#"44/team-blue,{"message":"unauthorized"}"#).await;
    stack.post(&here, "40/other,").await;
    poll_for(&stack, &here, r#"44/other,{"message":"Invalid namespace"}"#).await;
    stack.post(&here, "41/team-red,").await;
    stack.lives(0).await;
    let spaces = &stack.transport.shared.spaces;
    let empty = async {
        while spaces.count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, empty).await.expect("no space is left");
}

#[tokio::test]
async fn a_burst_after_connect_is_answered_in_order() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 20, "ann").await;
    for number in 0..500 {
        client.say(&format!(r#"42{number}["send message",{{"msg":{number}}}]"#)).await;
    }
    for number in 0..500 {
        let ack = client.hear_of("\"ok\":true").await;
        assert!(ack.starts_with(&format!("43{number}[")), "{ack}");
    }
    drop(client);
    stack.lives(0).await;
}

#[tokio::test]
async fn closing_is_said_and_the_stream_ends() {
    let stack = Stack::start();
    let mut client = connect(&stack, 1 << 16, "ann").await;
    stack.lives(1).await;
    stack.chat.drain();
    client.hear_of(r#"42["closing",{"#).await;
    while client.hear().await.is_some() {}
    stack.lives(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_gone_soon_after_the_deadline() {
    let stack = Stack::start();
    let _stuck = connect(&stack, 1 << 10, "stuck").await;
    let mut talker = connect(&stack, 1 << 20, "talker").await;
    stack.lives(2).await;
    let begin = Instant::now();
    talker.say(&format!(r#"42["send message","{}"]"#, "x".repeat(4000))).await;
    stack.lives(1).await;
    let max = stack.chat.limits().write_stall_max;
    assert!(begin.elapsed() < max + Duration::from_secs(1), "{:?}", begin.elapsed());
    talker.hear_of("new message").await;
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_ends_the_slow_and_nobody_else() {
    let bound = |size| std::num::NonZeroUsize::new(size).unwrap();
    let limits = Limits { outbox_bytes_max: bound(20_000), ..Limits::default() };
    let stack = Stack::within(limits);
    let mut slow = connect(&stack, 1 << 10, "slow").await;
    let mut quick = connect(&stack, 1 << 20, "quick").await;
    stack.lives(2).await;
    for _ in 0..10 {
        quick.say(&format!(r#"42["GroupChat","{}"]"#, "x".repeat(4000))).await;
    }
    // What was queued before still comes, in bounded time, and then the reason if there is room.
    let mut heard = 0;
    while slow.hear().await.is_some() {
        heard += 1;
    }
    assert!((4..10).contains(&heard), "{heard}");
    stack.lives(1).await;
    quick.say("421[\"GroupList\"]").await;
    quick.hear_of("431[").await;
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
        stack.lives(1).await;
        client.write_all(broken).await.unwrap();
        while client.hear().await.is_some() {}
        stack.lives(0).await;
    }
}

#[tokio::test]
async fn a_polling_session_changes_over_without_a_gap() {
    let stack = Stack::start();
    let (here, there) = poll(&stack).await;
    stack.post(&here, r#"420["GroupList"]"#).await;
    let (status, mut client) = stack.web_socket(&there, 1 << 16).await;
    assert_eq!(status, StatusCode::SWITCHING_PROTOCOLS);
    client.say("2probe").await;
    assert_eq!(client.hear().await.as_deref(), Some("3probe"));
    client.say("5").await;
    client.say(r#"422["GroupList"]"#).await;
    client.hear_of("430[").await;
    client.hear_of("432[").await;
    assert_eq!(stack.get(&here).await.0, StatusCode::BAD_REQUEST);
    let (status, _) = stack.web_socket(&there, 1 << 16).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(stack.chat.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn polling_does_not_notice_a_websocket_that_does_not_work() {
    let stack = Stack::start();
    let (here, there) = poll(&stack).await;
    for said in [&[][..], &["2probe"], &["hello"], &["2probe", "4x"]] {
        let (status, mut client) = stack.web_socket(&there, 1 << 16).await;
        assert_eq!(status, StatusCode::SWITCHING_PROTOCOLS, "after {said:?}");
        for text in said {
            client.say(text).await;
        }
        let (second, _) = stack.web_socket(&there, 1 << 16).await;
        let open = second == StatusCode::BAD_REQUEST;
        assert!(open || said.len() > 1 || *said == ["hello"], "a second attempt: {second}");
        while client.hear().await.is_some() {}
        stack.post(&here, r#"421["GroupList"]"#).await;
        loop {
            let (status, body) = stack.get(&here).await;
            assert_eq!(status, StatusCode::OK, "after {said:?}: {body}");
            if body.contains("431[") {
                break;
            }
            stack.post(&here, "3").await;
        }
    }
    assert_eq!(stack.chat.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_answered_while_the_client_changes_over_and_not_more_often_than_needed() {
    let stack = Stack::start();
    let (here, there) = poll(&stack).await;
    stack.get(&here).await;
    let (_, mut client) = stack.web_socket(&there, 1 << 16).await;
    client.say("2probe").await;
    client.hear().await;
    let mut polls = 0;
    let begin = Instant::now();
    // The client never hears the answer and polls on, until the attempt is over.
    while begin.elapsed() < Duration::from_secs(12) {
        let (status, _) = stack.get(&here).await;
        assert_eq!(status, StatusCode::OK);
        polls += 1;
        stack.post(&here, "3").await;
    }
    assert!(polls < 15, "{polls}");
}

#[tokio::test]
async fn an_unknown_session_is_refused_before_the_upgrade() {
    let stack = Stack::start();
    let (status, _) = stack.web_socket(&format!("{NEW}&sid=AAAAAAAAAAAAAAHs"), 1 << 16).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_drain_ends_sessions_without_a_space() {
    let stack = Stack::start();
    let (_, mut client) = stack.web_socket(NEW, 1 << 16).await;
    client.hear_of("sid").await;
    stack.chat.drain();
    stack.tasks.drain();
    while client.hear().await.is_some() {}
    let (status, _) = stack.web_socket(NEW, 1 << 16).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
