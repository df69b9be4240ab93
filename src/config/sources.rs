//! The sources of settings, in order of precedence: file, environment, flags.
//!
//! Every value keeps its source, so that errors can name it. Keys are dotted here
//! (`limits.body_bytes_max`); the list of valid keys is derived from the defaults.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::Path,
};

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{Config, FILE, Problem, Problems, SettingPlace, check, otlp};

/// The prefix of environment variables that are settings.
const PREFIX: &str = "ROOMCAST_";

/// The variable with the API key of commands. It is no setting, and a server ignores it.
const COMMAND_KEY: &str = "ROOMCAST_API_KEY";

/// The API key that the environment has for commands.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a part of the one place that reads the environment")]
pub fn command_key() -> Option<String> {
    std::env::var(COMMAND_KEY).ok()
}

/// The least likeness of a key that is suggested in place of another one.
const LIKENESS_MIN: f64 = 0.85;

/// One setting from the command line, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag as it is typed.
    pub name: &'static str,
    /// The dotted key.
    pub key: String,
    /// The value: TOML, or plain text.
    pub value: String,
}

/// Values and their sources. Later ones replace earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    values: BTreeMap<String, (Value, SettingPlace)>,
    problems: Vec<Problem>,
    /// The file and the variables that were read.
    read: Vec<SettingPlace>,
}

impl Sources {
    /// Reads `file` or, if there is none, `roomcast.toml` if it exists.
    #[must_use]
    pub fn file(self, file: Option<&Path>) -> Self {
        let path = file.unwrap_or(Path::new(FILE));
        match fs::read_to_string(path) {
            Ok(text) => self.text(path, &text),
            Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => self,
            Err(error) => {
                self.add_problem(None, SettingPlace::File(path.to_owned()), error.to_string())
            }
        }
    }

    /// The file and the variables that were read, also where another source wins over them.
    #[must_use]
    pub fn read(&self) -> &[SettingPlace] {
        &self.read
    }

    /// Reads the environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn environment(self) -> Self {
        self.variables(std::env::vars_os())
    }

    /// Adds the settings among `variables`.
    #[must_use]
    pub fn variables(self, variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let (settings, others): (Vec<_>, Vec<_>) = named.partition(|(name, _)| {
            name.starts_with(PREFIX) && name != COMMAND_KEY && !is_from_kubernetes(name)
        });
        let all = settings.into_iter().fold(self, |all, (name, value)| all.variable(name, value));
        let of_all_programs = others.iter().filter(|(name, _)| otlp::is_collector(name));
        of_all_programs.fold(all, |all, (name, value)| all.general(otlp::KEY, name, value))
    }

    /// Adds what all programs of a machine are told. Another source wins over it.
    fn general(mut self, key: &str, name: &str, value: &OsStr) -> Self {
        let (value, place) = (value.to_string_lossy(), SettingPlace::Environment(name.to_owned()));
        self.read.push(place.clone());
        self.values.entry(key.to_owned()).or_insert((Value::String(value.into()), place));
        self
    }

    /// Adds settings from the command line.
    #[must_use]
    pub fn flags(self, flags: impl IntoIterator<Item = Flag>) -> Self {
        flags.into_iter().fold(self, |mut sources, Flag { name, key, value }| {
            let place = SettingPlace::Flag(name);
            match default_of(&key) {
                Some(default) => {
                    let value = parse_value(&key, &value, &default);
                    sources.values.insert(key, (value, place));
                    sources
                }
                None => sources.add_unknown_key(&key, place),
            }
        })
    }

    /// The resulting settings, or all errors.
    pub fn config(mut self) -> Result<Config, Problems> {
        for (key, (value, place)) in &self.values {
            if let Err(reason) = check_value(key, value) {
                self.problems.push(Problem {
                    key: Some(key.clone()),
                    place: place.clone(),
                    reason,
                });
            }
        }
        if self.problems.is_empty() {
            let config = merge(&self.values);
            for (key, reason) in check::problems(&config) {
                let place =
                    self.values.get(key).map_or(SettingPlace::Default, |(_, place)| place.clone());
                self.problems.push(Problem { key: Some(key.to_owned()), place, reason });
            }
            if self.problems.is_empty() {
                return Ok(config);
            }
        }
        Err(Problems(self.problems))
    }

    /// Adds the content of a file.
    #[must_use]
    pub(super) fn text(mut self, path: impl AsRef<Path>, text: &str) -> Self {
        let place = SettingPlace::File(path.as_ref().to_owned());
        self.read.push(place.clone());
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => return self.add_problem(None, place, error_position(text, &error)),
        };
        flatten(&table).into_iter().fold(self, |mut sources, (key, value)| match default_of(&key) {
            Some(_) => {
                sources.values.insert(key, (value, place.clone()));
                sources
            }
            None => sources.add_unknown_key(&key, place.clone()),
        })
    }

    fn variable(mut self, name: String, value: OsString) -> Self {
        let Some((key, default)) =
            defaults().into_iter().find(|(key, _)| variable_name(key) == name)
        else {
            let nearest = nearest(&name, variable_name);
            let reason = nearest.map_or_else(
                || "there is no such setting: `roomcast example-config` has all".to_owned(),
                |nearest| format!("there is no such setting; the nearest is {nearest}"),
            );
            return self.add_problem(None, SettingPlace::Environment(name), reason);
        };
        self.read.push(SettingPlace::Environment(name.clone()));
        match value.into_string() {
            Ok(value) => {
                let value = parse_value(&key, &value, &default);
                self.values.insert(key, (value, SettingPlace::Environment(name)));
                self
            }
            Err(_) => self.add_problem(
                Some(key),
                SettingPlace::Environment(name),
                "this is not UTF-8".to_owned(),
            ),
        }
    }

    fn add_unknown_key(self, key: &str, place: SettingPlace) -> Self {
        let reason = nearest(key, str::to_owned).map_or_else(
            || "there is no such key: `roomcast example-config` has all".to_owned(),
            |nearest| format!("there is no such key; the nearest is `{nearest}`"),
        );
        self.add_problem(Some(key.to_owned()), place, reason)
    }

    fn add_problem(mut self, key: Option<String>, place: SettingPlace, reason: String) -> Self {
        self.problems.push(Problem { key, place, reason });
        self
    }
}

