//! The claims: parsed strictly, so that a claim of the wrong type is an error and not a missing
//! claim.

use serde_json::{Map, Number, Value};
use time::{Duration, OffsetDateTime};

use super::TokenRules;
use crate::{
    auth::TokenError,
    chat::ports::{Claims, Rooms},
    domain::{DisplayName, Role, RoomPattern, SignInId, SpacePattern, TokenId, UserName},
};

/// The tolerated difference between the clocks of nodes that share a key.
const OWN_LEEWAY: Duration = Duration::MINUTE;

/// The signer of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// The server's own key, which other nodes may share.
    Own,
    /// A configured key, which may not sign guest tokens.
    Other,
}

/// The claims of a token at `now`.
///
/// Expiry is checked last: an expired token is valid otherwise, so the client may expect a fresh
/// one to be accepted.
pub(super) fn verify(
    members: &Map<String, Value>,
    signer: Signer,
    rules: &TokenRules,
    now: OffsetDateTime,
) -> Result<Claims, TokenError> {
    let members = ClaimReader(members);
    members.check_issuer(rules.issuer.as_deref())?;
    members.check_audience(&rules.audience)?;
    let name = members.text("sub")?.ok_or(TokenError::MissingClaim("sub"))?;
    let wanted = "a user name: 1 to 64 visible characters";
    let user = UserName::parse(name).or(Err(TokenError::InvalidClaim { claim: "sub", wanted }))?;
    let expires_at = members.date("exp")?.ok_or(TokenError::MissingClaim("exp"))?;
    let claims = Claims {
        name: members.name()?,
        spaces: members.spaces()?,
        rooms: members.rooms()?,
        admin: members.admin()?,
        token: members.token_id()?,
        issued_at: members.date("iat")?,
        guest: members.reserved_text("guest", signer)?.map(Into::into),
        sign_in: members.reserved_text("sign_in", signer)?.map(SignInId::from_raw),
        ..Claims::of(user, expires_at)
    };
    // The clock of the node that made a token may be ahead of this node's clock.
    let is_own = claims.guest.is_some() || claims.sign_in.is_some();
    let leeway = if is_own { rules.leeway.max(OWN_LEEWAY) } else { rules.leeway };
    for claim in ["nbf", "iat"] {
        if let Some(at) = members.date(claim)?
            && now + leeway < at
        {
            return Err(TokenError::NotYetValid { claim, at });
        }
    }
    if now >= expires_at {
        return Err(TokenError::Expired(expires_at));
    }
    Ok(claims)
}

/// The members of a token that this server issues, made at `now`.
pub(super) fn to_payload(
    claims: &Claims,
    rules: &TokenRules,
    now: OffsetDateTime,
) -> Map<String, Value> {
    let Claims { user, name, expires_at, spaces, rooms, admin, guest, token, issued_at, sign_in } =
        claims;
    // Whole seconds, rounded up: a token is valid until its expiry is reached.
    let exp = expires_at.unix_timestamp() + i64::from(expires_at.nanosecond() > 0);
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    put("sub", Some(user.as_raw().into()));
    put("exp", Some(exp.into()));
    put("iat", Some(issued_at.unwrap_or(now).unix_timestamp().into()));
    put("jti", token.as_ref().map(|it| it.as_raw().into()));
    put("iss", rules.issuer.as_deref().map(Value::from));
    put("aud", rules.audience.first().map(|it| Value::from(&**it)));
    put("name", name.as_ref().map(|it| it.as_raw().into()));
    put("spaces", (!spaces.is_empty()).then(|| texts(spaces)));
    put(
        "rooms",
        match rooms {
            Rooms::All => None,
            Rooms::Only(patterns) => Some(rooms_value(patterns)),
        },
    );
    put("admin", admin.then_some(Value::Bool(true)));
    put("guest", guest.as_deref().map(Value::from));
    put("sign_in", sign_in.as_ref().map(|it| it.as_raw().into()));
    members
}

fn texts(patterns: &[impl ToString]) -> Value {
    patterns.iter().map(ToString::to_string).collect()
}

/// Rooms as a list or, if they have roles, as an object.
fn rooms_value(patterns: &[(RoomPattern, Option<Role>)]) -> Value {
    if patterns.iter().all(|(_, role)| role.is_none()) {
        return patterns.iter().map(|(pattern, _)| pattern.to_string()).collect();
    }
    // A mix of rooms with and without roles has no encoding; such a token is refused when it is
    // verified.
    let role = |role: &Option<Role>| role.map_or(Value::Null, |role| role.as_raw().into());
    let members = patterns.iter().map(|(pattern, it)| (pattern.to_string(), role(it)));
    Value::Object(members.collect())
}

/// The claims of a token by name.
struct ClaimReader<'m>(&'m Map<String, Value>);

impl<'m> ClaimReader<'m> {
    fn check_issuer(&self, issuer: Option<&str>) -> Result<(), TokenError> {
        match issuer {
            Some(issuer) if self.0.get("iss").and_then(Value::as_str) != Some(issuer) => {
                Err(TokenError::WrongIssuer(issuer.into()))
            }
            _ => Ok(()),
        }
    }

