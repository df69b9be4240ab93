//! Who comes in: decided before anything of a connection exists.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Chat, Guests, Hello,
    hub::{Proof, Residence},
    ports::{Claims, Outbox, Repute},
    session::{Origin, Session, unavailable},
};
use crate::domain::{Rejection, RoomName, Space, UserName};

/// Somebody who may come in. Dropping it undoes everything.
#[must_use = "nobody has come in before `enter`"]
#[derive(Debug)]
pub struct Admission {
    chat: Arc<Chat>,
    origin: Origin,
    claimed: Option<Claimed>,
}

/// A name that was claimed, and the guest's token that says so.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) residence: Residence,
    pub(super) token: Option<String>,
}

impl Chat {
    /// Decides whether somebody may come in. Waits for nothing but, with a guest's token, the store.
    ///
    /// A token that is present and bad is refused, never ignored.
    pub async fn admit(self: &Arc<Self>, hello: Hello) -> Result<Admission, Rejection> {
        let Hello { space, token, room, since } = hello;
        if self.is_draining() {
            return Err(Rejection::Draining);
        }
        if !self.has_space(&space) {
            return Err(Rejection::UnknownSpace);
        }
        let claimed = match token {
            Some(token) => Some(self.claim(&space, token).await?),
            None if self.rules.guests == Guests::Off => return Err(Rejection::TokenRequired),
            None => None,
        };
        let home = room.unwrap_or_else(RoomName::lobby);
        let since: BTreeMap<_, _> = since.into_iter().collect();
        let rooms = since.len() + usize::from(!since.contains_key(&home));
        if rooms > self.limits().rooms_per_connection_max.get() {
            return Err(Rejection::TooManyRooms);
        }
        let origin = Origin { space, home, since };
        Ok(Admission { chat: Arc::clone(self), origin, claimed })
    }

    fn has_space(&self, space: &Space) -> bool {
        *space == Space::root() || self.rules.spaces.iter().any(|it| it.matches(space))
    }

    /// Takes the name that a token proves.
    async fn claim(&self, space: &Space, token: String) -> Result<Claimed, Rejection> {
        let claims = self.tokens.check(&token, self.clock.now())?;
        if !claims.open(space) {
            return Err(Rejection::SpaceForbidden);
        }
        let Claims { user, guest, .. } = claims;
        let token = guest.is_some().then_some(token);
        let proof = guest.map_or(Proof::User, Proof::Guest);
        let residence = Residence::claim(&self.hub, space, &user, proof)?;
        if token.is_some() {
            self.check_guest_name(space, &user).await?;
        }
        Ok(Claimed { residence, token })
    }

    /// A name that the back end ever vouched for is its user's, also while they are away.
    pub(super) async fn check_guest_name(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Result<(), Rejection> {
        let repute = self.store.repute(space, user).await;
        match repute.map_err(|fault| unavailable(&fault))? {
            Repute::Vouched => Err(Rejection::NameTaken),
            Repute::Unknown | Repute::Guest => Ok(()),
        }
    }
}

impl Admission {
    /// Comes in: from now on events arrive in `outbox`, for a token's bearer beginning with
    /// `welcome`. Should the store fail now, the connection is told so and ended.
    pub async fn enter(self, outbox: Arc<dyn Outbox>) -> Session {
        let Self { chat, origin, claimed } = self;
        let mut session = Session::new(chat, origin, outbox);
        if let Some(claimed) = claimed {
            session.arrive(claimed).await;
        }
        session
    }
}
