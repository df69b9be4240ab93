//! `topic`: what a room is about.

use super::Session;
use crate::{
    chat::{ReplyCallback, posting::Author},
    domain::{Place, Rejection, Role, RoomName, RoomTopic},
};

impl Session {
    /// Sets the topic of a room, or removes it: permitted for its admins.
    pub(super) async fn set_topic(
        &mut self,
        room: Option<RoomName>,
        topic: Option<RoomTopic>,
        answer: ReplyCallback,
    ) {
        let room = self.room_or_default(room);
        match self.topic_author(&room) {
            Ok((place, author)) => self.chat.post_topic(author, (place, room), topic, answer).await,
            Err(rejection) => answer(Err(rejection)),
        }
    }

    /// The place of a room, and this session's user as the author of its topic.
    fn topic_author(&mut self, room: &RoomName) -> Result<(Place, Author), Rejection> {
        let (live_room, role) = self.room(room)?;
        self.check_rate()?;
        if !role.may_moderate() {
            return Err(Rejection::Forbidden);
        }
        let place = live_room.place().clone();
        let author = self.author(&place.conversation, Role::may_moderate)?;
        Ok((place, author))
    }
}