    fn check_audience(&self, audience: &[Box<str>]) -> Result<(), TokenError> {
        let is_one =
            |it: &Value| it.as_str().is_some_and(|it| audience.iter().any(|us| **us == *it));
        let fits = match self.0.get("aud") {
            Some(Value::Array(list)) => {
                list.iter().all(Value::is_string) && list.iter().any(is_one)
            }
            Some(one) => is_one(one),
            None => false,
        };
        if audience.is_empty() || fits {
            Ok(())
        } else {
            Err(TokenError::WrongAudience(audience.into()))
        }
    }

    fn text(&self, claim: &'static str) -> Result<Option<&'m str>, TokenError> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::InvalidClaim { claim, wanted: "a text" }),
        }
    }

    /// A text that is reserved to the server's own key. Under another key, which may have been the
    /// own key before, it is refused and not ignored: a guest would become a user.
    fn reserved_text(
        &self,
        claim: &'static str,
        signer: Signer,
    ) -> Result<Option<&'m str>, TokenError> {
        match (signer, self.text(claim)) {
            (Signer::Own, text) => text,
            (Signer::Other, Ok(None)) => Ok(None),
            (Signer::Other, _) => Err(TokenError::ReservedClaim(claim)),
        }
    }

    /// The time of a numeric date: seconds since 1970, perhaps with a fraction.
    fn date(&self, claim: &'static str) -> Result<Option<OffsetDateTime>, TokenError> {
        /// The last second of the year 9999, the last year with an RFC 3339 date.
        const LAST: f64 = 253_402_300_799.0;
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let seconds = value.as_number().and_then(Number::as_f64);
        let seconds = seconds.filter(|seconds| (0.0..=LAST).contains(seconds));
        let wanted = "a number of seconds since 1970";
        let seconds = seconds.ok_or(TokenError::InvalidClaim { claim, wanted })?;
        Ok(Some(OffsetDateTime::UNIX_EPOCH + Duration::seconds_f64(seconds)))
    }

    /// The display name. A back end may send `null` for none.
    fn name(&self) -> Result<Option<DisplayName>, TokenError> {
        if self.0.get("name").is_some_and(Value::is_null) {
            return Ok(None);
        }
        Ok(self.text("name")?.and_then(DisplayName::parse))
    }

    /// The id of the token. One that cannot be revoked is refused.
    fn token_id(&self) -> Result<Option<TokenId>, TokenError> {
        let wanted = "a text of 1 to 256 bytes without control characters";
        let parse =
            |text| TokenId::parse(text).or(Err(TokenError::InvalidClaim { claim: "jti", wanted }));
        self.text("jti")?.map(parse).transpose()
    }

    /// The spaces that it opens. An empty list opens none, so such a token is refused.
    fn spaces(&self) -> Result<Vec<SpacePattern>, TokenError> {
        let wanted = "a list of spaces such as /shop or /team-*, and not empty";
        let spaces = self.list("spaces", wanted, |text| SpacePattern::parse(text).ok())?;
        match spaces {
            Some(none) if none.is_empty() => {
                Err(TokenError::InvalidClaim { claim: "spaces", wanted })
            }
            spaces => Ok(spaces.unwrap_or_default()),
        }
    }

    /// The rooms that it opens. An empty list opens none; direct messages to the user still work.
    fn rooms(&self) -> Result<Rooms, TokenError> {
        let wanted = "a list of rooms such as news or team-*, or an object of rooms and roles";
        if let Some(Value::Object(rooms)) = self.0.get("rooms") {
            let read = |(room, role): (&String, &Value)| {
                let role = Role::from_raw(role.as_str()?)?;
                Some((RoomPattern::parse(room).ok()?, Some(role)))
            };
            let rooms: Option<_> = rooms.iter().map(read).collect();
            return rooms
                .map(Rooms::Only)
                .ok_or(TokenError::InvalidClaim { claim: "rooms", wanted });
        }
        let read = |text: &str| Some((RoomPattern::parse(text).ok()?, None));
        Ok(self.list("rooms", wanted, read)?.map_or(Rooms::All, Rooms::Only))
    }

    fn admin(&self) -> Result<bool, TokenError> {
        match self.0.get("admin") {
            None => Ok(false),
            Some(Value::Bool(admin)) => Ok(*admin),
            Some(_) => Err(TokenError::InvalidClaim { claim: "admin", wanted: "true or false" }),
        }
    }

    fn list<T>(
        &self,
        claim: &'static str,
        wanted: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, TokenError> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let list = value.as_array().and_then(|list| {
            list.iter().map(|it| it.as_str().and_then(&read)).collect::<Option<Vec<_>>>()
        });
        list.map(Some).ok_or(TokenError::InvalidClaim { claim, wanted })
    }
}

#[cfg(test)]
mod tests;
