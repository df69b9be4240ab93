//! Keys of the HTTP API: `[[api_keys]]`.

use std::{collections::BTreeSet, num::NonZeroU32};

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

use super::pace;
use crate::{
    auth::ApiKeyHash,
    domain::{ApiScope, Pace, SpacePattern},
};

/// The scopes by name.
pub const API_SCOPES: [(&str, ApiScope); 3] =
    [("publish", ApiScope::Publish), ("read", ApiScope::Read), ("manage", ApiScope::Manage)];

/// A key, by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeySettings {
    /// Its name in the log.
    pub name: String,
    /// Its hash.
    pub hash: ApiKeyHash,
    /// What it permits.
    pub scopes: BTreeSet<ApiScope>,
    /// The spaces that it is valid for. Empty: all.
    pub spaces: Vec<SpacePattern>,
    /// How many items it may send and ask for.
    pub pace: Option<Pace>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKeyTable {
    name: String,
    sha256: String,
    scopes: Vec<String>,
    #[serde(default)]
    spaces: Vec<String>,
    per_second_max: Option<NonZeroU32>,
    burst_max: Option<NonZeroU32>,
}

impl ApiKeyTable {
    /// No error repeats the hash: somebody may have written the key itself.
    fn settings(self) -> Result<ApiKeySettings, String> {
        let Self { name, sha256, scopes, spaces, per_second_max, burst_max } = self;
        if name.is_empty() {
            return Err("`name` is empty".to_owned());
        }
        let hash = ApiKeyHash::parse(&sha256)
            .ok_or("`sha256` must be the 64 digits that `roomcast key new` prints")?;
        let scopes: BTreeSet<_> = scopes.iter().map(|it| scope(it)).collect::<Result<_, _>>()?;
        if scopes.is_empty() {
            return Err("`scopes` is empty".to_owned());
        }
        let space = |it: &String| {
            SpacePattern::parse(it).map_err(|_rejection| format!("{it:?} is not a space"))
        };
        let spaces = spaces.iter().map(space).collect::<Result<_, _>>()?;
        let pace = pace::pace(per_second_max, burst_max)?;
        Ok(ApiKeySettings { name, hash, scopes, spaces, pace })
    }
}

/// The scope with this name.
pub fn scope(text: &str) -> Result<ApiScope, String> {
    let found = API_SCOPES.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, scope)| scope).ok_or_else(|| {
        let names = API_SCOPES.map(|(name, _)| name).join(", ");
        format!("{text:?} is not a scope; there are {names}")
    })
}

/// Parses the list of keys.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<ApiKeySettings>, D::Error> {
    let mut all = Vec::<ApiKeySettings>::new();
    for (place, value) in Vec::<Value>::deserialize(input)?.into_iter().enumerate() {
        let settings = match value {
            Value::Table(_) => ApiKeyTable::deserialize(value)
                .map_err(|error| error.message().to_owned())
                .and_then(ApiKeyTable::settings),
            _ => Err("must be a table, such as `roomcast key new` prints".to_owned()),
        };
        let settings = settings.and_then(|it| {
            let is_taken = all.iter().any(|other| other.name == it.name || other.hash == it.hash);
            if is_taken {
                Err("has the name or the hash of another one".to_owned())
            } else {
                Ok(it)
            }
        });
        let named = |reason| D::Error::custom(format!("API key {}: {reason}", place + 1));
        all.push(settings.map_err(named)?);
    }
    Ok(all)
}

/// Settings are serialized only to list the valid keys, and there are no API keys by default.
pub(super) fn write<S: Serializer>(all: &[ApiKeySettings], output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(all.iter().map(|it| &it.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn keys(text: &str) -> Result<Vec<ApiKeySettings>, String> {
        let text = format!("api_keys = [{}]", text.replace("HASH", HASH));
        Config::from_toml(&text).map(|it| it.api_keys).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_key_has_a_name_a_hash_and_scopes() {
        let text = "{ name = 'a', sha256 = 'HASH', scopes = ['publish'], spaces = ['/team-*'] }";
        let all = keys(text).unwrap();
        let [key] = &all[..] else { panic!("{all:?}") };
        assert_eq!(key.scopes, [ApiScope::Publish].into());
        assert_eq!(key.hash.to_string(), HASH);
        assert_eq!((key.spaces[0].to_string(), key.pace), ("/team-*".to_owned(), None));
    }

    #[test]
    fn a_key_may_have_a_pace() {
        let pace = |rest| {
            let table = format!("{{ name = 'a', sha256 = 'HASH', scopes = ['read'], {rest} }}");
            keys(&table).unwrap()[0].pace.map(|it| (it.per_second_max.get(), it.burst_max.get()))
        };
        assert_eq!(pace("per_second_max = 5"), Some((5, 5)));
        assert_eq!(pace("per_second_max = 5, burst_max = 9"), Some((5, 9)));
    }

    #[test]
    fn errors_say_what_is_wrong_and_repeat_no_key() {
        let with = |rest: &str| format!("{{ name = 'a', {rest} }}");
        let good = with("sha256 = 'HASH', scopes = ['publish']");
        for (table, why) in [
            ("7".to_owned(), "API key 1: must be a table"),
            (with("scopes = ['publish']"), "missing field `sha256`"),
            (with("sha256 = 'rcast_secret', scopes = ['publish']"), "`sha256` must be the 64"),
            (with("sha256 = 'HASH', scopes = []"), "`scopes` is empty"),
            (with("sha256 = 'HASH', scopes = ['write']"), "\"write\" is not a scope; there are"),
            (with("sha256 = 'HASH', scopes = ['publish'], spaces = ['a']"), "\"a\" is not a space"),
            (with("sha256 = 'HASH', scopes = ['publish'], key = 'x'"), "unknown field `key`"),
            (with("sha256 = 'HASH', scopes = ['read'], burst_max = 1"), "needs `per_second_max`"),
            (
                with("sha256 = 'HASH', scopes = ['read'], per_second_max = 0"),
                "expected a whole number from 1",
            ),
            (format!("{good}, {good}"), "API key 2: has the name or the hash of another one"),
        ] {
            let reason = keys(&table).unwrap_err();
            assert!(reason.contains(why), "{table}: {reason}");
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
