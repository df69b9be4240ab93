//! Which keys of refused data are missing, unknown or of another type, and which are probably meant.
//!
//! The parsers refuse keys that they do not know. That costs nothing where all are known; only
//! refused data is examined here.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::contract::{self, DescribedKey};
use crate::domain::{KeyMismatch, UnknownKey};

/// The unknown keys that a refusal names.
const UNKNOWN_KEYS_MAX: usize = 8;
/// The characters of an unknown key that a refusal repeats.
const KEY_CHARS_MAX: usize = 64;
/// From this similarity on, a key is probably a misspelt one.
const SIMILARITY_MIN: f64 = 0.8;

/// Keys that mean the same in different requests.
const SYNONYMS: [(&str, &str); 2] = [("to", "with"), ("with", "to")];

/// Only the keys of an object.
#[derive(Deserialize)]
#[serde(transparent)]
struct KeysOnly<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);

/// What is wrong with the keys of a request's data. `None` if something else is wrong.
pub(super) fn of_request(name: &str, raw: Option<&RawValue>) -> Option<KeyMismatch> {
    let mut described = Vec::new();
    contract::for_each_request_key(name, |key| described.push(key))?;
    let text = raw.map(RawValue::get).filter(|text| *text != "null").unwrap_or("{}");
    let is_object = text.starts_with('{');
    let KeysOnly(values) = serde_json::from_str(if is_object { text } else { "{}" }).ok()?;
    let given: BTreeSet<&str> = values.keys().map(|it| &**it).collect();
    let known: Vec<_> = described.iter().map(|it| it.name).collect();
    let absent: Vec<_> = known.iter().copied().filter(|it| !given.contains(it)).collect();
    let is_required = |it: &&DescribedKey| it.required && !given.contains(it.name);
    let missing = described.iter().filter(is_required).map(|it| it.name.into()).collect();
    let unknown = given.iter().filter(|it| !known.contains(it)).take(UNKNOWN_KEYS_MAX);
    let unknown = unknown.map(|it| unknown_key(it, &absent)).collect();
    let mistyped = described.iter().filter_map(|key| {
        let expected = key.expected_of(values.get(key.name)?.get())?;
        Some((key.name.into(), expected))
    });
    let mistyped = mistyped.collect();
    let known = known.into_iter().map(Into::into).collect();
    let found = KeyMismatch { missing, unknown, mistyped, known };
    if is_object { mismatch(found) } else { Some(found) }
}

/// The same for data that serde refused. It stops at the first such key, of any object within.
pub(super) fn of_error(error: &serde_json::Error) -> Option<KeyMismatch> {
    let text = error.to_string();
    let mut found = KeyMismatch::default();
    if let Some(rest) = text.strip_prefix("missing field `") {
        let (key, _place) = rest.rsplit_once('`')?;
        found.missing.push(key.to_owned().into());
    } else {
        let rest = text.strip_prefix("unknown field `")?;
        // The key is whatever stands before the list, which has each name in backticks.
        let expected = rest.rsplit_once("`, expected ");
        let (key, known) = expected.or_else(|| rest.rsplit_once("`, there are no fields"))?;
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        found.unknown.push(unknown_key(key, &known));
        found.known = known.into_iter().map(|it| it.to_owned().into()).collect();
    }
    mismatch(found)
}

/// Unknown keys beside known ones: those of a frame, or the parameters of a query.
pub(super) fn of_unknown<'a>(
    unknown: impl IntoIterator<Item = &'a str>,
    known: &[&'static str],
) -> KeyMismatch {
    let unknown = unknown.into_iter().take(UNKNOWN_KEYS_MAX).map(|it| unknown_key(it, known));
    let known = known.iter().map(|it| (*it).into()).collect();
    KeyMismatch { unknown: unknown.collect(), known, ..KeyMismatch::default() }
}

fn mismatch(found: KeyMismatch) -> Option<KeyMismatch> {
    let KeyMismatch { missing, unknown, mistyped, known: _ } = &found;
    let is_right = missing.is_empty() && unknown.is_empty() && mistyped.is_empty();
    (!is_right).then_some(found)
}

/// An unknown key, and which of these is meant, if one is near.
fn unknown_key(key: &str, candidates: &[&str]) -> UnknownKey {
    let lower = key.to_lowercase();
    let synonym =
        SYNONYMS.iter().find(|(given, wanted)| key == *given && candidates.contains(wanted));
    let similarity = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        if is_abbreviation(&lower, &candidate) || is_abbreviation(&candidate, &lower) {
            return 1.0;
        }
        strsim::jaro_winkler(&lower, &candidate)
    };
    let near = || {
        let similar = candidates.iter().map(|it| (similarity(it), *it));
        let best = similar.max_by(|(one, _), (other, _)| one.total_cmp(other));
        best.filter(|(similarity, _)| *similarity >= SIMILARITY_MIN).map(|(_, key)| key)
    };
    let nearest = synonym.map(|(_, wanted)| *wanted).or_else(near);
    UnknownKey {
        key: key.chars().take(KEY_CHARS_MAX).collect(),
        nearest: nearest.map(|it| it.to_owned().into()),
    }
}

/// Whether a text has the letters of another one in their order and begins alike: `msg` of `message`.
fn is_abbreviation(short: &str, long: &str) -> bool {
    let mut letters = long.chars();
    short.chars().count() >= 3
        && short.chars().next() == long.chars().next()
        && short.chars().all(|it| letters.any(|letter| letter == it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[serde(rename = "first")]
        _first: u8,
        #[serde(rename = "second")]
        _second: Option<u8>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn of<T: for<'de> Deserialize<'de>>(text: &str) -> Option<String> {
        let error = serde_json::from_str::<T>(text).err().unwrap();
        of_error(&error).map(|it| it.to_string())
    }

    #[test]
    fn the_words_of_serde_name_the_key() {
        for (text, expected) in [
            (r#"{"second":1}"#, "the key `first` is missing"),
            (r#"{"frist":1}"#, "there is no key `frist`, the nearest is `first`"),
            (r#"{"zz":1}"#, "there is no key `zz`; there are `first`, `second`"),
            (
                r#"{"a`, expected `b":1}"#,
                "there is no key `a`, expected `b`; there are `first`, `second`",
            ),
        ] {
            assert_eq!(of::<Pair>(text).as_deref(), Some(expected), "{text}");
        }
        let items = of::<Vec<Pair>>(r#"[{"first":1},{"first":1,"third":2}]"#);
        assert_eq!(items.as_deref(), Some("there is no key `third`; there are `first`, `second`"));
        let none = of::<Nothing>(r#"{"a":1}"#);
        assert_eq!(none.as_deref(), Some("there is no key `a`; there are none"));
        for text in [r#"{"first":"x"}"#, "[", "7"] {
            assert_eq!(of::<Pair>(text), None, "{text}");
        }
    }
}
