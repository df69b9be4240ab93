//! Requests for rooms and their members.

use std::borrow::Cow;

use serde::Deserialize;

use super::{RequestData, epoch, is_absent, object, other_user, parse, seq, string};
use crate::{
    chat::Request,
    domain::{Rejection, Role, RoomName},
};

/// `join`, `leave`, `GroupList`.
#[derive(Default, Deserialize)]
struct RoomData<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(default)]
    since: Option<u64>,
    #[serde(borrow, default)]
    epoch: Option<Cow<'a, str>>,
}

/// `invite`, and `kick`, which has no role.
#[derive(Deserialize)]
struct MemberRequest<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
}

pub(super) fn group_list(data: &RequestData<'_>) -> Result<Request, Rejection> {
    Ok(Request::GroupList { room: parse(room(data)?.room, RoomName::parse)? })
}

pub(super) fn join(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let RoomData { room, since, epoch: database } = room(data)?;
    let room = parse(room, RoomName::parse)?;
    let since = since.map(seq).transpose()?;
    Ok(Request::Join { room, since, epoch: parse(database, epoch)? })
}

pub(super) fn leave(data: &RequestData<'_>) -> Result<Request, Rejection> {
    Ok(Request::Leave { room: parse(room(data)?.room, RoomName::parse)? })
}

pub(super) fn invite(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let MemberRequest { room, user, role: word } = object(data.raw)?;
    let room = parse(room, RoomName::parse)?;
    Ok(Request::Invite { room, user: other_user(&user)?, role: parse(word, role)? })
}

pub(super) fn kick(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let MemberRequest { room, user, role: _ } = object(data.raw)?;
    Ok(Request::Kick { room: parse(room, RoomName::parse)?, user: other_user(&user)? })
}

/// The data of a request for a room: nothing, its name, or an object.
fn room<'a>(data: &RequestData<'a>) -> Result<RoomData<'a>, Rejection> {
    if is_absent(data)? {
        return Ok(RoomData::default());
    }
    match string(data.raw) {
        Some(room) => Ok(RoomData { room: Some(room), ..RoomData::default() }),
        None => object(data.raw),
    }
}

fn role(word: &str) -> Result<Role, Rejection> {
    let wanted = Rejection::BadRequest("a role is owner, admin, member or reader");
    Role::from_raw(word).ok_or(wanted)
}
