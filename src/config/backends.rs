//! Back ends: `[[backends]]`.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use http::{HeaderName, Uri};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

use crate::domain::{BackendName, Hook, Secret};

const TIMEOUT_MS: u64 = 5000;
const TIMEOUT_MS_MAX: u64 = 60_000;
const IN_FLIGHT: usize = 256;
const IN_FLIGHT_MAX: usize = 100_000;
const SECRETS_MAX: usize = 2;
const HOOKS: [(&str, Hook); 4] = [
    ("connect", Hook::Connect),
    ("message", Hook::Message),
    ("join", Hook::Join),
    ("invite", Hook::Invite),
];

/// A program that answers events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendSettings {
    /// Its name in rules and in the log.
    pub name: BackendName,
    /// Its address.
    pub url: BackendUrl,
    /// The secrets that sign requests: one, or two while one rotates.
    pub secrets: Vec<Secret>,
    /// A file with the same, one per line.
    pub secret_file: Option<PathBuf>,
    /// How long a call may take.
    pub timeout_ms: u64,
    /// How many calls may be under way.
    pub in_flight_max: usize,
    /// Whether what it does not answer is allowed.
    pub allows_on_failure: bool,
    /// What it is asked about.
    pub hooks: BTreeSet<Hook>,
    /// The headers of a connection that it receives, in lower case.
    pub headers: Vec<String>,
}

/// An address `http://…` or `https://…`. `Debug` prints `***`: it may contain a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendUrl(Uri);

impl BackendUrl {
    /// The address.
    pub fn expose(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A back end as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendTable {
    name: String,
    url: Value,
    secret: Option<Value>,
    secret_file: Option<PathBuf>,
    timeout_ms: Option<u64>,
    in_flight_max: Option<usize>,
    on_failure: Option<String>,
    #[serde(default)]
    hooks: Vec<String>,
    headers: Option<Vec<String>>,
}

impl BackendTable {
    fn settings(self) -> Result<BackendSettings, String> {
        let Self { name, url, secret, secret_file, timeout_ms, in_flight_max, .. } = self;
        if name.is_empty() {
            return Err("`name` is empty".to_owned());
        }
        let secrets = secret.map(secrets).transpose()?.unwrap_or_default();
        if !secrets.is_empty() && secret_file.is_some() {
            return Err("`secret` and `secret_file` exclude each other".to_owned());
        }
        let timeout_ms = timeout_ms.unwrap_or(TIMEOUT_MS);
        if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
            return Err(format!("`timeout_ms` must be from 1 to {TIMEOUT_MS_MAX}"));
        }
        let in_flight_max = in_flight_max.unwrap_or(IN_FLIGHT);
        if !(1..=IN_FLIGHT_MAX).contains(&in_flight_max) {
            return Err(format!("`in_flight_max` must be from 1 to {IN_FLIGHT_MAX}"));
        }
        let allows_on_failure = match self.on_failure.as_deref() {
            None | Some("refuse") => false,
            Some("allow") => true,
            Some(_) => return Err("`on_failure` must be refuse or allow".to_owned()),
        };
        let hooks: BTreeSet<_> = self.hooks.iter().map(|it| hook(it)).collect::<Result<_, _>>()?;
        if self.headers.is_some() && !hooks.contains(&Hook::Connect) {
            return Err("`headers` needs the hook \"connect\"".to_owned());
        }
        let (name, url) = (BackendName::from_raw(&name), address(&url)?);
        Ok(BackendSettings {
            name,
            url,
            secrets,
            secret_file,
            timeout_ms,
            in_flight_max,
            allows_on_failure,
            hooks,
            headers: headers(self.headers)?,
        })
    }
}

fn hook(text: &str) -> Result<Hook, String> {
    let named = HOOKS.into_iter().find(|(name, _)| *name == text);
    named.map(|(_, hook)| hook).ok_or_else(|| {
        format!("`hooks` has {text:?}; there are {}", HOOKS.map(|(name, _)| name).join(", "))
    })
}

/// The names of headers, in lower case; `cookie`, if there is no list.
fn headers(list: Option<Vec<String>>) -> Result<Vec<String>, String> {
    let Some(list) = list else { return Ok(vec!["cookie".to_owned()]) };
    let name = |it: String| match it.parse::<HeaderName>() {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(format!("{it:?} is not the name of a header")),
    };
    list.into_iter().map(name).collect()
}

/// The address. The error does not repeat it.
pub(super) fn address(value: &Value) -> Result<BackendUrl, String> {
    let form = || "`url` must be an address http://… or https://…".to_owned();
    let uri: Uri = value.as_str().ok_or_else(form)?.parse().map_err(|_error| form())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if is_http { Ok(BackendUrl(uri)) } else { Err(form()) }
}

/// A secret, or a list of them. The error does not repeat them.
pub(super) fn secrets(value: Value) -> Result<Vec<Secret>, String> {
    let form = || "`secret` must be a text, or a list of two".to_owned();
    let list = match value {
        Value::Array(list) if (1..=SECRETS_MAX).contains(&list.len()) => list,
        Value::String(_) => vec![value],
        _ => return Err(form()),
    };
    let secret = |it: &Value| it.as_str().map(|text| Secret::from_raw(text.as_bytes()));
    list.iter().map(|it| secret(it).ok_or_else(form)).collect()
}

/// Parses the list of back ends. No error contains a value that may be secret.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<BackendSettings>, D::Error> {
    let list = Vec::<Value>::deserialize(input)?;
    let mut all = Vec::<BackendSettings>::new();
    for (place, value) in list.into_iter().enumerate() {
        let settings = match value {
            Value::Table(_) => BackendTable::deserialize(value)
                .map_err(|error| error.message().to_owned())
                .and_then(BackendTable::settings),
            _ => Err("must be a table, such as { name = \"shop\", url = \"…\" }".to_owned()),
        };
        let settings = settings.and_then(|it| {
            let is_taken = |hook: &Hook| all.iter().any(|other| other.hooks.contains(hook));
            if all.iter().any(|other| other.name == it.name) {
                Err("has the name of another one".to_owned())
            } else if it.hooks.iter().any(is_taken) {
                Err("another one has the same hook".to_owned())
            } else {
                Ok(it)
            }
        });
        all.push(
            settings
                .map_err(|reason| D::Error::custom(format!("back end {}: {reason}", place + 1)))?,
        );
    }
    Ok(all)
}

