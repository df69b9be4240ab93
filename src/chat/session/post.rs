//! Sending messages: they are checked here; the journal orders and stores them.

use time::OffsetDateTime;

use super::Session;
use crate::{
    chat::{ReplyCallback, RoomPost, posting::CheckedMessage, request::DraftReply},
    domain::{
        Body, ConnectionId, Conversation, GlobalRole, MessageId, MessageKind, Place, Rejection,
        Role, RoomName, UserName,
    },
};

impl Session {
    pub(super) async fn send(&mut self, post: RoomPost, answer: ReplyCallback) {
        self.post(MessageKind::Message, post, answer).await;
    }

    pub(super) async fn group_chat(&mut self, post: RoomPost, answer: ReplyCallback) {
        self.post(MessageKind::GroupChat, post, answer).await;
    }

    async fn post(&mut self, kind: MessageKind, post: RoomPost, answer: ReplyCallback) {
        let RoomPost { room, body, id } = post;
        let room = self.room_or_default(room);
        let place = match self.may_send(&room) {
            Ok(()) => Place::room(&self.origin.space, &room),
            Err(rejection) => return answer(Err(rejection)),
        };
        let body = match self.approve_message(&place, &kind, body).await {
            Ok(body) => body,
            Err(rejection) => return answer(Err(rejection)),
        };
        let except = self.excluded_connection(&kind);
        let message = CheckedMessage { place, kind, body, id, except };
        let posted = |id, at| DraftReply::Posted { id, at, room };
        self.submit_message(message, Role::may_send, posted, answer).await;
    }

    fn may_send(&mut self, room: &RoomName) -> Result<(), Rejection> {
        let (_, role) = self.room(room)?;
        self.check_rate()?;
        if role.may_send() { Ok(()) } else { Err(Rejection::ReadOnly) }
    }

    pub(super) async fn single_chat(
        &mut self,
        to: UserName,
        body: Body,
        id: Option<MessageId>,
        answer: ReplyCallback,
    ) {
        match self.recipient(&to).await {
            Err(rejection) => answer(Err(rejection)),
            Ok((me, online)) => {
                let place = self.place_of(Conversation::direct(me, to.clone()));
                let posted = |id, at| DraftReply::PostedTo { id, at, to, online };
                let (kind, except) = (MessageKind::SingleChat, Some(self.registration.id()));
                let body = match self.approve_message(&place, &kind, body).await {
                    Ok(body) => body,
                    Err(rejection) => return answer(Err(rejection)),
                };
                let message = CheckedMessage { place, kind, body, id, except };
                self.submit_message(message, Role::may_send, posted, answer).await;
            }
        }
    }

    /// `notify`: permitted for administrators.
    pub(super) async fn notify(
        &mut self,
        to: UserName,
        body: Body,
        id: Option<MessageId>,
        answer: ReplyCallback,
    ) {
        let global_role = self.identity().map(|identity| identity.rights.global_role);
        let recipient = match global_role {
            Ok(GlobalRole::Administrator) => self.recipient(&to).await,
            Ok(GlobalRole::User) => Err(Rejection::Forbidden),
            Err(rejection) => Err(rejection),
        };
        match recipient {
            Err(rejection) => answer(Err(rejection)),
            Ok((_, online)) => {
                let place = self.place_of(Conversation::Inbox(to.clone()));
                let posted = |id, at| DraftReply::PostedTo { id, at, to, online };
                let kind = MessageKind::Notification;
                let message = CheckedMessage { place, kind, body, id, except: None };
                self.submit_message(message, Role::may_send, posted, answer).await;
            }
        }
    }

    /// The sender's name and whether the addressee is online, if the addressee exists.
    async fn recipient(&mut self, to: &UserName) -> Result<(UserName, bool), Rejection> {
        let me = self.identity()?.user().clone();
        self.check_rate()?;
        self.chat.check_known(&self.origin.space, to).await?;
        if !self.chat.hub.users.devices(&self.origin.space, to).is_empty() {
            return Ok((me, true));
        }
        let online = self.is_online_remotely(to).await?;
        Ok((me, online))
    }

    /// Hands a message to the journal. `enough` are the roles in a room that permit it.
    pub(super) async fn submit_message(
        &self,
        message: CheckedMessage,
        enough: impl Fn(Role) -> bool,
        posted: impl FnOnce(MessageId, OffsetDateTime) -> DraftReply,
        answer: ReplyCallback,
    ) {
        match self.author(&message.place.conversation, enough) {
            Ok(author) => self.chat.post(author, message, posted, answer).await,
            Err(rejection) => answer(Err(rejection)),
        }
    }

    /// The sending connection, if messages of this kind are not delivered to it.
    pub(super) fn excluded_connection(&self, kind: &MessageKind) -> Option<ConnectionId> {
        match kind {
            MessageKind::Message | MessageKind::Notification | MessageKind::Custom(_) => None,
            MessageKind::GroupChat | MessageKind::SingleChat => Some(self.registration.id()),
        }
    }
}
