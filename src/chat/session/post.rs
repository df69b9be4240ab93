//! Saying something: checked here, ordered and stored by the journal.

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Answerer, Receipt, RoomPost,
        journal::{Done, Submission},
        ports::{Draft, DraftAct, Outcome},
    },
    domain::{
        Body, ConnectionId, Conversation, Kind, MessageId, Office, Place, Rejection, Role,
        RoomName, UserName,
    },
};

/// A message that was checked.
struct Saying {
    place: Place,
    kind: Kind,
    body: Body,
    id: Option<MessageId>,
}

impl Session {
    pub(super) async fn send(&mut self, post: RoomPost, answer: Answerer) {
        self.post(Kind::Message, post, answer).await;
    }

    pub(super) async fn group_chat(&mut self, post: RoomPost, answer: Answerer) {
        self.post(Kind::GroupChat, post, answer).await;
    }

    async fn post(&mut self, kind: Kind, post: RoomPost, answer: Answerer) {
        let RoomPost { room, body, id } = post;
        let room = self.room_or_home(room);
        let place = match self.may_send(&room) {
            Ok(()) => Place::room(&self.origin.space, &room),
            Err(rejection) => return answer(Err(rejection)),
        };
        let answered = |receipt| Answer::Posted { receipt, room };
        self.say(Saying { place, kind, body, id }, answered, answer).await;
    }

    fn may_send(&mut self, room: &RoomName) -> Result<(), Rejection> {
        let (_, role) = self.room(room)?;
        self.keep_pace()?;
        if role.may_send() { Ok(()) } else { Err(Rejection::ReadOnly) }
    }

    pub(super) async fn single_chat(
        &mut self,
        to: UserName,
        body: Body,
        id: Option<MessageId>,
        answer: Answerer,
    ) {
        match self.receiver(&to).await {
            Err(rejection) => answer(Err(rejection)),
            Ok((me, online)) => {
                let place = self.at(Conversation::direct(me, to.clone()));
                let answered = move |receipt| Answer::PostedTo { receipt, to, online };
                let saying = Saying { place, kind: Kind::SingleChat, body, id };
                self.say(saying, answered, answer).await;
            }
        }
    }

    /// `notify`: for administrators.
    pub(super) async fn notify(
        &mut self,
        to: UserName,
        body: Body,
        id: Option<MessageId>,
        answer: Answerer,
    ) {
        let office = self.identity().map(|identity| identity.rights.office);
        let receiver = match office {
            Ok(Office::Administrator) => self.receiver(&to).await,
            Ok(Office::User) => Err(Rejection::Forbidden),
            Err(rejection) => Err(rejection),
        };
        match receiver {
            Err(rejection) => answer(Err(rejection)),
            Ok((_, online)) => {
                let place = self.at(Conversation::Inbox(to.clone()));
                let answered = move |receipt| Answer::PostedTo { receipt, to, online };
                let saying = Saying { place, kind: Kind::Notification, body, id };
                self.say(saying, answered, answer).await;
            }
        }
    }

    /// Who speaks to a user who is or was here, and whether that one is here now.
    async fn receiver(&mut self, to: &UserName) -> Result<(UserName, bool), Rejection> {
        let me = self.identity()?.user().clone();
        self.keep_pace()?;
        let (chat, space) = (&self.chat, &self.origin.space);
        // Whoever left just now may not be in the store yet.
        if !chat.hub.knows(space, to) {
            let known = chat.store.knows(space, to).await;
            if !known.map_err(|fault| unavailable(&fault))? {
                return Err(Rejection::NoSuchUser);
            }
        }
        if !chat.hub.devices(space, to).is_empty() {
            return Ok((me, true));
        }
        let online = self.is_elsewhere(to).await?;
        Ok((me, online))
    }

    async fn say(
        &self,
        saying: Saying,
        answered: impl FnOnce(Receipt) -> Answer + Send + 'static,
        answer: Answerer,
    ) {
        let Saying { place, kind, body, id } = saying;
        let (author, needs) = match self.author(&place.conversation, Role::may_send) {
            Ok(author) => author,
            Err(rejection) => return answer(Err(rejection)),
        };
        let id = id.unwrap_or_else(|| self.chat.ids.message_id());
        let at = self.chat.clock.now();
        let receipt_id = id.clone();
        let done: Done<Outcome> = Box::new(move |outcome| {
            let receipt = outcome.and_then(|outcome| match outcome {
                Outcome::Stored(position) => {
                    Ok(Receipt { id: receipt_id, seq: position.seq, at, duplicate: false })
                }
                Outcome::Duplicate { seq, at } => {
                    Ok(Receipt { id: receipt_id, seq, at, duplicate: true })
                }
                Outcome::Conflict => Err(Rejection::Conflict),
                Outcome::NoMessage => Err(Rejection::NoSuchMessage),
                Outcome::Unfit(None) => Err(Rejection::NotMember),
                Outcome::Unfit(Some(_)) => Err(Rejection::ReadOnly),
            });
            answer(receipt.map(answered));
        });
        let draft = Draft { place, id, author, needs, at, act: DraftAct::Say { kind, body } };
        let except = self.unheard(kind);
        self.chat.journal.append(Submission { draft, except, done }).await;
    }

    /// The connection that does not hear of a message of its own: one that is for the others.
    pub(super) fn unheard(&self, kind: Kind) -> Option<ConnectionId> {
        match kind {
            Kind::Message | Kind::Notification => None,
            Kind::GroupChat | Kind::SingleChat => Some(self.registration.id()),
        }
    }
}
