//! Which keys of refused data are missing, unknown or of another type, and which are probably meant.
//!
//! The parsers refuse keys that they do not know. That costs nothing where all are known; only
//! refused data is examined here.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    contract::{self, DescribedKey},
    json_path::{self, Step},
};
use crate::domain::{KeyMismatch, UnknownKey, ValueType};

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

/// What is wrong in a text that serde refused.
#[derive(Debug)]
pub(super) struct RefusedKeys {
    pub(super) mismatch: KeyMismatch,
    /// The item that has the keys, from 1, where the text has a list of items.
    pub(super) item: Option<usize>,
}

/// The same for a text that serde refused. It stops at the first such key, of any object within.
pub(super) fn of_error(text: &str, error: &serde_json::Error) -> Option<RefusedKeys> {
    let (words, path) = (error.to_string(), json_path::of_error(text, error));
    let mut mismatch = KeyMismatch::default();
    if let Some(rest) = words.strip_prefix("missing field `") {
        let (key, _place) = rest.rsplit_once('`')?;
        mismatch.missing.push(key.to_owned().into());
    } else if let Some((key, known)) = unknown_of(&words, &path) {
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        mismatch.unknown.push(unknown_key(key, &known));
        mismatch.known = known.into_iter().map(|it| it.to_owned().into()).collect();
    } else {
        let (key, expected, outer) = match &path[..] {
            [outer @ .., Step::Key(key)] => (key, expected_value(&words)?, outer),
            [outer @ .., Step::Key(key), Step::Item(_)] => {
                (key, expected_list(text, &words)?, outer)
            }
            _ => return None,
        };
        let key: String = serde_json::from_str(key).ok()?;
        mismatch.mistyped.push((key.into(), expected));
        return Some(RefusedKeys { mismatch, item: item(outer) });
    }
    Some(RefusedKeys { mismatch, item: item(&path) })
}

/// The keys of the object that serde reads into `T`: it lists them where it meets another one.
pub(super) fn of_no_object<'a, T: Deserialize<'a>>() -> KeyMismatch {
    const OTHER: &str = r#"{"":0}"#;
    let refused = serde_json::from_str::<T>(OTHER).err().and_then(|it| of_error(OTHER, &it));
    let known = refused.map(|it| it.mismatch.known).unwrap_or_default();
    KeyMismatch { known, ..KeyMismatch::default() }
}

