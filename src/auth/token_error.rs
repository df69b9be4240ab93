//! Why a token is refused: for the operator, who may know.
//!
//! A stranger hears only that it is not valid here, or that its time is over. No sentence holds the
//! token or a claim's value; the one thing of the token's that is told is the name of its key.

use std::fmt;

use jsonwebtoken::Algorithm;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::domain::Rejection;

/// The longest token that is looked at. A longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was not looked at.
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLarge,
    /// It does not have the form.
    #[error("it is not a JWT: {0}")]
    NotJwt(&'static str),
    /// Its header says `none`.
    #[error("it is not signed (`alg` is `none`)")]
    Unsigned,
    /// Its header says something that nobody here knows.
    #[error("its `alg` is none of those that are checked here")]
    UnsupportedAlgorithm,
    /// Its header asks for rules of its own.
    #[error("its header has `crit`: rules that must be followed, and none are known here")]
    CriticalHeader,
    /// No key is for it.
    #[error("there is no key for {} tokens{}", algorithm_name(*algorithm), kid_suffix(key.as_deref()))]
    NoKey {
        /// What its header says.
        algorithm: Algorithm,
        /// What its header calls the key.
        key: Option<Box<str>>,
    },
    /// None of the keys that it may be signed with has signed it.
    #[error("its signature is of none of the {} keys{}", algorithm_name(*algorithm), kid_suffix(key.as_deref()))]
    BadSignature {
        /// What its header says.
        algorithm: Algorithm,
        /// What its header calls the key.
        key: Option<Box<str>>,
    },
    /// Something that must be there is not.
    #[error("it has no `{0}`")]
    MissingClaim(&'static str),
    /// Something does not have the form that it must have.
    #[error("its `{claim}` is not {wanted}")]
    InvalidClaim {
        /// Where.
        claim: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Something that only the server's own key may say.
    #[error("its `{0}` is for tokens that this server has made, and another key has signed it")]
    ReservedClaim(&'static str),
    /// Its key may be one of a site that could not be asked yet.
    #[error("its key may be one of a site whose keys were never fetched so far")]
    KeysNotLoaded,
    /// Somebody else made it.
    #[error("its `iss` is not {0:?} (token.issuer)")]
    WrongIssuer(Box<str>),
    /// It is for somebody else.
    #[error("its `aud` has none of {0:?} (token.audience)")]
    WrongAudience(Vec<Box<str>>),
    /// Its time has not come.
    #[error("it is not good before {} (`{claim}`)", Date(*.at))]
    NotYetValid {
        /// Which claim says so.
        claim: &'static str,
        /// When it is.
        at: OffsetDateTime,
    },
    /// Its time is over.
    #[error("it expired at {} (`exp`)", Date(*.0))]
    Expired(OffsetDateTime),
}

impl From<TokenError> for Rejection {
    fn from(refused: TokenError) -> Self {
        match refused {
            TokenError::Expired(_) => Self::TokenExpired,
            TokenError::KeysNotLoaded => Self::Unavailable,
            _ => Self::Unauthorized,
        }
    }
}

/// A time as people and machines read it.
struct Date(OffsetDateTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).unwrap_or_default())
    }
}

/// The name that stands in a token.
fn algorithm_name(algorithm: Algorithm) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{algorithm:?}"))
}

/// What the token calls its key.
fn kid_suffix(key: Option<&str>) -> String {
    key.map(|key| format!(" with the `kid` {key:?}")).unwrap_or_default()
}
