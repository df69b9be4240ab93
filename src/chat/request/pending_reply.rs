//! The reply to a request whose draft is in the journal: data until it is sent.

use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;

use super::{Answer, Receipt, Reply, ReplyCallback};
use crate::{
    chat::ports::{Outcome, StoredSpan},
    domain::{MessageId, Rejection, RoomName, RoomTopic, UserName},
};

/// What the reply to a draft contains besides the outcome.
pub(crate) enum DraftReply {
    /// A message to a room.
    Posted { id: MessageId, at: OffsetDateTime, room: RoomName },
    /// A message to a user. `online` is whether the user is online on any node.
    PostedTo { id: MessageId, at: OffsetDateTime, to: UserName, online: bool },
    /// An edit or a deletion. `is_own` is whether the session's user wrote the message.
    Changed { at: OffsetDateTime, is_own: bool },
    /// The topic of a room.
    Topic { room: RoomName, topic: Option<RoomTopic> },
}

impl DraftReply {
    /// The reply once the outcome is known.
    pub(crate) fn with_outcome(self, outcome: Outcome) -> Reply {
        let (seq, stored_at, duplicate) = match outcome {
            Outcome::Stored(position) => (position.seq, None, false),
            Outcome::Duplicate { seq, at } => (seq, Some(at), true),
            Outcome::Conflict => return Err(self.conflict()),
            Outcome::NoMessage => return Err(Rejection::NoSuchMessage),
            Outcome::NotPermitted(None) => return Err(Rejection::NotMember),
            Outcome::NotPermitted(Some(_)) => return Err(self.insufficient_role()),
        };
        Ok(match self {
            Self::Posted { id, at, room } => {
                let receipt = Receipt { id, seq, at: stored_at.unwrap_or(at), duplicate };
                Answer::Posted { receipt, room }
            }
            Self::PostedTo { id, at, to, online } => {
                let receipt = Receipt { id, seq, at: stored_at.unwrap_or(at), duplicate };
                Answer::PostedTo { receipt, to, online }
            }
            Self::Changed { at, is_own: _ } => {
                Answer::Changed { seq, at: stored_at.unwrap_or(at), duplicate }
            }
            Self::Topic { room, topic } => Answer::Topic { room, topic },
        })
    }

    fn conflict(&self) -> Rejection {
        match self {
            Self::Posted { .. } | Self::PostedTo { .. } => Rejection::Conflict,
            Self::Changed { .. } | Self::Topic { .. } => Rejection::NoSuchMessage,
        }
    }

    fn insufficient_role(&self) -> Rejection {
        match self {
            Self::Changed { is_own: false, .. } | Self::Topic { .. } => Rejection::Forbidden,
            Self::Posted { .. } | Self::PostedTo { .. } | Self::Changed { .. } => {
                Rejection::ReadOnly
            }
        }
    }
}

/// A reply that waits for the outcome of its draft.
pub(crate) struct PendingReply {
    pub(crate) draft_reply: DraftReply,
    pub(crate) callback: ReplyCallback,
    /// Of a request that is sampled.
    pub(crate) span: Option<Box<StoredSpan>>,
}

impl PendingReply {
    /// The reply to the request that this task handles, whose draft is queued next.
    pub(crate) fn new(draft_reply: DraftReply, callback: ReplyCallback) -> Self {
        Self { draft_reply, callback, span: StoredSpan::queued() }
    }

    /// Fixes the content. `permit` is the draft's share of the journal's queue: it is released when
    /// the reply is sent.
    pub(crate) fn complete(self, outcome: Outcome, permit: OwnedSemaphorePermit) -> ReadyReply {
        let reply = self.draft_reply.with_outcome(outcome);
        ReadyReply { reply, callback: self.callback, permit, span: self.span }
    }

    /// Answers a draft that was not stored.
    pub(crate) fn reject(mut self, rejection: Rejection) {
        if let Some(span) = &mut self.span {
            span.end_step();
        }
        (self.callback)(Err(rejection));
    }
}

/// A complete reply. It is sent after the entry was delivered to this node's connections.
pub(crate) struct ReadyReply {
    reply: Reply,
    callback: ReplyCallback,
    permit: OwnedSemaphorePermit,
    /// Of a request that is sampled.
    pub(crate) span: Option<Box<StoredSpan>>,
}

impl ReadyReply {
    pub(crate) fn send(self) {
        let Self { reply, callback, permit, mut span } = self;
        if let Some(span) = &mut span {
            span.end_step();
        }
        callback(reply);
        drop(permit);
    }

    pub(crate) fn send_all(replies: Vec<Self>) {
        replies.into_iter().for_each(Self::send);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Position, Role, Seq};

    const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn posted() -> DraftReply {
        DraftReply::Posted { id: MessageId::parse("m").unwrap(), at: AT, room: RoomName::lobby() }
    }

    fn rejections(reply: fn() -> DraftReply) -> [Rejection; 4] {
        let outcomes = [
            Outcome::Conflict,
            Outcome::NoMessage,
            Outcome::NotPermitted(None),
            Outcome::NotPermitted(Some(Role::Reader)),
        ];
        outcomes.map(|outcome| reply().with_outcome(outcome).unwrap_err())
    }

    #[test]
    fn each_kind_of_draft_maps_outcomes_to_its_rejections() {
        use Rejection::{Conflict, Forbidden, NoSuchMessage, NotMember, ReadOnly};
        let own = || DraftReply::Changed { at: AT, is_own: true };
        let foreign = || DraftReply::Changed { at: AT, is_own: false };
        assert_eq!(rejections(posted), [Conflict, NoSuchMessage, NotMember, ReadOnly]);
        assert_eq!(rejections(own), [NoSuchMessage, NoSuchMessage, NotMember, ReadOnly]);
        assert_eq!(rejections(foreign), [NoSuchMessage, NoSuchMessage, NotMember, Forbidden]);
    }

    #[test]
    fn duplicate_returns_time_of_first_copy() {
        let first = AT + time::Duration::HOUR;
        let seq = Seq::from_raw(3);
        let reply = posted().with_outcome(Outcome::Duplicate { seq, at: first });
        let Ok(Answer::Posted { receipt, .. }) = reply else { panic!("{reply:?}") };
        assert_eq!((receipt.seq, receipt.at, receipt.duplicate), (seq, first, true));
        let stored = Outcome::Stored(Position::from_raw(3, 3));
        let reply = DraftReply::Changed { at: AT, is_own: true }.with_outcome(stored);
        let Ok(Answer::Changed { at, duplicate, .. }) = reply else { panic!("{reply:?}") };
        assert_eq!((at, duplicate), (AT, false));
    }
}
