//! Entries of a conversation's log.

use time::OffsetDateTime;

use super::{Body, DisplayName, EventName, MessageId, Place, Position, RoomTopic, Seq, UserName};

/// The request that posted a message, which decides the event that delivers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// `send message`, delivered as `new message` to every connection in the room.
    Message,
    /// `GroupChat`, delivered to every connection in the room but the sender's.
    GroupChat,
    /// `SingleChat`, delivered to the other connections of both users.
    SingleChat,
    /// `notify`, delivered as `notification` to the owner of the inbox.
    Notification,
    /// An event of the application that is kept. Its body is the array of its arguments.
    Custom(EventName),
}

impl MessageKind {
    /// Whether an edit can replace the body.
    pub fn is_editable(&self) -> bool {
        match self {
            Self::Message | Self::GroupChat | Self::SingleChat => true,
            Self::Notification | Self::Custom(_) => false,
        }
    }
}

/// An entry of a log: a message, the change of an earlier one, or of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The conversation that it belongs to.
    pub place: Place,
    /// The position in the log.
    pub position: Position,
    /// The id of the posted or changed message, unique for a conversation and author. A guest is
    /// another author than earlier ones of the same name.
    pub id: MessageId,
    /// The user that posted or changed the message.
    pub author: UserName,
    /// The author's display name: that of the moment in a live entry, the present one in a page that
    /// was read with names. It is not part of the log.
    pub author_name: Option<DisplayName>,
    /// The time at which the server accepted the entry.
    pub at: OffsetDateTime,
    /// What the author did.
    pub act: Act,
}

/// What the author of an entry did. Bodies are the newest ones, not those at the time of the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Posted a message.
    Said {
        /// The event that delivers the message.
        kind: MessageKind,
        /// What the message holds now.
        content: Content,
    },
    /// Replaced the body of a message.
    Edited {
        /// The position of the message.
        of: Seq,
        /// The new body. `None` if the message was changed again since, or is no longer stored.
        body: Option<Body>,
    },
    /// Deleted a message.
    Deleted {
        /// The position of the message.
        of: Seq,
    },
    /// Set the topic of the room, or removed it. `None` is no topic.
    Topic(Option<RoomTopic>),
}

/// What a message holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A body.
    Body {
        /// The newest body.
        body: Body,
        /// The time of the last edit, if there was one.
        edited_at: Option<OffsetDateTime>,
    },
    /// Nothing: the message was deleted.
    Removed,
}

impl Entry {
    /// The entry's number in the log.
    pub fn seq(&self) -> Seq {
        self.position.seq
    }

    /// The body that a reader sees, if there is one.
    pub fn body(&self) -> Option<&Body> {
        match &self.act {
            Act::Said { content: Content::Body { body, .. }, .. } => Some(body),
            Act::Edited { body, .. } => body.as_ref(),
            Act::Said { content: Content::Removed, .. } | Act::Deleted { .. } | Act::Topic(_) => {
                None
            }
        }
    }

    /// Whether the entry is a message, not a change.
    pub fn is_message(&self) -> bool {
        matches!(self.act, Act::Said { .. })
    }

    /// This entry after `change`, if `change` affects it. The message has the newest body, and so
    /// has the last one of its edits; earlier edits have none.
    pub fn changed_by(&self, change: &Self) -> Option<Self> {
        let (target, new, edited_at) = match &change.act {
            Act::Said { .. } | Act::Topic(_) => return None,
            Act::Edited { of, body } => (*of, body.clone(), Some(change.at)),
            Act::Deleted { of } => (*of, None, None),
        };
        let act = match &self.act {
            Act::Said { kind, .. } if self.seq() == target => {
                let content =
                    new.map_or(Content::Removed, |body| Content::Body { body, edited_at });
                Act::Said { kind: kind.clone(), content }
            }
            Act::Edited { of, .. } if *of == target => Act::Edited { of: *of, body: None },
            Act::Said { .. } | Act::Edited { .. } | Act::Deleted { .. } | Act::Topic(_) => {
                return None;
            }
        };
        Some(Self { act, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RoomName, Space};

    fn entry(seq: u64, act: Act) -> Entry {
        Entry {
            place: Place::room(&Space::root(), &RoomName::lobby()),
            position: Position::from_raw(seq, 1),
            id: MessageId::from_raw("m"),
            author: UserName::from_raw("ann"),
            author_name: None,
            at: OffsetDateTime::UNIX_EPOCH,
            act,
        }
    }

    fn body(text: &str) -> Body {
        Body::from_raw(text.into(), Vec::new())
    }

    fn edit(seq: u64, of: u64, text: &str) -> Entry {
        entry(seq, Act::Edited { of: Seq::from_raw(of), body: Some(body(text)) })
    }

    #[test]
    fn a_change_applies_to_its_message_and_clears_earlier_edits() {
        let content = Content::Body { body: body("1"), edited_at: None };
        let message = entry(1, Act::Said { kind: MessageKind::Message, content });
        let (first, second) = (edit(2, 1, "2"), edit(3, 1, "3"));
        assert_eq!(message.changed_by(&second).unwrap().body(), Some(&body("3")));
        assert_eq!(
            first.changed_by(&second).unwrap().body(),
            None,
            "only the last edit has the body"
        );
        let deletion = entry(4, Act::Deleted { of: Seq::from_raw(1) });
        assert_eq!(message.changed_by(&deletion).unwrap().body(), None);
        assert_eq!(second.changed_by(&deletion).unwrap().body(), None);
        assert_eq!(deletion.changed_by(&second), None);
        assert_eq!(message.changed_by(&edit(3, 2, "x")), None, "of another message");
        assert_eq!(message.changed_by(&message), None, "no change");
    }
}
