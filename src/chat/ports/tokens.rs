//! The port of the engines that prove who somebody is.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Fault;
use crate::domain::{
    GlobalRole, Grant, Rejection, Role, RoomName, RoomPattern, SignInId, Space, SpacePattern,
    Token, UserName,
};

/// Makes and checks tokens.
///
/// # Guarantees
/// - `check` accepts what `issue` made until its time is over, and beyond that only what a key of the
///   settings has signed.
/// - `check` waits a bounded time at most, and only for a key that it does not know yet.
/// - Who is a guest, and which sign-in a token belongs to, is believed only of what `issue` made.
/// - A token's text is never part of an error or of the log.
#[async_trait]
pub trait Tokens: Send + Sync + 'static {
    /// What `token` proves at `now`, or [`Rejection::Unauthorized`] or [`Rejection::TokenExpired`].
    async fn check(&self, token: &Token, now: OffsetDateTime) -> Result<Claims, Rejection>;

    /// A token that proves `claims`.
    fn issue(&self, claims: &Claims) -> Result<Token, Fault>;
}

/// What a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub user: UserName,
    /// How they are to be shown.
    pub name: Option<Box<str>>,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// Which spaces it opens; all when there is none here.
    pub spaces: Vec<SpacePattern>,
    /// Which rooms it opens.
    pub rooms: Rooms,
    /// Whether they may do what administrators may.
    pub admin: bool,
    /// For a guest, the mark of the stay that it was given to: two guests may have the same name
    /// one after the other, and the first one's token is not the second one's.
    pub guest: Option<Box<str>>,
    /// The sign-in that it was made for, when a cookie carries it.
    pub sign_in: Option<SignInId>,
}

/// Which rooms a token opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rooms {
    /// All of them.
    #[default]
    All,
    /// Those that one of these means, and as what, where the token says so.
    Only(Vec<(RoomPattern, Option<Role>)>),
}

impl Claims {
    /// A user who may do what everybody may.
    pub fn of(user: UserName, expires_at: OffsetDateTime) -> Self {
        Self {
            user,
            name: None,
            expires_at,
            spaces: Vec::new(),
            rooms: Rooms::All,
            admin: false,
            guest: None,
            sign_in: None,
        }
    }

    /// What a guest called `user` is given in `space`.
    pub fn guest(
        user: UserName,
        space: &Space,
        guest_session: &str,
        expires_at: OffsetDateTime,
    ) -> Self {
        let only = SpacePattern::parse(space.as_raw()).into_iter().collect();
        Self { spaces: only, guest: Some(guest_session.into()), ..Self::of(user, expires_at) }
    }

    /// Whether they are an administrator's.
    pub fn global_role(&self) -> GlobalRole {
        if self.admin { GlobalRole::Administrator } else { GlobalRole::User }
    }

    /// Whether they open `space`.
    pub fn allows_space(&self, space: &Space) -> bool {
        self.spaces.is_empty() || self.spaces.iter().any(|pattern| pattern.matches(space))
    }
}

impl Rooms {
    /// What the token says of `room`. Of several roles the highest counts.
    pub fn grant(&self, room: &RoomName) -> Grant {
        let Self::Only(patterns) = self else { return Grant::Open };
        let roles = patterns.iter().filter(|(pattern, _)| pattern.matches(room));
        match roles.map(|(_, role)| *role).max() {
            None => Grant::Closed,
            Some(None) => Grant::Open,
            Some(Some(role)) => Grant::As(role),
        }
    }

    /// Whether `room` is open at all.
    pub fn allows(&self, room: &RoomName) -> bool {
        self.grant(room) != Grant::Closed
    }
}
