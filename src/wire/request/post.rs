//! Requests that post, edit and delete messages.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    NOT_AN_OBJECT, RequestData, body,
    conversation::{Delete, Edit},
    object, other_user, parse, seq,
};
use crate::{
    chat::{Request, RoomPost},
    domain::{Body, MessageId, Rejection, RoomName, UserName, View},
};

/// `send message`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendMessageData<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    msg: &'a RawValue,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `GroupChat`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupChat<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// `SingleChat` and `notify`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserPostData<'a> {
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// The two requests that post to a room differ in the key of the body.
trait RoomMessage<'a>: Deserialize<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, &'a RawValue, Option<Cow<'a, str>>);
}

impl<'a> RoomMessage<'a> for SendMessageData<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, &'a RawValue, Option<Cow<'a, str>>) {
        (self.room, self.msg, self.id)
    }
}

impl<'a> RoomMessage<'a> for GroupChat<'a> {
    fn parts(self) -> (Option<Cow<'a, str>>, &'a RawValue, Option<Cow<'a, str>>) {
        (self.room, self.data, self.id)
    }
}

pub(super) fn send(data: &RequestData<'_>) -> Result<Request, Rejection> {
    room_post::<SendMessageData<'_>>(data).map(Request::Send)
}

pub(super) fn group_chat(data: &RequestData<'_>) -> Result<Request, Rejection> {
    room_post::<GroupChat<'_>>(data).map(Request::GroupChat)
}

pub(super) fn single_chat(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let (to, body, id) = user_post(data)?;
    Ok(Request::SingleChat { to, body, id })
}

pub(super) fn notify(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let (to, body, id) = user_post(data)?;
    Ok(Request::Notify { to, body, id })
}

pub(super) fn edit(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let mut edit: Edit<'_> = object(data.raw)?;
    let (of, seq) = (editable(edit.view()?)?, seq(edit.seq)?);
    Ok(Request::Edit { of, seq, body: read_body(edit.msg, data)? })
}

pub(super) fn delete(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let mut delete: Delete<'_> = object(data.raw)?;
    Ok(Request::Delete { of: editable(delete.view()?)?, seq: seq(delete.seq)? })
}

fn room_post<'a, T: RoomMessage<'a>>(data: &RequestData<'a>) -> Result<RoomPost, Rejection> {
    let raw = data.raw.ok_or(NOT_AN_OBJECT)?;
    if raw.get().starts_with('"') || body::is_bytes(raw, data.encoding) {
        return Ok(RoomPost { room: None, body: read_body(raw, data)?, id: None });
    }
    let (room, body, id) = object::<T>(data.raw)?.parts();
    let room = parse(room, RoomName::parse)?;
    let id = parse(id, MessageId::parse)?;
    Ok(RoomPost { room, body: read_body(body, data)?, id })
}

fn user_post(data: &RequestData<'_>) -> Result<(UserName, Body, Option<MessageId>), Rejection> {
    let UserPostData { to, data: body, id } = object(data.raw)?;
    let to = other_user(&to)?;
    let id = parse(id, MessageId::parse)?;
    Ok((to, read_body(body, data)?, id))
}

/// The conversation of a message to change. Notifications in an inbox cannot be changed.
fn editable(of: Option<View>) -> Result<Option<View>, Rejection> {
    match of {
        Some(View::Inbox) => Err(Rejection::NoSuchMessage),
        of @ (None | Some(View::Room(_) | View::Direct(_))) => Ok(of),
    }
}

fn read_body(raw: &RawValue, data: &RequestData<'_>) -> Result<Body, Rejection> {
    body::read(raw.get(), data.encoding, data.attachments, data.context.limits)
}
