//! Becoming somebody: the name, the welcome, the first rooms.

use std::{collections::HashMap, sync::Arc};

use super::{Identity, Session, auth::Absence, unavailable};
use crate::{
    chat::{
        Answer, Answerer, Devices,
        door::Claimed,
        event::{Delivery, Event, RoomState, Visit, Welcome},
        hub::{self, Cursor, Presence, Standing, Telling, Topic},
        ports::{Claims, Rooms},
    },
    domain::{CloseReason, DeviceId, Place, Rejection, RoomName, Seq, Token, UserName},
};

/// A room to come into, with the head that the client is told.
struct Entry {
    topic: Arc<Topic>,
    room: RoomName,
    head: Seq,
    since: Option<Seq>,
}

/// Somebody who may come in, and everything that they are told then.
pub(super) struct Arrival {
    pub(super) claimed: Claimed,
    device: Option<DeviceId>,
    visit: Option<Visit>,
    entries: Vec<Entry>,
}

impl Session {
    /// `new user`: takes a name that nobody has.
    pub(super) async fn identify(
        &mut self,
        user: UserName,
        device: Option<DeviceId>,
        answer: Answerer,
    ) {
        match self.prepare_guest(user, device).await {
            Err(rejection) => answer(Err(rejection)),
            Ok((token, arrival)) => {
                let user = arrival.claimed.residence.user().clone();
                answer(Ok(Answer::Identified { user, token }));
                self.settle(arrival).await;
            }
        }
    }

    /// Everything that may be refused, before anything is seen of it.
    async fn prepare_guest(
        &self,
        user: UserName,
        device: Option<DeviceId>,
    ) -> Result<(Token, Arrival), Rejection> {
        if self.identity.is_some() {
            return Err(Rejection::AlreadyIdentified);
        }
        let (residence, claims) = self.chat.claim_as_guest(&self.origin.space, user).await?;
        let token = self.chat.tokens.issue(&claims).map_err(|fault| unavailable(&fault))?;
        let claimed = Claimed { residence, claims, token: Some(token.clone()) };
        let device = device.or_else(|| self.origin.device.clone());
        Ok((token, self.prepare(claimed, device).await?))
    }

    /// The same for the bearer of a token.
    pub(super) async fn prepare_user(&self, token: Token) -> Result<Arrival, Rejection> {
        let claimed = self.chat.claim(&self.origin.space, token).await?;
        self.prepare(claimed, self.origin.device.clone()).await
    }

    /// The bearer of a token comes in: as `new user`, but the name was claimed at the door.
    pub(in crate::chat) async fn arrive(&mut self, claimed: Claimed) {
        match self.prepare(claimed, self.origin.device.clone()).await {
            Ok(arrival) => self.settle(arrival).await,
            Err(_) => self.outbox.close(CloseReason::Fault),
        }
    }

    async fn prepare(
        &self,
        claimed: Claimed,
        device: Option<DeviceId>,
    ) -> Result<Arrival, Rejection> {
        let entries = self.entries(&claimed.claims.rooms).await?;
        let visit = match &device {
            Some(device) => Some(self.visit(claimed.residence.user(), device).await?),
            None => None,
        };
        Ok(Arrival { claimed, device, visit, entries })
    }

    /// The first rooms: home, and those that the client says it knows, with their heads; but only
    /// such as the token opens.
    async fn entries(&self, open: &Rooms) -> Result<Vec<Entry>, Rejection> {
        let home = &self.origin.home;
        let others = self.origin.since.keys().filter(|room| *room != home);
        let mut entries = Vec::new();
        for room in std::iter::once(home).chain(others).filter(|room| open.admit(room)) {
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
    pub(super) async fn settle(&mut self, arrival: Arrival) {
        let Arrival { claimed, device, visit, entries } = arrival;
        let Claimed { mut residence, claims, token } = claimed;
        let absence = self.note_arrival(&claims, device.clone()).await;
        let (connection, node) = (self.registration.id(), self.chat.rules.node.clone());
        let rooms = entries.iter().map(room_state).collect();
        let Claims { user, name, expires_at, admin, sign_in, .. } = claims.clone();
        let welcome =
            Welcome { user, name, admin, token, expires_at, visit, connection, node, rooms };
        hub::send(&self.outbox, &Delivery::new(Event::Welcome(welcome)));
        let rights = self.rights(claims);
        let outbox = Arc::clone(&self.outbox);
        let others = residence.open(Presence { connection, outbox, device, sign_in });
        if self.chat.rules.devices == Devices::Newest {
            hub::end(others, CloseReason::Replaced);
        }
        self.identity =
            Some(Identity { rooms: HashMap::new(), rights, _absence: absence, residence });
        for entry in entries {
            self.come_in(entry).await;
        }
    }

    /// Has it written down that the user came, and later that they went with the device.
    async fn note_arrival(
        &self,
        claims: &Claims,
        device: Option<DeviceId>,
    ) -> Option<Box<Absence>> {
        let seen = self.chat.seen(&self.origin.space, claims, device);
        self.chat.hub.saw(&seen);
        self.chat.journal.saw(seen.clone()).await;
        seen.device.is_some().then(|| Box::new(Absence::of(&self.chat, seen)))
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
