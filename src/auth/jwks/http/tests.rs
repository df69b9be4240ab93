//! A real server on a real socket, with valid and invalid responses.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use tokio_rustls::rustls::RootCertStore;

use super::*;
use crate::auth::{
    jwks::JwksSource,
    test_support::{KeyPair, P256, P256_NEW, set},
};
use crate::http_client::client_builder;

/// A server that answers one connection at a time.
struct TestServer(TcpListener);

impl TestServer {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Fetches from this server, whatever proxies the environment names.
    fn fetch(&self, user: &str, path: &str) -> HttpFetch {
        let url = format!("http://{user}{}{path}", self.0.local_addr().unwrap());
        let client = client_builder(RootCertStore::empty()).no_proxy().build().unwrap();
        HttpFetch::new(client, &url.parse().unwrap())
    }

    /// Accepts one connection, sends these bytes, and returns the request.
    async fn answer(&self, answer: &[u8]) -> String {
        let (mut socket, _) = self.0.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(socket.read_u8().await.unwrap());
        }
        // The client may close the connection before all is written.
        drop(socket.write_all(answer).await);
        drop(socket.shutdown().await);
        String::from_utf8(asked).unwrap()
    }
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The result of a fetch with this response.
async fn fetched(answer: &[u8]) -> Result<Vec<u8>, FetchError> {
    let server = TestServer::start().await;
    let fetch = server.fetch("", "/keys");
    tokio::join!(fetch.fetch(), server.answer(answer)).0
}

#[tokio::test]
async fn the_request_uses_path_query_and_credentials_of_the_url() {
    let server = TestServer::start().await;
    let fetch = server.fetch("ann:p%40ss@", "/keys?v=1");
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
async fn every_http_body_framing_is_accepted() {
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
async fn other_responses_are_errors() {
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
async fn an_oversized_response_is_not_read_to_its_end() {
    let fitting = vec![b' '; ANSWER_BYTES_MAX];
    assert!(fetched(&ok(&fitting)).await.is_ok());
    let large = vec![b' '; 4 * ANSWER_BYTES_MAX];
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &large].concat();
    for answer in [ok(&large), endless] {
        let error = fetched(&answer).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge(ANSWER_BYTES_MAX)), "{error}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_error() {
    let server = TestServer::start().await;
    let fetch = server.fetch("", "/");
    drop(server);
    assert!(matches!(fetch.fetch().await, Err(FetchError::Connect(_))));
}

#[tokio::test]
async fn keys_survive_rotation_errors_and_an_outage_of_the_site() {
    let keys = |pair: KeyPair, kid: &str| ok(&set(&[pair.jwk(&json!({ "kid": kid }))]));
    let redirect = b"HTTP/1.1 301 Moved\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n".to_vec();
    let mut server = TestServer::start().await;
    let address = server.0.local_addr().unwrap();
    let fetch = server.fetch("", "/keys");
    let source = JwksSource::new("a site", Box::new(fetch), Duration::from_mins(5));
    for (answer, kid, good) in [
        (keys(P256, "old"), "old", true),
        (keys(P256_NEW, "new"), "new", true),
        (ok(b"<html>"), "new", false),
        (ok(&vec![b' '; 2 * ANSWER_BYTES_MAX]), "new", false),
        (redirect, "new", false),
        (keys(P256, "third"), "third", true),
    ] {
        tokio::join!(source.fetch_once(), server.answer(&answer));
        assert!(source.keys().iter().all(|key| key.has_id(kid)), "{kid}");
        assert_eq!((source.keys().len(), source.fetch_error().is_none()), (1, good), "{kid}");
    }
    drop(server);
    source.fetch_once().await;
    assert!(source.keys()[0].has_id("third") && source.fetch_error().is_some());
    server = TestServer(TcpListener::bind(address).await.unwrap());
    let back = keys(P256, "back");
    tokio::join!(source.fetch_once(), server.answer(&back));
    assert!(source.keys()[0].has_id("back") && source.fetch_error().is_none());
}
