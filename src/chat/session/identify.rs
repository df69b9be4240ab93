//! Becoming somebody: the name, the rooms, the welcome.

use std::{collections::BTreeSet, sync::Arc};

use super::{Identity, Session, auth::Absence, unavailable};
use crate::{
    chat::{
        Answer, Answerer, Devices,
        door::Claimed,
        event::{Delivery, Event, Visit, Welcome},
        hub::{self, Belongings, Coming, Presence, Scope, Settled},
        journal::{Arrival, Standing},
        ports::{Act, Change, Claims, MemberChange, Seen},
    },
    domain::{
        Channel, CloseReason, Conversation, DeviceId, Place, Rejection, RoomName, Token, UserName,
    },
};

/// Somebody who may come in, and everything that they are told then.
pub(super) struct Entrant {
    pub(super) claimed: Claimed,
    seen: Seen,
    visit: Option<Visit>,
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
            Ok((token, entrant)) => {
                let user = entrant.claimed.residence.user().clone();
                answer(Ok(Answer::Identified { user, token }));
                self.settle(entrant).await;
            }
        }
    }

    /// Everything that may be refused, before anything is seen of it.
    async fn prepare_guest(
        &self,
        user: UserName,
        device: Option<DeviceId>,
    ) -> Result<(Token, Entrant), Rejection> {
        if self.identity.is_some() {
            return Err(Rejection::AlreadyIdentified);
        }
        let (residence, claims) = self.chat.claim_as_guest(&self.origin.space, user).await?;
        if let Some(room) = &self.origin.room {
            self.chat.check_room(&self.origin.space, &claims, room).await?;
        }
        let token = self.chat.tokens.issue(&claims).map_err(|fault| unavailable(&fault))?;
        let claimed = Claimed { residence, claims, token: Some(token.clone()) };
        let device = device.or_else(|| self.origin.device.clone());
        Ok((token, self.prepare(claimed, device).await?))
    }

    /// The same for the bearer of a token.
    pub(super) async fn prepare_user(&self, token: Token) -> Result<Entrant, Rejection> {
        let claimed = self.chat.claim(&self.origin.space, token).await?;
        self.prepare(claimed, self.origin.device.clone()).await
    }

    /// The bearer of a token comes in: as `new user`, but the name was claimed at the door.
    pub(in crate::chat) async fn arrive(&mut self, claimed: Claimed) {
        match self.prepare(claimed, self.origin.device.clone()).await {
            Ok(entrant) => self.settle(entrant).await,
            Err(_) => self.outbox.close(CloseReason::Fault),
        }
    }

    /// Has it written down that the user came, and where they are a member by coming.
    async fn prepare(
        &self,
        mut claimed: Claimed,
        device: Option<DeviceId>,
    ) -> Result<Entrant, Rejection> {
        claimed.residence.expect(self.registration.id(), device.clone());
        let introduction = self.chat.relay.introduction();
        let Claimed { residence, claims, .. } = &claimed;
        let visit = match &device {
            Some(device) => Some(self.visit(residence.user(), device).await?),
            None => None,
        };
        let seen = self.chat.seen(&self.origin.space, claims, device);
        let resident = residence.number();
        let arrive = async |joins| {
            self.chat.journal.arrive(Arrival { seen: seen.clone(), resident, joins }).await
        };
        let joins = self.joins(&claimed, self.rooms());
        if residence.is_known() && joins.is_empty() {
            self.chat.journal.saw(seen.clone()).await;
        } else if arrive(joins).await? == Standing::New {
            // Whoever is known is where they are a member: what they left while the client was away
            // they have left, though the client remembers it.
            let joins = self.joins(&claimed, self.origin.since.keys().collect());
            if !joins.is_empty() {
                arrive(joins).await?;
            }
        }
        if let Some(device) = &seen.device {
            self.chat.hub.saw(&seen.space, &seen.user, device, seen.at);
        }
        // Before anybody is answered: who hears of it counts on being in the rooms, and on being seen.
        self.chat.relay.acquaint(|| claimed.residence.rooms()).await;
        introduction.await;
        Ok(Entrant { claimed, seen, visit })
    }

    /// The rooms that everybody joins by coming, and in place of the lobby the one that was asked for.
    fn rooms(&self) -> BTreeSet<&RoomName> {
        let asked = &self.origin.room;
        let everybodys = self.chat.rules.rooms.auto_join.iter();
        let everybodys = everybodys.filter(|room| asked.is_none() || **room != RoomName::lobby());
        everybodys.chain(asked).collect()
    }

    /// Joining those of these rooms in which the user is no member yet, as far as they may.
    fn joins(&self, claimed: &Claimed, rooms: BTreeSet<&RoomName>) -> Vec<Change> {
        let Claimed { residence, claims, .. } = claimed;
        let (rules, office) = (&self.chat.rules.rooms, claims.office());
        let join = |room: &RoomName| {
            let conversation = Conversation::Room(room.clone());
            if residence.member(&conversation).is_some() {
                return None;
            }
            let joining = rules.joining(room, claims.rooms.grant(room), office)?;
            let place = Place { space: self.origin.space.clone(), conversation };
            let (user, what) = (claims.user.clone(), MemberChange::Join(joining));
            Some(Change { place, user, what, rooms_max: self.chat.rooms_max() })
        };
        rooms.into_iter().filter_map(join).collect()
    }

    /// Is somebody from here on: welcome first, then what was missed, then what happens.
    pub(super) async fn settle(&mut self, entrant: Entrant) {
        let Entrant { claimed, seen, visit } = entrant;
        let Claimed { mut residence, claims, token } = claimed;
        let (connection, node) = (self.registration.id(), self.chat.rules.node.clone());
        let epoch = self.chat.store.epoch().clone();
        let Claims { user, name, expires_at, admin, sign_in, .. } = claims.clone();
        let welcome = |belongings| {
            let Belongings { rooms, directs, inbox } = belongings;
            let welcome = Welcome {
                user,
                name,
                admin,
                token,
                expires_at,
                visit,
                connection,
                node,
                epoch,
                rooms,
                directs,
                inbox,
            };
            Delivery::new(Event::Welcome(Box::new(welcome)))
        };
        let outbox = Arc::clone(&self.outbox);
        let device = seen.device.clone();
        let Some(ticket) = self.ticket().await else {
            return self.outbox.close(CloseReason::Fault);
        };
        let presence = Presence { connection, outbox, device, sign_in, ticket };
        let coming = Coming { presence, scope: self.scope(&claims), since: &self.origin.since };
        let Settled { others, behind } = residence.settle(coming, welcome);
        if self.chat.rules.devices == Devices::Newest {
            hub::end(others, CloseReason::Replaced);
            let Seen { space, user, device, .. } = seen.clone();
            let channel = Channel::of_user(&space, &user.key());
            self.chat.hub.herald().act(channel, Act::Came { space, user, device, ticket });
        }
        let rights = self.rights(claims);
        let absence = Absence::of(&self.chat, seen);
        self.identity = Some(Identity { rights, _absence: absence, residence });
        for (topic, cursor) in behind {
            if self.catch_up(&topic, cursor).await.is_err() {
                self.outbox.close(CloseReason::Fault);
            }
        }
    }

    /// A ticket for this coming, where only the last one counts; nothing, if none could be drawn.
    async fn ticket(&self) -> Option<u64> {
        if self.chat.rules.devices == Devices::Many {
            return Some(0);
        }
        let ticket = self.chat.nodes.ticket().await;
        ticket.map_err(|fault| unavailable(&fault)).ok()
    }

    /// What a token opens on this connection.
    pub(super) fn scope(&self, claims: &Claims) -> Scope {
        let (home, rooms, office) = (self.origin.home(), claims.rooms.clone(), claims.office());
        Scope { home, rooms, office }
    }
}
