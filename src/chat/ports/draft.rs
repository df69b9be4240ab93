//! Entries that are to be stored, and what became of them.

use time::OffsetDateTime;

use crate::domain::{
    Body, Conversation, DisplayName, MessageId, MessageKind, Place, Position, Role, RoomTopic, Seq,
    UserName, WebhookEventKind,
};

/// An entry without its position in the log.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The conversation that it belongs to.
    pub place: Place,
    /// The id of the message that is sent or changed, unique for a conversation, author and guest
    /// session.
    pub id: MessageId,
    /// The author.
    pub author: UserName,
    /// The author's display name, for those who receive the entry now. It is not stored with it.
    pub author_name: Option<DisplayName>,
    /// The guest session of the author; `None` for a registered user.
    pub guest_session: Option<Box<str>>,
    /// The lowest role that permits it. `None` if the author need not be a member.
    pub needs: Option<Role>,
    /// The time at which the server received it.
    pub at: OffsetDateTime,
    /// The content.
    pub act: DraftAct,
}

/// See [`Draft`].
#[derive(Clone, Debug)]
pub enum DraftAct {
    /// A new message.
    Say {
        /// The kind of message.
        kind: MessageKind,
        /// The body.
        body: Body,
    },
    /// An edit of a message.
    Edit {
        /// The seq of the message.
        of: Seq,
        /// The new body.
        body: Body,
    },
    /// A deletion of a message.
    Delete {
        /// The seq of the message.
        of: Seq,
    },
    /// The topic of a room. `None` removes it.
    Topic(Option<RoomTopic>),
}

/// A stored message, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedMessage {
    /// The id.
    pub id: MessageId,
    /// The author.
    pub author: UserName,
    /// The guest session of the author; `None` for a registered user.
    pub guest_session: Option<Box<str>>,
    /// The kind.
    pub kind: MessageKind,
}

/// An entry of a log, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// What the author did.
    pub act: StoredAct,
    /// The conversation.
    pub conversation: Conversation,
    /// The number of the entry in the log.
    pub seq: Seq,
    /// The id of the message that was posted or changed.
    pub id: MessageId,
    /// The author.
    pub author: UserName,
}

/// See [`StoredMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredAct {
    /// Posted a message.
    Stored,
    /// Edited the message at this seq.
    Edited(Seq),
    /// Deleted the message at this seq.
    Deleted(Seq),
}

/// The result of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored at this position.
    Stored(Position),
    /// Not stored, because it was stored before. A second deletion of a message is a duplicate of
    /// the first one. A topic that the room has is a duplicate at the head of the log.
    Duplicate {
        /// The seq of the first one.
        seq: Seq,
        /// The time of the first one.
        at: OffsetDateTime,
    },
    /// Not stored, because its id was stored before with another body.
    Conflict,
    /// Not stored, because there is no message to change, or it is no longer kept.
    NoMessage,
    /// Not stored, because the author has only this role, or is no member.
    NotPermitted(Option<Role>),
}

impl StoredAct {
    /// The kind of the event.
    pub fn kind(self) -> WebhookEventKind {
        match self {
            Self::Stored => WebhookEventKind::MessageStored,
            Self::Edited(_) => WebhookEventKind::MessageEdited,
            Self::Deleted(_) => WebhookEventKind::MessageDeleted,
        }
    }
}
