//! Requests for rooms and their members.

use std::borrow::Cow;

use serde::Deserialize;

use super::{RequestData, epoch, is_absent, object, other_user, parse, seq, string};
use crate::{
    chat::Request,
    domain::{Rejection, Role, RoomName, RoomTopic},
};

/// `join`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoomData<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(default)]
    since: Option<u64>,
    #[serde(borrow, default)]
    epoch: Option<Cow<'a, str>>,
}

/// `leave`, `GroupList`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoomOnly<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
}

/// The requests for a room take its name alone, too.
trait OfRoom<'a>: Default + Deserialize<'a> {
    fn of_room(room: Cow<'a, str>) -> Self;
}

/// `invite`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
}

/// `kick`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kick<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user: Cow<'a, str>,
}

/// `topic`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicData<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    topic: Cow<'a, str>,
}

impl<'a> OfRoom<'a> for RoomData<'a> {
    fn of_room(room: Cow<'a, str>) -> Self {
        Self { room: Some(room), ..Self::default() }
    }
}

impl<'a> OfRoom<'a> for RoomOnly<'a> {
    fn of_room(room: Cow<'a, str>) -> Self {
        Self { room: Some(room) }
    }
}

pub(super) fn group_list(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let RoomOnly { room } = room(data)?;
    Ok(Request::GroupList { room: parse(room, RoomName::parse)? })
}

pub(super) fn join(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let RoomData { room, since, epoch: database } = room(data)?;
    let room = parse(room, RoomName::parse)?;
    let since = since.map(seq).transpose()?;
    Ok(Request::Join { room, since, epoch: parse(database, epoch)? })
}

pub(super) fn leave(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let RoomOnly { room } = room(data)?;
    Ok(Request::Leave { room: parse(room, RoomName::parse)? })
}

pub(super) fn invite(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let Invitation { room, user, role: word } = object(data.raw)?;
    let room = parse(room, RoomName::parse)?;
    Ok(Request::Invite { room, user: other_user(&user)?, role: parse(word, role)? })
}

pub(super) fn kick(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let Kick { room, user } = object(data.raw)?;
    Ok(Request::Kick { room: parse(room, RoomName::parse)?, user: other_user(&user)? })
}

pub(super) fn topic(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let TopicData { room, topic } = object(data.raw)?;
    Ok(Request::Topic { room: parse(room, RoomName::parse)?, topic: RoomTopic::parse(&topic)? })
}

/// The data of a request for a room: nothing, its name, or an object.
fn room<'a, T: OfRoom<'a>>(data: &RequestData<'a>) -> Result<T, Rejection> {
    if is_absent(data)? {
        return Ok(T::default());
    }
    match string(data.raw) {
        Some(room) => Ok(T::of_room(room)),
        None => object(data.raw),
    }
}

fn role(word: &str) -> Result<Role, Rejection> {
    let wanted = Rejection::BadRequest("a role is owner, admin, member or reader");
    Role::from_raw(word).ok_or(wanted)
}
