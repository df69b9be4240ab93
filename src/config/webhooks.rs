//! Webhooks: `[[webhooks]]`.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

use super::backends::{BackendUrl, address, secrets};
use crate::domain::{Secret, SpacePattern, WebhookEventKind, WebhookName, WebhookRule};

const TIMEOUT_MS: u64 = 10_000;
const TIMEOUT_MS_MAX: u64 = 60_000;
const IN_FLIGHT: usize = 16;
const IN_FLIGHT_MAX: usize = 1000;
const BATCH: usize = 1;
const BATCH_MAX: usize = 1000;
/// Three days.
const RETRY_SECS: u64 = 3 * 24 * 60 * 60;
/// A month.
const RETRY_SECS_MAX: u64 = 31 * 24 * 60 * 60;
/// The longest name.
const NAME_BYTES_MAX: usize = 64;

/// A program that is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Its name, and what it is told of.
    pub rule: WebhookRule,
    /// Its address.
    pub url: BackendUrl,
    /// The secrets that sign requests: one, or two while one rotates.
    pub secrets: Vec<Secret>,
    /// A file with the same, one per line.
    pub secret_file: Option<PathBuf>,
    /// How long a request may take.
    pub timeout_ms: u64,
    /// How many requests may be under way.
    pub in_flight_max: usize,
    /// How many events a request may have.
    pub batch_max: usize,
    /// How long after an event its delivery is retried.
    pub retry_secs_max: u64,
}

/// A webhook as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    name: String,
    url: Value,
    secret: Option<Value>,
    secret_file: Option<PathBuf>,
    events: Vec<String>,
    #[serde(default)]
    spaces: Vec<String>,
    timeout_ms: Option<u64>,
    in_flight_max: Option<usize>,
    batch_max: Option<usize>,
    retry_secs_max: Option<u64>,
}

impl WebhookTable {
    fn settings(self) -> Result<WebhookSettings, String> {
        let Self { name, url, secret, secret_file, events, spaces, .. } = self;
        let is_visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !is_visible {
            return Err("`name` must be 1 to 64 letters, digits and signs of ASCII".to_owned());
        }
        let secrets = secret.map(secrets).transpose()?.unwrap_or_default();
        if !secrets.is_empty() && secret_file.is_some() {
            return Err("`secret` and `secret_file` exclude each other".to_owned());
        }
        let within = |key: &str, value: u64, most: u64| {
            let fits = (1..=most).contains(&value);
            if fits { Ok(value) } else { Err(format!("`{key}` must be from 1 to {most}")) }
        };
        let size = |key: &str, value: Option<usize>, default: usize, most: usize| {
            within(key, value.unwrap_or(default) as u64, most as u64)
                .map(|value| usize::try_from(value).unwrap_or(most))
        };
        let (timeout, retry) = (self.timeout_ms, self.retry_secs_max);
        Ok(WebhookSettings {
            rule: WebhookRule {
                name: WebhookName::from_raw(&name),
                kinds: kinds(&events)?,
                spaces: spaces.iter().map(|it| space(it)).collect::<Result<_, _>>()?,
            },
            url: address(&url)?,
            secrets,
            secret_file,
            timeout_ms: within("timeout_ms", timeout.unwrap_or(TIMEOUT_MS), TIMEOUT_MS_MAX)?,
            in_flight_max: size("in_flight_max", self.in_flight_max, IN_FLIGHT, IN_FLIGHT_MAX)?,
            batch_max: size("batch_max", self.batch_max, BATCH, BATCH_MAX)?,
            retry_secs_max: within("retry_secs_max", retry.unwrap_or(RETRY_SECS), RETRY_SECS_MAX)?,
        })
    }
}

/// The kinds of a list of names, of which `*` is all.
fn kinds(names: &[String]) -> Result<BTreeSet<WebhookEventKind>, String> {
    if names.is_empty() {
        return Err("`events` is empty; \"*\" is all".to_owned());
    }
    let mut kinds = BTreeSet::new();
    for name in names {
        match WebhookEventKind::from_raw(name) {
            Some(kind) => drop(kinds.insert(kind)),
            None if name == "*" => kinds.extend(WebhookEventKind::ALL),
            None => {
                let all = WebhookEventKind::ALL.map(WebhookEventKind::as_raw).join(", ");
                return Err(format!("`events` has {name:?}; there are *, {all}"));
            }
        }
    }
    Ok(kinds)
}

