//! Pages of lists: the queries that ask for them, and the answers.

use serde::Serialize;

use super::query::{Parameter, ParameterType, Query, SPACE, parameter};
use crate::{
    chat::{
        ApiQuestion, ApiTopic, ConnectionPage, ListPage, ListRange, ListedMember, ListedRoom,
        ListedUser, RoomDetails,
        ports::{OpenConnection, Peer},
    },
    domain::{DeviceId, NameQuery, Position, RoomName, RoomTopic, UserName},
    wire::{
        action::{address, room_name, user_name},
        event::NamesData,
        invalid_data::{InvalidData, of_key},
        payload::{self, Timestamp},
    },
};

/// Items of a page if the query names no limit.
const PAGE_ITEMS: u32 = 100;
/// The most items of a page.
pub(super) const PAGE_ITEMS_MAX: u32 = 1000;
/// The most rooms of a page: the node follows each for a moment, to count who is online.
const PAGE_ROOMS_MAX: u32 = 100;

/// The parameters of [`users_question`].
pub const USERS: &[Parameter] = &[SPACE, AFTER_USER, LIMIT];
/// The parameters of [`connections_question`].
pub const CONNECTIONS: &[Parameter] = &[
    SPACE,
    parameter("user", ParameterType::Text("user-name"), "Those of this user alone."),
    parameter("after", ParameterType::Text("connection"), AFTER),
    LIMIT,
];
/// The parameters of [`rooms_question`].
pub const ROOMS: &[Parameter] = &[
    SPACE,
    parameter(
        "query",
        ParameterType::Text("name-query"),
        "Those of which a word of the name or of the topic begins so.",
    ),
    parameter("after", ParameterType::Text("room-name"), AFTER),
    parameter("limit", ParameterType::Range(1, PAGE_ROOMS_MAX), "How many rooms; 100 if left out."),
];
/// The parameters of [`room_question`].
pub const ROOM: &[Parameter] =
    &[parameter("room", ParameterType::RequiredText("room-name"), "The room."), SPACE];
/// The parameters of [`members_question`].
pub const MEMBERS: &[Parameter] = &[
    parameter("room", ParameterType::RequiredText("room-name"), "The room."),
    SPACE,
    MEMBER_QUERY,
    AFTER_USER,
    LIMIT,
];

const MEMBER_QUERY: Parameter = parameter(
    "query",
    ParameterType::Text("name-query"),
    "Those of whom a word of the name or of the display name begins so.",
);

pub(super) const AFTER: &str = "The `next` of the page before.";
pub(super) const AFTER_USER: Parameter =
    parameter("after", ParameterType::Text("user-name"), AFTER);
pub(super) const LIMIT: Parameter =
    parameter("limit", ParameterType::Range(1, PAGE_ITEMS_MAX), "How many items; 100 if left out.");

/// `space?`, `after?` (a user), `limit?`.
pub fn users_question(query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, USERS)?;
    let range = range(&query, user_name, PAGE_ITEMS_MAX)?;
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::Users(range) })
}

/// `space?`, `user?`, `after?` (a connection), `limit?`.
pub fn connections_question(query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, CONNECTIONS)?;
    let user = query.one("user")?.map(user_name).transpose()?;
    let range = range(&query, address, PAGE_ITEMS_MAX)?;
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::Connections { user, range } })
}

/// `space?`, `query?`, `after?` (a room), `limit?`.
pub fn rooms_question(query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, ROOMS)?;
    let range = range(&query, room_name, PAGE_ROOMS_MAX)?;
    let topic = ApiTopic::Rooms { query: name_query(&query)?, range };
    Ok(ApiQuestion { space: query.space()?, topic })
}

/// `space?`.
pub fn room_question(room: &str, query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, &[SPACE])?;
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::Room(room_name(room)?) })
}

