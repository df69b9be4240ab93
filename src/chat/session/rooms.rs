//! Joining, leaving and listing rooms, and the replay of missed entries.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        event::{Delivery, Event},
        hub::{
            self, ATTACHMENTS_PER_EVENT_MAX, Cause, LastPart, LiveRoom, MISSED_BYTES_MAX,
            ReplayCursor, ReplayMode, ReplayStatus, RoomInterest, UserConnectionId,
        },
        journal::{ChangeReply, MembershipRequest, PendingChange, joined},
        ports::{Change, MemberChange, MetricEvent, MissedSource, PageLimit, PageRange},
    },
    domain::{CloseReason, Conversation, Entry, Epoch, Place, Rejection, RoomName, Seq},
};

/// The page size of a replay from the store.
const REPLAY: PageLimit =
    PageLimit { messages: 200, bytes: MISSED_BYTES_MAX, attachments: ATTACHMENTS_PER_EVENT_MAX };

impl Session {
    pub(super) async fn join(
        &mut self,
        room: Option<RoomName>,
        since: Option<(Seq, Option<Epoch>)>,
        answer: ReplyCallback,
    ) {
        let room = self.room_or_default(room);
        let since = since.map(|(seq, epoch)| self.chat.resolve_since(seq, epoch.as_ref()));
        let cursor = since.map(|after| ReplayCursor { after, mode: ReplayMode::Missed });
        match self.room(&room) {
            Ok((live_room, _)) => self.rejoin(live_room, room, cursor, answer).await,
            Err(_not_joined) => self.join_new(room, cursor, answer).await,
        }
    }

    /// Answers a join of a room that the connection is in, after a replay of what the client lacks.
    async fn rejoin(
        &self,
        live_room: Arc<LiveRoom>,
        room: RoomName,
        cursor: Option<ReplayCursor>,
        answer: ReplyCallback,
    ) {
        if let Some(cursor) = cursor {
            live_room.pause(self.registration.id());
            if let Err(rejection) = self.catch_up(&live_room, cursor).await {
                return answer(Err(rejection));
            }
        }
        match self.user_connection() {
            Ok(user_connection) => {
                self.chat
                    .hub
                    .users
                    .find_room(&user_connection, &room, |found| answer(found.map(joined)));
            }
            Err(rejection) => answer(Err(rejection)),
        }
    }

    async fn join_new(&self, room: RoomName, cursor: Option<ReplayCursor>, answer: ReplyCallback) {
        let (user_connection, change) = match self.join_change(&room).await {
            Ok(join_change) => join_change,
            Err(rejection) => return answer(Err(rejection)),
        };
        let interest = match self.register_interest(&change.place).await {
            Ok(interest) => interest,
            Err(rejection) => return answer(Err(rejection)),
        };
        let connection = self.registration.id();
        let cause = Cause { by: None, origin: Some(connection), since: cursor };
        let joined = ChangeReply::Joined { connection: user_connection, room: room.clone() };
        self.change(change, cause, joined.pending(answer)).await;
        drop(interest);
        if let (Some(cursor), Ok((live_room, _))) = (cursor, self.room(&room))
            && live_room.replay_status(connection) != ReplayStatus::Live
            && self.catch_up(&live_room, cursor).await.is_err()
        {
            self.outbox.close(CloseReason::Fault);
        }
    }

    /// Loads the room's users of the other nodes before a user joins, so that the answer has them.
    async fn register_interest(&self, place: &Place) -> Result<Option<RoomInterest>, Rejection> {
        let (hub, cluster) = (&self.chat.hub, &self.chat.cluster);
        if hub.publisher.is_alone() {
            return Ok(None);
        }
        let log = self.chat.store.log(place).await.map_err(|fault| unavailable(&fault))?;
        let interest = hub.live_rooms.register_interest(place, log);
        cluster.wait_for_rosters(|| vec![place.clone()]).await;
        Ok(Some(interest))
    }

    /// The user that joins a room, and the membership change.
    async fn join_change(&self, room: &RoomName) -> Result<(UserConnectionId, Change), Rejection> {
        let identity = self.identity()?;
        let (grant, global_role) = (identity.rights.rooms.grant(room), identity.rights.global_role);
        let join_mode = self.chat.rules.rooms.get().join_mode(room, grant, global_role);
        let join_mode = join_mode.ok_or(Rejection::RoomForbidden)?;
        let join_mode = self.approve_join(identity.acting_user(), room, join_mode).await?;
        let change = self.change_of(room, MemberChange::Join(join_mode))?;
        Ok((self.user_connection()?, Change { rooms_max: self.chat.rooms_max(), ..change }))
    }

    pub(super) async fn leave(&mut self, room: Option<RoomName>, answer: ReplyCallback) {
        let room = self.room_or_default(room);
        let leaving = self.room(&room).and_then(|(live_room, _)| {
            Ok((live_room, self.change_of(&room, MemberChange::Leave)?))
        });
        let (live_room, change) = match leaving {
            Ok(leaving) => leaving,
            Err(rejection) => return answer(Err(rejection)),
        };
        let cause = Cause { origin: Some(self.registration.id()), ..Cause::default() };
        let user = change.user.clone();
        let left = ChangeReply::Left { live_room, user };
        self.change(change, cause, left.pending(answer)).await;
    }

