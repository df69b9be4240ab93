//! Clients of all wires with one interface, so that tests are independent of the wire.
//!
//! A client checks every event: in a room, live messages arrive in the order of `seq`, and missed
//! messages are a run without gaps. A client that receives anything else panics in any test.

mod asks;
pub(crate) mod engine;
pub(crate) mod raw;
mod socketio;
pub(crate) mod websocket;

use std::collections::{HashMap, VecDeque};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use self::{engine::Engine, socketio::SioClient, websocket::WsClient};
use crate::harness::{TestServer, wait_for};

/// The wire of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `/ws`.
    WebSocket,
    /// Socket.IO over a WebSocket.
    SocketIo,
    /// Socket.IO over polling.
    Polling,
}

impl Wire {
    pub(crate) const ALL: [Self; 3] = [Self::WebSocket, Self::SocketIo, Self::Polling];
}

/// The parameters of a handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectOptions {
    space: Option<String>,
    token: Option<String>,
    room: Option<String>,
    device: Option<String>,
    since: Vec<(String, u64)>,
    epoch: Option<String>,
}

impl ConnectOptions {
    /// No parameters.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn space(mut self, space: &str) -> Self {
        self.space = Some(space.to_owned());
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn room(mut self, room: &str) -> Self {
        self.room = Some(room.to_owned());
        self
    }

    pub(crate) fn device(mut self, device: &str) -> Self {
        self.device = Some(device.to_owned());
        self
    }

    pub(crate) fn since(mut self, room: &str, seq: u64) -> Self {
        self.since.push((room.to_owned(), seq));
        self
    }

    pub(crate) fn epoch(mut self, epoch: &str) -> Self {
        self.epoch = Some(epoch.to_owned());
        self
    }

    /// As the query of `/ws`.
    fn query(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let since = self.since.iter().map(|(room, seq)| format!("{}:{seq}", encode(room)));
        let since = since.collect::<Vec<_>>().join(",");
        let pairs = [
            ("space", self.space.as_deref()),
            ("token", self.token.as_deref()),
            ("room", self.room.as_deref()),
            ("device", self.device.as_deref()),
            ("since", Some(&*since).filter(|it| !it.is_empty())),
            ("epoch", self.epoch.as_deref()),
        ];
        let pairs =
            pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", encode(value?))));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// As the `auth` of Socket.IO.
    fn auth(&self) -> Value {
        let mut auth = Map::new();
        let pairs = [
            ("token", &self.token),
            ("room", &self.room),
            ("device", &self.device),
            ("epoch", &self.epoch),
        ];
        for (key, value) in pairs {
            if let Some(value) = value {
                auth.insert(key.to_owned(), value.clone().into());
            }
        }
        if !self.since.is_empty() {
            let since = self.since.iter().map(|(room, seq)| (room.clone(), (*seq).into()));
            auth.insert("since".to_owned(), Value::Object(since.collect()));
        }
        auth.into()
    }
}

/// A refused connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectError {
    /// The WebSocket close code, on `/ws`.
    pub(crate) status: Option<u16>,
    pub(crate) code: String,
}

/// An event that a client received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Received {
    /// An event and its data.
    Event(String, Value),
    /// The number and the name of an event that is to be answered.
    Ask(u64, String),
    /// The answer to the request with this number.
    Answer(u64, Value),
    /// The connection has ended; on `/ws` with a close code.
    End(Option<u16>),
}

enum Transport {
    WebSocket(Box<WsClient>),
    SocketIo(Box<SioClient>),
}

/// A connected client.
pub(crate) struct Client {
    transport: Transport,
    request_count: u64,
    received: VecDeque<Received>,
    /// The last message of each room.
    last_seqs: HashMap<String, u64>,
    /// The last message of a recovery.
    missed_seqs: HashMap<String, u64>,
    /// The token with which a guest reconnects.
    pub(crate) token: String,
}

