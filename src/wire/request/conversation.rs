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
const INBOX_NOT_TRUE: Rejection = Rejection::BadRequest("inbox is true where it is meant");

/// The fields that name a conversation.
struct ConversationNames<'a> {
    room: Option<Cow<'a, str>>,
    /// The other user of a direct conversation.
    peer: Option<Cow<'a, str>>,
    inbox: Option<bool>,
}

/// The data of a request for one conversation: the keys that name it, of which `$peer` is the one of
/// the other user, and the request's own. It is one struct, so that it is parsed once and refuses all
/// other keys.
macro_rules! conversation_request {
    (
        $(#[$about:meta])*
        struct $name:ident, $peer:ident { $($(#[$field_about:meta])* $field:ident: $of:ty,)* }
    ) => {
        $(#[$about])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name<'a> {
            #[serde(borrow, default)]
            room: Option<Cow<'a, str>>,
            #[serde(borrow, default)]
            $peer: Option<Cow<'a, str>>,
            #[serde(default)]
            inbox: Option<bool>,
            $($(#[$field_about])* pub(super) $field: $of,)*
        }

        impl<'a> $name<'a> {
            /// The conversation, if one is named.
            pub(super) fn view(&mut self) -> Result<Option<View>, Rejection> {
                let (room, peer) = (self.room.take(), self.$peer.take());
                view(ConversationNames { room, peer, inbox: self.inbox })
            }
        }
    };
}

conversation_request! {
    /// `history`.
    #[derive(Default)]
    struct History, with {
        before: Option<u64>,
        after: Option<u64>,
        limit: Option<u32>,
    }
}

conversation_request! {
    /// `read`.
    struct ReadData, with {
        seq: u64,
    }
}

conversation_request! {
    /// `mute`.
    struct Mute, with {
        muted: bool,
    }
}

conversation_request! {
    /// `typing`.
    struct TypingData, to {
        typing: bool,
    }
}

conversation_request! {
    /// `edit message`.
    struct Edit, with {
        seq: u64,
        #[serde(borrow)]
        msg: &'a RawValue,
    }
}

conversation_request! {
    /// `delete message`.
    struct Delete, with {
        seq: u64,
    }
}

/// The conversation that a request names, if it names one.
fn view(names: ConversationNames<'_>) -> Result<Option<View>, Rejection> {
    let ConversationNames { room, peer, inbox } = names;
    match (room, peer, inbox) {
        (None, None, None) => Ok(None),
        (None, None, Some(true)) => Ok(Some(View::Inbox)),
        (None, None, Some(false)) => Err(INBOX_NOT_TRUE),
        (room @ Some(_), None, None) => Ok(parse(room, RoomName::parse)?.map(View::Room)),
        (None, user @ Some(_), None) => Ok(parse(user, other_user)?.map(View::Direct)),
        (_, _, _) => Err(SEVERAL_CONVERSATIONS),
    }
}

pub(super) fn history(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let mut history =
        if is_absent(data)? { History::default() } else { object::<History<'_>>(data.raw)? };
    let of = history.view()?;
    let History { before, after, limit, .. } = history;
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
    let mut read: ReadData<'_> = object(data.raw)?;
    Ok(Request::Read { of: read.view()?, seq: seq(read.seq)? })
}

pub(super) fn mute(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let mut mute: Mute<'_> = object(data.raw)?;
    let muted = if mute.muted { Muted::Yes } else { Muted::No };
    Ok(Request::Mute { of: mute.view()?, muted })
}

pub(super) fn typing(data: &RequestData<'_>) -> Result<Request, Rejection> {
    let mut request: TypingData<'_> = object(data.raw)?;
    match request.view()? {
        Some(View::Inbox) => Err(Rejection::BadRequest("nobody types in an inbox")),
        of @ (None | Some(View::Room(_) | View::Direct(_))) => {
            let typing = if request.typing { domain::Typing::Yes } else { domain::Typing::No };
            Ok(Request::Typing { of, typing })
        }
    }
}
