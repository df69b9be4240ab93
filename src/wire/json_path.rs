//! Where serde stopped in a JSON text: the keys and the items that lead to the value.
//!
//! serde says what it expected, but not of which key. Only refused data is examined here.

/// A step from a value to one within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To the value of a key, which is as it stands in the text, with its quotes.
    Key(&'a str),
    /// To an item of a list, from 0.
    Item(usize),
}

/// The steps to the value at which serde stopped. None if it does not say where.
pub(super) fn of_error<'a>(text: &'a str, error: &serde_json::Error) -> Vec<Step<'a>> {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    path_to(text, before.map(str::len).sum::<usize>() + error.column())
}

/// The steps to the last value that begins before `end`. A bracket at `end` does not count: serde
/// leaves one that it did not expect.
fn path_to(text: &str, end: usize) -> Vec<Step<'_>> {
    let (mut path, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.as_bytes().get(at).filter(|_| at < end) {
        match byte {
            b'{' => path.push(Step::Key("")),
            b'[' => path.push(Step::Item(0)),
            b'}' | b']' => drop(path.pop()),
            b',' => {
                if let Some(Step::Item(place)) = path.last_mut() {
                    *place += 1;
                }
            }
            b'"' => {
                let (quoted, rest) = split_string(text.get(at..).unwrap_or_default());
                at += quoted.len().saturating_sub(1);
                if let (Some(Step::Key(key)), true) =
                    (path.last_mut(), rest.trim_start().starts_with(':'))
                {
                    *key = quoted;
                }
            }
            _ => (),
        }
        at += 1;
    }
    path
}

/// A text in quotes, and what follows it.
fn split_string(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.and_then(|end| text.split_at_checked(end + 2)).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Where serde stops.
    fn path<'a, T: Deserialize<'a>>(text: &'a str) -> Vec<Step<'a>> {
        of_error(text, &serde_json::from_str::<T>(text).err().unwrap())
    }

    #[derive(Deserialize)]
    struct Outer {
        #[serde(rename = "items")]
        _items: Vec<Inner>,
        #[serde(rename = "n")]
        _number: Option<u8>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "a")]
        _text: String,
    }

    #[test]
    fn the_place_is_told_by_keys_and_items() {
        let (items, a, n) = (Step::Key("\"items\""), Step::Key("\"a\""), Step::Key("\"n\""));
        for (text, expected) in [
            (r#"{"items":7}"#, vec![items]),
            (r#"{"items":{"a":1}}"#, vec![items]),
            (r#"{"items":[7]}"#, vec![items, Step::Item(0)]),
            (r#"{"items":[{"a":"x"}, "y"]}"#, vec![items, Step::Item(1)]),
            (r#"{"items":[{"a":"x"},{"a":7}]}"#, vec![items, Step::Item(1), a]),
            (r#"{"items":[{"a":["x"]}]}"#, vec![items, Step::Item(0), a]),
            (r#"{"items":[{}]}"#, vec![items, Step::Item(0)]),
            (r#"{"items":[{"a":"x","b":1}]}"#, vec![items, Step::Item(0), Step::Key("\"b\"")]),
            (r#"{ "items" : [ ] , "n" : "x" }"#, vec![n]),
            (r#"{"items":[],"n":-1}"#, vec![n]),
            ("{\n\"x\": [{\"\\\"\": \"}\\\\\"}],\n \"n\"\n:\ntrue}", vec![n]),
            (r#"{"é":"ü","n":false,"items":[]}"#, vec![n]),
        ] {
            assert_eq!(path::<Outer>(text), expected, "{text}");
        }
    }

    #[test]
    fn any_text_has_a_path() {
        for text in ["", "\"", "\"\\", "[\"", "{\"a", "]", "}{", "\"é"] {
            for end in 0..text.len() + 2 {
                path_to(text, end);
            }
        }
        assert_eq!(path_to(r#"{"a":["b",{"c":1}]}"#, 9), [Step::Key("\"a\""), Step::Item(0)]);
    }
}
