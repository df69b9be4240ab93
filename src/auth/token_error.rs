//! Why a token is refused, in detail for the operator.
//!
//! The client receives only that the token is invalid or expired. No message contains the token or
//! the value of a claim; the name of its key is the only part that is shown.

use std::fmt;

use jsonwebtoken::Algorithm;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::domain::Rejection;

/// The longest token that is parsed. Longer ones are refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than the limit.
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not a JWT.
    #[error("it is not a JWT: {0}")]
    NotJwt(&'static str),
    /// Its `alg` is `none`.
    #[error("it is not signed (`alg` is `none`)")]
    Unsigned,
    /// Its `alg` is not supported.
    #[error("its `alg` is none of those that are checked here")]
    UnsupportedAlgorithm,
    /// It has a `crit` header, and no extension is supported.
    #[error("its header has `crit`: rules that must be followed, and none are known here")]
    CriticalHeader,
    /// No key has its algorithm and `kid`.
    #[error("there is no key for {} tokens{}", algorithm_name(*algorithm), kid_suffix(key.as_deref()))]
    NoKey {
        /// The `alg` of its header.
        algorithm: Algorithm,
        /// The `kid` of its header.
        key: Option<Box<str>>,
    },
    /// No key that it may be signed with verifies its signature.
    #[error("its signature is of none of the {} keys{}", algorithm_name(*algorithm), kid_suffix(key.as_deref()))]
    BadSignature {
        /// The `alg` of its header.
        algorithm: Algorithm,
        /// The `kid` of its header.
        key: Option<Box<str>>,
    },
    /// A required claim is missing.
    #[error("it has no `{0}`")]
    MissingClaim(&'static str),
    /// A header parameter or a claim has an invalid value.
    #[error("its `{claim}` is not {wanted}")]
    InvalidClaim {
        /// Its name.
        claim: &'static str,
        /// The expected form.
        wanted: &'static str,
    },
    /// A claim that is reserved to the server's own key.
    #[error("its `{0}` is for tokens that this server has made, and another key has signed it")]
    ReservedClaim(&'static str),
    /// Its key may belong to a site without a fetched set.
    #[error("its key may be one of a site whose keys were never fetched so far")]
    KeysNotLoaded,
    /// Its `iss` is not the configured issuer.
    #[error("its `iss` is not {0:?} (token.issuer)")]
    WrongIssuer(Box<str>),
    /// Its `aud` has none of the configured audiences.
    #[error("its `aud` has none of {0:?} (token.audience)")]
    WrongAudience(Vec<Box<str>>),
    /// It is not valid yet.
    #[error("it is not good before {} (`{claim}`)", Date(*.at))]
    NotYetValid {
        /// `nbf` or `iat`.
        claim: &'static str,
        /// The time from which it is valid.
        at: OffsetDateTime,
    },
    /// It has expired.
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

/// A time in RFC 3339.
struct Date(OffsetDateTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).unwrap_or_default())
    }
}

/// The name of an algorithm in a token.
fn algorithm_name(algorithm: Algorithm) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{algorithm:?}"))
}

/// The `kid` as a suffix of a message.
fn kid_suffix(key: Option<&str>) -> String {
    key.map(|key| format!(" with the `kid` {key:?}")).unwrap_or_default()
}
