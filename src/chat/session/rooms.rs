//! Joining, leaving, asking who is here; and coming back to a room without a seam.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Answerer, Reply,
        event::{Delivery, Event},
        hub::{
            self, ATTACHMENTS_PER_EVENT_MAX, Cause, Cursor, Found, LastPart, LineId, Lookout,
            MISSED_BYTES_MAX, Reach, Telling, Topic,
        },
        journal::Petition,
        ports::{Change, Changed, MemberChange, PageLimit, Range, Refusal},
    },
    domain::{CloseReason, Conversation, Entry, Epoch, Place, Rejection, RoomName, Seq},
};

/// How much of a replay is read from the store at once.
const REPLAY: PageLimit =
    PageLimit { messages: 200, bytes: MISSED_BYTES_MAX, attachments: ATTACHMENTS_PER_EVENT_MAX };

impl Session {
    pub(super) async fn join(
        &mut self,
        room: Option<RoomName>,
        since: Option<(Seq, Option<Epoch>)>,
        answer: Answerer,
    ) {
        let room = self.room_or_home(room);
        let since = since.map(|(seq, epoch)| self.chat.since(seq, epoch.as_ref()));
        let cursor = since.map(|after| Cursor { after, telling: Telling::Missed });
        match self.room(&room) {
            Ok((topic, _)) => self.join_again(topic, room, cursor, answer).await,
            Err(_away) => self.join_anew(room, cursor, answer).await,
        }
    }

    /// Answers who is there already, and sends again what they say they lack.
    async fn join_again(
        &self,
        topic: Arc<Topic>,
        room: RoomName,
        cursor: Option<Cursor>,
        answer: Answerer,
    ) {
        if let Some(cursor) = cursor {
            topic.pause(self.registration.id());
            if let Err(rejection) = self.catch_up(&topic, cursor).await {
                return answer(Err(rejection));
            }
        }
        match self.line() {
            Ok(line) => self.chat.hub.find(&line, &room, |found| answer(found.map(joined))),
            Err(rejection) => answer(Err(rejection)),
        }
    }

    async fn join_anew(&self, room: RoomName, cursor: Option<Cursor>, answer: Answerer) {
        let (line, change) = match self.joining(&room) {
            Ok(joining) => joining,
            Err(rejection) => return answer(Err(rejection)),
        };
        let lookout = match self.look_out(&change.place).await {
            Ok(lookout) => lookout,
            Err(rejection) => return answer(Err(rejection)),
        };
        let connection = self.registration.id();
        let cause = Cause { by: None, origin: Some(connection), since: cursor };
        let (hub, there) = (Arc::clone(&self.chat.hub), room.clone());
        let answer = move |changed: Result<Changed, _>| match changed.map(|it| it.refused) {
            Err(rejection) => answer(Err(rejection)),
            Ok(Some(Refusal::TooManyRooms)) => answer(Err(Rejection::TooManyRooms)),
            Ok(Some(Refusal::NotNew)) => answer(Err(Rejection::RoomForbidden)),
            Ok(None) => hub.find(&line, &there, |found| answer(found.map(joined))),
        };
        self.change(change, cause, answer).await;
        drop(lookout);
        if let (Some(cursor), Ok((topic, _))) = (cursor, self.room(&room))
            && topic.reach(connection) != Reach::Live
            && self.catch_up(&topic, cursor).await.is_err()
        {
            self.outbox.close(CloseReason::Fault);
        }
    }

    /// Has it known here who is in a room on other nodes, before somebody joins it who is to be told.
    async fn look_out(&self, place: &Place) -> Result<Option<Lookout>, Rejection> {
        let (hub, relay) = (&self.chat.hub, &self.chat.relay);
        if hub.herald().is_alone() {
            return Ok(None);
        }
        let log = self.chat.store.log(place).await.map_err(|fault| unavailable(&fault))?;
        let lookout = hub.look_out(place, log);
        relay.acquaint(|| vec![place.clone()]).await;
        Ok(Some(lookout))
    }

    /// Who is to join a room, and the change that it is.
    fn joining(&self, room: &RoomName) -> Result<(LineId, Change), Rejection> {
        let identity = self.identity()?;
        let (grant, office) = (identity.rights.rooms.grant(room), identity.rights.office);
        let joining = self.chat.rules.rooms.joining(room, grant, office);
        let joining = joining.ok_or(Rejection::RoomForbidden)?;
        let change = self.change_of(room, MemberChange::Join(joining))?;
        Ok((self.line()?, Change { rooms_max: self.chat.rooms_max(), ..change }))
    }

