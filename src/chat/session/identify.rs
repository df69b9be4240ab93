//! Becoming somebody: the name, the welcome, the first rooms.

use std::sync::Arc;

use super::{Identity, Session, unavailable};
use crate::{
    chat::{
        Answer, Answerer,
        door::Claimed,
        event::{Delivery, Event, RoomState, Welcome},
        hub::{self, Cursor, Proof, Residence, Standing, Telling, Topic},
        ports::{Claims, Seen, Voucher},
    },
    domain::{CloseReason, Place, Rejection, RoomName, Seq, UserName},
};

/// A room to come into, with the head that the client is told.
struct Entry {
    topic: Arc<Topic>,
    room: RoomName,
    head: Seq,
    since: Option<Seq>,
}

impl Session {
    /// `new user`: takes a name that nobody online has.
    pub(super) async fn identify(&mut self, user: UserName, answer: Answerer) {
        match self.prepare(user).await {
            Err(rejection) => answer(Err(rejection)),
            Ok((claimed, entries)) => {
                let (user, token) = (claimed.residence.user().clone(), claimed.token.clone());
                answer(Ok(Answer::Identified { user, token: token.unwrap_or_default() }));
                self.settle(claimed, entries).await;
            }
        }
    }

    /// Everything that may be refused, before anything is seen of it.
    async fn prepare(&self, user: UserName) -> Result<(Claimed, Vec<Entry>), Rejection> {
        if self.identity.is_some() {
            return Err(Rejection::AlreadyIdentified);
        }
        let chat = &self.chat;
        let (space, stay) = (&self.origin.space, chat.ids.secret());
        let proof = Proof::NewGuest(stay.clone());
        let residence = Residence::claim(&chat.hub, space, &user, proof)?;
        chat.check_guest_name(space, &user).await?;
        let lifetime = chat.rules.guest_lifetime;
        let claims = Claims::guest(user, space, stay, chat.clock.now(), lifetime);
        let token = chat.tokens.issue(&claims).map_err(|fault| unavailable(&fault))?;
        let entries = self.entries().await?;
        Ok((Claimed { residence, token: Some(token) }, entries))
    }

    /// The bearer of a token comes in: as `new user`, but the name was claimed at the door.
    pub(in crate::chat) async fn arrive(&mut self, claimed: Claimed) {
        match self.entries().await {
            Ok(entries) => self.settle(claimed, entries).await,
            Err(_) => self.outbox.close(CloseReason::Fault),
        }
    }

    /// The first rooms: home, and those that the client says it knows, with their heads.
    async fn entries(&self) -> Result<Vec<Entry>, Rejection> {
        let home = &self.origin.home;
        let others = self.origin.since.keys().filter(|room| *room != home);
        let mut entries = Vec::new();
        for room in std::iter::once(home).chain(others) {
            let (topic, head) = self.topic(room).await?;
            let since = self.origin.since.get(room).copied();
            entries.push(Entry { topic, room: room.clone(), head, since });
        }
        Ok(entries)
    }

    /// A room's topic with its head known.
    pub(super) async fn topic(&self, room: &RoomName) -> Result<(Arc<Topic>, Seq), Rejection> {
        let topic = self.chat.hub.topic(&Place::room(&self.origin.space, room));
        if let Some(head) = topic.head() {
            return Ok((topic, head));
        }
        // The topic is in the hub by now: what is stored after this read is delivered to it.
        let stored = self.chat.store.head(topic.place()).await;
        let head = topic.learn_head(stored.map_err(|fault| unavailable(&fault))?);
        Ok((topic, head))
    }

    /// Is somebody from here on: welcome first, then what was missed, then what happens.
    async fn settle(&mut self, claimed: Claimed, entries: Vec<Entry>) {
        let Claimed { mut residence, token } = claimed;
        let user = residence.user().clone();
        let voucher = if token.is_some() { Voucher::Nobody } else { Voucher::BackEnd };
        let space = self.origin.space.clone();
        self.chat.journal.saw(Seen { space, user: user.clone(), voucher }).await;
        let rooms = entries.iter().map(room_state).collect();
        let (connection, node) = (self.registration.id(), self.chat.rules.node.clone());
        let welcome = Welcome { user, token, connection, node, rooms };
        hub::send(&self.outbox, &Delivery::new(Event::Welcome(welcome)));
        residence.open(connection, Arc::clone(&self.outbox));
        self.identity = Some(Identity::of(residence));
        for entry in entries {
            self.come_in(entry).await;
        }
    }

    async fn come_in(&mut self, entry: Entry) {
        let Entry { topic, room, head, since } = entry;
        let cursor = match since {
            Some(after) => Cursor { after, telling: Telling::Missed },
            None => Cursor { after: head, telling: Telling::Live },
        };
        let standing = if room == self.origin.home { Standing::Home } else { Standing::Visit };
        if self.attach(topic, room, standing, cursor).await.is_err() {
            self.outbox.close(CloseReason::Fault);
        }
    }
}

/// What `welcome` says of a room.
fn room_state(entry: &Entry) -> RoomState {
    let Entry { room, head, since, .. } = entry;
    let unread = since.map_or(0, |since| head.since(since));
    RoomState { room: room.clone(), head: *head, unread }
}
