//! The nesting limit of JSON from clients, checked before any recursive parser reads it.

use crate::domain::Rejection;

/// The deepest nesting that is accepted from a client. Deeper values overflow the stacks of clients
/// that parse them by recursion.
pub(super) const DEPTH_MAX: usize = 64;

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
}
