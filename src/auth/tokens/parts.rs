//! The parts of a token, before its signature is verified.

use std::{fmt, marker::PhantomData};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use crate::auth::TOKEN_BYTES_MAX;
use crate::auth::TokenError;

/// The longest `kid` that is looked up. No key has a longer one.
const KEY_ID_BYTES_MAX: usize = 256;

/// The three parts of a token; only the header was parsed. `alg` and `kid` choose among the
/// configured keys; other header parameters (`jku`, `jwk`, `x5u` …) are ignored.
pub(super) struct TokenParts<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<Box<str>>,
    pub(super) message: &'t str,
    pub(super) signature: &'t str,
    payload: &'t str,
}

impl<'t> TokenParts<'t> {
    pub(super) fn read(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLarge);
        }
        let three = token.rsplit_once('.').and_then(|(message, signature)| {
            message.split_once('.').map(|(header, payload)| (message, header, payload, signature))
        });
        let (message, header, payload, signature) =
            three.ok_or(TokenError::NotJwt("it has no three parts with dots between them"))?;
        if payload.contains('.') {
            let encrypted = payload.matches('.').count() == 2;
            return Err(TokenError::NotJwt(if encrypted {
                "it has five parts, so it is encrypted"
            } else {
                "it has more than three parts"
            }));
        }
        let header = object(header)
            .ok_or(TokenError::NotJwt("its header is no JSON object in base64url"))?;
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some(none) if none.eq_ignore_ascii_case("none") => return Err(TokenError::Unsigned),
            Some(name) => name.parse().or(Err(TokenError::UnsupportedAlgorithm))?,
            None => return Err(TokenError::InvalidClaim { claim: "alg", wanted: "a text" }),
        };
        if header.contains_key("crit") {
            return Err(TokenError::CriticalHeader);
        }
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(key)) if key.len() <= KEY_ID_BYTES_MAX => Some(key.as_str().into()),
            Some(_) => {
                return Err(TokenError::InvalidClaim {
                    claim: "kid",
                    wanted: "a text of at most 256 bytes",
                });
            }
        };
        Ok(Self { algorithm, key, message, signature, payload })
    }

    /// The claims. To be read only after the signature was verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, TokenError> {
        let wanted = "its claims are no JSON object in base64url, with each name once";
        object(self.payload).ok_or(TokenError::NotJwt(wanted))
    }
}

/// The JSON object that `part` encodes.
fn object(part: &str) -> Option<Map<String, Value>> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&text).ok().map(|UniqueMembers::<UniqueValue>(members, _)| members)
}

/// The members of an object, each name once: for a repeated name, some parsers take the first value
/// and others the last, so they would read different tokens.
struct UniqueMembers<V>(Map<String, Value>, PhantomData<V>);

/// The value of a member. In an object (`rooms` may be one), each name occurs once, too.
struct UniqueValue(Value);

impl<'de, V: DeserializeOwned + Into<Value>> Deserialize<'de> for UniqueMembers<V> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(UniqueMembersVisitor(PhantomData))
    }
}

struct UniqueMembersVisitor<V>(PhantomData<V>);

impl<'de, V: DeserializeOwned + Into<Value>> Visitor<'de> for UniqueMembersVisitor<V> {
    type Value = UniqueMembers<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<UniqueMembers<V>, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = input.next_entry::<String, V>()? {
            if members.insert(name, value.into()).is_some() {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(UniqueMembers(members, PhantomData))
    }
}

impl<'de> Deserialize<'de> for UniqueValue {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(input)?;
        let value = if text.get().starts_with('{') {
            let members = serde_json::from_str(text.get());
            members.map(|UniqueMembers::<Value>(members, _)| Value::Object(members))
        } else {
            serde_json::from_str(text.get())
        };
        value.map(Self).map_err(D::Error::custom)
    }
}

impl From<UniqueValue> for Value {
    fn from(UniqueValue(value): UniqueValue) -> Self {
        value
    }
}
