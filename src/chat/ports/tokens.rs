//! The port of the engines that issue and verify tokens.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Fault;
use crate::domain::{
    Credentials, DisplayName, GlobalRole, Grant, Rejection, Role, RoomName, RoomPattern, SignInId,
    Space, SpacePattern, Token, TokenId, UserName,
};

/// Issues and verifies tokens.
///
/// # Guarantees
/// - `check` accepts unexpired tokens of `issue` and tokens signed by a key of the settings.
/// - `check` waits for a bounded time at most, and only for an unknown key.
/// - The guest session and the sign-in of a token are accepted only from tokens of `issue`.
/// - A token's text is never part of an error or of the log.
#[async_trait]
pub trait Tokens: Send + Sync + 'static {
    /// The claims of `token` at `now`, or [`Rejection::Unauthorized`] or
    /// [`Rejection::TokenExpired`].
    async fn check(&self, token: &Token, now: OffsetDateTime) -> Result<Claims, Rejection>;

    /// Issues a token with these claims.
    fn issue(&self, claims: &Claims) -> Result<Token, Fault>;
}

/// The claims of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user.
    pub user: UserName,
    /// The display name.
    pub name: Option<DisplayName>,
    /// The expiry.
    pub expires_at: OffsetDateTime,
    /// The spaces that it is valid for. Empty means all.
    pub spaces: Vec<SpacePattern>,
    /// The rooms that it is valid for.
    pub rooms: Rooms,
    /// Whether the user is an administrator.
    pub admin: bool,
    /// For a guest, the id of the guest session. Two guests may have the same name one after the
    /// other; the token of the first is not valid for the second.
    pub guest: Option<Box<str>>,
    /// The id of the token, by which it may be revoked.
    pub token: Option<TokenId>,
    /// When the token was issued, if it says so. The token of a cookie says what the token said
    /// that it was made from.
    pub issued_at: Option<OffsetDateTime>,
    /// The sign-in of a token that a cookie carries.
    pub sign_in: Option<SignInId>,
}

/// The rooms that a token is valid for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rooms {
    /// All rooms.
    #[default]
    All,
    /// Rooms that match one of these patterns, with the role that the token grants, if any.
    Only(Vec<(RoomPattern, Option<Role>)>),
}

impl Claims {
    /// The claims of a registered user without restrictions or extra rights.
    pub fn of(user: UserName, expires_at: OffsetDateTime) -> Self {
        Self {
            user,
            name: None,
            expires_at,
            spaces: Vec::new(),
            rooms: Rooms::All,
            admin: false,
            guest: None,
            token: None,
            issued_at: None,
            sign_in: None,
        }
    }

    /// The claims of a guest named `user` in `space`.
    pub fn guest(
        user: UserName,
        space: &Space,
        guest_session: &str,
        expires_at: OffsetDateTime,
    ) -> Self {
        let only = SpacePattern::parse(space.as_raw()).into_iter().collect();
        Self { spaces: only, guest: Some(guest_session.into()), ..Self::of(user, expires_at) }
    }

    /// The user's role in all rooms.
    pub fn global_role(&self) -> GlobalRole {
        if self.admin { GlobalRole::Administrator } else { GlobalRole::User }
    }

    /// What a denial may be about.
    pub fn credentials(&self) -> Credentials {
        let (token, issued_at, sign_in) =
            (self.token.clone(), self.issued_at, self.sign_in.clone());
        Credentials { token, issued_at, sign_in }
    }

    /// Whether the token is valid for `space`.
    pub fn allows_space(&self, space: &Space) -> bool {
        self.spaces.is_empty() || self.spaces.iter().any(|pattern| pattern.matches(space))
    }
}

impl Rooms {
    /// The grant for `room`. Of several roles the highest counts.
    pub fn grant(&self, room: &RoomName) -> Grant {
        let Self::Only(patterns) = self else { return Grant::Open };
        let roles = patterns.iter().filter(|(pattern, _)| pattern.matches(room));
        match roles.map(|(_, role)| *role).max() {
            None => Grant::Closed,
            Some(None) => Grant::Open,
            Some(Some(role)) => Grant::As(role),
        }
    }

    /// Whether the token is valid for `room`.
    pub fn allows(&self, room: &RoomName) -> bool {
        self.grant(room) != Grant::Closed
    }
}
