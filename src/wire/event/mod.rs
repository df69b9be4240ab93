//! The data of events, serialized once per event and wire format.

mod custom;
mod entry;
mod names;
mod welcome;

use serde::{Serialize, Serializer};

use super::{
    body::AttachmentEncoding,
    payload::{Payload, Timestamp},
};
use crate::{
    chat::event::{Event, Tally},
    domain::{AskId, DisplayName, Limits, Muted, RoomTopic, Typing, UserName, View},
};

pub(super) use custom::{ArgumentsData, arguments};
pub(super) use entry::{EntryData, flat, name as entry_name};
pub(super) use names::NamesData;
pub(super) use welcome::RoomStateData;

/// The data of an event.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum EventData<'a> {
    /// An event of the application: an array of any length in place of one value.
    Arguments(ArgumentsData<'a>),
    Entry(EntryData<'a>),
    Missed(entry::MissedData<'a>),
    Welcome(welcome::WelcomeData<'a>),
    /// `get users`.
    Users(UserNames<'a>),
    /// `presence`, in large rooms.
    Presence {
        room: &'a str,
        count: usize,
    },
    /// `user joined` and `user left`.
    RoomUser {
        room: &'a str,
        user: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
    },
    Membership {
        room: &'a str,
        /// `null` for a membership that ended.
        role: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a str>,
        #[serde(flatten)]
        tally: Option<TallyData>,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        by_name: Option<&'a str>,
    },
    Read {
        #[serde(flatten)]
        view: ViewData<'a>,
        user: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        unread: Option<u64>,
    },
    Typing {
        #[serde(flatten)]
        view: ViewData<'a>,
        user: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        typing: bool,
    },
    AuthExpiring {
        expires_at: Timestamp,
    },
    Clock {
        at: Timestamp,
    },
}

/// A conversation, as the receiving user names it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ViewData<'a> {
    Room(&'a str),
    With(&'a str),
    Inbox(bool),
}

/// The last entry of a conversation, and how far the user has read it.
#[derive(Debug, Serialize)]
pub(super) struct TallyData {
    seq: u64,
    unread: u64,
    read: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<bool>,
}

/// Names of users as an array.
#[derive(Debug)]
pub(super) struct UserNames<'a>(pub(super) &'a [UserName]);

/// The name of an event.
pub(super) fn name(event: &Event) -> &str {
    match event {
        Event::Welcome(_) => "welcome",
        Event::Users(_) => "get users",
        Event::Presence { .. } => "presence",
        Event::Entry(entry) | Event::Notified { entry, unread: _ } => entry::name(entry),
        Event::Joined { .. } => "user joined",
        Event::Left { .. } => "user left",
        Event::Membership { .. } => "membership",
        Event::Read { .. } => "read",
        Event::Typing { .. } => "typing",
        Event::Missed(_) => "missed",
        Event::AuthExpiring { .. } => "auth expiring",
        Event::Clock { .. } => "clock",
        Event::Custom(event) | Event::Ask { event, ask: _ } => event.name.as_raw(),
    }
}

/// The number that the answer to an event repeats, if one is awaited.
pub(super) fn ask(event: &Event) -> Option<AskId> {
    if let Event::Ask { ask, event: _ } = event { Some(*ask) } else { None }
}

/// The data of an event.
pub(super) fn data<'a>(
    event: &'a Event,
    encoding: AttachmentEncoding,
    limits: &Limits,
) -> Payload<EventData<'a>> {
    let data = match event {
        Event::Entry(entry) => {
            return match custom::kept(entry, encoding) {
                Some(arguments) => arguments.map(EventData::Arguments),
                None => entry::live(entry, None, encoding),
            };
        }
        Event::Custom(event) | Event::Ask { event, ask: _ } => {
            return custom::passing(event, encoding).map(EventData::Arguments);
        }
        Event::Notified { entry, unread } => return entry::live(entry, Some(*unread), encoding),
        Event::Missed(missed) => return entry::missed(missed, encoding),
        Event::Welcome(welcome) => EventData::Welcome(welcome::welcome(welcome, limits)),
        Event::AuthExpiring { expires_at } => {
            EventData::AuthExpiring { expires_at: Timestamp(*expires_at) }
        }
        Event::Clock { at } => EventData::Clock { at: Timestamp(*at) },
        Event::Users(users) => EventData::Users(UserNames(users)),
        Event::Presence { room, count } => {
            EventData::Presence { room: room.as_raw(), count: *count }
        }
        Event::Joined { room, who } | Event::Left { room, who } => EventData::RoomUser {
            room: room.as_raw(),
            user: who.user.as_raw(),
            name: who.name.as_ref().map(DisplayName::as_raw),
        },
        Event::Membership { room, state, by } => EventData::Membership {
            room: room.as_raw(),
            role: state.as_ref().map(|state| state.role.as_raw()),
            topic: state.as_ref().and_then(|state| state.topic.as_ref()).map(RoomTopic::as_raw),
            tally: state.as_ref().map(|state| TallyData::from(&state.tally)),
            by: by.as_ref().map(|it| it.user.as_raw()),
            by_name: by.as_ref().and_then(|it| it.name.as_ref()).map(DisplayName::as_raw),
        },
        Event::Read { view, who, seq, unread } => EventData::Read {
            view: view.into(),
            user: who.user.as_raw(),
            name: who.name.as_ref().map(DisplayName::as_raw),
            seq: seq.as_raw(),
            unread: *unread,
        },
        Event::Typing { view, who, typing } => EventData::Typing {
            view: view.into(),
            user: who.user.as_raw(),
            name: who.name.as_ref().map(DisplayName::as_raw),
            typing: *typing == Typing::Yes,
        },
    };
    Payload::without_attachments(data)
}

impl<'a> From<&'a View> for ViewData<'a> {
    fn from(view: &'a View) -> Self {
        match view {
            View::Room(room) => Self::Room(room.as_raw()),
            View::Direct(user) => Self::With(user.as_raw()),
            View::Inbox => Self::Inbox(true),
        }
    }
}

impl From<&Tally> for TallyData {
    fn from(tally: &Tally) -> Self {
        let Tally { head, unread, read, muted } = *tally;
        let muted = (muted == Muted::Yes).then_some(true);
        Self { seq: head.as_raw(), unread, read: read.as_raw(), muted }
    }
}

impl Serialize for UserNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(UserName::as_raw))
    }
}

#[cfg(test)]
mod tests;
