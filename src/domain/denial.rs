//! What is refused although its token is valid: banned users, revoked tokens, ended sign-ins.

use time::OffsetDateTime;

use super::{CloseReason, Rejection, SignInId, Space, UserName};

/// Longest `jti` of a token in bytes. A UUID has 36.
const TOKEN_ID_BYTES_MAX: usize = 256;
/// Longest reason of a ban in bytes.
const REASON_BYTES_MAX: usize = 1024;

/// The `jti` of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(Box<str>);

impl TokenId {
    /// Accepts 1 to 256 bytes without control characters.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        let fits = (1..=TOKEN_ID_BYTES_MAX).contains(&raw.len());
        if fits && !raw.contains(char::is_control) {
            Ok(Self(raw.into()))
        } else {
            Err(Rejection::IdInvalid)
        }
    }

    /// An id that the store holds: it was parsed before it was stored.
    pub fn from_raw(raw: &str) -> Self {
        Self(raw.into())
    }

    /// The text in the token and in the store.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

/// Why a user was banned, for the back end. Users do not see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanReason(Box<str>);

impl BanReason {
    /// Accepts up to 1024 bytes without the character U+0000, which no database stores.
    pub fn parse(raw: &str) -> Result<Self, Rejection> {
        if raw.len() > REASON_BYTES_MAX || raw.contains('\0') {
            return Err(Rejection::BadRequest("a reason has up to 1024 bytes"));
        }
        Ok(Self(raw.into()))
    }

    /// A reason that the store holds: it was parsed before it was stored.
    pub fn from_raw(raw: &str) -> Self {
        Self(raw.into())
    }

    /// The text on the wire and in the store.
    pub fn as_raw(&self) -> &str {
        &self.0
    }
}

/// What a denial is about. The order is that of the variants, and of their fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DenialSubject {
    /// A ban: a user of a space, or of all, and the guests there whose names look like the user's.
    User(Option<Space>, UserName),
    /// The token with this id.
    Token(TokenId),
    /// The tokens of a user, in all spaces, that were issued before [`Denial::at`].
    TokensOf(UserName),
    /// A sign-in at the cookie API.
    SignIn(SignInId),
}

/// What a revocation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationSubject {
    /// The token with this id.
    Token(TokenId),
    /// Those of a user that were issued before a time.
    User(UserName),
}

impl From<RevocationSubject> for DenialSubject {
    fn from(subject: RevocationSubject) -> Self {
        match subject {
            RevocationSubject::Token(token) => Self::Token(token),
            RevocationSubject::User(user) => Self::TokensOf(user),
        }
    }
}

/// Something that is refused. A subject has one denial at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What is refused.
    pub subject: DenialSubject,
    /// When it was decided. Of [`DenialSubject::TokensOf`] the time before which tokens were issued.
    pub at: OffsetDateTime,
    /// When it ends. `None`: never.
    pub until: Option<OffsetDateTime>,
    /// The reason of a ban.
    pub reason: Option<BanReason>,
}

impl Denial {
    /// Whether it has ended at `now`.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The credentials of a connection, as far as a denial may be about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The `jti` of the token.
    pub token: Option<TokenId>,
    /// The `iat` of the token, or when a back end named the user.
    pub issued_at: Option<OffsetDateTime>,
    /// The sign-in of a token that a cookie carries.
    pub sign_in: Option<SignInId>,
}

/// How a denial applies to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The user is banned.
    Banned {
        /// When the ban ends. `None`: never.
        until: Option<OffsetDateTime>,
    },
    /// The token is revoked.
    TokenRevoked,
    /// The sign-in has ended.
    SignedOut,
}

impl From<Denied> for Rejection {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Banned { until } => Self::Banned { until },
            Denied::TokenRevoked => Self::TokenRevoked,
            // The cookie is not valid any more, as after its end.
            Denied::SignedOut => Self::Unauthorized,
        }
    }
}

impl From<Denied> for CloseReason {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Banned { until } => Self::Banned { until },
            Denied::TokenRevoked => Self::TokenRevoked,
            Denied::SignedOut => Self::SignedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_has_1_to_256_bytes_that_can_be_seen() {
        for good in ["a", "ü b", &"x".repeat(256)] {
            assert_eq!(TokenId::parse(good).as_ref().map(TokenId::as_raw), Ok(good));
        }
        for bad in ["", "a\0", "a\n", &"x".repeat(257)] {
            assert_eq!(TokenId::parse(bad), Err(Rejection::IdInvalid), "{bad:?}");
        }
    }

    #[test]
    fn a_reason_has_up_to_1024_bytes() {
        assert!(BanReason::parse("").is_ok() && BanReason::parse(&"x".repeat(1024)).is_ok());
        assert!(BanReason::parse("\0").is_err() && BanReason::parse(&"x".repeat(1025)).is_err());
    }
}