impl Client {
    /// Connects.
    pub(crate) async fn open(
        server: &TestServer,
        wire: Wire,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let transport = match wire {
            Wire::WebSocket => {
                Transport::WebSocket(Box::new(WsClient::open(server, &options).await?))
            }
            Wire::SocketIo => {
                let engine = Engine::websocket(server).await;
                Transport::SocketIo(Box::new(SioClient::open(engine, &options).await?))
            }
            Wire::Polling => {
                let engine = Engine::polling(server).await;
                Transport::SocketIo(Box::new(SioClient::open(engine, &options).await?))
            }
        };
        Ok(Self::from_transport(transport))
    }

    /// Connects to any address below `/ws`.
    pub(crate) async fn open_at(
        server: &TestServer,
        path: &str,
        headers: &str,
    ) -> Result<Self, ConnectError> {
        let client = WsClient::open_at(server, path, headers).await?;
        Ok(Self::from_transport(Transport::WebSocket(Box::new(client))))
    }

    fn from_transport(transport: Transport) -> Self {
        let (received, last_seqs, missed_seqs) = (VecDeque::new(), HashMap::new(), HashMap::new());
        Self { transport, request_count: 0, received, last_seqs, missed_seqs, token: String::new() }
    }

    /// Connects and identifies by a name.
    pub(crate) async fn named(server: &TestServer, wire: Wire, name: &str) -> Self {
        Self::named_at(server, wire, name, ConnectOptions::new()).await
    }

    /// The same, with handshake parameters.
    pub(crate) async fn named_at(
        server: &TestServer,
        wire: Wire,
        name: &str,
        options: ConnectOptions,
    ) -> Self {
        let mut client = Self::open(server, wire, options).await.unwrap();
        client.identify(name).await;
        client
    }

    /// Connects with a token, of a guest or of the back end.
    pub(crate) async fn with_token(server: &TestServer, wire: Wire, token: &str) -> Self {
        let mut client =
            Self::open(server, wire, ConnectOptions::new().token(token)).await.unwrap();
        client.next("welcome").await;
        client
    }

    /// Identifies by a name and receives `welcome`.
    pub(crate) async fn identify(&mut self, name: &str) -> Value {
        let answer = self.ask("new user", name).await;
        assert_eq!(answer["ok"], true, "{answer}");
        answer["token"].as_str().unwrap().clone_into(&mut self.token);
        self.next("welcome").await
    }

    /// Sends a request, and waits for the answer.
    pub(crate) async fn ask(&mut self, event: &str, data: impl Into<Value>) -> Value {
        let number = self.send(event, data).await;
        self.answer(number).await
    }

    /// Sends a request that must be refused. Returns the code.
    pub(crate) async fn refusal(&mut self, event: &str, data: impl Into<Value>) -> String {
        let answer = self.ask(event, data).await;
        assert_eq!(answer["ok"], false, "{answer}");
        answer["code"].as_str().unwrap().to_owned()
    }

    /// Posts to the default room, and waits until the message is stored. Returns its seq.
    pub(crate) async fn post(&mut self, text: &str) -> u64 {
        let answer = self.ask("send message", text).await;
        assert_eq!(answer["ok"], true, "{answer}");
        answer["seq"].as_u64().unwrap()
    }

    /// Sends a request. Returns the number of its answer.
    pub(crate) async fn send(&mut self, event: &str, data: impl Into<Value>) -> u64 {
        self.request_count += 1;
        self.transmit(event, data.into(), Some(self.request_count)).await;
        self.request_count
    }

    /// Sends a request without asking for an answer.
    pub(crate) async fn emit(&mut self, event: &str, data: impl Into<Value>) {
        self.transmit(event, data.into(), None).await;
    }

    async fn transmit(&mut self, event: &str, data: Value, ack: Option<u64>) {
        wait_for("room to send", async {
            match &mut self.transport {
                Transport::WebSocket(transport) => transport.send(event, data, ack).await,
                Transport::SocketIo(transport) => transport.send(event, data, ack).await,
            }
        })
        .await;
    }

    /// Sends any text. Only `/ws` clients can.
    pub(crate) async fn send_text(&mut self, text: impl Into<String>) {
        match &mut self.transport {
            Transport::WebSocket(transport) => transport.send_text(text.into()).await,
            Transport::SocketIo(_) => panic!("Socket.IO clients send no raw text"),
        }
    }

