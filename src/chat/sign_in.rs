//! Sign-ins for pages: a token of ours that a cookie carries, so that no script holds one.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    Chat,
    ports::{Claims, ClusterCommand, IdentityKind},
    session::unavailable,
};
use crate::domain::{Channel, Rejection, SignInId, Space, Token, UserName};

/// The longest token that a cookie holds: browsers take 4096 bytes with name and attributes.
const COOKIE_TOKEN_BYTES_MAX: usize = 3800;

/// With what somebody signs in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A name: as a guest.
    Name(UserName),
    /// A token.
    Token(Token),
}

/// A sign-in that was made.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// What the cookie carries.
    pub token: Token,
    /// For how long, in seconds.
    pub seconds: i64,
    /// Whose it is.
    pub profile: Profile,
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name on the wire.
    pub user: UserName,
    /// How they are to be shown.
    pub name: Option<Box<str>>,
    /// Who says so: nobody for a guest.
    pub identity_kind: IdentityKind,
    /// Whether they may do what administrators may.
    pub admin: bool,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

impl Chat {
    /// Signs somebody in for one space. A guest's name is kept for the grace, until they connect.
    pub async fn sign_in(
        self: &Arc<Self>,
        space: &Space,
        credential: Credential,
    ) -> Result<SignedIn, Rejection> {
        if self.is_draining() {
            return Err(Rejection::Draining);
        }
        if !self.has_space(space) {
            return Err(Rejection::UnknownSpace);
        }
        let (name_claim, mut claims) = match credential {
            Credential::Name(user) => {
                let (name_claim, claims) = self.claim_as_guest(space, user).await?;
                (Some(name_claim), claims)
            }
            Credential::Token(token) => (None, self.check_token_for_space(space, &token).await?),
        };
        if claims.guest.is_none() {
            self.journal.record_seen(self.seen_now(space, &claims, None)).await;
        }
        claims.sign_in = Some(SignInId::from_raw(&self.ids.secret()));
        let token = self.tokens.issue(&claims).map_err(|fault| unavailable(&fault))?;
        if token.expose().len() > COOKIE_TOKEN_BYTES_MAX {
            return Err(Rejection::BadRequest("the token says more than a cookie holds"));
        }
        if let Some(name_claim) = name_claim {
            name_claim.reserve();
        }
        let seconds = (claims.expires_at - self.clock.now()).whole_seconds();
        Ok(SignedIn { token, seconds, profile: Profile::of(claims) })
    }

    /// Who signed in with this token.
    pub async fn profile(&self, token: &Token) -> Result<Profile, Rejection> {
        self.check_token(token).await.map(Profile::of)
    }

    /// Ends a sign-in: its connections are told and closed. One that is over already is no error.
    pub async fn sign_out(&self, token: &Token) {
        if let Ok(Claims { sign_in: Some(sign_in), .. }) =
            self.tokens.check(token, self.clock.now()).await
        {
            self.hub.sign_out(&sign_in);
            self.hub
                .publisher()
                .publish_command(Channel::BROADCAST, ClusterCommand::EndSignIn(sign_in));
        }
    }
}

impl Profile {
    fn of(claims: Claims) -> Self {
        let Claims { user, name, expires_at, spaces: _, rooms: _, admin, guest, sign_in: _ } =
            claims;
        Self { user, name, identity_kind: IdentityKind::of(guest.as_deref()), admin, expires_at }
    }
}
