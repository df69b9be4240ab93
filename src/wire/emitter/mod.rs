//! Packets of `@socket.io/redis-emitter`, and of servers with the official Redis adapter.
//!
//! An event is published on `KEY#NSP#`, or on `KEY#NSP#ROOM#` if it is for one room, as the
//! `MessagePack` of `[uid, packet, {rooms, except, flags}]`. Everything else is JSON on
//! `KEY-request#NSP#`. `KEY` is an option of the emitter.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    body::{self, AttachmentEncoding},
    json::{self, DEPTH_MAX},
    msgpack::{self, ForeignValues, Unpacked},
};
use crate::{
    chat::{EmitterEffect, EmitterPacket},
    domain::{
        CustomEvent, EventName, Limits, PassingDelivery, Rejection, RoomName, RoomSelector,
        Selection, Space,
    },
};

/// The arguments are in the packet's list, in the packet, in the list of the three parts.
const PACKET_DEPTH_MAX: usize = DEPTH_MAX + 2;
/// Names of rooms in one packet, of all kinds together.
const ROOMS_MAX: usize = 1000;
/// The type of a packet with an event.
const EVENT: u64 = 2;
/// The types of requests that do something to connections.
const JOIN: u64 = 2;
const LEAVE: u64 = 3;
const DISCONNECT: u64 = 4;

const NOT_A_PACKET: Rejection = Rejection::BadRequest("this is no packet of an emitter");
const OTHER_CHANNEL: Rejection = Rejection::BadRequest("the channel is for another namespace");
const NO_EVENT: Rejection = Rejection::BadRequest("the packet has no event");
const TOO_MANY_NAMES: Rejection = Rejection::BadRequest("the packet names too many rooms");

/// The patterns of the channels on which emitters with this key publish.
pub fn channel_patterns(key: &str) -> [String; 2] {
    [format!("{key}#/*"), format!("{key}-request#/*")]
}

/// Reads what was published on a channel. `None` if it is not for this server: a request that servers
/// answer each other, or an event between them (`serverSideEmit`).
pub fn packet(
    key: &str,
    (channel, payload): (&[u8], &[u8]),
    limits: &Limits,
) -> Option<Result<EmitterPacket, Rejection>> {
    let Some(channel) = str::from_utf8(channel).ok().and_then(|it| it.strip_prefix(key)) else {
        return Some(Err(NOT_A_PACKET));
    };
    if payload.len() > limits.frame_bytes_max.get() {
        return Some(Err(Rejection::MessageTooLarge));
    }
    match channel.strip_prefix("-request#") {
        Some(namespace) => request(namespace, payload).transpose(),
        None => Some(event(channel, payload, limits)),
    }
}

/// An event, with the namespace and the rooms that its channel names.
fn event(channel: &str, payload: &[u8], limits: &Limits) -> Result<EmitterPacket, Rejection> {
    let Unpacked { text, attachments, rejection } =
        msgpack::unpack(payload, PACKET_DEPTH_MAX, ForeignValues::AsJavaScript, limits)?;
    let Published(_uid, packet, options) = parse(&text)?;
    if let Some(rejection) = rejection {
        return Err(rejection);
    }
    let namespace = packet.nsp.as_deref().unwrap_or("/");
    let is_own = channel.strip_prefix('#').and_then(|it| it.strip_prefix(namespace));
    is_own.filter(|it| it.starts_with('#')).ok_or(OTHER_CHANNEL)?;
    let [name, args @ ..] = &*packet.data else { return Err(NO_EVENT) };
    if packet.r#type != EVENT {
        return Err(NO_EVENT);
    }
    let name: Cow<'_, str> = parse(name.get())?;
    let args = format!("[{}]", args.iter().map(|it| it.get()).collect::<Vec<_>>().join(","));
    let event = CustomEvent {
        name: EventName::parse_emitted(&name)?,
        args: body::read(&args, AttachmentEncoding::Placeholders, &attachments, limits)?,
    };
    let Options { rooms, except, flags } = options;
    let delivery =
        if flags.volatile { PassingDelivery::Volatile } else { PassingDelivery::Reliable };
    let to = selection(namespace, &rooms, &except)?;
    Ok(EmitterPacket { to, effect: EmitterEffect::Emit(event, delivery) })
}

fn request(namespace: &str, payload: &[u8]) -> Result<Option<EmitterPacket>, Rejection> {
    // Servers send some requests that wait for answers as MessagePack.
    if payload.first() != Some(&b'{') {
        return Ok(None);
    }
    let text = str::from_utf8(payload).map_err(|_error| NOT_A_PACKET)?;
    json::check_depth(text)?;
    let Request { r#type, opts, rooms } = parse(text)?;
    // Requests about the id of one socket come from servers, and mean none of these connections.
    let Some(Options { rooms: of, except, flags: _ }) = opts else { return Ok(None) };
    let effect = match r#type {
        JOIN => EmitterEffect::Join(room_names(&rooms)?),
        LEAVE => EmitterEffect::Leave(room_names(&rooms)?),
        DISCONNECT => EmitterEffect::Disconnect,
        // Servers ask each other, and wait for the answers of those that they count. This server is
        // not among them, because it subscribes by pattern.
        _ => return Ok(None),
    };
    let namespace = namespace.strip_suffix('#').ok_or(OTHER_CHANNEL)?;
    Ok(Some(EmitterPacket { to: selection(namespace, &of, &except)?, effect }))
}

fn selection(namespace: &str, rooms: &[Value], except: &[Value]) -> Result<Selection, Rejection> {
    if rooms.len() + except.len() > ROOMS_MAX {
        return Err(TOO_MANY_NAMES);
    }
    let selectors = |names: &[Value]| -> Result<Vec<_>, Rejection> {
        names.iter().map(|it| Ok(RoomSelector::parse(&room_text(it)?))).collect()
    };
    let space = Space::parse(namespace)?;
    Ok(Selection { space, rooms: selectors(rooms)?, except: selectors(except)? })
}

fn room_names(rooms: &[Value]) -> Result<Vec<RoomName>, Rejection> {
    if rooms.len() > ROOMS_MAX {
        return Err(TOO_MANY_NAMES);
    }
    rooms.iter().map(|it| RoomName::parse(&room_text(it)?)).collect()
}

/// The name of a room. Emitters accept numbers, too.
fn room_text(room: &Value) -> Result<Cow<'_, str>, Rejection> {
    match room {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(NOT_A_PACKET),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(text).map_err(|_error| NOT_A_PACKET)
}

/// What is published for an event.
#[derive(Deserialize)]
struct Published<'a>(Value, #[serde(borrow)] Packet<'a>, Options);

#[derive(Deserialize)]
struct Packet<'a> {
    r#type: u64,
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    nsp: Option<String>,
}

/// Who receives it, and how.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    rooms: Vec<Value>,
    except: Vec<Value>,
    flags: Flags,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    volatile: bool,
}

#[derive(Deserialize)]
struct Request {
    r#type: u64,
    opts: Option<Options>,
    #[serde(default)]
    rooms: Vec<Value>,
}

#[cfg(test)]
mod tests;
