//! Admission: decides about a connection before any part of its session exists.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tracing::{Span, debug, field, info_span};

use super::{
    Chat, Hello,
    fault::unavailable,
    hub::{NameClaim, Proof},
    ports::{
        AcceptedConnection, Action, ClaimOutcome, Claims, ClientInfo, ClusterCommand, ClusterEvent,
        ConnectAnswer, ConnectCall, ConnectIdentity, GuestName, IdentityKind, MetricEvent, Outbox,
        UserSeen, Wire,
    },
    session::{ClaimedIdentity, GuestContinuity, Session, SessionOrigin},
};
use crate::domain::{
    ConnectionId, DeviceId, Epoch, Grant, GuestDevices, Guests, Hook, JoinMode, Place, Position,
    Rejection, RoomName, Seq, Space, Token, UserName,
};

/// The time in which a node releases a guest name that is no longer used there.
const NAME_RELEASE_DELAY: Duration = Duration::from_millis(100);

/// The random characters in the name of a guest who chooses none.
const GUEST_NAME_CHARS: usize = 10;

/// How long a connection lasts whose back end does not say it. Its client then reconnects, and the
/// back end is asked again.
const CONNECTION_LIFETIME: Duration = Duration::from_hours(24);

/// A connection that may enter. Dropping it releases the claimed name.
#[must_use = "the connection has no session before `enter`"]
#[derive(Debug)]
pub struct Admission {
    pub(super) chat: Arc<Chat>,
    pub(super) origin: SessionOrigin,
    pub(super) claimed: Option<ClaimedIdentity>,
    /// What a back end asks for.
    actions: Vec<Action>,
}

impl Chat {
    /// Decides whether a connection may enter. Waits only for an unknown key of a token, and for
    /// the store with a guest's token or a private room.
    ///
    /// An invalid token is rejected, never ignored.
    pub async fn admit(self: &Arc<Self>, hello: Hello) -> Result<Box<Admission>, Rejection> {
        let admitted = self.check_hello(hello).await;
        if let Err(rejection) = &admitted {
            self.metrics.record(MetricEvent::HandshakeRejected(rejection));
        }
        admitted
    }

    async fn check_hello(self: &Arc<Self>, hello: Hello) -> Result<Box<Admission>, Rejection> {
        let Hello { space, token, device, room, since, epoch, client } = hello;
        if self.is_refusing() {
            return Err(Rejection::Draining);
        }
        if !self.has_space(&space) {
            return Err(Rejection::UnknownSpace);
        }
        let (reserved, accepted) = self.ask_about_connection(&space, client).await?;
        let AcceptedConnection { identity, data, actions } = accepted;
        let claimed = match (identity, token) {
            (Some(identity), _) => {
                let claims = self.claims_of(identity);
                check_space(&claims, &space)?;
                self.check_ban(&space, &claims)?;
                self.check_credentials(&claims)?;
                Some(self.claim_name_of(&space, claims, None, device.as_ref()).await?)
            }
            (None, Some(token)) => Some(self.claim_name(&space, token, device.as_ref()).await?),
            (None, None) if self.rules.guests == Guests::Off => {
                return Err(Rejection::TokenRequired);
            }
            (None, None) => None,
        };
        if let (Some(claimed), Some(room)) = (&claimed, &room) {
            self.check_room(&space, &claimed.claims, room).await?;
        }
        let default_room = room.clone().unwrap_or_else(RoomName::lobby);
        let others = since.iter().filter(|(room, _)| *room != default_room).count();
        if others >= self.limits().rooms_per_user_max.get() {
            return Err(Rejection::TooManyRooms);
        }
        let since =
            since.into_iter().map(|(room, seq)| (room, self.resolve_since(seq, epoch.as_ref())));
        let since = since.collect();
        let continues = None;
        let origin = SessionOrigin { reserved, space, room, since, device, data, continues };
        Ok(Box::new(Admission { chat: Arc::clone(self), origin, claimed, actions }))
    }

