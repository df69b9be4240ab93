//! The chat of `js-client-tests/bench/node-socket.io.mjs` on bare socketioxide, kept in memory.
//!
//! The cost of the engine alone: Roomcast over Socket.IO is compared with it. The server stores
//! nothing on disk and checks nothing.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    io::Write as _,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{Router, serve::ListenerExt as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, Extension, SocketRef, State, TryData},
    handler::ConnectHandler as _,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::net::TcpListener;
use uuid::Uuid;

/// Packets that wait for one client, as many as in Roomcast. The engine drops further ones.
const PACKETS_MAX: usize = 32_768;
/// A request with an attachment, in bytes.
const PAYLOAD_BYTES_MAX: u64 = 4 << 20;

/// The messages of each room.
type Log = Arc<Mutex<HashMap<String, Vec<Message>>>>;

/// The parameters of a connection.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    room: Option<String>,
    token: Option<String>,
    since: Option<HashMap<String, usize>>,
}

/// The state of a connection.
#[derive(Clone)]
struct Member {
    user: String,
    room: Arc<str>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
enum Body {
    Text(String),
    Bytes(Bytes),
}

#[derive(Clone, Serialize)]
struct Message {
    room: Arc<str>,
    seq: usize,
    id: String,
    username: String,
    msg: Body,
    at: String,
}

/// The answer to a message.
#[derive(Serialize)]
struct Stored {
    ok: bool,
    id: String,
    room: Arc<str>,
    seq: usize,
    at: String,
}

#[derive(Serialize)]
struct Head {
    room: Arc<str>,
    seq: usize,
}

#[derive(Serialize)]
struct Welcome {
    user: String,
    rooms: [Head; 1],
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "this is the form of the event")]
struct Missed {
    room: Arc<str>,
    messages: Vec<Message>,
    recovered: bool,
    more: bool,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (layer, io) = SocketIo::builder()
        .with_state(Log::default())
        .max_buffer_size(PACKETS_MAX)
        .max_payload(PAYLOAD_BYTES_MAX)
        .build_layer();
    io.ns("/", connect.with(register));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, Router::new().layer(layer)).await
}

/// Registers the handlers. The engine runs this before it accepts the client: a handler that is
/// registered afterwards would miss early requests.
async fn register(socket: SocketRef, TryData(auth): TryData<Auth>) -> Result<(), Infallible> {
    let Auth { room, since, .. } = auth.unwrap_or_default();
    let room = room_of(room.as_deref());
    let identify = async move |socket: SocketRef,
                               Data::<String>(user),
                               ack: AckSender,
                               State(log): State<Log>| {
        let identity = BTreeMap::from([("user", user.clone()), ("token", user.clone())]);
        drop(ack.send(&(true, identity)));
        enter(&socket, &log, Member { user, room: Arc::clone(&room) }, since.clone());
    };
    socket.on("new user", identify);
    socket.on("send message", send_message);
    socket.on("GroupChat", group_chat);
    Ok(())
}

/// A client with a token needs no `new user`.
async fn connect(socket: SocketRef, TryData(auth): TryData<Auth>, State(log): State<Log>) {
    let Auth { room, token, since } = auth.unwrap_or_default();
    if let Some(user) = token {
        enter(&socket, &log, Member { user, room: room_of(room.as_deref()) }, since);
    }
}

fn room_of(room: Option<&str>) -> Arc<str> {
    room.unwrap_or("lobby").into()
}

fn enter(socket: &SocketRef, log: &Log, member: Member, since: Option<HashMap<String, usize>>) {
    let Member { user, room } = member.clone();
    socket.extensions.insert(member);
    socket.join(room.to_string());
    let (seq, missed) = {
        let rooms = log.lock().expect("no handler panics");
        let messages = rooms.get(&*room).map_or(&[][..], Vec::as_slice);
        let missed = since.map(|since| {
            let last = since.get(&*room).copied().unwrap_or_default();
            messages.get(last..).unwrap_or_default().to_vec()
        });
        (messages.len(), missed)
    };
    let welcome = Welcome { user, rooms: [Head { room: Arc::clone(&room), seq }] };
    drop(socket.emit("welcome", &welcome));
    if let Some(messages) = missed {
        let missed = Missed { room, messages, recovered: true, more: false };
        drop(socket.emit("missed", &missed));
    }
}

/// All members of the room receive the message, the sender too.
async fn send_message(
    socket: SocketRef,
    Extension(member): Extension<Member>,
    Data(body): Data<Body>,
    ack: AckSender,
    State(log): State<Log>,
) {
    let message = append(&log, member, body);
    drop(socket.within(message.room.to_string()).emit("new message", &message).await);
    acknowledge(ack, message);
}

/// The other members of the room receive the message.
async fn group_chat(
    socket: SocketRef,
    Extension(member): Extension<Member>,
    Data(body): Data<Body>,
    ack: AckSender,
    State(log): State<Log>,
) {
    let message = append(&log, member, body);
    drop(socket.to(message.room.to_string()).emit("GroupChat", &message).await);
    acknowledge(ack, message);
}

#[expect(clippy::disallowed_methods, reason = "this program needs no tests with other clocks")]
fn append(log: &Log, member: Member, msg: Body) -> Message {
    let Member { user: username, room } = member;
    let (id, now) = (Uuid::now_v7().to_string(), OffsetDateTime::now_utc());
    let at = now.format(&Rfc3339).expect("the year has four digits");
    let mut rooms = log.lock().expect("no handler panics");
    let messages = rooms.entry(room.to_string()).or_default();
    let message = Message { room, seq: messages.len() + 1, id, username, msg, at };
    messages.push(message.clone());
    message
}

fn acknowledge(ack: AckSender, message: Message) {
    let Message { room, seq, id, username: _, msg: _, at } = message;
    drop(ack.send(&Stored { ok: true, id, room, seq, at }));
}
