//! The lists that users page through: members of a room, and rooms.

use super::Session;
use crate::{
    chat::{Answer, DirectoryRoom, ListRange, ListedRoom, Reply, RoomPage, directory::FoundRows},
    domain::{Grant, NameQuery, RoomName, UserName},
};

impl Session {
    /// `members`: the members of a room, for its members.
    pub(super) async fn list_members(
        &mut self,
        room: Option<RoomName>,
        query: Option<&NameQuery>,
        range: ListRange<UserName>,
    ) -> Reply {
        let room = self.room_or_default(room);
        let (live_room, _) = self.room(&room)?;
        self.check_rate()?;
        let place = live_room.place().clone();
        let page = self.chat.member_page(&place, room.clone(), query, range).await;
        // A user who was removed meanwhile does not get the page.
        self.room(&room).and(page.map(Answer::Members))
    }

    /// `rooms`: the rooms that the user is in, and the public ones that the token opens.
    pub(super) async fn list_rooms(
        &mut self,
        query: Option<&NameQuery>,
        range: ListRange<RoomName>,
    ) -> Reply {
        let rights = &self.identity()?.rights;
        let (opened, rules) = (rights.rooms.clone(), self.chat.rules.rooms.get());
        self.check_rate()?;
        let is_public =
            |room: &RoomName| rules.is_public(room) && opened.grant(room) != Grant::Closed;
        let is_listed = |room: &RoomName| is_public(room) || self.room(room).is_ok();
        let space = &self.origin.space;
        let found = self.chat.find_rooms(space, query, range, is_listed).await?;
        let FoundRows { rows: rooms, next } = found;
        let room = |ListedRoom { room, log, topic, online }| {
            let (joined, members) = (self.room(&room).is_ok(), log.members);
            DirectoryRoom { room, topic, members, online, joined }
        };
        Ok(Answer::Rooms(RoomPage { rooms: rooms.into_iter().map(room).collect(), next }))
    }
}