/// The valid keys, dotted, with their defaults.
pub(super) fn defaults() -> Vec<(String, Value)> {
    flatten(&Table::try_from(Config::default()).expect("the defaults are plain values"))
}

/// The default of `key`, if it is valid.
fn default_of(key: &str) -> Option<Value> {
    defaults().into_iter().find_map(|(right, value)| (right == key).then_some(value))
}

/// The valid key that is most similar to `wrong` when it is written as `format_key` does, if any is
/// similar.
///
/// A key without its table is similar to the key in the table. What all variables begin with does not
/// make them similar.
fn nearest(wrong: &str, format_key: impl Fn(&str) -> String) -> Option<String> {
    let wrong = wrong.strip_prefix(PREFIX).unwrap_or(wrong);
    let likeness = |right: &str| {
        let right = right.strip_prefix(PREFIX).unwrap_or(right);
        let last = right.rsplit('.').next().unwrap_or(right);
        strsim::jaro_winkler(wrong, right).max(strsim::jaro_winkler(wrong, last))
    };
    let right = defaults().into_iter().map(|(key, _)| format_key(&key));
    let near = right.map(|key| (likeness(&key), key)).filter(|(it, _)| *it >= LIKENESS_MIN);
    near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, key)| key)
}

/// The variable that sets `key`.
fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Whether Kubernetes has set the variable: in each pod it adds such variables for a service with
/// the name `roomcast`, and operators may be unable to rename the service.
fn is_from_kubernetes(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

/// The value of `text` for a setting with this `default`: TOML, or plain text.
///
/// For a text, `text` is the value unless it is quoted, so that a directory may be named `7`. For a
/// list, plain text is its members separated by commas.
fn parse_value(key: &str, text: &str, default: &Value) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    let value = parsed.filter(|table| table.len() == 1).and_then(|mut it| it.remove("value"));
    match (value, default) {
        (Some(Value::Array(list)), _) if may_be_list(key) => Value::Array(list),
        (None, _) if may_be_list(key) && text.contains(',') => {
            Value::Array(text.split(',').map(|part| part.trim().into()).collect())
        }
        (Some(value), Value::String(_)) if !value.is_str() => Value::String(text.to_owned()),
        (None, Value::Array(_)) => {
            Value::Array(text.split(',').map(|part| part.trim().into()).collect())
        }
        (Some(value), _) => value,
        (None, _) => Value::String(text.to_owned()),
    }
}

/// Whether the value of `key` is one text or a list of them.
fn may_be_list(key: &str) -> bool {
    matches!(key, "bus" | "listen")
}

