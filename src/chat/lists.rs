//! The lists that the API pages through: users, connections, rooms and their members.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::{
    Chat, ListRange,
    fault::unavailable,
    hub::ConnectionsOutcome,
    ports::{
        ConnectionsDetail, ConnectionsRequest, FirstConnections, OpenConnection, Page, PageLimit,
        PageRange, RemoteUsers, RoomRow,
    },
};
use crate::domain::{
    ConnectionAddress, DeviceSet, DisplayNames, Log, Place, Rejection, Role, RoomName, RoomTopic,
    Space, UserName,
};

/// A page of a list, and the cursor of type `C` with which the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T, C = UserName> {
    /// The items, in the order of their cursors.
    pub items: Vec<T>,
    /// The display names of the users among the items, where the list has any.
    pub names: DisplayNames,
    /// Number of items in all pages together, where it is known.
    pub total: Option<u64>,
    /// The last item that was looked at, which a search may have left out. `None`: there are no more.
    pub next: Option<C>,
}

/// A user who is connected to any node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The user.
    pub user: UserName,
    /// The devices, on all nodes.
    pub devices: DeviceSet,
}

/// A page of the connections of all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPage {
    /// The page, in the order of the addresses.
    pub page: ListPage<OpenConnection, ConnectionAddress>,
    /// Whether all nodes answered. If not, connections are missing from the page and from its total.
    pub complete: bool,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoom {
    /// The room.
    pub room: RoomName,
    /// The state of its log.
    pub log: Log,
    /// The topic.
    pub topic: Option<RoomTopic>,
    /// Number of users in it who are online, on all nodes.
    pub online: usize,
}

/// A room, and when its last entry was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomDetails {
    /// The room.
    pub room: ListedRoom,
    /// The time of the last entry that is kept.
    pub at: Option<OffsetDateTime>,
}

/// A member of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// The user.
    pub user: UserName,
    /// The role.
    pub role: Role,
    /// When the user became a member, if the store knows.
    pub joined_at: Option<OffsetDateTime>,
    /// Number of devices, on all nodes. 0: the member is not online.
    pub devices: usize,
}

impl<T, C> ListPage<T, C> {
    /// A page of `limit` items, made of one more where there are more, without names and total.
    fn of(mut items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> C) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, names: DisplayNames::new(), total: None, next }
    }
}

impl Chat {
    /// The users who are connected to any node.
    pub(super) async fn list_users(
        &self,
        space: &Space,
        range: ListRange<UserName>,
    ) -> Result<ListPage<ListedUser>, Rejection> {
        let ListRange { after, limit } = range;
        // Each list has all users of the page that it knows, so their devices are complete.
        let remote = self.cluster.remote_users(space, after.as_ref(), limit + 1).await;
        let RemoteUsers { users, not_here } = remote.map_err(|fault| unavailable(&fault))?;
        let (here, here_count) = self.hub.users.list(space, after.as_ref(), limit + 1);
        let mut online = BTreeMap::<UserName, DeviceSet>::new();
        for (user, devices) in here.into_iter().chain(users) {
            online.entry(user).or_default().merge(devices);
        }
        let users = online.into_iter().map(|(user, devices)| ListedUser { user, devices });
        let page = ListPage::of(users.collect(), limit, |it: &ListedUser| it.user.clone());
        let users: Vec<_> = page.items.iter().map(|it| it.user.clone()).collect();
        let names = self.display_names(space, &users).await?;
        Ok(ListPage { names, total: Some((here_count + not_here) as u64), ..page })
    }

    /// The connections of all nodes, or those of one user.
    pub(super) async fn list_connections(
        &self,
        space: Space,
        user: Option<UserName>,
        range: ListRange<ConnectionAddress>,
    ) -> Result<ConnectionPage, Rejection> {
        let ListRange { after, limit } = range;
        let detail = ConnectionsDetail::None;
        let request =
            ConnectionsRequest { space: space.clone(), user, after, count_max: limit + 1, detail };
        let peers = self.cluster.serving_peers();
        let ConnectionsOutcome { first, complete } =
            self.hub.connection_pages.list(request, peers).await?;
        let FirstConnections { connections, total, nodes: _ } = first;
        let page = ListPage::of(connections, limit, |it| it.address.clone());
        let users: BTreeSet<_> = page.items.iter().filter_map(|it| it.user.clone()).collect();
        let users: Vec<_> = users.into_iter().collect();
        let names = self.display_names(&space, &users).await?;
        Ok(ConnectionPage { page: ListPage { names, total: Some(total), ..page }, complete })
    }

    /// A room that has members or entries.
    pub(super) async fn room_details(
        &self,
        space: &Space,
        room: RoomName,
    ) -> Result<RoomDetails, Rejection> {
        let place = Place::room(space, &room);
        let log = self.existing_log(&place).await?;
        let last = PageLimit { messages: 1, bytes: 0, attachments: 0 };
        let page = self.store.page(&place, PageRange::Newest, last).await;
        let Page { entries, more: _ } = page.map_err(|fault| unavailable(&fault))?;
        let topic = self.store.topic(&place).await.map_err(|fault| unavailable(&fault))?;
        let row = RoomRow { room, log, topic };
        let room = self.count_online(space, vec![row]).await.into_iter().next();
        let room = room.ok_or(Rejection::NoSuchRoom)?;
        Ok(RoomDetails { room, at: entries.last().map(|it| it.at) })
    }

    /// The log of a room that has members or entries.
    pub(super) async fn existing_log(&self, place: &Place) -> Result<Log, Rejection> {
        let log = self.store.log(place).await.map_err(|fault| unavailable(&fault))?;
        if log.is_unused() { Err(Rejection::NoSuchRoom) } else { Ok(log) }
    }

    /// Counts who is online in rooms. This node learns who is on the other nodes first, where it has
    /// not followed a room before.
    pub(super) async fn count_online(&self, space: &Space, rooms: Vec<RoomRow>) -> Vec<ListedRoom> {
        let live_rooms = &self.hub.live_rooms;
        let places: Vec<_> = rooms.iter().map(|it| Place::room(space, &it.room)).collect();
        let logs = rooms.iter().map(|it| it.log);
        let interests = places.iter().zip(logs);
        let interests: Vec<_> =
            interests.map(|(place, log)| live_rooms.register_interest(place, log)).collect();
        self.cluster.wait_for_rosters(|| places.clone()).await;
        let count = |(RoomRow { room, log, topic }, place): (RoomRow, &Place)| ListedRoom {
            room,
            log,
            topic,
            online: live_rooms.online_count(place),
        };
        let rooms = rooms.into_iter().zip(&places).map(count).collect();
        drop(interests);
        rooms
    }
}
