//! Clients of every wire behind one face, so that a test says what happens and not how.
//!
//! A client folds what it hears: in every room live messages come in the order of `seq`, and what
//! was missed is a run without holes. A client that hears anything else panics, whatever its test is
//! about.

pub(crate) mod engine;
pub(crate) mod raw;
mod socketio;
pub(crate) mod websocket;

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value, json};

use self::{engine::Engine, socketio::SioClient, websocket::WsClient};
use crate::harness::{TestServer, patiently};

/// How a client is connected.
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

/// What a client says at the door.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door {
    space: Option<String>,
    token: Option<String>,
    room: Option<String>,
    device: Option<String>,
    since: Vec<(String, u64)>,
    epoch: Option<String>,
}

impl Door {
    /// Says nothing.
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
        let since = self.since.iter().map(|(room, seq)| format!("{room}:{seq}"));
        let since = since.collect::<Vec<_>>().join(",");
        let pairs = [
            ("space", self.space.as_deref()),
            ("token", self.token.as_deref()),
            ("room", self.room.as_deref()),
            ("device", self.device.as_deref()),
            ("since", Some(&*since).filter(|it| !it.is_empty())),
            ("epoch", self.epoch.as_deref()),
        ];
        let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
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

/// Not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Where there is one: on `/ws`.
    pub(crate) status: Option<u16>,
    pub(crate) code: String,
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// An event and its data.
    Event(String, Value),
    /// The answer to the request of this number.
    Answer(u64, Value),
    /// The connection is over; on `/ws` a code says why.
    End(Option<u16>),
}

enum Line {
    WebSocket(Box<WsClient>),
    SocketIo(Box<SioClient>),
}

/// A connected client.
pub(crate) struct Client {
    line: Line,
    asked: u64,
    heard: VecDeque<Heard>,
    /// The last message of each room.
    heads: HashMap<String, u64>,
    /// The last message of what is being caught up on.
    run: HashMap<String, u64>,
    /// With which a guest comes back.
    pub(crate) token: String,
}

impl Client {
    /// Connects.
    pub(crate) async fn open(server: &TestServer, wire: Wire, door: Door) -> Result<Self, Refused> {
        let line = match wire {
            Wire::WebSocket => Line::WebSocket(Box::new(WsClient::open(server, &door).await?)),
            Wire::SocketIo => {
                let engine = Engine::websocket(server).await;
                Line::SocketIo(Box::new(SioClient::open(engine, &door).await?))
            }
            Wire::Polling => {
                let engine = Engine::polling(server).await;
                Line::SocketIo(Box::new(SioClient::open(engine, &door).await?))
            }
        };
        Ok(Self::on(line))
    }

    /// Connects to any address below `/ws`.
    pub(crate) async fn open_at(
        server: &TestServer,
        path: &str,
        headers: &str,
    ) -> Result<Self, Refused> {
        let client = WsClient::open_at(server, path, headers).await?;
        Ok(Self::on(Line::WebSocket(Box::new(client))))
    }

    fn on(line: Line) -> Self {
        let (heard, heads, run) = (VecDeque::new(), HashMap::new(), HashMap::new());
        Self { line, asked: 0, heard, heads, run, token: String::new() }
    }

    /// Connects and takes a name.
    pub(crate) async fn named(server: &TestServer, wire: Wire, name: &str) -> Self {
        Self::named_at(server, wire, name, Door::new()).await
    }

    /// The same, saying something at the door.
    pub(crate) async fn named_at(server: &TestServer, wire: Wire, name: &str, door: Door) -> Self {
        let mut client = Self::open(server, wire, door).await.unwrap();
        client.identify(name).await;
        client
    }

    /// Comes in with a token: a guest's own or one of the back end.
    pub(crate) async fn with_token(server: &TestServer, wire: Wire, token: &str) -> Self {
        let mut client = Self::open(server, wire, Door::new().token(token)).await.unwrap();
        client.next("welcome").await;
        client
    }

    /// Takes a name, and hears `welcome`.
    pub(crate) async fn identify(&mut self, name: &str) -> Value {
        let answer = self.ask("new user", name).await;
        assert_eq!(answer["ok"], true, "{answer}");
        answer["token"].as_str().unwrap().clone_into(&mut self.token);
        self.next("welcome").await
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, event: &str, data: impl Into<Value>) -> Value {
        let number = self.send(event, data).await;
        self.answer(number).await
    }

    /// Asks for what is refused. Answers the code.
    pub(crate) async fn refusal(&mut self, event: &str, data: impl Into<Value>) -> String {
        let answer = self.ask(event, data).await;
        assert_eq!(answer["ok"], false, "{answer}");
        answer["code"].as_str().unwrap().to_owned()
    }

