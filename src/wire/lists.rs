//! Pages of members and rooms, as sessions read them.

use serde::Serialize;

use super::payload::Timestamp;
use crate::{
    chat::{DirectoryRoom, MemberPage, RoomMember, RoomPage},
    domain::{DisplayName, RoomName, RoomTopic, UserName},
};

/// `members`.
#[derive(Debug, Serialize)]
pub(super) struct MembersData<'a> {
    room: &'a str,
    members: Vec<MemberData<'a>>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberData<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    role: &'static str,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Timestamp>,
}

/// `rooms`.
#[derive(Debug, Serialize)]
pub(super) struct RoomsData<'a> {
    rooms: Vec<RoomData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct RoomData<'a> {
    room: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    members: u64,
    online: usize,
    joined: bool,
}

impl<'a> From<&'a MemberPage> for MembersData<'a> {
    fn from(page: &'a MemberPage) -> Self {
        let MemberPage { room, members, total, next } = page;
        let next = next.as_ref().map(UserName::as_raw);
        let members = members.iter().map(MemberData::from).collect();
        Self { room: room.as_raw(), members, total: *total, next }
    }
}

impl<'a> From<&'a RoomMember> for MemberData<'a> {
    fn from(member: &'a RoomMember) -> Self {
        let RoomMember { user, name, role, online, last_seen } = member;
        Self {
            user: user.as_raw(),
            name: name.as_ref().map(DisplayName::as_raw),
            role: role.as_raw(),
            online: *online,
            last_seen: last_seen.map(Timestamp),
        }
    }
}

impl<'a> From<&'a RoomPage> for RoomsData<'a> {
    fn from(page: &'a RoomPage) -> Self {
        let RoomPage { rooms, next } = page;
        let next = next.as_ref().map(RoomName::as_raw);
        Self { rooms: rooms.iter().map(RoomData::from).collect(), next }
    }
}

impl<'a> From<&'a DirectoryRoom> for RoomData<'a> {
    fn from(listed: &'a DirectoryRoom) -> Self {
        let DirectoryRoom { room, topic, members, online, joined } = listed;
        Self {
            room: room.as_raw(),
            topic: topic.as_ref().map(RoomTopic::as_raw),
            members: *members,
            online: *online,
            joined: *joined,
        }
    }
}
