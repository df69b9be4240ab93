//! Minimal clients: they connect, identify themselves and then only receive.

use std::{fmt::Write as _, net::SocketAddr};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::oneshot::Sender,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// The default of 128 KiB, for thousands of clients, is more than the benchmark needs.
const READ_BUFFER_BYTES: usize = 4096;
/// The separator of packets in a polling payload.
const SEPARATOR: char = '\u{1e}';
/// An Engine.IO ping.
const PING: &str = "2";
/// An Engine.IO pong.
const PONG: &str = "3";

/// A wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Plain,
    SocketIo,
    Polling,
}

impl Wire {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::SocketIo, Self::Polling];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "/ws",
            Self::SocketIo => "Socket.IO over WebSocket",
            Self::Polling => "Socket.IO over polling",
        }
    }
}

/// Connects as the user with this number, signals when that is done, and stays idle. Ends only when
/// the server ends the connection; panics on an unexpected packet.
pub(super) async fn run_idle_client(
    address: SocketAddr,
    wire: Wire,
    number: usize,
    welcome: Sender<()>,
) {
    let stream = TcpStream::connect(address).await.expect("the server accepts connections");
    let name = format!("n{number}");
    match wire {
        Wire::Plain => {
            let mut socket = open(stream, address, "/ws").await;
            send(&mut socket, format!(r#"{{"event":"new user","data":"{name}"}}"#)).await;
            listen(socket, welcome, |_| None).await;
        }
        Wire::SocketIo => {
            let path = "/socket.io/?EIO=4&transport=websocket";
            let socket = open(stream, address, path).await;
            listen(socket, welcome, |packet| answer(packet, &name)).await;
        }
        Wire::Polling => poll(stream, address, welcome, |packet| answer(packet, &name)).await,
    }
}

/// The reply of a Socket.IO client to a packet.
fn answer(packet: &str, name: &str) -> Option<String> {
    match packet {
        PING => Some(PONG.to_owned()),
        _ if packet.starts_with("0{") => Some("40".to_owned()),
        _ if packet.starts_with("40{") => Some(format!(r#"42["new user","{name}"]"#)),
        _ => None,
    }
}

fn is_welcome(text: &str) -> bool {
    text.starts_with(r#"42["welcome""#) || text.starts_with(r#"{"event":"welcome""#)
}

async fn open(stream: TcpStream, address: SocketAddr, path: &str) -> WebSocketStream<TcpStream> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let url = format!("ws://{address}{path}");
    let opened = client_async_with_config(url, stream, Some(config)).await;
    opened.expect("the server accepts WebSockets").0
}

async fn send(socket: &mut WebSocketStream<TcpStream>, text: String) {
    socket.send(Message::text(text)).await.expect("the server reads");
}

/// Receives everything, and answers pings.
async fn listen(
    mut socket: WebSocketStream<TcpStream>,
    welcome: Sender<()>,
    answer: impl Fn(&str) -> Option<String>,
) {
    let mut welcome = Some(welcome);
    while let Some(Ok(message)) = socket.next().await {
        let Ok(text) = message.to_text() else { continue };
        if is_welcome(text) {
            welcome.take().map(|welcome| welcome.send(()));
        }
        if let Some(answer) = answer(text) {
            send(&mut socket, answer).await;
        }
    }
}

/// The same with requests, one after the other on one connection: a poll is always pending.
async fn poll(
    stream: TcpStream,
    address: SocketAddr,
    welcome: Sender<()>,
    answer: impl Fn(&str) -> Option<String>,
) {
    let mut stream = BufReader::with_capacity(READ_BUFFER_BYTES, stream);
    let mut path = "/socket.io/?EIO=4&transport=polling".to_owned();
    let mut welcome = Some(welcome);
    loop {
        let Some(body) = request(&mut stream, address, &path, None).await else { return };
        for packet in body.split(SEPARATOR) {
            if is_welcome(packet) {
                welcome.take().map(|welcome| welcome.send(()));
            }
            if let Some(session) = packet.strip_prefix(r#"0{"sid":""#) {
                let (sid, _rest) = session.split_once('"').expect("the text ends");
                write!(path, "&sid={sid}").expect("a string takes text");
            }
            if let Some(answer) = answer(packet) {
                request(&mut stream, address, &path, Some(&answer)).await;
            }
        }
    }
}

/// Sends one request, and returns the body of the response; `None` if the connection was closed.
async fn request(
    stream: &mut BufReader<TcpStream>,
    address: SocketAddr,
    path: &str,
    body: Option<&str>,
) -> Option<String> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: text/plain\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            assert!(line.contains(" 200 "), "the server refuses: {line}");
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length is a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    String::from_utf8(body).ok()
}