/// `space?`, `query?`, `after?` (a user), `limit?`.
pub fn members_question(room: &str, query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, &[SPACE, MEMBER_QUERY, AFTER_USER, LIMIT])?;
    let range = range(&query, user_name, PAGE_ITEMS_MAX)?;
    let topic = ApiTopic::Members { room: room_name(room)?, query: name_query(&query)?, range };
    Ok(ApiQuestion { space: query.space()?, topic })
}

/// `query?`: how a word begins.
fn name_query(query: &Query<'_>) -> Result<Option<NameQuery>, InvalidData> {
    let parse = |text| NameQuery::parse(text).map_err(|rejection| of_key("query", &rejection));
    query.one("query")?.map(parse).transpose()
}

/// `after?` and `limit?` of a page of up to `max` items.
pub(super) fn range<C>(
    query: &Query<'_>,
    cursor: impl FnOnce(&str) -> Result<C, InvalidData>,
    max: u32,
) -> Result<ListRange<C>, InvalidData> {
    let after = query.one("after")?.map(cursor).transpose()?;
    let limit = query.limit(max)?.unwrap_or(PAGE_ITEMS);
    Ok(ListRange { after, limit: usize::try_from(limit).unwrap_or(usize::MAX) })
}

/// A page: its items, how many there are in all, and the `after` of the next page, if there is one.
#[derive(Serialize)]
struct PageData<'a, T> {
    #[serde(flatten)]
    items: T,
    #[serde(skip_serializing_if = "NamesData::is_empty")]
    names: NamesData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct UsersData<'a> {
    users: Vec<UserData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserData<'a> {
    user: &'a str,
    devices: usize,
    device_ids: Vec<&'a str>,
}

#[derive(Serialize)]
struct ConnectionsData<'a> {
    connections: Vec<ConnectionData<'a>>,
    complete: bool,
}

#[derive(Serialize)]
struct ConnectionData<'a> {
    connection: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    since: Timestamp,
    node: &'a str,
}

#[derive(Serialize)]
struct RoomsData<'a> {
    rooms: Vec<RoomData<'a>>,
}

#[derive(Serialize)]
struct RoomData<'a> {
    room: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    members: u64,
    online: usize,
    /// The last entry.
    seq: u64,
    /// Number of messages that are kept.
    messages: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

#[derive(Serialize)]
struct MembersData<'a> {
    members: Vec<MemberData<'a>>,
}

#[derive(Serialize)]
struct MemberData<'a> {
    user: &'a str,
    role: &'static str,
    online: bool,
    devices: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined: Option<Timestamp>,
}

/// A page of rooms, as JSON text.
pub(super) fn rooms(page: &ListPage<ListedRoom, RoomName>) -> String {
    let rooms = page.items.iter().map(RoomData::from).collect();
    json(page, RoomsData { rooms }, |next| next.as_raw().to_owned())
}

/// One room, as JSON text.
pub(super) fn room(details: &RoomDetails) -> String {
    let RoomDetails { room, at } = details;
    payload::json(&RoomData { at: at.map(Timestamp), ..room.into() })
}

/// A page of the members of a room, as JSON text.
pub(super) fn members(page: &ListPage<ListedMember>) -> String {
    let members = page.items.iter().map(MemberData::from).collect();
    json(page, MembersData { members }, |next| next.as_raw().to_owned())
}

/// A page of the users who are online, as JSON text.
pub(super) fn users(page: &ListPage<ListedUser>) -> String {
    let users = page.items.iter().map(UserData::from).collect();
    json(page, UsersData { users }, |next| next.as_raw().to_owned())
}

/// A page of connections, as JSON text.
pub(super) fn connections(answer: &ConnectionPage) -> String {
    let ConnectionPage { page, complete } = answer;
    let connections = page.items.iter().map(ConnectionData::from).collect();
    let data = ConnectionsData { connections, complete: *complete };
    json(page, data, ToString::to_string)
}

/// A page, as JSON text. `cursor` writes where the next one begins.
pub(super) fn json<T, C>(
    page: &ListPage<T, C>,
    items: impl Serialize,
    cursor: impl FnOnce(&C) -> String,
) -> String {
    let next = page.next.as_ref().map(cursor);
    let names = NamesData::from(&page.names);
    payload::json(&PageData { items, names, total: page.total, next })
}