/// All values by dotted key. An empty table counts as a value, so that it is checked.
fn flatten(table: &Table) -> Vec<(String, Value)> {
    let entries = table.iter().map(|(key, value)| match value {
        Value::Table(inner) if inner.is_empty() && !is_table(key) => {
            vec![(key.clone(), value.clone())]
        }
        Value::Table(inner) => {
            flatten(inner).into_iter().map(|(rest, it)| (format!("{key}.{rest}"), it)).collect()
        }
        _ => vec![(key.clone(), value.clone())],
    });
    entries.flatten().collect()
}

/// Whether `key` is a table of settings.
fn is_table(key: &str) -> bool {
    matches!(
        key,
        "limits" | "otlp" | "postgres" | "retention" | "rooms" | "sqlite" | "tls" | "token"
    )
}

/// The settings. Each value was checked alone before.
fn merge(values: &BTreeMap<String, (Value, SettingPlace)>) -> Config {
    let mut table = Table::new();
    for (key, (value, _)) in values {
        put(&mut table, key, value.clone());
    }
    deserialize(table).expect("values that fit alone fit together")
}

/// Puts `value` at the dotted `key`.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            put(inner.as_table_mut().expect("the right keys are tables or values"), rest, value);
        }
    }
}

/// Checks that `value` is valid at `key`, without other settings, so that each invalid value has an
/// error of its own.
fn check_value(key: &str, value: &Value) -> Result<(), String> {
    let wanted = match (default_of(key).expect("the key was looked up"), value) {
        (Value::Integer(_), Value::Integer(number)) if *number < 0 => "a whole number, not below 0",
        (Value::Integer(_), Value::Integer(_))
        | (Value::String(_), Value::String(_))
        | (Value::Array(_), Value::Array(_))
        | (Value::Float(_), Value::Float(_) | Value::Integer(_)) => {
            return deserialize_value(key, value);
        }
        (Value::Float(_), _) => "a number from 0 to 1",
        _ if may_be_list(key) => return deserialize_value(key, value),
        (Value::Integer(_), _) => "a whole number",
        (Value::Array(_), _)
            if matches!(key, "events" | "paths" | "tls.certificates") || is_secret(key) =>
        {
            "a list of tables"
        }
        (Value::Array(_), _) => "a list of texts",
        (_, _) => "a text",
    };
    let is = if is_secret(key) { String::new() } else { format!(", and is {value}") };
    Err(format!("this must be {wanted}{is}"))
}

fn deserialize_value(key: &str, value: &Value) -> Result<(), String> {
    let mut table = Table::new();
    put(&mut table, key, value.clone());
    deserialize(table).map(drop)
}

/// Whether errors must not contain the value of `key`.
fn is_secret(key: &str) -> bool {
    matches!(key, "backends" | "bus" | "otlp.endpoint" | "store" | "token.secret" | "token.keys")
}

/// The error in a file and its position, but not the line itself, which the error would print: it
/// may contain a secret.
fn error_position(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {}", error.message().trim())
}

fn deserialize(table: Table) -> Result<Config, String> {
    Config::deserialize(Value::Table(table)).map_err(|error| describe_types(error.message()))
}

/// Replaces the names of serde's types by words.
fn describe_types(message: &str) -> String {
    ["a nonzero usize", "a nonzero u32", "usize", "u64", "u32"]
        .into_iter()
        .find_map(|kind| {
            let words = if kind.starts_with('a') { "from 1" } else { "from 0" };
            let before = message.strip_suffix(kind)?;
            Some(format!("{before}a whole number {words} up to what fits"))
        })
        .unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_other_is_similar_to_gets_no_suggestion() {
        let variable =
            |name: &str| Sources::default().variables([(name.into(), "1".into())].into_iter());
        for sources in [
            Sources::default().text("a.toml", "colour = 1"),
            variable("ROOMCAST_COLOUR"),
            variable("ROOMCAST_X"),
        ] {
            let text = sources.config().unwrap_err().to_string();
            assert!(!text.contains("nearest") && text.contains("example-config"), "{text}");
        }
    }

    #[test]
    fn the_sources_that_were_read_are_known() {
        let flag = Flag { name: "--set", key: "guests".to_owned(), value: "on".to_owned() };
        let sources = Sources::default()
            .text("a.toml", "guests = 'on'")
            .variables([("ROOMCAST_GUESTS".into(), "off".into())].into_iter())
            .flags([flag]);
        let read = [
            SettingPlace::File("a.toml".into()),
            SettingPlace::Environment("ROOMCAST_GUESTS".to_owned()),
        ];
        assert_eq!(sources.read(), read);
    }
}