    /// Says something in the default room, and waits until it is stored. Answers its place.
    pub(crate) async fn post(&mut self, text: &str) -> u64 {
        let answer = self.ask("send message", text).await;
        assert_eq!(answer["ok"], true, "{answer}");
        answer["seq"].as_u64().unwrap()
    }

    /// Asks. Answers the number by which the answer will be known.
    pub(crate) async fn send(&mut self, event: &str, data: impl Into<Value>) -> u64 {
        self.asked += 1;
        self.transmit(event, data.into(), Some(self.asked)).await;
        self.asked
    }

    /// Says without asking for an answer.
    pub(crate) async fn say(&mut self, event: &str, data: impl Into<Value>) {
        self.transmit(event, data.into(), None).await;
    }

    async fn transmit(&mut self, event: &str, data: Value, ack: Option<u64>) {
        patiently("room to send", async {
            match &mut self.line {
                Line::WebSocket(line) => line.send(event, data, ack).await,
                Line::SocketIo(line) => line.send(event, data, ack).await,
            }
        })
        .await;
    }

    /// Sends any text. Only `/ws` clients can.
    pub(crate) async fn send_text(&mut self, text: impl Into<String>) {
        match &mut self.line {
            Line::WebSocket(line) => line.send_text(text.into()).await,
            Line::SocketIo(_) => panic!("Socket.IO has no text of its own"),
        }
    }

    /// Ends the connection in the way of its wire.
    pub(crate) async fn goodbye(self) {
        match self.line {
            Line::WebSocket(line) => line.goodbye().await,
            Line::SocketIo(line) => line.goodbye().await,
        }
    }

    /// The answer to the request of this number.
    pub(crate) async fn answer(&mut self, number: u64) -> Value {
        let wanted = |it: &Heard| matches!(it, Heard::Answer(other, _) if *other == number);
        match self.wait(&format!("answer {number}"), wanted).await {
            Heard::Answer(_, data) => data,
            other => panic!("{other:?} in place of answer {number}"),
        }
    }

    /// How many of the next `count` answers say that something was stored, as far as they come.
    pub(crate) async fn count_stored(&mut self, count: usize) -> u64 {
        let mut stored = 0;
        for _ in 0..count {
            match self.wait("an answer", |it| matches!(it, Heard::Answer(..))).await {
                Heard::Answer(_, answer) => stored += u64::from(answer["ok"] == true),
                _ => break,
            }
        }
        stored
    }

    /// The next event of this name. Others are kept.
    pub(crate) async fn next(&mut self, event: &str) -> Value {
        let wanted = |it: &Heard| matches!(it, Heard::Event(name, _) if name == event);
        match self.wait(event, wanted).await {
            Heard::Event(_, data) => data,
            other => panic!("{other:?} in place of {event}"),
        }
    }

    /// Waits for the end of the connection, and answers the code of `/ws`.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        match self.wait("the end", |_| false).await {
            Heard::End(code) => code,
            other => panic!("{other:?} in place of the end"),
        }
    }

    /// Whether an event of this name was heard, among all that was sent before this call.
    pub(crate) async fn has_heard(&mut self, event: &str) -> bool {
        self.ask("GroupList", Value::Null).await;
        self.heard.iter().any(|it| matches!(it, Heard::Event(name, _) if name == event))
    }

    /// Everything that was missed in a room, in however many parts, or the word that it is too much.
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

    /// Waits for what is wanted, or for the end.
    async fn wait(&mut self, what: &str, wanted: impl Fn(&Heard) -> bool + Send + Sync) -> Heard {
        let place = self.heard.iter().position(&wanted);
        if let Some(heard) = place.and_then(|place| self.heard.remove(place)) {
            return heard;
        }
        patiently(what, async {
            loop {
                let heard = match &mut self.line {
                    Line::WebSocket(line) => line.next().await,
                    Line::SocketIo(line) => line.next().await,
                };
                self.fold(&heard);
                if wanted(&heard) || matches!(heard, Heard::End(_)) {
                    return heard;
                }
                self.heard.push_back(heard);
            }
        })
        .await
    }

    /// Looks whether what is heard can follow what was heard.
    fn fold(&mut self, event: &Heard) {
        let Heard::Event(name, data) = event else { return };
        let room = || data["room"].as_str().unwrap().to_owned();
        let seq = |message: &Value| message["seq"].as_u64().unwrap();
        match &**name {
            "new message" | "GroupChat" => {
                let last = self.heads.insert(room(), seq(data)).unwrap_or(0);
                assert!(seq(data) > last, "after {last} came {data}");
            }
            "missed" => {
                for message in data["messages"].as_array().unwrap() {
                    let last = self.run.insert(room(), seq(message));
                    assert!(last.is_none_or(|last| seq(message) == last + 1), "a hole in {data}");
                    self.heads.insert(room(), seq(message));
                }
                if data["more"] != true {
                    self.run.remove(&room());
                }
            }
            _ => (),
        }
    }
}
