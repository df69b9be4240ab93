//! Requests for one conversation, and the fields that name it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{RequestData, is_absent, object, other_user, parse, seq};
use crate::{
    chat::{Request, ports::PageRange},
    domain::{self, Muted, Rejection, RoomName, View},
};

const SEVERAL_CONVERSATIONS: Rejection = Rejection::BadRequest("name one conversation, not two");
const WRONG_PEER_FIELD: Rejection =
    Rejection::BadRequest("`to` is for what is sent and typed, `with` for everything else");
const INBOX_NOT_TRUE: Rejection = Rejection::BadRequest("inbox is true where it is meant");

/// The fields that name a conversation. Every request checks all of them: a client that writes `to`
/// in place of `with` does not mean the default room.
#[derive(Deserialize)]
struct ConversationNames<'a> {
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    with: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
    #[serde(default)]
    inbox: Option<bool>,
}

/// The field that names the other user of a direct conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerField {
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
struct ReadData {
    seq: u64,
}

/// `mute`.
#[derive(Deserialize)]
struct Mute {
    muted: bool,
}

/// `typing`.
#[derive(Deserialize)]
struct TypingData {
    typing: bool,
}

/// The conversation that a request names, if it names one.
pub(super) fn view(raw: Option<&RawValue>, other: PeerField) -> Result<Option<View>, Rejection> {
    let ConversationNames { room, with, to, inbox } = object(raw)?;
    let user = match (other, with, to) {
        (PeerField::With, user, None) | (PeerField::To, None, user) => user,
        (PeerField::With, _, Some(_)) | (PeerField::To, Some(_), _) => {
            return Err(WRONG_PEER_FIELD);
        }
    };
    match (room, user, inbox) {
        (None, None, None) => Ok(None),
        (None, None, Some(true)) => Ok(Some(View::Inbox)),
        (None, None, Some(false)) => Err(INBOX_NOT_TRUE),
        (room @ Some(_), None, None) => Ok(parse(room, RoomName::parse)?.map(View::Room)),
        (None, user @ Some(_), None) => Ok(parse(user, other_user)?.map(View::Direct)),
        (_, _, _) => Err(SEVERAL_CONVERSATIONS),
    }
}

pub(super) fn history(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let (of, History { before, after, limit }) = if is_absent(data)? {
        (None, History::default())
    } else {
        (view(data.raw, PeerField::With)?, object(data.raw)?)
    };
    let range = match (before.map(seq).transpose()?, after.map(seq).transpose()?) {
        (Some(_), Some(_)) => return Err(Rejection::BadRequest("before or after, not both")),
        (Some(before), None) => PageRange::Before(before),
        (None, Some(after)) => PageRange::After(after),
        (None, None) => PageRange::Newest,
    };
    match limit {
        Some(0) => Err(Rejection::BadRequest("limit is at least 1")),
        limit => Ok(Request::History { of, range, limit }),
    }
}

pub(super) fn read(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let ReadData { seq: place } = object(data.raw)?;
    Ok(Request::Read { of: view(data.raw, PeerField::With)?, seq: seq(place)? })
}

pub(super) fn mute(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let Mute { muted } = object(data.raw)?;
    let muted = if muted { Muted::Yes } else { Muted::No };
    Ok(Request::Mute { of: view(data.raw, PeerField::With)?, muted })
}

pub(super) fn typing(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let TypingData { typing } = object(data.raw)?;
    match view(data.raw, PeerField::To)? {
        Some(View::Inbox) => Err(Rejection::BadRequest("nobody types in an inbox")),
        of @ (None | Some(View::Room(_) | View::Direct(_))) => {
            let typing = if typing { domain::Typing::Yes } else { domain::Typing::No };
            Ok(Request::Typing { of, typing })
        }
    }
}