    /// Has a back end decide about a connection, if there is one that does: it is told which id the
    /// connection will have.
    async fn ask_about_connection(
        &self,
        space: &Space,
        client: ClientInfo,
    ) -> Result<(Option<ConnectionId>, AcceptedConnection), Rejection> {
        let Some(registered) = self.backends.for_hook(Hook::Connect) else {
            return Ok((None, AcceptedConnection::default()));
        };
        let reserved = self.hub.connections.reserve();
        let connection = self.hub.connections.address(reserved);
        let call = ConnectCall { space: space.clone(), connection, client };
        match registered.settle(registered.backend.connect(call).await)? {
            None => Ok((Some(reserved), AcceptedConnection::default())),
            Some(ConnectAnswer::Accepted(accepted)) => Ok((Some(reserved), accepted)),
            Some(ConnectAnswer::Refused(refusal)) => Err(Rejection::Refused(Box::new(refusal))),
        }
    }

    /// The claims of a user that a back end names.
    fn claims_of(&self, identity: ConnectIdentity) -> Claims {
        let ConnectIdentity { user, name, admin, spaces, rooms, expires_at } = identity;
        let now = self.clock.now();
        let claims = Claims::of(user, expires_at.unwrap_or(now + CONNECTION_LIFETIME));
        Claims { name, spaces, rooms, admin, issued_at: Some(now), ..claims }
    }

    /// The headers that a back end receives about connections, with names in lower case. `None` if no
    /// back end decides about connections.
    pub fn connect_headers(&self) -> Option<&[Box<str>]> {
        self.backends.connect_headers()
    }

    /// The seq up to which a client has a log. `epoch` names the database of `seq`, if the client
    /// sent it. In another database no log continues the client's copy.
    pub(super) fn resolve_since(&self, seq: Seq, epoch: Option<&Epoch>) -> Seq {
        if epoch.is_some_and(|epoch| epoch != self.store.epoch()) { Seq::MAX } else { seq }
    }

    /// Rejects a default room that the user may not join.
    pub(super) async fn check_room(
        &self,
        space: &Space,
        claims: &Claims,
        room: &RoomName,
    ) -> Result<(), Rejection> {
        let grant = claims.rooms.grant(room);
        let join_mode = self.rules.rooms.get().join_mode(room, grant, claims.global_role());
        if grant == Grant::Closed {
            return Err(Rejection::RoomForbidden);
        }
        if matches!(join_mode, Some(JoinMode::As(_) | JoinMode::OwnerIfFirst(_))) {
            return Ok(());
        }
        let place = Place::room(space, room);
        let member = self.store.member(&place, &claims.user).await;
        if member.map_err(|fault| unavailable(&fault))?.is_some() {
            return Ok(());
        }
        let log = self.store.log(&place).await.map_err(|fault| unavailable(&fault))?;
        let is_new = log.members == 0 && log.head == Position::ZERO;
        if is_new && join_mode == Some(JoinMode::FounderOnly) {
            return Ok(());
        }
        Err(Rejection::RoomForbidden)
    }

    /// Whether a user of exactly this name is registered with the back end.
    pub(super) async fn is_registered_user(
        &self,
        space: &Space,
        user: &UserName,
    ) -> Result<bool, Rejection> {
        let known =
            self.store.user_exists(space, user).await.map_err(|fault| unavailable(&fault))?;
        let registered = self.store.is_registered(space, &user.key()).await;
        Ok(known && registered.map_err(|fault| unavailable(&fault))?)
    }

    /// Refuses a user who is banned from the space.
    pub(super) fn check_ban(&self, space: &Space, claims: &Claims) -> Result<(), Rejection> {
        let kind = IdentityKind::of(claims.guest.as_deref());
        Ok(self.hub.denials.check_user((space, &claims.user), &kind, self.clock.now())?)
    }

    /// Refuses a token that was revoked, or whose sign-in was ended.
    pub(super) fn check_credentials(&self, claims: &Claims) -> Result<(), Rejection> {
        let (credentials, now) = (claims.credentials(), self.clock.now());
        Ok(self.hub.denials.check_credentials(&claims.user, &credentials, now)?)
    }

