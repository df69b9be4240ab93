//! What stands in a log.

use time::OffsetDateTime;

use super::{Body, MessageId, Place, Position, Seq, UserName};

/// The request that a message came with, and so the event that it goes out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// `send message`, heard as `new message` by everyone in the room.
    Message,
    /// `GroupChat`, heard by everyone in the room but the connection that said it.
    GroupChat,
    /// `SingleChat`, heard by both users' other connections.
    SingleChat,
    /// `notify`, heard as `notification` by the user whose inbox it is.
    Notification,
}

/// An entry of a log: a message, or a change of one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The conversation that it belongs to.
    pub place: Place,
    /// Its place there.
    pub position: Position,
    /// The identity, within conversation and author, of the message that was said or changed.
    pub id: MessageId,
    /// Who did it.
    pub author: UserName,
    /// When the server took it.
    pub at: OffsetDateTime,
    /// What they did.
    pub act: Act,
}

/// What somebody did. Bodies are the newest ones, not those of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Said something.
    Said {
        /// What it goes out as.
        kind: MessageKind,
        /// What they said.
        content: Content,
    },
    /// Said something else in place of what they had said.
    Edited {
        /// The place of the message.
        of: Seq,
        /// What it says now; nothing, if it was changed again since or is not kept any more.
        body: Option<Body>,
    },
    /// Took a message away.
    Deleted {
        /// The place of the message.
        of: Seq,
    },
}

/// What a message says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This.
    Body {
        /// What it says.
        body: Body,
        /// When it was edited last, if it was.
        edited_at: Option<OffsetDateTime>,
    },
    /// Nothing any more: it was deleted.
    Removed,
}

impl Entry {
    /// Its place in the log.
    pub fn seq(&self) -> Seq {
        self.position.seq
    }

    /// What it makes a reader see, if anything.
    pub fn body(&self) -> Option<&Body> {
        match &self.act {
            Act::Said { content: Content::Body { body, .. }, .. } => Some(body),
            Act::Edited { body, .. } => body.as_ref(),
            Act::Said { content: Content::Removed, .. } | Act::Deleted { .. } => None,
        }
    }

    /// Whether it is a message.
    pub fn is_message(&self) -> bool {
        matches!(self.act, Act::Said { .. })
    }

    /// What this entry is to be shown as once `change` was made, if that changes it: the message has
    /// the newest body, and of its edits the last one has it.
    pub fn changed_by(&self, change: &Self) -> Option<Self> {
        let (target, new, edited_at) = match &change.act {
            Act::Said { .. } => return None,
            Act::Edited { of, body } => (*of, body.clone(), Some(change.at)),
            Act::Deleted { of } => (*of, None, None),
        };
        let act = match &self.act {
            Act::Said { kind, .. } if self.seq() == target => {
                let content =
                    new.map_or(Content::Removed, |body| Content::Body { body, edited_at });
                Act::Said { kind: *kind, content }
            }
            Act::Edited { of, .. } if *of == target => Act::Edited { of: *of, body: None },
            Act::Said { .. } | Act::Edited { .. } | Act::Deleted { .. } => return None,
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
        let said = entry(1, Act::Said { kind: MessageKind::Message, content });
        let (first, second) = (edit(2, 1, "2"), edit(3, 1, "3"));
        assert_eq!(said.changed_by(&second).unwrap().body(), Some(&body("3")));
        assert_eq!(first.changed_by(&second).unwrap().body(), None, "once is enough");
        let deletion = entry(4, Act::Deleted { of: Seq::from_raw(1) });
        assert_eq!(said.changed_by(&deletion).unwrap().body(), None);
        assert_eq!(second.changed_by(&deletion).unwrap().body(), None);
        assert_eq!(deletion.changed_by(&second), None);
        assert_eq!(said.changed_by(&edit(3, 2, "x")), None, "of another message");
        assert_eq!(said.changed_by(&said), None, "no change");
    }
}
