//! What somebody says, and how they change it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Data, NOT_AN_OBJECT, body, object, parse,
    place::{Other, view},
    seq, somebody,
};
use crate::{
    chat::{Request, RoomPost},
    domain::{Body, Limits, MessageId, Rejection, RoomName, UserName, View},
};

/// `send message`.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `GroupChat`.
#[derive(Deserialize)]
struct GroupChat<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `SingleChat` and `notify`.
#[derive(Deserialize)]
struct ToOne<'a> {
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `edit message`.
#[derive(Deserialize)]
struct Edit<'a> {
    seq: u64,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
}

/// `delete message`.
#[derive(Deserialize)]
struct Delete {
    seq: u64,
}

/// The two messages for rooms differ in the key of their body.
trait RoomMessage<'a>: Deserialize<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, Option<&'a RawValue>, Option<Cow<'a, str>>);
}

impl<'a> RoomMessage<'a> for Message<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, Option<&'a RawValue>, Option<Cow<'a, str>>) {
        (self.room, self.msg, self.id)
    }
}

impl<'a> RoomMessage<'a> for GroupChat<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, Option<&'a RawValue>, Option<Cow<'a, str>>) {
        (self.room, self.data, self.id)
    }
}

pub(super) fn send(data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    room_post::<Message<'_>>(data, limits).map(Request::Send)
}

pub(super) fn group_chat(data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    room_post::<GroupChat<'_>>(data, limits).map(Request::GroupChat)
}

pub(super) fn single_chat(data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    let (to, body, id) = to_one(data, limits)?;
    Ok(Request::SingleChat { to, body, id })
}

pub(super) fn notify(data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    let (to, body, id) = to_one(data, limits)?;
    Ok(Request::Notify { to, body, id })
}

pub(super) fn edit(data: &Data<'_>, limits: &Limits) -> Result<Request, Rejection> {
    let Edit { seq: place, msg } = object(data.raw)?;
    let (of, seq) = (changed(data)?, seq(place)?);
    Ok(Request::Edit { of, seq, body: read_body(msg, data, limits)? })
}

pub(super) fn delete(data: &Data<'_>) -> Result<Request, Rejection> {
    let Delete { seq: place } = object(data.raw)?;
    Ok(Request::Delete { of: changed(data)?, seq: seq(place)? })
}

fn room_post<'a, T: RoomMessage<'a>>(
    data: &Data<'a>,
    limits: &Limits,
) -> Result<RoomPost, Rejection> {
    let raw = data.raw.ok_or(NOT_AN_OBJECT)?;
    if raw.get().starts_with('"') || body::is_bytes(raw, data.form) {
        let body = body::read(raw, data.form, data.attachments, limits)?;
        return Ok(RoomPost { room: None, body, id: None });
    }
    let (room, body, id) = object::<T>(data.raw)?.parts();
    let room = parse(room, RoomName::parse)?;
    let id = parse(id, MessageId::parse)?;
    Ok(RoomPost { room, body: read_body(body, data, limits)?, id })
}

fn to_one(
    data: &Data<'_>,
    limits: &Limits,
) -> Result<(UserName, Body, Option<MessageId>), Rejection> {
    let ToOne { to, data: body, id } = object(data.raw)?;
    let to = somebody(&to)?;
    let id = parse(id, MessageId::parse)?;
    Ok((to, read_body(body, data, limits)?, id))
}

/// Where a message is changed. What stands in an inbox is never changed.
fn changed(data: &Data<'_>) -> Result<Option<View>, Rejection> {
    match view(data.raw, Other::With)? {
        Some(View::Inbox) => Err(Rejection::NoSuchMessage),
        of @ (None | Some(View::Room(_) | View::With(_))) => Ok(of),
    }
}

/// A body that may be left out only to be told that it is empty.
fn read_body(raw: Option<&RawValue>, data: &Data<'_>, limits: &Limits) -> Result<Body, Rejection> {
    let raw = raw.ok_or(Rejection::MessageEmpty)?;
    body::read(raw, data.form, data.attachments, limits)
}