/// Settings are serialized only to list the valid keys, and there are no back ends by default.
pub(super) fn write<S: Serializer>(all: &[BackendSettings], output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(all.iter().map(|it| it.name.as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn backends(text: &str) -> Result<Vec<BackendSettings>, String> {
        let text = format!("backends = [{text}]");
        Config::from_toml(&text).map(|it| it.backends).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_back_end_has_a_name_and_an_address() {
        let all = backends("{ name = 'shop', url = 'http://127.0.0.1:8000/hook' }").unwrap();
        let [shop] = &all[..] else { panic!("{all:?}") };
        assert_eq!(shop.url.expose().to_string(), "http://127.0.0.1:8000/hook");
        assert_eq!((shop.timeout_ms, shop.in_flight_max), (TIMEOUT_MS, IN_FLIGHT));
        assert!(shop.secrets.is_empty() && !shop.allows_on_failure);
        let text = "{ name = 'a', url = 'https://a.example', secret = ['one', 'two'],\n\
            timeout_ms = 7, in_flight_max = 8, on_failure = 'allow' }";
        let all = backends(text).unwrap();
        assert_eq!(all[0].secrets.len(), 2);
        assert!(all[0].allows_on_failure);
    }

    #[test]
    fn errors_say_what_is_wrong_and_repeat_no_secret() {
        let with = |rest: &str| format!("{{ name = 'a', url = 'http://a', {rest} }}");
        for (table, why) in [
            ("7".to_owned(), "back end 1: must be a table"),
            ("{ name = 'a' }".to_owned(), "missing field `url`"),
            ("{ name = '', url = 'http://a' }".to_owned(), "`name` is empty"),
            ("{ name = 'a', url = 'ftp://password@a' }".to_owned(), "`url` must be an address"),
            ("{ name = 'a', url = 7 }".to_owned(), "`url` must be an address"),
            (with("secret = 7"), "`secret` must be a text"),
            (with("secret = ['password', 'b', 'c']"), "`secret` must be a text"),
            (with("secret = 'password', secret_file = 'b'"), "exclude each other"),
            (with("timeout_ms = 0"), "`timeout_ms` must be from 1"),
            (with("in_flight_max = 0"), "`in_flight_max` must be from 1"),
            (with("on_failure = 'ignore'"), "`on_failure` must be refuse or allow"),
            (with("hook = 'x'"), "unknown field `hook`"),
            (with("hooks = ['close']"), "`hooks` has \"close\"; there are connect, message"),
            (with("headers = ['cookie']"), "`headers` needs the hook"),
            (with("hooks = ['connect'], headers = ['a b']"), "\"a b\" is not the name of a header"),
            (
                "{ name = 'a', url = 'http://a', hooks = ['connect'] },\
                    { name = 'b', url = 'http://b', hooks = ['connect'] }"
                    .to_owned(),
                "back end 2: another one has the same hook",
            ),
            (format!("{0}, {0}", with("timeout_ms = 1")), "has the name of another one"),
        ] {
            let reason = backends(&table).unwrap_err();
            assert!(reason.contains(why), "{table}: {reason}");
            assert!(!reason.contains("password"), "{reason}");
        }
    }
}
