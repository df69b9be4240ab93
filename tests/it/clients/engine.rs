//! Engine.IO version 4 in raw frames: over a WebSocket, or over polling.

use std::collections::VecDeque;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::raw::{Answer, Raw};
use crate::{harness::TestServer, sockets::ClientSocket};

/// The separator of packets in a polling payload.
const SEPARATOR: char = '\u{1e}';

/// The content of a packet of type "message".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    Binary(Vec<u8>),
}

/// A session.
pub(crate) enum Engine {
    WebSocket(Box<WebSocketStream<ClientSocket>>),
    Polling(Box<Polling>),
}

/// A session that polls: one connection to receive, one to send.
pub(crate) struct Polling {
    path: String,
    polls: Raw,
    posts: Raw,
    received: VecDeque<String>,
}

impl Engine {
    /// Opens a session on a WebSocket.
    pub(crate) async fn websocket(server: &TestServer) -> Self {
        let mut raw = Raw::connect(server).await;
        let answer = raw.handshake("/socket.io/?EIO=4&transport=websocket", "").await;
        assert_eq!(answer.status, 101, "{}", answer.text());
        let mut socket = raw.into_websocket().await;
        let open = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(open.starts_with("0{"), "{open}");
        Self::WebSocket(Box::new(socket))
    }

    /// Opens a session that polls.
    pub(crate) async fn polling(server: &TestServer) -> Self {
        Self::Polling(Box::new(Polling::open(server).await))
    }

    /// Sends packets in one payload.
    pub(crate) async fn send(&mut self, packets: Vec<Packet>) {
        match self {
            Self::WebSocket(socket) => {
                for packet in packets {
                    let message = match packet {
                        Packet::Text(text) => Message::text(format!("4{text}")),
                        Packet::Binary(bytes) => Message::binary(bytes),
                    };
                    socket.feed(message).await.unwrap();
                }
                socket.flush().await.unwrap();
            }
            Self::Polling(polling) => {
                let packets: Vec<_> = packets.into_iter().map(encode).collect();
                let answer = polling.post(&packets.join(&SEPARATOR.to_string())).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
    }

    /// The next message; `None` after the end of the session. Pings are answered meanwhile.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        loop {
            let text = match self {
                Self::WebSocket(socket) => match socket.next().await {
                    Some(Ok(Message::Text(text))) => text.to_string(),
                    Some(Ok(Message::Binary(bytes))) => return Some(Packet::Binary(bytes.into())),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => continue,
                },
                Self::Polling(polling) => polling.next().await?,
            };
            let rest = text.get(1..).unwrap_or_default();
            match text.as_bytes().first() {
                Some(b'4') => return Some(Packet::Text(rest.to_owned())),
                Some(b'b') => return Some(Packet::Binary(BASE64_STANDARD.decode(rest).unwrap())),
                Some(b'2') => self.pong().await,
                Some(b'1') | None => return None,
                Some(_) => (),
            }
        }
    }

    /// Ends the session.
    pub(crate) async fn close(self) {
        match self {
            Self::WebSocket(mut socket) => {
                WebSocketStream::close(&mut socket, None).await.ok();
                while socket.next().await.is_some_and(|it| it.is_ok()) {}
            }
            Self::Polling(mut polling) => drop(polling.try_post("1").await),
        }
    }

    async fn pong(&mut self) {
        match self {
            Self::WebSocket(socket) => drop(socket.send(Message::text("3")).await),
            Self::Polling(polling) => drop(polling.try_post("3").await),
        }
    }
}

impl Polling {
    pub(crate) async fn open(server: &TestServer) -> Self {
        let (mut polls, posts) = (Raw::connect(server).await, Raw::connect(server).await);
        let path = "/socket.io/?EIO=4&transport=polling";
        let answer = polls.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let open: Value = serde_json::from_str(answer.text().strip_prefix('0').unwrap()).unwrap();
        let path = format!("{path}&sid={}", open["sid"].as_str().unwrap());
        server.clients().add_polling(&path);
        Self { path, polls, posts, received: VecDeque::new() }
    }

    /// Enters the space `/`.
    pub(crate) async fn enter(&mut self) {
        assert_eq!(self.post("40").await.status, 200);
        while !self.next().await.expect("the answer to CONNECT").starts_with("40") {}
    }

    /// The path of the session.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) async fn post(&mut self, payload: &str) -> Answer {
        self.try_post(payload).await.expect("an answer to a POST")
    }

    /// The same for a server that may have ended.
    async fn try_post(&mut self, payload: &str) -> Option<Answer> {
        let (path, length) = (&self.path, payload.len());
        let head = format!("POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n");
        self.posts.send(format!("{head}Content-Type: text/plain\r\n\r\n{payload}")).await;
        self.posts.answer().await
    }

    /// Polls once.
    pub(crate) async fn poll(&mut self) -> Option<Answer> {
        self.polls.send(format!("GET {} HTTP/1.1\r\nHost: here\r\n\r\n", self.path)).await;
        self.polls.answer().await
    }

    async fn next(&mut self) -> Option<String> {
        while self.received.is_empty() {
            let answer = self.poll().await.filter(|it| it.status == 200)?;
            self.received.extend(answer.text().split(SEPARATOR).map(str::to_owned));
        }
        self.received.pop_front()
    }
}

fn encode(packet: Packet) -> String {
    match packet {
        Packet::Text(text) => format!("4{text}"),
        Packet::Binary(bytes) => format!("b{}", BASE64_STANDARD.encode(bytes)),
    }
}