    /// The claims of a token that was not revoked and whose sign-in was not ended.
    pub(super) async fn check_token(&self, token: &Token) -> Result<Claims, Rejection> {
        let claims = self.tokens.check(token, self.clock.now()).await?;
        self.check_credentials(&claims)?;
        Ok(claims)
    }

    /// The claims of a token that is valid for the space.
    pub(super) async fn check_token_for_space(
        &self,
        space: &Space,
        token: &Token,
    ) -> Result<Claims, Rejection> {
        let claims = self.check_token(token).await?;
        check_space(&claims, space)?;
        // The token was issued before guests were disabled.
        if claims.guest.is_some() && self.rules.guests == Guests::Off {
            debug!("guest token rejected: guests are disabled");
            return Err(Rejection::Unauthorized);
        }
        self.check_ban(space, &claims)?;
        Ok(claims)
    }

    /// Claims the name that a token proves.
    pub(super) async fn claim_name(
        &self,
        space: &Space,
        token: Token,
        device: Option<&DeviceId>,
    ) -> Result<ClaimedIdentity, Rejection> {
        let claims = self.check_token_for_space(space, &token).await?;
        self.claim_name_of(space, claims, Some(token), device).await
    }

    /// Claims the name that these claims prove.
    pub(super) async fn claim_name_of(
        &self,
        space: &Space,
        claims: Claims,
        token: Option<Token>,
        device: Option<&DeviceId>,
    ) -> Result<ClaimedIdentity, Rejection> {
        let proof = claims.guest.clone().map_or(Proof::User, Proof::Guest);
        let name_claim = NameClaim::claim(&self.hub, space, &claims.user, proof)?;
        if let Some(guest_session) = &claims.guest {
            self.claim_guest_name(space, &claims.user, guest_session, device).await?;
        } else {
            let (space, user) = (space.clone(), claims.user.clone());
            let command =
                ClusterCommand::RevokeGuestNames { space: space.clone(), user: user.clone() };
            self.hub.publisher.publish_to_user(&space, &user, ClusterEvent::Command(command));
        }
        // A token of a cookie must not become readable for scripts.
        let is_returned = claims.guest.is_some() && claims.sign_in.is_none();
        let token = token.filter(|_| is_returned);
        Ok(ClaimedIdentity { name_claim, claims, token })
    }

    /// Claims a name for a guest without a token: a new guest, or the one that has the name, if the
    /// device is the same. The caller issues the token.
    pub(super) async fn claim_as_guest(
        &self,
        space: &Space,
        user: UserName,
        device: Option<&DeviceId>,
    ) -> Result<(NameClaim, Claims, GuestContinuity), Rejection> {
        if self.rules.guests == Guests::Off {
            return Err(Rejection::TokenRequired);
        }
        let now = self.clock.now();
        let guest = IdentityKind::Guest(Box::default());
        self.hub.denials.check_user((space, &user), &guest, now)?;
        let device = device.filter(|_| self.rules.guest_devices == GuestDevices::Accepted);
        let known = match device {
            Some(device) => self.known_guest_session(space, &user, device).await?,
            None => None,
        };
        let (proof, guest_session, continuity) = if let Some(known) = known {
            (Proof::Guest(known.clone()), known, GuestContinuity::Continued)
        } else {
            let new: Box<str> = self.ids.secret().into();
            (Proof::NewGuest(new.clone()), new, GuestContinuity::New)
        };
        let name_claim = NameClaim::claim(&self.hub, space, &user, proof)?;
        self.claim_guest_name(space, &user, &guest_session, device).await?;
        // Tokens hold whole seconds.
        let expires_at = (now + self.rules.guest_lifetime).truncate_to_second();
        let claims = Claims::guest(user, space, &guest_session, expires_at);
        let claims = Claims { issued_at: Some(now.truncate_to_second()), ..claims };
        Ok((name_claim, claims, continuity))
    }

