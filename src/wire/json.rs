//! JSON from clients before a parser reads it: its nesting limit, and surrogates without a partner.

use std::borrow::Cow;

use crate::domain::Rejection;

/// The deepest nesting that is accepted from a client. Deeper values overflow the stacks of clients
/// that parse them by recursion.
pub(super) const DEPTH_MAX: usize = 64;

/// The refusal of a `MessagePack` value.
pub(super) const UNSUPPORTED_VALUE: Rejection = Rejection::BadRequest("JSON has no such value");
pub(super) const TOO_DEEP: Rejection = Rejection::BadRequest("the data is nested too deeply");

/// Refuses text that is nested deeper than [`DEPTH_MAX`]. The check itself does not recurse.
pub(super) fn check_depth(text: &str) -> Result<(), Rejection> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth > DEPTH_MAX {
            return Err(TOO_DEEP);
        }
    }
    Ok(())
}

/// Replaces each escaped surrogate without a partner by `\ufffd`, the replacement character. A client
/// writes one when it cuts a text in the middle of an emoji.
pub(super) fn replace_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut replaced = Cow::Borrowed(text);
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        at += match (surrogate(text, at), surrogate(text, at + ESCAPE_BYTES)) {
            (Some(Surrogate::High), Some(Surrogate::Low)) => 2 * ESCAPE_BYTES,
            (Some(_), _) => {
                replaced.to_mut().replace_range(at..at + ESCAPE_BYTES, "\\ufffd");
                ESCAPE_BYTES
            }
            // An escape of two bytes, or the first two of another one.
            (None, _) => 2,
        };
    }
    replaced
}

/// The size of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

#[derive(Clone, Copy)]
enum Surrogate {
    High,
    Low,
}

/// The surrogate whose escape begins at `at`.
fn surrogate(text: &str, at: usize) -> Option<Surrogate> {
    let digits = text.get(at..at + ESCAPE_BYTES)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Surrogate::High),
        0xdc00..=0xdfff => Some(Surrogate::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check_depth(&nested(64)).is_ok());
        assert!(check_depth(&nested(65)).is_err());
        assert!(check_depth(&"{\"a\":".repeat(100_000)).is_err());
        assert!(check_depth(&format!("\"{}\"", "[".repeat(1000))).is_ok());
        assert!(check_depth(&format!("\"\\\"{}\"", "[".repeat(1000))).is_ok());
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (text, expected) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (
                r#""\uDE00x\ud83d\ude00\uD83D\ud83d\ude00""#,
                r#""\ufffdx\ud83d\ude00\ufffd\ud83d\ude00""#,
            ),
            (r#""\\ud83d \\\ud83d""#, r#""\\ud83d \\\ufffd""#),
            (r#""\u00e9 \ud83d\"#, r#""\u00e9 \ufffd\"#),
            (r#""\u00é\ud8"#, r#""\u00é\ud8"#),
        ] {
            assert_eq!(replace_lone_surrogates(text), expected);
        }
        assert!(matches!(replace_lone_surrogates(r#""\ud83d\ude00""#), Cow::Borrowed(_)));
    }
}
