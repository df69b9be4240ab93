//! Which conversation is meant, and what one reads of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Data, is_nothing, object, parse, seq, somebody};
use crate::{
    chat::{Request, ports::Range},
    domain::{self, Muted, Rejection, RoomName, View},
};

const TWO_PLACES: Rejection = Rejection::BadRequest("name one conversation, not two");
const OTHER_WORD: Rejection =
    Rejection::BadRequest("`to` is for what is sent and typed, `with` for everything else");
const FALSE_INBOX: Rejection = Rejection::BadRequest("inbox is true where it is meant");

/// What names a conversation. In any request all of them are looked at: who writes `to` where `with`
/// belongs does not mean the default room.
#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    with: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
    #[serde(default)]
    inbox: Option<bool>,
}

/// What a request calls the other one of a direct conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    With,
    To,
}

/// `history`.
#[derive(Default, Deserialize)]
struct History {
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// `read`.
#[derive(Deserialize)]
struct Read {
    seq: u64,
}

/// `mute`.
#[derive(Deserialize)]
struct Mute {
    muted: bool,
}

/// `typing`.
#[derive(Deserialize)]
struct Typing {
    typing: bool,
}

/// The conversation that a request names, if it names one.
pub(super) fn view(raw: Option<&RawValue>, other: Other) -> Result<Option<View>, Rejection> {
    let Names { room, with, to, inbox } = object(raw)?;
    let user = match (other, with, to) {
        (Other::With, user, None) | (Other::To, None, user) => user,
        (Other::With, _, Some(_)) | (Other::To, Some(_), _) => return Err(OTHER_WORD),
    };
    match (room, user, inbox) {
        (None, None, None) => Ok(None),
        (None, None, Some(true)) => Ok(Some(View::Inbox)),
        (None, None, Some(false)) => Err(FALSE_INBOX),
        (room @ Some(_), None, None) => Ok(parse(room, RoomName::parse)?.map(View::Room)),
        (None, user @ Some(_), None) => Ok(parse(user, somebody)?.map(View::With)),
        (_, _, _) => Err(TWO_PLACES),
    }
}

pub(super) fn history(data: &Data<'_>) -> Result<Request, Rejection> {
    let (of, History { before, after, limit }) = if is_nothing(data)? {
        (None, History::default())
    } else {
        (view(data.raw, Other::With)?, object(data.raw)?)
    };
    let range = match (before.map(seq).transpose()?, after.map(seq).transpose()?) {
        (Some(_), Some(_)) => return Err(Rejection::BadRequest("before or after, not both")),
        (Some(before), None) => Range::Before(before),
        (None, Some(after)) => Range::After(after),
        (None, None) => Range::Newest,
    };
    match limit {
        Some(0) => Err(Rejection::BadRequest("limit is at least 1")),
        limit => Ok(Request::History { of, range, limit }),
    }
}

pub(super) fn read(data: &Data<'_>) -> Result<Request, Rejection> {
    let Read { seq: place } = object(data.raw)?;
    Ok(Request::Read { of: view(data.raw, Other::With)?, seq: seq(place)? })
}

pub(super) fn mute(data: &Data<'_>) -> Result<Request, Rejection> {
    let Mute { muted } = object(data.raw)?;
    let muted = if muted { Muted::Yes } else { Muted::No };
    Ok(Request::Mute { of: view(data.raw, Other::With)?, muted })
}

pub(super) fn typing(data: &Data<'_>) -> Result<Request, Rejection> {
    let Typing { typing } = object(data.raw)?;
    match view(data.raw, Other::To)? {
        Some(View::Inbox) => Err(Rejection::BadRequest("nobody types in an inbox")),
        of @ (None | Some(View::Room(_) | View::With(_))) => {
            let typing = if typing { domain::Typing::Yes } else { domain::Typing::No };
            Ok(Request::Typing { of, typing })
        }
    }
}
