//! The reply to a request that changes a membership: data until the change is stored.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{
    chat::{
        hub::{Hub, JoinedRoom, LiveRoom, UserConnectionId},
        ports::{ChangeResult, JoinRefusal, StoredSpan},
        request::{Answer, ReplyCallback},
    },
    domain::{Rejection, RoomName, UserName},
};

/// What the reply to a change contains besides the result.
pub(crate) enum ChangeReply {
    /// `join`: the state of the room for the connection.
    Joined { connection: UserConnectionId, room: RoomName },
    /// `leave`.
    Left { live_room: Arc<LiveRoom>, user: UserName },
    /// `read`.
    Read,
    /// `mute`.
    Muted,
    /// A change of another user's membership.
    OfOtherUser(Answer),
}

/// A reply that waits for the result of its change.
pub(crate) struct PendingChange {
    pub(crate) change_reply: ChangeReply,
    pub(crate) callback: ReplyCallback,
    /// Wakes the session, where its next request depends on the change.
    pub(crate) finished: Option<oneshot::Sender<()>>,
    /// Of a request that is sampled.
    pub(crate) span: Option<Box<StoredSpan>>,
}

impl PendingChange {
    /// Answers after the change was stored and applied to the hub.
    pub(crate) fn complete(self, hub: &Hub, changed: &ChangeResult) {
        let Self { change_reply, callback, finished, span } = self;
        // Its step, the publication, is over.
        drop(span);
        match change_reply.with_result(changed) {
            Ok(Completed::Answer(answer)) => callback(Ok(answer)),
            Ok(Completed::Find(connection, room)) => {
                hub.users.find_room(&connection, &room, |found| callback(found.map(joined)));
            }
            Err(rejection) => callback(Err(rejection)),
        }
        // The session may have ended.
        finished.map(|it| it.send(()).ok());
    }

    /// Answers a change that was not stored.
    pub(crate) fn reject(self, rejection: Rejection) {
        drop(self.span);
        (self.callback)(Err(rejection));
        self.finished.map(|it| it.send(()).ok());
    }
}

/// The answer to `join` from the state of the room.
pub(crate) fn joined(JoinedRoom { live_room, state }: JoinedRoom) -> Answer {
    Answer::Joined { state, count: live_room.count() }
}

enum Completed {
    Answer(Answer),
    /// The answer is made of the room's state under the hub's lock, so that it precedes any later
    /// change of the membership.
    Find(UserConnectionId, RoomName),
}

impl ChangeReply {
    fn with_result(self, changed: &ChangeResult) -> Result<Completed, Rejection> {
        let ChangeResult { before, after, log: _, topic: _, deleted: _, refused } = *changed;
        match self {
            Self::Joined { connection, room } => match refused {
                Some(JoinRefusal::TooManyRooms) => Err(Rejection::TooManyRooms),
                Some(JoinRefusal::NotNew) => Err(Rejection::RoomForbidden),
                None => Ok(Completed::Find(connection, room)),
            },
            Self::Left { live_room, user } => {
                before.ok_or(Rejection::NotMember)?;
                let (room, seq) = (live_room.room(), live_room.log().head.seq);
                let count = live_room.count_without(&user);
                Ok(Completed::Answer(Answer::Left { room, seq, count }))
            }
            Self::Read => {
                let read = after.map(|it| it.read).unwrap_or_default();
                let unread = changed.unread();
                Ok(Completed::Answer(Answer::Read { seq: read.seq, unread }))
            }
            Self::Muted => {
                let member = after.ok_or(Rejection::NotMember)?;
                Ok(Completed::Answer(Answer::Muted(member.muted)))
            }
            Self::OfOtherUser(answer) => match (before, after) {
                (None, None) if refused.is_some() => Err(Rejection::TooManyRooms),
                // Another change has removed the member before.
                (None, None) => Err(Rejection::NoSuchUser),
                _ => Ok(Completed::Answer(answer)),
            },
        }
    }
}

impl ChangeReply {
    /// Waits for the change with a callback and without a session that waits.
    pub(crate) fn pending(self, callback: ReplyCallback) -> PendingChange {
        PendingChange { change_reply: self, callback, finished: None, span: StoredSpan::queued() }
    }
}