/// The item of the list in an object.
fn item(path: &[Step<'_>]) -> Option<usize> {
    match path {
        [Step::Key(_), Step::Item(place), ..] => Some(place + 1),
        _ => None,
    }
}

/// The unknown key, and the list of the known ones, each in backticks. An enumeration is an object
/// with one key: serde calls it a variant.
fn unknown_of<'w>(words: &'w str, path: &[Step<'_>]) -> Option<(&'w str, &'w str)> {
    let rest = words.strip_prefix("unknown field `");
    let rest = rest.or_else(|| words.strip_prefix("unknown variant `"))?;
    // The key is whatever stands before the list.
    let expected = rest.rsplit_once("`, expected ");
    let (key, known) = expected.or_else(|| rest.rsplit_once("`, there are no fields"))?;
    // A text that is no variant is not a key.
    let is_key = |raw: &str| serde_json::from_str::<String>(raw).is_ok_and(|it| it == key);
    matches!(path.last(), Some(Step::Key(raw)) if is_key(raw)).then_some((key, known))
}

/// The type of the value that serde expected.
fn expected_value(words: &str) -> Option<ValueType> {
    match expected(words)? {
        "a string" => Some(ValueType::Text),
        "a boolean" => Some(ValueType::Boolean),
        "a sequence" => Some(ValueType::List),
        "u32" | "u64" | "i64" => Some(ValueType::WholeNumber),
        "f64" => Some(ValueType::Number),
        // It stopped behind a list of enumerations.
        "newtype variant" => Some(ValueType::Objects),
        it if it.starts_with("struct ") => Some(ValueType::Object),
        _ => None,
    }
}

/// The type of the list of which serde expected an item.
fn expected_list(text: &str, words: &str) -> Option<ValueType> {
    match expected(words)? {
        "a string" => Some(ValueType::Texts),
        "newtype variant" => Some(ValueType::Objects),
        // An enumeration; or it is no JSON.
        "expected value" => serde_json::from_str(text).ok().map(|IgnoredAny| ValueType::Objects),
        it if it.starts_with("struct ") => Some(ValueType::Objects),
        _ => None,
    }
}

/// What serde expected in place of another value, in its words.
fn expected(words: &str) -> Option<&str> {
    let refused = words.strip_prefix("invalid type: ").or(words.strip_prefix("invalid value: "));
    let expected = refused.and_then(|it| it.rsplit_once(", expected ")).map_or(words, |(_, it)| it);
    expected.rsplit_once(" at line ").map(|(expected, _place)| expected)
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
        of_error(text, &error).map(|it| it.mismatch.to_string())
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
        for text in ["[", "7", r#"{"first":"#, r#"{"first":300}"#] {
            assert_eq!(of::<Pair>(text), None, "{text}");
        }
        assert_eq!(of::<Values>(r#"{"todo":[x]}"#), None, "this is no JSON");
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are read")]
    struct Values {
        text: Option<String>,
        number: Option<u64>,
        wait: Option<f64>,
        is_set: Option<bool>,
        names: Option<Vec<String>>,
        items: Option<Vec<Pair>>,
        todo: Option<Vec<Act>>,
        inner: Option<Nothing>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Act {
        Join(Nothing),
        Leave(Nothing),
    }

    #[test]
    fn a_value_of_another_type_is_told_by_its_key() {
        for (text, key, expected) in [
            (r#"{"text":["x"]}"#, "text", "text"),
            (r#"{"te\u0078t":7}"#, "text", "text"),
            (r#"{"number":"7"}"#, "number", "whole number"),
            (r#"{"number":-7}"#, "number", "whole number"),
            (r#"{"number":1.5}"#, "number", "whole number"),
            (r#"{"wait":"x, expected f32 at line 1"}"#, "wait", "number"),
            (r#"{"is_set":0}"#, "is_set", "boolean"),
            (r#"{"names":{}}"#, "names", "list"),
            (r#"{"names":["a",7]}"#, "names", "list of texts"),
            (r#"{"items":["a"]}"#, "items", "list of objects"),
            (r#"{"todo":["join","leave"]}"#, "todo", "list of objects"),
            (r#"{"todo":["join"]}"#, "todo", "list of objects"),
            (r#"{"todo":[7]}"#, "todo", "list of objects"),
            (r#"{"todo":[{"join":7}]}"#, "join", "object"),
            (r#"{"inner":true}"#, "inner", "object"),
        ] {
            let error = serde_json::from_str::<Values>(text).err().unwrap();
            let mistyped = of_error(text, &error).unwrap().mismatch.mistyped;
            let found = mistyped.first().map_or(("", ""), |(key, it)| (&**key, it.as_raw()));
            assert_eq!(found, (key, expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_item_of_a_list_is_counted_from_one() {
        for (text, item, expected) in [
            (r#"{"items":[{"first":1},{"first":"x"}]}"#, None, None),
            (r#"{"items":[{"first":1},{}]}"#, Some(2), Some("the key `first` is missing")),
            (
                r#"{"items":[{"first":1,"frist":1}]}"#,
                Some(1),
                Some("there is no key `frist`, the nearest is `first`"),
            ),
            (
                r#"{"todo":[{"join":{}},{"leve":{}}]}"#,
                Some(2),
                Some("there is no key `leve`, the nearest is `leave`"),
            ),
            (r#"{"todo":[{"join":7}]}"#, Some(1), Some("`join` must be an object")),
            (r#"{"names":["a",7]}"#, None, Some("`names` must be a list of texts")),
            (r#"{"todo":["leve"]}"#, None, None),
        ] {
            let error = serde_json::from_str::<Values>(text).err().unwrap();
            let refused = of_error(text, &error);
            assert_eq!(refused.as_ref().and_then(|it| it.item), item, "{text}");
            let reason = refused.map(|it| it.mismatch.to_string());
            assert_eq!(reason.as_deref(), expected, "{text}: {error}");
        }
    }

    #[test]
    fn the_known_keys_are_those_that_serde_reads() {
        assert_eq!(of_no_object::<Pair>().known, ["first", "second"]);
        assert_eq!(of_no_object::<Nothing>().known, [""; 0]);
    }
}
