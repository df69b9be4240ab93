//! A real server on a real socket that answers as servers do, and as they should not.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::auth::{
    jwks::Source,
    test_support::{P256, P256_NEW, Pair, set},
};

/// A server that answers one connection at a time.
struct Server(TcpListener);

impl Server {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self, user: &str, path: &str) -> Uri {
        format!("http://{user}{}{path}", self.0.local_addr().unwrap()).parse().unwrap()
    }

    /// Takes one connection, answers it with these bytes, and tells what was asked.
    async fn answer(&self, answer: &[u8]) -> String {
        let (mut socket, _) = self.0.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(socket.read_u8().await.unwrap());
        }
        // Who is told too much hangs up.
        drop(socket.write_all(answer).await);
        drop(socket.shutdown().await);
        String::from_utf8(asked).unwrap()
    }
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What comes of a fetch that is answered with these bytes.
async fn fetched(answer: &[u8]) -> Result<Vec<u8>, FetchFailed> {
    let server = Server::start().await;
    let fetch = HttpFetch::new(&server.url("", "/keys"), None);
    tokio::join!(fetch.fetch(), server.answer(answer)).0
}

#[tokio::test]
async fn the_request_says_what_the_address_says() {
    let server = Server::start().await;
    let fetch = HttpFetch::new(&server.url("ann:p%40ss@", "/keys?v=1"), None);
    let empty = ok(b"{}");
    let (answer, asked) = tokio::join!(fetch.fetch(), server.answer(&empty));
    assert_eq!(answer.unwrap(), b"{}");
    let asked = asked.to_ascii_lowercase();
    assert!(asked.starts_with("get /keys?v=1 http/1.1\r\n"), "{asked}");
    let host = format!("\r\nhost: {}\r\n", server.0.local_addr().unwrap());
    let user = format!("\r\nauthorization: basic {}\r\n", BASE64_STANDARD.encode("ann:p@ss"));
    for line in [host, user.to_ascii_lowercase()] {
        assert!(asked.contains(&line), "{line} in {asked}");
    }
}

#[tokio::test]
async fn an_answer_may_end_as_http_allows() {
    for answer in [
        ok(b"{\"keys\":[]}"),
        b"HTTP/1.1 200 OK\r\n\r\n{\"keys\":[]}".to_vec(),
        b"HTTP/1.0 200 OK\r\n\r\n{\"keys\":[]}".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"key\r\n6\r\ns\":[]}\r\n0\r\n\r\n"
            .to_vec(),
    ] {
        assert_eq!(fetched(&answer).await.unwrap(), b"{\"keys\":[]}");
    }
}

#[tokio::test]
async fn other_answers_are_none() {
    for (answer, reason) in [
        ("HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n", "status 302"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "status 404"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "status 204"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "broken"),
        ("SSH-2.0-OpenSSH_9.9\r\n", "broken"),
        ("", "broken"),
    ] {
        let error = fetched(answer.as_bytes()).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{reason} in {error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let fitting = vec![b' '; ANSWER_BYTES_MAX];
    assert!(fetched(&ok(&fitting)).await.is_ok());
    let large = vec![b' '; 4 * ANSWER_BYTES_MAX];
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &large].concat();
    for answer in [ok(&large), endless] {
        let error = fetched(&answer).await.unwrap_err();
        assert!(matches!(error, FetchFailed::TooLarge(ANSWER_BYTES_MAX)), "{error}");
    }
}

#[tokio::test]
async fn nobody_may_be_there() {
    let server = Server::start().await;
    let fetch = HttpFetch::new(&server.url("", "/"), None);
    drop(server);
    assert!(matches!(fetch.fetch().await, Err(FetchFailed::Connect(_))));
}

#[tokio::test]
async fn a_site_rotates_errs_goes_away_and_comes_back() {
    let keys = |pair: Pair, kid: &str| ok(&set(&[pair.jwk(&json!({ "kid": kid }))]));
    let redirect = b"HTTP/1.1 301 Moved\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n".to_vec();
    let mut server = Server::start().await;
    let address = server.0.local_addr().unwrap();
    let fetch = HttpFetch::new(&server.url("", "/keys"), None);
    let source = Source::new("a site", Box::new(fetch), Duration::from_mins(5));
    for (answer, kid, good) in [
        (keys(P256, "old"), "old", true),
        (keys(P256_NEW, "new"), "new", true),
        (ok(b"<html>"), "new", false),
        (ok(&vec![b' '; 2 * ANSWER_BYTES_MAX]), "new", false),
        (redirect, "new", false),
        (keys(P256, "third"), "third", true),
    ] {
        tokio::join!(source.fetch_once(), server.answer(&answer));
        assert!(source.keys().iter().all(|key| key.is_called(kid)), "{kid}");
        assert_eq!((source.keys().len(), source.trouble().is_none()), (1, good), "{kid}");
    }
    drop(server);
    source.fetch_once().await;
    assert!(source.keys()[0].is_called("third") && source.trouble().is_some());
    server = Server(TcpListener::bind(address).await.unwrap());
    let back = keys(P256, "back");
    tokio::join!(source.fetch_once(), server.answer(&back));
    assert!(source.keys()[0].is_called("back") && source.trouble().is_none());
}
