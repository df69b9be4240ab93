//! Joining, leaving, asking who is here; and coming back to a room without a seam.

use std::sync::Arc;

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Reply,
        event::{Delivery, Event, Missed, Run},
        hub::{
            self, ATTACHMENTS_PER_EVENT_MAX, Attached, Attempt, Cursor, LastPart, MISSED_BYTES_MAX,
            Standing, Telling, Topic,
        },
        ports::{PageLimit, Range},
    },
    domain::{Recovery, Rejection, RoomName, Seq, recovery},
};

/// How much of a replay is read from the store at once.
const REPLAY: PageLimit =
    PageLimit { messages: 200, bytes: MISSED_BYTES_MAX, attachments: ATTACHMENTS_PER_EVENT_MAX };

impl Session {
    pub(super) async fn join(&mut self, room: Option<RoomName>, since: Option<Seq>) -> Reply {
        let room = self.room_or_home(room);
        let identity = self.identity()?;
        if !identity.rights.rooms.admit(&room) {
            return Err(Rejection::RoomForbidden);
        }
        let rooms = &identity.rooms;
        let standing = if room == self.origin.home { Standing::Home } else { Standing::Visit };
        match rooms.get(&room) {
            Some(here) if since.is_none() => {
                let topic = here.topic();
                let seq = topic.head().unwrap_or_default();
                return Ok(Answer::Room { room, seq, count: topic.count() });
            }
            None if rooms.len() >= self.chat.limits().rooms_per_connection_max.get() => {
                return Err(Rejection::TooManyRooms);
            }
            // Who says what they have is attached anew: replay and live have no seam then.
            Some(_) | None => (),
        }
        let (topic, head) = self.topic(&room).await?;
        let cursor = match since {
            Some(after) => Cursor { after, telling: Telling::Missed },
            None => Cursor { after: head, telling: Telling::Live },
        };
        let seq = self.attach(Arc::clone(&topic), room.clone(), standing, cursor).await?;
        Ok(Answer::Room { room, seq, count: topic.count() })
    }

    pub(super) fn leave(&mut self, room: Option<RoomName>) -> Reply {
        let room = self.room_or_home(room);
        let identity = self.identity.as_mut().ok_or(Rejection::NotIdentified)?;
        let attachment = identity.rooms.remove(&room).ok_or(Rejection::NotMember)?;
        let topic = Arc::clone(attachment.topic());
        attachment.leave();
        let (seq, count) = (topic.head().unwrap_or_default(), topic.count());
        self.chat.hub.forget_if_empty(topic);
        Ok(Answer::Room { room, seq, count })
    }

    pub(super) fn group_list(&self, room: Option<RoomName>) -> Reply {
        let room = self.room_or_home(room);
        let (users, count) = self.attachment(&room)?.topic().users(self.chat.limits());
        Ok(Answer::Users { room, users, count })
    }

    /// Attaches to a room at its head, after everything past the cursor was sent. Answers the head.
    pub(super) async fn attach(
        &mut self,
        topic: Arc<Topic>,
        room: RoomName,
        standing: Standing,
        cursor: Cursor,
    ) -> Result<Seq, Rejection> {
        let identity = self.identity.as_mut().ok_or(Rejection::NotIdentified)?;
        // Whoever joins again begins anew: a guard that is dropped later would end its successor.
        drop(identity.rooms.remove(&room));
        let user = identity.user().clone();
        let (connection, outbox) = (self.registration.id(), Arc::clone(&self.outbox));
        let attached = Attached { connection, user, outbox, standing };
        let mut cursor = self.reachable(&topic, &room, cursor);
        loop {
            let (attempt, attachment) = self.chat.hub.attach(&topic, &attached, cursor);
            if let (Attempt::Attached(head), Some(attachment)) = (attempt, attachment) {
                let identity = self.identity.as_mut().ok_or(Rejection::NotIdentified)?;
                identity.rooms.insert(room, attachment);
                return Ok(head);
            }
            cursor.after = self.replay(&topic, &room, cursor).await?;
        }
    }

    /// The cursor, or the head with a plain word where the gap is too large.
    fn reachable(&self, topic: &Topic, room: &RoomName, cursor: Cursor) -> Cursor {
        let head = topic.head().unwrap_or_default();
        match recovery(cursor.after, head, self.chat.limits().recover_messages_max) {
            Recovery::Replay { after } => Cursor { after, ..cursor },
            Recovery::TooFar => {
                let missed = Missed { room: room.clone(), run: Run::TooFar { head } };
                hub::send(&self.outbox, &Delivery::new(Event::Missed(missed)));
                Cursor { after: head, telling: Telling::Live }
            }
        }
    }

    /// Sends a part of what lies past the cursor from the store. Answers where it ends.
    async fn replay(
        &self,
        topic: &Topic,
        room: &RoomName,
        cursor: Cursor,
    ) -> Result<Seq, Rejection> {
        self.outbox.relieved().await;
        let head = topic.head().unwrap_or_default();
        let page = self.chat.store.page(topic.place(), Range::After(cursor.after), REPLAY).await;
        let mut messages = page.map_err(|fault| unavailable(&fault))?.messages;
        // What is stored beyond the head is yet to be delivered to whoever is attached by then.
        messages.retain(|message| message.seq <= head);
        let Some(last) = messages.last().map(|message| message.seq) else {
            // The head was delivered, so it is stored: a store that does not find it is broken.
            return Err(Rejection::Internal);
        };
        let run = messages.into_iter().map(|it| Delivery::new(Event::Message(it))).collect();
        match cursor.telling {
            Telling::Missed => {
                for part in hub::missed(room, run, LastPart::No) {
                    hub::send(&self.outbox, &part);
                }
            }
            Telling::Live => run.iter().for_each(|delivery| hub::send(&self.outbox, delivery)),
        }
        Ok(last)
    }
}
