//! Messages on their way to the journal, whoever they are from.

use time::OffsetDateTime;

use super::{
    Chat, ReplyCallback,
    journal::PendingDraft,
    ports::{Draft, DraftAct},
    request::{DraftReply, PendingReply},
};
use crate::domain::{
    Body, ConnectionId, DisplayName, MessageId, MessageKind, Place, Role, RoomName, RoomTopic,
    UserName,
};

/// The author of drafts.
pub(super) struct Author {
    pub(super) user: UserName,
    /// The display name.
    pub(super) name: Option<DisplayName>,
    /// The guest session, for a guest.
    pub(super) guest_session: Option<Box<str>>,
    /// The connection that it sends from, [`ConnectionId::NONE`] if there is none.
    pub(super) connection: ConnectionId,
    /// The role that the draft needs when it is stored, in a room.
    pub(super) needs: Option<Role>,
}

/// A checked message.
pub(super) struct CheckedMessage {
    pub(super) place: Place,
    pub(super) kind: MessageKind,
    pub(super) body: Body,
    pub(super) id: Option<MessageId>,
    /// The sending connection, if it does not receive the message.
    pub(super) except: Option<ConnectionId>,
}

impl Author {
    /// A draft of this author.
    pub(super) fn draft(
        self,
        place: Place,
        id: MessageId,
        at: OffsetDateTime,
        act: DraftAct,
    ) -> Draft {
        let Self { user: author, name: author_name, guest_session, connection: _, needs } = self;
        Draft { place, id, author, author_name, guest_session, needs, at, act }
    }
}

impl Chat {
    /// Hands a message to the journal.
    pub(super) async fn post(
        &self,
        author: Author,
        message: CheckedMessage,
        posted: impl FnOnce(MessageId, OffsetDateTime) -> DraftReply,
        answer: ReplyCallback,
    ) {
        let CheckedMessage { place, kind, body, id, except } = message;
        let id = id.unwrap_or_else(|| self.ids.message_id());
        let (at, origin) = (self.clock.now(), author.connection);
        let reply = PendingReply::new(posted(id.clone(), at), answer);
        let draft = author.draft(place, id, at, DraftAct::Say { kind, body });
        self.journal.append(PendingDraft { draft, origin, except, reply }).await;
    }

    /// Hands the topic of a room to the journal.
    pub(super) async fn post_topic(
        &self,
        author: Author,
        (place, room): (Place, RoomName),
        topic: Option<RoomTopic>,
        answer: ReplyCallback,
    ) {
        let (id, at, origin) = (self.ids.message_id(), self.clock.now(), author.connection);
        let draft_reply = DraftReply::Topic { room, topic: topic.clone() };
        let reply = PendingReply::new(draft_reply, answer);
        let draft = author.draft(place, id, at, DraftAct::Topic(topic));
        self.journal.append(PendingDraft { draft, origin, except: None, reply }).await;
    }
}
