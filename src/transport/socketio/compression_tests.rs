//! Which answers to polls are compressed. The clients' tests decode them.

use axum::body::HttpBody as _;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;

use super::{
    compression::COMPRESSED_BYTES_MIN,
    test_support::{Stack, connect_polling, poll_for},
};

/// The answer to a poll.
#[derive(Debug)]
struct PollAnswer {
    encoding: Option<String>,
    length: Option<usize>,
    body: Vec<u8>,
}

async fn poll(stack: &Stack, query: &str, accepted: &str) -> PollAnswer {
    let request = Request::builder()
        .method(Method::GET)
        .uri(format!("/socket.io/?{query}"))
        .header(header::ACCEPT_ENCODING, accepted)
        .header(header::ORIGIN, "https://good.example")
        .body("".into());
    let response = stack.send(request.unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let encoding = response.headers().get(header::CONTENT_ENCODING);
    let encoding = encoding.map(|it| it.to_str().unwrap().to_owned());
    let vary: Vec<_> = response.headers().get_all(header::VARY).iter().collect();
    assert!(vary.contains(&"origin, access-control-request-headers".parse().as_ref().unwrap()));
    assert!(encoding.is_none() || vary.contains(&"accept-encoding".parse().as_ref().unwrap()));
    let length = response.body().size_hint().exact().map(|it| usize::try_from(it).unwrap());
    let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    PollAnswer { encoding, length, body }
}

#[tokio::test]
async fn large_answers_are_compressed_for_clients_that_accept_it() {
    let stack = Stack::start();
    let (query, _) = connect_polling(&stack).await;
    let text = "x".repeat(5000);
    stack.post(&query, format!("42[\"send message\",\"{text}\"]")).await;
    poll_for(&stack, &query, &text).await;
    for (accepted, encoding) in [
        ("gzip, deflate, br", Some("gzip")),
        ("deflate", Some("deflate")),
        ("br", None),
        ("identity", None),
        ("gzip;q=0", None),
    ] {
        stack.post(&query, "421[\"history\"]").await;
        let answer = loop {
            let answer = poll(&stack, &query, accepted).await;
            if answer.encoding.is_some() || answer.body.starts_with(b"431[") {
                break answer;
            }
        };
        assert_eq!(answer.encoding.as_deref(), encoding, "{accepted}");
        let is_small = answer.body.len() < usize::from(COMPRESSED_BYTES_MIN);
        assert_eq!(is_small, encoding.is_some(), "{accepted}");
        assert_eq!(answer.length.is_some(), encoding.is_none(), "{accepted}");
    }
    stack.post(&query, "422[\"GroupList\"]").await;
    let small = poll(&stack, &query, "gzip").await;
    assert_eq!((small.encoding, small.length), (None, Some(small.body.len())));
}