    /// The guest session that has a name on this node or another one, if it is one of this device.
    async fn known_guest_session(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<Box<str>>, Rejection> {
        if let Some(known) = self.hub.users.guest_session(space, user, device) {
            return Ok(Some(known));
        }
        let known = self.nodes.guest_session(space, user, device).await;
        known.map_err(|fault| unavailable(&fault))
    }

    /// The record of a connect at the current time.
    pub(super) fn seen_now(
        &self,
        space: &Space,
        claims: &Claims,
        device: Option<DeviceId>,
    ) -> UserSeen {
        let (identity_kind, at) = (IdentityKind::of(claims.guest.as_deref()), self.clock.now());
        let Claims { user, name: display_name, .. } = claims.clone();
        UserSeen { space: space.clone(), user, identity_kind, display_name, device, at }
    }

    /// Claims a guest name in the cluster. Names that look like a registered user's are reserved
    /// for that user, also while the user is offline; names that look like a guest's on another
    /// node are that guest's.
    async fn claim_guest_name(
        &self,
        space: &Space,
        user: &UserName,
        guest_session: &str,
        device: Option<&DeviceId>,
    ) -> Result<(), Rejection> {
        let registered = self.store.is_registered(space, &user.key()).await;
        if registered.map_err(|fault| unavailable(&fault))? {
            return Err(Rejection::NameTaken);
        }
        let name = GuestName {
            space: space.clone(),
            user: user.clone(),
            guest_session: guest_session.into(),
        };
        let claim =
            async || self.nodes.claim(&name, device).await.map_err(|fault| unavailable(&fault));
        if claim().await? == ClaimOutcome::Granted {
            return Ok(());
        }
        // The other node announces that a guest left before it releases the guest's name.
        sleep(NAME_RELEASE_DELAY).await;
        if claim().await? == ClaimOutcome::Granted { Ok(()) } else { Err(Rejection::NameTaken) }
    }
}

pub(super) fn check_space(claims: &Claims, space: &Space) -> Result<(), Rejection> {
    if claims.allows_space(space) { Ok(()) } else { Err(Rejection::SpaceForbidden) }
}

impl Admission {
    /// The span of the connection's task. `connection.id` and `user` are recorded once known.
    ///
    /// Its level is `info`, so that warnings and errors name the connection by default.
    pub fn span(&self, wire: Wire) -> Span {
        info_span!(
            // The span of the request ends with the handshake.
            parent: None,
            "connection",
            connection.id = field::Empty,
            space = self.origin.space.as_raw(),
            wire = wire.as_str(),
            user = field::Empty,
        )
    }

    /// The user, if it is known already.
    pub fn user(&self) -> Option<&UserName> {
        self.claimed.as_ref().map(|it| &it.claims.user)
    }

    /// A random text that nobody can guess.
    pub fn secret(&self) -> String {
        self.chat.ids.secret()
    }

    /// Whether the user is known already.
    pub fn is_identified(&self) -> bool {
        self.claimed.is_some()
    }

    /// A name for a guest who chooses none: nobody is expected to have it.
    pub fn suggested_name(&self) -> UserName {
        let secret = self.chat.ids.secret();
        let letters = secret.chars().filter(char::is_ascii_alphanumeric).take(GUEST_NAME_CHARS);
        UserName::from_raw(&format!("guest-{}", letters.collect::<String>().to_ascii_lowercase()))
    }

    /// Starts the session. From now on events arrive in `outbox`; with a token, `welcome` is the
    /// first. If the store fails now, the connection is closed with a reason.
    ///
    /// Takes the box, so that its memory is released: a caller that moves the content out of it keeps
    /// the memory until its own end.
    pub async fn enter(self: Box<Self>, outbox: Arc<dyn Outbox>) -> Session {
        let Self { chat, origin, claimed, actions } = *self;
        let mut session = Session::new(chat, origin, outbox);
        match claimed {
            Some(claimed) => session.enter_with_claim(claimed).await,
            None => session.listen(),
        }
        session.perform(actions).await;
        session
    }
}
