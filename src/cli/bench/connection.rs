//! One connection: opened, identified, and read.

use std::borrow::Cow;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message, http::Response, protocol::CloseFrame};

use super::{
    target::{Target, WebSocket},
    wire::{Answer, Introduction, Packet, Wire},
};

/// The answer to `new user`; those to messages begin behind it.
const NEW_USER: u64 = 0;

/// Why a connection is not there.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refuses it, with a code.
    Refused { code: String, retry_after_ms: Option<u64> },
    /// The server cannot be reached, or the connection has ended.
    Ended(String),
}

/// Who connects.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    Guest(String),
    Token(String),
}

/// What `welcome` says, of what matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// The token with which a guest comes back.
    pub(super) token: Option<String>,
    pub(super) epoch: String,
    /// The last seq of the room.
    pub(super) head: u64,
}

/// Where a connection is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) space: &'a str,
    pub(super) room: &'a str,
}

/// What arrives.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A message of the room, with its text.
    Message {
        seq: u64,
        text: String,
    },
    /// Messages that were stored during the absence.
    Missed {
        seqs: Vec<u64>,
        is_recovered: bool,
    },
    /// The answer to a message.
    Answer(u64, Answer),
    /// The server asked whether the client is there; it is answered already.
    Ping,
    Other,
}

/// An open connection.
pub(super) struct Connection {
    socket: WebSocket,
    wire: Wire,
    space: String,
    room: String,
    /// Why the server will close.
    closing: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Welcome {
    token: Option<String>,
    epoch: String,
    rooms: Vec<RoomHead>,
}

#[derive(Deserialize)]
struct RoomHead {
    room: String,
    seq: u64,
}

#[derive(Deserialize)]
struct MessageData<'a> {
    #[serde(borrow)]
    room: Cow<'a, str>,
    seq: u64,
    #[serde(default, borrow)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct MissedData {
    room: String,
    messages: Vec<Value>,
    recovered: bool,
}

#[derive(Deserialize)]
struct ClosingData {
    code: String,
}

impl Failure {
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } | Self::Ended(code) => code,
        }
    }

    fn of_answer(Answer { code, retry_after_ms, .. }: Answer) -> Self {
        let code = code.unwrap_or_else(|| "refused without a code".to_owned());
        Self::Refused { code, retry_after_ms }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(response) => of_response(&response),
            Error::Io(error) => Self::Ended(match error.raw_os_error() {
                // Without the number of the error.
                Some(_) => error.kind().to_string(),
                None => error.to_string(),
            }),
            Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => {
                Self::Ended("connection lost".to_owned())
            }
            other => Self::Ended(other.to_string()),
        }
    }
}

/// The refusal of an upgrade. Its body may have arrived only in part: then the status must do.
fn of_response(response: &Response<Option<Vec<u8>>>) -> Failure {
    let body = response.body().as_deref().unwrap_or_default();
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) if answer.code.is_some() => Failure::of_answer(answer),
        _ => Failure::Refused {
            code: format!("HTTP {}", response.status().as_u16()),
            retry_after_ms: None,
        },
    }
}

impl Connection {
    /// Connects, and waits for `welcome`. `since` is for one that comes back.
    pub(super) async fn open(
        target: &Target,
        wire: Wire,
        place: Place<'_>,
        identity: &Identity,
        since: Option<(u64, &str)>,
    ) -> Result<(Self, Session), Failure> {
        let Place { space, room } = place;
        let token = match identity {
            Identity::Token(token) => Some(token.as_str()),
            Identity::Guest(_) => None,
        };
        let introduction = Introduction { space, room, token, since };
        let in_header = token.filter(|_| wire == Wire::Websocket);
        let socket = target.open(&wire.path(&introduction), in_header).await?;
        let (space, room) = (space.to_owned(), room.to_owned());
        let mut connection = Self { socket, wire, space, room, closing: None };
        if wire == Wire::SocketIo {
            connection.enter(Wire::enter(&introduction)).await?;
        }
        if let Identity::Guest(name) = identity {
            connection.request(NEW_USER, "new user", &json!({ "name": name })).await?;
        }
        let session = connection.welcome().await?;
        Ok((connection, session))
    }

    /// Sends a message that is answered with this number, which is above 0.
    pub(super) async fn send(&mut self, ack: u64, text: &str) -> Result<(), Failure> {
        let data = json!({ "room": self.room, "msg": text });
        self.request(ack, "send message", &data).await
    }