    /// Closes the connection in the way of its wire.
    pub(crate) async fn close(self) {
        match self.transport {
            Transport::WebSocket(transport) => transport.close().await,
            Transport::SocketIo(transport) => transport.close().await,
        }
    }

    /// The answer to the request with this number.
    pub(crate) async fn answer(&mut self, number: u64) -> Value {
        let wanted = |it: &Received| matches!(it, Received::Answer(other, _) if *other == number);
        match self.wait(&format!("answer {number}"), wanted).await {
            Received::Answer(_, data) => data,
            other => panic!("{other:?} in place of answer {number}"),
        }
    }

    /// The number of successful answers among the next `count`, or until the end of the connection.
    pub(crate) async fn count_stored(&mut self, count: usize) -> u64 {
        let mut stored = 0;
        for _ in 0..count {
            match self.wait("an answer", |it| matches!(it, Received::Answer(..))).await {
                Received::Answer(_, answer) => stored += u64::from(answer["ok"] == true),
                _ => break,
            }
        }
        stored
    }

    /// The next event with this name. Others are kept.
    pub(crate) async fn next(&mut self, event: &str) -> Value {
        let wanted = |it: &Received| matches!(it, Received::Event(name, _) if name == event);
        match self.wait(event, wanted).await {
            Received::Event(_, data) => data,
            other => panic!("{other:?} in place of {event}"),
        }
    }

    /// Waits for the end of the connection, and returns the close code of `/ws`.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        match self.wait("the end", |_| false).await {
            Received::End(code) => code,
            other => panic!("{other:?} in place of the end"),
        }
    }

    /// Whether an event with this name was received, among all that were sent before this call.
    pub(crate) async fn has_received(&mut self, event: &str) -> bool {
        self.ask("GroupList", Value::Null).await;
        self.received.iter().any(|it| matches!(it, Received::Event(name, _) if name == event))
    }

    /// All missed messages of a room, from all parts, or `Err` if the gap is too large.
    pub(crate) async fn missed(&mut self, room: &str) -> Result<Vec<Value>, u64> {
        let mut messages = Vec::new();
        loop {
            let mut part = self.next("missed").await;
            assert_eq!(part["room"], room);
            if part["recovered"] == false {
                assert_eq!(part["messages"], json!([]));
                return Err(part["head"].as_u64().unwrap());
            }
            messages.append(part["messages"].as_array_mut().unwrap());
            if part["more"] == false {
                return Ok(messages);
            }
        }
    }

    /// Waits for the wanted event, or for the end.
    async fn wait(
        &mut self,
        what: &str,
        wanted: impl Fn(&Received) -> bool + Send + Sync,
    ) -> Received {
        let place = self.received.iter().position(&wanted);
        if let Some(received) = place.and_then(|place| self.received.remove(place)) {
            return received;
        }
        wait_for(what, async {
            loop {
                let received = match &mut self.transport {
                    Transport::WebSocket(transport) => transport.next().await,
                    Transport::SocketIo(transport) => transport.next().await,
                };
                self.check_order(&received);
                if wanted(&received) || matches!(received, Received::End(_)) {
                    return received;
                }
                self.received.push_back(received);
            }
        })
        .await
    }

    /// Checks that an event can follow the events before it.
    fn check_order(&mut self, event: &Received) {
        let Received::Event(name, data) = event else { return };
        let room = || data["room"].as_str().unwrap().to_owned();
        let seq = |message: &Value| message["seq"].as_u64().unwrap();
        match &**name {
            "new message" | "GroupChat" => {
                let last = self.last_seqs.insert(room(), seq(data)).unwrap_or(0);
                assert!(seq(data) > last, "{data} after {last}");
            }
            "missed" => {
                for message in data["messages"].as_array().unwrap() {
                    let last = self.missed_seqs.insert(room(), seq(message));
                    assert!(last.is_none_or(|last| seq(message) == last + 1), "a gap in {data}");
                    self.last_seqs.insert(room(), seq(message));
                }
                if data["more"] != true {
                    self.missed_seqs.remove(&room());
                }
            }
            _ => (),
        }
    }
}
