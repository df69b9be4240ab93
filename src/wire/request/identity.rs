//! Requests that identify a user, and the presence of other users.

use std::borrow::Cow;

use serde::Deserialize;

use super::{BorrowedText, RequestData, object, parse, string};
use crate::{
    chat::Request,
    domain::{DeviceId, Rejection, Token, UserName},
};

/// Users in one `presence` request.
const PRESENCE_USERS_MAX: usize = 100;

/// `new user` and `identify`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    device: Option<Cow<'a, str>>,
}

/// `auth`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthData<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
}

/// `presence`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresenceData<'a> {
    #[serde(borrow)]
    users: Vec<BorrowedText<'a>>,
}

pub(super) fn new_user(data: &RequestData<'_>) -> Result<Request, Rejection> {
    match string(data.raw) {
        Some(name) => guest(NewUser { name, device: None }),
        None => identify(data),
    }
}

pub(super) fn identify(data: &RequestData<'_>) -> Result<Request, Rejection> {
    guest(object(data.raw)?)
}

fn guest(new_user: NewUser<'_>) -> Result<Request, Rejection> {
    let NewUser { name, device } = new_user;
    let device = parse(device, DeviceId::parse)?;
    Ok(Request::Identify { user: UserName::parse_guest(&name)?, device })
}

pub(super) fn auth(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let AuthData { token } = object(data.raw)?;
    Ok(Request::Auth { token: Token::from_raw(&token) })
}

pub(super) fn presence(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let PresenceData { users } = object(data.raw)?;
    if !(1..=PRESENCE_USERS_MAX).contains(&users.len()) {
        return Err(Rejection::BadRequest("users are 1 to 100 names"));
    }
    let users: Result<_, _> =
        users.iter().map(|BorrowedText(name)| UserName::parse(name)).collect();
    Ok(Request::Presence { users: users? })
}
