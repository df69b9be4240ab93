//! Percent-encoding, as paths and queries have it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes a part of a path or a query. `None` if a `%` has not two hexadecimal digits after it, or
/// if the result is not UTF-8: taken literally, a client's mistake would become a name.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    // What is before the first `%` is no escape.
    let escapes = text.split('%').skip(1).map(str::as_bytes);
    let are_complete = escapes.into_iter().all(|it| is_digit(it.first()) && is_digit(it.get(1)));
    if are_complete { percent_decode_str(text).decode_utf8().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_incomplete_ones_are_not() {
        for (text, decoded) in [("", ""), ("a b", "a b"), ("%25%c3%BC%2f", "%\u{fc}/")] {
            assert_eq!(decode(text).as_deref(), Some(decoded));
        }
        for bad in ["%", "x%", "x%zz", "%2", "%2g", "%%20", "%+1", "%\u{fc}", "%ff", "%c3"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