impl<'a> From<&'a ListedUser> for UserData<'a> {
    fn from(listed: &'a ListedUser) -> Self {
        let ListedUser { user, devices } = listed;
        Self {
            user: user.as_raw(),
            devices: devices.count(),
            device_ids: devices.named().map(DeviceId::as_raw).collect(),
        }
    }
}

impl<'a> From<&'a ListedRoom> for RoomData<'a> {
    fn from(listed: &'a ListedRoom) -> Self {
        let ListedRoom { room, log, topic, online } = listed;
        Self {
            room: room.as_raw(),
            topic: topic.as_ref().map(RoomTopic::as_raw),
            members: log.members,
            online: *online,
            seq: log.head.seq.as_raw(),
            messages: log.unread(Position::ZERO, 0),
            at: None,
        }
    }
}

impl<'a> From<&'a ListedMember> for MemberData<'a> {
    fn from(listed: &'a ListedMember) -> Self {
        let ListedMember { user, role, joined_at, devices } = listed;
        let (user, role, joined) = (user.as_raw(), role.as_raw(), joined_at.map(Timestamp));
        Self { user, role, online: *devices > 0, devices: *devices, joined }
    }
}

impl<'a> From<&'a OpenConnection> for ConnectionData<'a> {
    fn from(open: &'a OpenConnection) -> Self {
        let OpenConnection { address: connection, user, peer, since, rooms: _ } = open;
        let Peer { carrier, address } = peer;
        Self {
            connection: connection.to_string(),
            user: user.as_ref().map(UserName::as_raw),
            transport: carrier.as_str(),
            address: address.as_deref(),
            since: Timestamp(*since),
            node: connection.node.as_raw(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ConnectionAddress;

    #[test]
    fn a_page_is_asked_for_with_a_cursor_and_a_limit() {
        let topic = |query| users_question(query).unwrap().topic;
        assert_eq!(topic(""), ApiTopic::Users(ListRange { after: None, limit: 100 }));
        let after = Some(UserName::from_raw("ann b"));
        assert_eq!(
            topic("after=ann%20b&limit=1000"),
            ApiTopic::Users(ListRange { after, limit: 1000 })
        );
        let question = connections_question("user=ann&after=n.c1f&space=/shop").unwrap();
        assert_eq!(question.space.as_raw(), "/shop");
        let after = Some(ConnectionAddress::parse("n.c1f").unwrap());
        let (user, range) = (Some(UserName::from_raw("ann")), ListRange { after, limit: 100 });
        assert_eq!(question.topic, ApiTopic::Connections { user, range });
    }

    #[test]
    fn other_queries_are_refused_with_the_reason() {
        for (query, why) in [
            ("limit=0", "`limit` is 1 to 1000"),
            ("limit=1001", "`limit` is 1 to 1000"),
            ("limit=-1", "`limit` must be a whole number"),
            ("after=", "a name has"),
            ("after=a&after=b", "same thing twice"),
            ("user=a", "there is no key `user`; there are `space`, `after`, `limit`"),
            ("space=shop", "\"shop\" is not a space"),
        ] {
            let reason = users_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        for (query, why) in [
            ("limit=101", "1 to 100"),
            ("after=", "a room name"),
            ("user=a", "user"),
            ("query=+", "`query`: a query has 1"),
        ] {
            let reason = rooms_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        let reason = members_question("news", "query=").unwrap_err().to_string();
        assert!(reason.contains("`query`: a query has 1 to 64 characters"), "{reason}");
        assert!(members_question("", "").unwrap_err().to_string().contains("a room name"));
        assert!(room_question("news", "after=a").unwrap_err().to_string().contains("`after`"));
        let reason = connections_question("after=c1f").unwrap_err().to_string();
        assert!(reason.contains("\"c1f\" is not a connection"), "{reason}");
    }
}