fn space(text: &str) -> Result<SpacePattern, String> {
    SpacePattern::parse(text).map_err(|_rejection| format!("`spaces`: {text:?} is not a space"))
}

/// Parses the list of webhooks. No error contains a value that may be secret.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<WebhookSettings>, D::Error> {
    let list = Vec::<Value>::deserialize(input)?;
    let mut all = Vec::<WebhookSettings>::new();
    for (place, value) in list.into_iter().enumerate() {
        let settings = match value {
            Value::Table(_) => WebhookTable::deserialize(value)
                .map_err(|error| error.message().to_owned())
                .and_then(WebhookTable::settings),
            _ => Err("must be a table, such as { name = \"audit\", url = \"…\" }".to_owned()),
        };
        let settings = settings.and_then(|it| {
            if all.iter().any(|other| other.rule.name == it.rule.name) {
                Err("has the name of another one".to_owned())
            } else {
                Ok(it)
            }
        });
        let settings = settings
            .map_err(|reason| D::Error::custom(format!("webhook {}: {reason}", place + 1)))?;
        all.push(settings);
    }
    Ok(all)
}

/// Settings are serialized only to list the valid keys, and there are no webhooks by default.
pub(super) fn write<S: Serializer>(all: &[WebhookSettings], output: S) -> Result<S::Ok, S::Error> {
    output.collect_seq(all.iter().map(|it| it.rule.name.as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn webhooks(text: &str) -> Result<Vec<WebhookSettings>, String> {
        let text = format!("webhooks = [{text}]");
        Config::from_toml(&text).map(|it| it.webhooks).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_webhook_has_a_name_an_address_and_events() {
        let text = "{ name = 'audit', url = 'http://127.0.0.1:8000/hook', events = ['*'] }";
        let all = webhooks(text).unwrap();
        let [audit] = &all[..] else { panic!("{all:?}") };
        assert_eq!(audit.url.expose().to_string(), "http://127.0.0.1:8000/hook");
        assert_eq!(audit.rule.kinds.len(), WebhookEventKind::ALL.len());
        assert_eq!((audit.timeout_ms, audit.in_flight_max, audit.batch_max), (10_000, 16, 1));
        assert_eq!(audit.retry_secs_max, RETRY_SECS);
        let text = "{ name = 'a', url = 'https://a.example', secret = ['one', 'two'],\n\
            events = ['user.online'], spaces = ['/shop-*'], timeout_ms = 7, in_flight_max = 8,\n\
            batch_max = 9, retry_secs_max = 10 }";
        let all = webhooks(text).unwrap();
        assert_eq!((all[0].secrets.len(), all[0].batch_max), (2, 9));
        assert_eq!((all[0].rule.spaces.len(), all[0].retry_secs_max), (1, 10));
    }

    #[test]
    fn errors_say_what_is_wrong_and_repeat_no_secret() {
        let with =
            |rest: &str| format!("{{ name = 'a', url = 'http://a', events = ['*'], {rest} }}");
        for (table, why) in [
            ("7".to_owned(), "webhook 1: must be a table"),
            ("{ name = 'a', url = 'http://a' }".to_owned(), "missing field `events`"),
            ("{ name = 'a', url = 'http://a', events = [] }".to_owned(), "`events` is empty"),
            ("{ name = 'a', url = 'http://a', events = ['x'] }".to_owned(), "there are *, user.on"),
            ("{ name = '', url = 'http://a', events = ['*'] }".to_owned(), "`name` must be"),
            ("{ name = 'a', url = 'ftp://password@a', events = ['*'] }".to_owned(), "`url` must"),
            (with("secret = 7"), "`secret` must be a text"),
            (with("secret = 'password', secret_file = 'b'"), "exclude each other"),
            (with("spaces = ['shop']"), "\"shop\" is not a space"),
            (with("timeout_ms = 0"), "`timeout_ms` must be from 1"),
            (with("in_flight_max = 0"), "`in_flight_max` must be from 1"),
            (with("batch_max = 1001"), "`batch_max` must be from 1 to 1000"),
            (with("retry_secs_max = 0"), "`retry_secs_max` must be from 1"),
            (with("hooks = ['x']"), "unknown field `hooks`"),
            (format!("{0}, {0}", with("timeout_ms = 1")), "has the name of another one"),
        ] {
            let reason = webhooks(&table).unwrap_err();
            assert!(reason.contains(why), "{table}: {reason}");
            assert!(!reason.contains("password"), "{reason}");
        }
    }
}