    /// Waits for what arrives next. May be dropped and called again: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Incoming, Failure> {
        let text = match self.frame().await? {
            Message::Text(text) => text,
            Message::Ping(_) => return Ok(Incoming::Ping),
            _ => return Ok(Incoming::Other),
        };
        let incoming = match self.wire.read(&text) {
            Packet::Ping => Incoming::Ping,
            Packet::Answer(ack, answer) => Incoming::Answer(ack, answer),
            Packet::Left => return Err(self.ended("disconnected from the space")),
            Packet::Event { name, data } => match &*name {
                "closing" => {
                    self.closing =
                        serde_json::from_str(data.get()).ok().map(|it: ClosingData| it.code);
                    Incoming::Other
                }
                "new message" => self.message(data.get()),
                "missed" => self.missed(data.get()),
                _ => Incoming::Other,
            },
            Packet::Open | Packet::Entered | Packet::Refused(_) | Packet::Other => Incoming::Other,
        };
        if matches!(incoming, Incoming::Ping) {
            self.socket.send(Message::text("3")).await?;
        }
        Ok(incoming)
    }

    fn message(&self, data: &str) -> Incoming {
        match serde_json::from_str::<MessageData<'_>>(data) {
            Ok(message) if message.room == self.room => {
                Incoming::Message { seq: message.seq, text: message.msg.into_owned() }
            }
            _ => Incoming::Other,
        }
    }

    fn missed(&self, data: &str) -> Incoming {
        match serde_json::from_str::<MissedData>(data) {
            Ok(missed) if missed.room == self.room => Incoming::Missed {
                seqs: missed.messages.iter().filter_map(|it| it.get("seq")?.as_u64()).collect(),
                is_recovered: missed.recovered,
            },
            _ => Incoming::Other,
        }
    }

    /// Socket.IO: enters the space once the session is open.
    async fn enter(&mut self, packet: String) -> Result<(), Failure> {
        let mut packet = Some(packet);
        loop {
            let Message::Text(text) = self.frame().await? else { continue };
            match self.wire.read(&text) {
                Packet::Open => {
                    if let Some(packet) = packet.take() {
                        self.socket.send(Message::text(packet)).await?;
                    }
                }
                Packet::Entered => return Ok(()),
                Packet::Refused(answer) => return Err(Failure::of_answer(answer)),
                Packet::Ping => self.socket.send(Message::text("3")).await?,
                Packet::Left | Packet::Event { .. } | Packet::Answer(..) | Packet::Other => {}
            }
        }
    }

    async fn welcome(&mut self) -> Result<Session, Failure> {
        loop {
            let Message::Text(text) = self.frame().await? else { continue };
            match self.wire.read(&text) {
                Packet::Answer(NEW_USER, answer) if !answer.ok => {
                    return Err(Failure::of_answer(answer));
                }
                Packet::Event { name, data } if name == "welcome" => {
                    let welcome: Welcome = serde_json::from_str(data.get())
                        .map_err(|error| Failure::Ended(format!("welcome: {error}")))?;
                    let head = welcome.rooms.iter().find(|it| it.room == self.room);
                    let head = head.map(|it| it.seq).ok_or_else(|| Failure::Refused {
                        code: "room_forbidden".to_owned(),
                        retry_after_ms: None,
                    })?;
                    return Ok(Session { token: welcome.token, epoch: welcome.epoch, head });
                }
                // A refusal that a browser would not see before the upgrade.
                Packet::Event { name, data } if name == "closing" => {
                    let closing: Option<ClosingData> = serde_json::from_str(data.get()).ok();
                    let code = closing.map(|it| it.code);
                    return Err(Failure::of_answer(Answer { code, ..Answer::default() }));
                }
                Packet::Left => return Err(self.ended("disconnected from the space")),
                _ => {}
            }
        }
    }

    async fn request(&mut self, ack: u64, event: &str, data: &Value) -> Result<(), Failure> {
        let text = self.wire.request(&self.space, ack, event, data);
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// The next frame. A close is a failure.
    async fn frame(&mut self) -> Result<Message, Failure> {
        match self.socket.next().await {
            Some(Ok(Message::Close(frame))) => Err(self.ended(&close_code(frame.as_ref()))),
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => {
                let failure = Failure::from(error);
                Err(self.ended(failure.code()))
            }
            None => Err(self.ended("connection lost")),
        }
    }

    /// The end of the connection: the reason that the server has given, or what was seen.
    fn ended(&mut self, seen: &str) -> Failure {
        Failure::Ended(self.closing.take().unwrap_or_else(|| seen.to_owned()))
    }
}

fn close_code(frame: Option<&CloseFrame>) -> String {
    match frame {
        Some(frame) => format!("close {}", u16::from(frame.code)),
        None => "close without a code".to_owned(),
    }
}
