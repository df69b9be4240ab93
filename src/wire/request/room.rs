//! Who is in a room, and who comes and goes.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Data, epoch, is_nothing, object, parse, seq, somebody, string};
use crate::{
    chat::Request,
    domain::{Rejection, Role, RoomName},
};

/// `join`, `leave`, `GroupList`.
#[derive(Default, Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(default)]
    since: Option<u64>,
    #[serde(borrow, default)]
    epoch: Option<Cow<'a, str>>,
}

/// `invite`, and `kick`, which has no role.
#[derive(Deserialize)]
struct Other<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
}

pub(super) fn group_list(data: &Data<'_>) -> Result<Request, Rejection> {
    Ok(Request::GroupList { room: parse(room(data)?.room, RoomName::parse)? })
}

pub(super) fn join(data: &Data<'_>) -> Result<Request, Rejection> {
    let Named { room, since, epoch: database } = room(data)?;
    let room = parse(room, RoomName::parse)?;
    let since = since.map(seq).transpose()?;
    Ok(Request::Join { room, since, epoch: parse(database, epoch)? })
}

pub(super) fn leave(data: &Data<'_>) -> Result<Request, Rejection> {
    Ok(Request::Leave { room: parse(room(data)?.room, RoomName::parse)? })
}

pub(super) fn invite(data: &Data<'_>) -> Result<Request, Rejection> {
    let Other { room, user, role: word } = object(data.raw)?;
    let room = parse(room, RoomName::parse)?;
    Ok(Request::Invite { room, user: somebody(&user)?, role: parse(word, role)? })
}

pub(super) fn kick(data: &Data<'_>) -> Result<Request, Rejection> {
    let Other { room, user, role: _ } = object(data.raw)?;
    Ok(Request::Kick { room: parse(room, RoomName::parse)?, user: somebody(&user)? })
}

/// What is said of a room: nothing, its name alone, or an object.
fn room<'a>(data: &Data<'a>) -> Result<Named<'a>, Rejection> {
    if is_nothing(data)? {
        return Ok(Named::default());
    }
    match string(data.raw) {
        Some(room) => Ok(Named { room: Some(room), ..Named::default() }),
        None => object(data.raw),
    }
}

fn role(word: &str) -> Result<Role, Rejection> {
    let wanted = Rejection::BadRequest("a role is owner, admin, member or reader");
    Role::from_raw(word).ok_or(wanted)
}
