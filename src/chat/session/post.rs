//! Saying something: checked here, ordered and stored by the journal.

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Answerer, RoomPost,
        journal::{Done, Entry},
        ports::Draft,
    },
    domain::{Body, Conversation, Kind, MessageId, Place, Rejection, UserName},
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
        if let Err(rejection) = self.attachment(&room).map(drop).and_then(|()| self.keep_pace()) {
            return answer(Err(rejection));
        }
        let place = Place::room(&self.origin.space, &room);
        let done: Done = Box::new(move |receipt| {
            answer(receipt.map(|receipt| Answer::Posted { receipt, room }));
        });
        self.append(Saying { place, kind, body, id }, done).await;
    }

    pub(super) async fn single_chat(
        &mut self,
        to: UserName,
        body: Body,
        id: Option<MessageId>,
        answer: Answerer,
    ) {
        let (place, online) = match self.receiver(&to).await {
            Ok(found) => found,
            Err(rejection) => return answer(Err(rejection)),
        };
        let done: Done = Box::new(move |receipt| {
            answer(receipt.map(|receipt| Answer::PostedTo { receipt, to, online }));
        });
        self.append(Saying { place, kind: Kind::SingleChat, body, id }, done).await;
    }

    /// The conversation with a user who is or was here, and whether they are here now.
    async fn receiver(&mut self, to: &UserName) -> Result<(Place, bool), Rejection> {
        let conversation = Conversation::direct(self.identity()?.user().clone(), to.clone());
        self.keep_pace()?;
        let (chat, space) = (&self.chat, &self.origin.space);
        let online = chat.hub.is_online(space, to);
        // Whoever left just now may not be in the store yet.
        if !chat.hub.knows(space, to) {
            let known = chat.store.knows(space, to).await;
            if !known.map_err(|fault| unavailable(&fault))? {
                return Err(Rejection::NoSuchUser);
            }
        }
        Ok((Place { space: space.clone(), conversation }, online))
    }

    fn keep_pace(&mut self) -> Result<(), Rejection> {
        self.pace.take(self.chat.hub.now(), &self.chat.rules.limits)
    }

    async fn append(&self, saying: Saying, done: Done) {
        let Saying { place, kind, body, id } = saying;
        let author = match self.identity() {
            Ok(identity) => identity.user().clone(),
            Err(rejection) => return done(Err(rejection)),
        };
        let id = id.unwrap_or_else(|| self.chat.ids.message_id());
        let at = self.chat.clock.now();
        let draft = Draft { place, id, kind, author, body, at };
        let origin = self.registration.id();
        self.chat.journal.append(Entry { draft, origin, done }).await;
    }
}
