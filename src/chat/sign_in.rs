//! Sign-ins of web pages: the server issues a token for a cookie, so that no script can read it.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::{
    Chat,
    fault::unavailable,
    ports::{Claims, IdentityKind},
};
use crate::domain::{
    Denial, DenialSubject, DisplayName, Rejection, SignInId, Space, Token, UserName,
};

/// The longest token that a cookie holds: browsers take 4096 bytes with name and attributes.
const COOKIE_TOKEN_BYTES_MAX: usize = 3800;

/// How far the clocks of nodes may differ: the end of a sign-in is kept this much longer than its
/// token is valid.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::MINUTE;

/// The credential of a sign-in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A name: signs in as a guest.
    Name(UserName),
    /// A token.
    Token(Token),
}

/// A completed sign-in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The token for the cookie.
    pub token: Token,
    /// Its lifetime in seconds.
    pub seconds: i64,
    /// The user.
    pub profile: Profile,
}

/// The profile of a signed-in user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name on the wire.
    pub user: UserName,
    /// The display name.
    pub name: Option<DisplayName>,
    /// Whether the user is registered or a guest.
    pub identity_kind: IdentityKind,
    /// Whether the user is an administrator.
    pub admin: bool,
    /// The expiry of the sign-in.
    pub expires_at: OffsetDateTime,
}

impl Chat {
    /// Signs a user in for one space. A guest's name is reserved for the grace period, until the
    /// guest connects.
    pub async fn sign_in(
        self: &Arc<Self>,
        space: &Space,
        credential: Credential,
    ) -> Result<SignedIn, Rejection> {
        if self.is_refusing() {
            return Err(Rejection::Draining);
        }
        if !self.has_space(space) {
            return Err(Rejection::UnknownSpace);
        }
        let (name_claim, mut claims) = match credential {
            Credential::Name(user) => {
                let (name_claim, claims, _) = self.claim_as_guest(space, user, None).await?;
                (Some(name_claim), claims)
            }
            Credential::Token(token) => (None, self.check_token_for_space(space, &token).await?),
        };
        if claims.guest.is_none() {
            self.journal.record_seen(self.seen_now(space, &claims, None)).await;
        }
        // A token that does not say when it was issued counts as an old one, and so does the cookie.
        claims.issued_at.get_or_insert(OffsetDateTime::UNIX_EPOCH);
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

    /// The profile of the user who signed in with this token.
    pub async fn profile(&self, token: &Token) -> Result<Profile, Rejection> {
        self.check_token(token).await.map(Profile::of)
    }

    /// Ends a sign-in and closes its connections with a reason. A sign-in that has already ended is
    /// no error; one that cannot be stored is, and may be repeated.
    pub async fn sign_out(&self, token: &Token) -> Result<(), Rejection> {
        let now = self.clock.now();
        let Ok(Claims { sign_in: Some(sign_in), expires_at, .. }) =
            self.tokens.check(token, now).await
        else {
            return Ok(());
        };
        let subject = DenialSubject::SignIn(sign_in);
        if self.hub.denials.get(&subject).is_some() {
            return Ok(());
        }
        // The token is refused by itself after its end.
        let until = Some(expires_at.saturating_add(CLOCK_DIFFERENCE_MAX));
        self.deny(Denial { subject, at: now, until, reason: None }).await
    }
}

impl Profile {
    fn of(claims: Claims) -> Self {
        let Claims { user, name, expires_at, admin, guest, .. } = claims;
        Self { user, name, identity_kind: IdentityKind::of(guest.as_deref()), admin, expires_at }
    }
}