    /// Changes a membership and waits for the result, because the next request depends on it.
    /// Answers are sent in the order of the changes.
    async fn change(&self, change: Change, cause: Cause, reply: PendingChange) {
        let (finished, waiting) = oneshot::channel();
        let reply = PendingChange { finished: Some(finished), ..reply };
        self.chat.journal.request_membership(MembershipRequest { change, cause, reply }).await;
        waiting.await.ok();
    }

    /// The hub's id of this session's connection.
    fn user_connection(&self) -> Result<UserConnectionId, Rejection> {
        self.identity()?.name_claim.user_connection_id().ok_or(Rejection::NotIdentified)
    }

    /// A membership change of this session's user in a room.
    fn change_of(&self, room: &RoomName, what: MemberChange) -> Result<Change, Rejection> {
        let user = self.identity()?.user().clone();
        let place = self.place_of(Conversation::Room(room.clone()));
        Ok(Change { place, user, what, rooms_max: None })
    }

    pub(super) fn group_list(&self, room: Option<RoomName>) -> Reply {
        let room = self.room_or_default(room);
        let (users, names, count) = self.room(&room)?.0.users(&self.chat.limits());
        Ok(Answer::Users { room, users, names, count })
    }

    /// Sends all entries after the cursor, until the connection receives live events.
    pub(super) async fn catch_up(
        &self,
        live_room: &Arc<LiveRoom>,
        mut cursor: ReplayCursor,
    ) -> Result<(), Rejection> {
        let limits = self.chat.limits();
        loop {
            let (status, full_outboxes) =
                live_room.catch_up(self.registration.id(), cursor, &limits);
            hub::close_slow_readers(full_outboxes);
            match status {
                ReplayStatus::Live | ReplayStatus::NotAttached => return Ok(()),
                ReplayStatus::Ahead => {
                    let reached =
                        self.chat.cluster.deliver_up_to(live_room.place(), cursor.after).await;
                    if !reached.map_err(|fault| unavailable(&fault))? {
                        // No log continues the client's copy.
                        cursor.after = Seq::MAX;
                    }
                }
                ReplayStatus::Behind => {
                    if !self.warm(live_room).await? {
                        cursor = self.replay(live_room, cursor).await?;
                    }
                }
            }
        }
    }

    /// Fills a room's ring from the store, unless it is filled. Returns whether it was filled now.
    async fn warm(&self, live_room: &LiveRoom) -> Result<bool, Rejection> {
        let limits = self.chat.limits();
        let newest = PageLimit {
            messages: u32::try_from(limits.ring_messages_max.get()).unwrap_or(u32::MAX),
            bytes: limits.ring_bytes_max.get() / 2,
            attachments: usize::MAX,
        };
        let read = async || {
            let page =
                self.chat.store.named_page(live_room.place(), PageRange::Newest, newest).await;
            page.map(|page| page.entries)
        };
        live_room.warm(&limits, read).await.map_err(|fault| unavailable(&fault))
    }

    /// Sends a page of entries after the cursor from the store. Returns the new cursor.
    async fn replay(
        &self,
        live_room: &LiveRoom,
        cursor: ReplayCursor,
    ) -> Result<ReplayCursor, Rejection> {
        self.outbox.wait_for_capacity().await;
        let head = live_room.log().head.seq;
        let page = self
            .chat
            .store
            .named_page(live_room.place(), PageRange::After(cursor.after), REPLAY)
            .await;
        let mut entries = page.map_err(|fault| unavailable(&fault))?.entries;
        if entries.first().is_some_and(|first| first.seq() != cursor.after.next()) {
            // The next entries were trimmed a moment ago.
            return Ok(ReplayCursor { after: Seq::MAX, mode: ReplayMode::Missed });
        }
        // Entries after the head are stored but not delivered yet: the connection receives them
        // live.
        entries.retain(|entry| entry.seq() <= head);
        let Some(after) = entries.last().map(Entry::seq) else {
            // The head was delivered, so it is stored. If it is not found, the store is broken.
            return Err(Rejection::Internal);
        };
        let run: Vec<_> = entries.into_iter().map(|it| Delivery::new(Event::Entry(it))).collect();
        let parts = match cursor.mode {
            ReplayMode::Missed => {
                let name = |entry: &Entry| entry.author_name.clone();
                hub::missed(&live_room.room(), run, name, LastPart::No)
            }
            ReplayMode::Live => run,
        };
        for part in &parts {
            hub::send(&self.outbox, part);
        }
        if cursor.mode == ReplayMode::Missed {
            self.chat.metrics.record(MetricEvent::MissedSent(MissedSource::Store));
        }
        Ok(ReplayCursor { after, ..cursor })
    }
}