    pub(super) async fn leave(&mut self, room: Option<RoomName>, answer: Answerer) {
        let room = self.room_or_home(room);
        let leaving = self
            .room(&room)
            .and_then(|(topic, _)| Ok((topic, self.change_of(&room, MemberChange::Leave)?)));
        let (topic, change) = match leaving {
            Ok(leaving) => leaving,
            Err(rejection) => return answer(Err(rejection)),
        };
        let cause = Cause { origin: Some(self.registration.id()), ..Cause::default() };
        let user = change.user.clone();
        let answer = move |changed: Result<Changed, _>| {
            answer(changed.and_then(|changed| {
                changed.before.ok_or(Rejection::NotMember)?;
                Ok(Answer::Room {
                    room,
                    seq: topic.log().head.seq,
                    count: topic.count_without(&user),
                })
            }));
        };
        self.change(change, cause, answer).await;
    }

    /// Has a membership changed, and waits: what comes next depends on it. The answer goes out in the
    /// order of the changes, so that nobody hears of an earlier one later.
    async fn change(
        &self,
        change: Change,
        cause: Cause,
        answer: impl FnOnce(Result<Changed, Rejection>) + Send + 'static,
    ) {
        let (told, waiting) = oneshot::channel();
        let done = Box::new(move |changed| {
            answer(changed);
            // A session that is gone does not wait.
            told.send(()).ok();
        });
        self.chat.journal.petition(Petition { change, cause, done }).await;
        waiting.await.ok();
    }

    /// This session's connection, as the hub knows it.
    fn line(&self) -> Result<LineId, Rejection> {
        self.identity()?.residence.line().ok_or(Rejection::NotIdentified)
    }

    /// A change of this session's user in a room.
    fn change_of(&self, room: &RoomName, what: MemberChange) -> Result<Change, Rejection> {
        let user = self.identity()?.user().clone();
        let place = self.at(Conversation::Room(room.clone()));
        Ok(Change { place, user, what, rooms_max: None })
    }

    pub(super) fn group_list(&self, room: Option<RoomName>) -> Reply {
        let room = self.room_or_home(room);
        let (users, count) = self.room(&room)?.0.users(self.chat.limits());
        Ok(Answer::Users { room, users, count })
    }

    /// Sends everything past the cursor, until what happens follows by itself.
    pub(super) async fn catch_up(
        &self,
        topic: &Arc<Topic>,
        mut cursor: Cursor,
    ) -> Result<(), Rejection> {
        let limits = self.chat.limits();
        loop {
            let (reach, too_slow) = topic.catch_up(self.registration.id(), cursor, limits);
            hub::close(too_slow);
            match reach {
                Reach::Live | Reach::Away => return Ok(()),
                Reach::Ahead => {
                    let reached = self.chat.relay.reach(topic.place(), cursor.after).await;
                    if !reached.map_err(|fault| unavailable(&fault))? {
                        // No log has what they know.
                        cursor.after = Seq::MAX;
                    }
                }
                Reach::Behind => {
                    if !self.warm(topic).await? {
                        cursor = self.replay(topic, cursor).await?;
                    }
                }
            }
        }
    }

    /// Has a room's ring filled from the store, unless it was before. Answers whether it was now.
    async fn warm(&self, topic: &Topic) -> Result<bool, Rejection> {
        let limits = self.chat.limits();
        let newest = PageLimit {
            messages: u32::try_from(limits.ring_messages_max.get()).unwrap_or(u32::MAX),
            bytes: limits.ring_bytes_max.get() / 2,
            attachments: usize::MAX,
        };
        let read = async || {
            let page = self.chat.store.page(topic.place(), Range::Newest, newest).await;
            page.map(|page| page.entries)
        };
        topic.warm(limits, read).await.map_err(|fault| unavailable(&fault))
    }

    /// Sends a part of what lies past the cursor from the store. Answers how far it goes.
    async fn replay(&self, topic: &Topic, cursor: Cursor) -> Result<Cursor, Rejection> {
        self.outbox.relieved().await;
        let head = topic.log().head.seq;
        let page = self.chat.store.page(topic.place(), Range::After(cursor.after), REPLAY).await;
        let mut entries = page.map_err(|fault| unavailable(&fault))?.entries;
        if entries.first().is_some_and(|first| first.seq() != cursor.after.next()) {
            // What comes next is not kept any more, though it was a moment ago.
            return Ok(Cursor { after: Seq::MAX, telling: Telling::Missed });
        }
        // What is stored beyond the head is yet to be delivered to whoever is up to date by then.
        entries.retain(|entry| entry.seq() <= head);
        let Some(after) = entries.last().map(Entry::seq) else {
            // The head was delivered, so it is stored: a store that does not find it is broken.
            return Err(Rejection::Internal);
        };
        let run: Vec<_> = entries.into_iter().map(|it| Delivery::new(Event::Entry(it))).collect();
        let parts = match cursor.telling {
            Telling::Missed => hub::missed(&topic.room(), run, LastPart::No),
            Telling::Live => run,
        };
        for part in &parts {
            hub::send(&self.outbox, part);
        }
        Ok(Cursor { after, ..cursor })
    }
}

/// What somebody is told who joined, or was there.
fn joined(found: Found) -> Answer {
    let Found { topic, state } = found;
    Answer::Joined { state, count: topic.count() }
}
