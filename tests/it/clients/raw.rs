//! HTTP by hand: requests that a client library would not send.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

use crate::{
    harness::{TestServer, wait_for},
    sockets::ClientSocket,
};

/// The example key of RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The smallest receive buffer that the system allows.
const SMALL_BUFFER_BYTES: u32 = 4096;

/// A TCP connection to the server.
pub(crate) struct Raw(BufReader<ClientSocket>);

/// The response of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The code in the body's JSON: a word of Roomcast or a number of Engine.IO.
    pub(crate) fn code(&self) -> Value {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| &**value)
    }
}

impl Raw {
    /// A connection that the stop of the server ends.
    pub(crate) async fn connect(server: &TestServer) -> Self {
        let stream = connect(server.address()).await;
        Self(BufReader::new(server.clients().add(stream)))
    }

    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(BufReader::new(connect(address).await.into()))
    }

    /// A peer with a small receive buffer.
    pub(crate) async fn with_small_buffer(server: &TestServer) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES).unwrap();
        let stream = socket.connect(server.address()).await.unwrap();
        Self(BufReader::new(server.clients().add(stream)))
    }

    /// Sends bytes. A connection that the server has closed is not an error.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(wait_for("room to write", self.0.write_all(bytes.as_ref())).await);
    }

    /// Sends one request with a `Host`, and reads its response.
    pub(crate) async fn request(&mut self, line: &str, headers: &str, body: &[u8]) -> Answer {
        let mut bytes = format!("{line} HTTP/1.1\r\nHost: here\r\n{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes).await;
        self.answer().await.unwrap_or_else(|| panic!("no answer to {line}"))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), "", b"").await
    }

    pub(crate) async fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let headers = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        self.request(&format!("POST {path}"), &headers, body).await
    }

    /// The next response; `None` if the connection is closed before it.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        wait_for("an answer or the end", self.read_answer()).await
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |it| it.parse().unwrap());
        answer.body.resize(length, 0);
        self.0.read_exact(&mut answer.body).await.ok()?;
        Some(answer)
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        // A reset counts as an end.
        let length = self.0.read_line(&mut line).await.unwrap_or(0);
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn wait_for_close(&mut self) {
        let mut rest = [0; 4096];
        wait_for("the end of the connection", async {
            while self.0.read(&mut rest).await.is_ok_and(|length| length > 0) {}
        })
        .await;
    }

    /// Requests a WebSocket. The status is 101 unless the request is refused.
    pub(crate) async fn handshake(&mut self, path: &str, headers: &str) -> Answer {
        let upgrade = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\n{headers}"
        );
        let answer = self.request(&format!("GET {path}"), &upgrade, b"").await;
        if answer.status == 101 {
            let accept = derive_accept_key(KEY.as_bytes());
            assert_eq!(answer.header("sec-websocket-accept"), Some(&*accept));
        }
        answer
    }

    /// The WebSocket of an accepted handshake.
    pub(crate) async fn into_websocket(self) -> WebSocketStream<ClientSocket> {
        let read = self.0.buffer().to_vec();
        let stream = self.0.into_inner();
        WebSocketStream::from_partially_read(stream, read, Role::Client, None).await
    }

    /// Reads frames up to the close frame, and returns its code; `None` if the connection ends
    /// without one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            let (head, payload) = wait_for("a frame or the end", self.frame()).await?;
            if head == 0x88 {
                return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
        }
    }

    /// Reads frames up to one with this prefix. The connection must not end before.
    pub(crate) async fn read_until(&mut self, begin: &str) {
        loop {
            let frame = wait_for(begin, self.frame()).await;
            let (_, payload) = frame.unwrap_or_else(|| panic!("the end before {begin}"));
            if payload.starts_with(begin.as_bytes()) {
                return;
            }
        }
    }

    /// The next frame of the server: its first byte and its payload.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.0.read_u8().await.ok()?;
        let length = match self.0.read_u8().await.ok()? {
            126 => u64::from(self.0.read_u16().await.ok()?),
            127 => self.0.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head, payload))
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A client's frame: any first byte, masked with zeros, so that the payload is readable.
pub(crate) fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// A client's text frame.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}
