//! `welcome`: the state that a client needs at the start of a connection.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::Serialize;

use super::{NamesData, TallyData};
use crate::{
    chat::event::{DeviceVisit, RoomState, Tally, Welcome},
    domain::{DisplayName, Limits, RoomTopic, Token, UserName},
    wire::payload::Timestamp,
};

/// `welcome`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::wire) struct WelcomeData<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    expires_at: Timestamp,
    /// Whether the device was connected before, for a client that names its device.
    #[serde(skip_serializing_if = "Option::is_none")]
    returning: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Timestamp>,
    connection: String,
    node: &'a str,
    epoch: &'a str,
    rooms: Vec<RoomStateData<'a>>,
    directs: Vec<DirectData<'a>>,
    /// Those of the users in `directs`.
    #[serde(skip_serializing_if = "NamesData::is_empty")]
    names: NamesData<'a>,
    inbox: TallyData,
    limits: LimitsData,
}

/// A room of the user.
#[derive(Debug, Serialize)]
pub(in crate::wire) struct RoomStateData<'a> {
    room: &'a str,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(flatten)]
    tally: TallyData,
}

/// A direct conversation of the user.
#[derive(Debug, Serialize)]
struct DirectData<'a> {
    with: &'a str,
    #[serde(flatten)]
    tally: TallyData,
}

/// The limits that a client should keep.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "these are the names on the wire")]
struct LimitsData {
    body_bytes_max: NonZeroUsize,
    frame_bytes_max: NonZeroUsize,
    attachments_max: usize,
    history_max: NonZeroU32,
    rooms_max: NonZeroUsize,
}

pub(super) fn welcome<'a>(welcome: &'a Welcome, limits: &Limits) -> WelcomeData<'a> {
    let Welcome {
        user,
        name,
        admin,
        token,
        expires_at,
        visit,
        connection,
        node,
        epoch,
        rooms,
        directs,
        names,
        inbox,
    } = welcome;
    let (returning, last_seen) = match visit {
        None => (None, None),
        Some(DeviceVisit::First) => (Some(false), None),
        Some(DeviceVisit::Returning { last_seen }) => (Some(true), Some(Timestamp(*last_seen))),
    };
    WelcomeData {
        user: user.as_raw(),
        name: name.as_ref().map(DisplayName::as_raw),
        admin: admin.then_some(true),
        token: token.as_ref().map(Token::expose),
        expires_at: Timestamp(*expires_at),
        returning,
        last_seen,
        connection: connection.to_string(),
        node: node.as_raw(),
        epoch: epoch.as_raw(),
        rooms: rooms.iter().map(RoomStateData::from).collect(),
        directs: directs.iter().map(DirectData::from).collect(),
        names: names.into(),
        inbox: inbox.into(),
        limits: limits.into(),
    }
}

impl<'a> From<&'a RoomState> for RoomStateData<'a> {
    fn from(state: &'a RoomState) -> Self {
        let RoomState { room, role, topic, tally } = state;
        let topic = topic.as_ref().map(RoomTopic::as_raw);
        Self { room: room.as_raw(), role: role.as_raw(), topic, tally: tally.into() }
    }
}

impl<'a> From<&'a (UserName, Tally)> for DirectData<'a> {
    fn from((with, tally): &'a (UserName, Tally)) -> Self {
        Self { with: with.as_raw(), tally: tally.into() }
    }
}

impl From<&Limits> for LimitsData {
    fn from(limits: &Limits) -> Self {
        Self {
            body_bytes_max: limits.body_bytes_max,
            frame_bytes_max: limits.frame_bytes_max,
            attachments_max: limits.attachments_max,
            history_max: limits.history_messages_max,
            rooms_max: limits.rooms_per_user_max,
        }
    }
}
