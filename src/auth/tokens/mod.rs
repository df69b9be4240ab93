//! Tokens signed with the server's key: JSON Web Tokens of one kind, HS256.
//!
//! What the library could decide by its own clock or by what the token says of itself is decided
//! here: time comes in as an argument, the algorithm is fixed, and a claim of the wrong type is a
//! wrong token rather than a missing claim.

use std::{fmt, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use time::{Duration, OffsetDateTime};

use super::Secret;
use crate::{
    chat::ports::{Claims, Clock, Fault, Tokens},
    domain::{Rejection, SpacePattern, UserName},
};

/// The longest token that is looked at. A longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// How far the clock of a back end that signs tokens may be ahead of ours.
pub const LEEWAY: Duration = Duration::seconds(5);

/// Makes and checks tokens with one key.
#[derive(Clone)]
pub struct KeyTokens {
    signing: EncodingKey,
    checking: DecodingKey,
    clock: Arc<dyn Clock>,
}

impl KeyTokens {
    /// Tokens of the key `secret`, dated by `clock` when they are made.
    pub fn new(secret: &Secret, clock: Arc<dyn Clock>) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret.expose()),
            checking: DecodingKey::from_secret(secret.expose()),
            clock,
        }
    }
}

impl fmt::Debug for KeyTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTokens(***)")
    }
}

impl Tokens for KeyTokens {
    fn check(&self, token: &str, now: OffsetDateTime) -> Result<Claims, Rejection> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejection::Unauthorized);
        }
        let data = match decode::<Signed>(token, &self.checking, &signature_alone()) {
            // `crit` names rules that must be understood, and we understand none.
            Ok(data) if data.header.crit.is_none() => data,
            Ok(_) | Err(_) => return Err(Rejection::Unauthorized),
        };
        data.claims.prove(now)
    }

    fn issue(&self, claims: &Claims) -> Result<String, Fault> {
        let signed = Signed::new(claims, self.clock.now());
        encode(&Header::new(Algorithm::HS256), &signed, &self.signing)
            .map_err(|error| Fault::new("signing a token", error))
    }
}

/// The claims as they stand in a token. Others may stand beside them.
#[derive(Serialize, Deserialize)]
struct Signed {
    sub: String,
    exp: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<Number>,
    #[serde(skip_deserializing)]
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    spaces: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
}

impl Signed {
    fn new(claims: &Claims, now: OffsetDateTime) -> Self {
        let Claims { user, expires_at, spaces, guest } = claims;
        // Whole seconds, rounded up: a token is good until its time is over.
        let exp = expires_at.unix_timestamp() + i64::from(expires_at.nanosecond() > 0);
        Self {
            sub: user.as_raw().to_owned(),
            exp: exp.into(),
            nbf: None,
            iat: now.unix_timestamp(),
            spaces: (!spaces.is_empty()).then(|| spaces.iter().map(ToString::to_string).collect()),
            guest: guest.clone(),
        }
    }

    /// What they prove at `now`.
    fn prove(self, now: OffsetDateTime) -> Result<Claims, Rejection> {
        let Self { sub, exp, nbf, iat: _, spaces, guest } = self;
        let user = UserName::parse(&sub).map_err(unauthorized)?;
        let spaces = match spaces {
            None => Vec::new(),
            Some(spaces) => patterns(&spaces)?,
        };
        let expires_at = moment(&exp)?;
        if let Some(nbf) = nbf
            && now + LEEWAY < moment(&nbf)?
        {
            return Err(Rejection::Unauthorized);
        }
        if now >= expires_at {
            return Err(Rejection::TokenExpired);
        }
        Ok(Claims { user, expires_at, spaces, guest })
    }
}

/// Has the library look at the signature and at nothing else.
fn signature_alone() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The spaces that a token opens. A list of none opens none, so such a token is good for nothing.
fn patterns(raw: &[String]) -> Result<Vec<SpacePattern>, Rejection> {
    if raw.is_empty() {
        return Err(Rejection::Unauthorized);
    }
    raw.iter().map(|text| SpacePattern::parse(text).map_err(unauthorized)).collect()
}

/// The time that a numeric date means: seconds since 1970, perhaps with a fraction.
fn moment(date: &Number) -> Result<OffsetDateTime, Rejection> {
    /// The last second of the year 9999, which is the last one that has a date.
    const LAST: f64 = 253_402_300_799.0;
    let seconds = date.as_f64().filter(|seconds| (0.0..=LAST).contains(seconds));
    let seconds = seconds.ok_or(Rejection::Unauthorized)?;
    Ok(OffsetDateTime::UNIX_EPOCH + Duration::seconds_f64(seconds))
}

/// Why exactly a claim is wrong is nothing that a stranger needs to hear.
fn unauthorized(_: Rejection) -> Rejection {
    Rejection::Unauthorized
}

#[cfg(test)]
mod tests;
