//! Corrects the payloads of the engine for clients of version 3.
//!
//! In a text payload the engine writes an attachment as `b` and base64, as in version 4. Clients of
//! version 3 expect the packet type between the two, `b4` and base64, and would take the first letter
//! of the base64 as the type.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::payload::utf16_prefix;

/// Inserts the packet types of a payload. A payload of another form is returned unchanged.
pub(super) fn fix_attachments(payload: Bytes) -> Bytes {
    if !payload.windows(2).any(|it| it == b":b") {
        return payload;
    }
    try_fix(&payload).unwrap_or(payload)
}

fn try_fix(payload: &[u8]) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(payload.len() + 64);
    let mut rest = payload;
    while !rest.is_empty() {
        let head = rest.iter().position(|it| *it == b':')?;
        let units: usize = std::str::from_utf8(rest.get(..head)?).ok()?.parse().ok()?;
        let text = rest.get(head + 1..)?;
        let (packet, after) = text.split_at_checked(utf16_prefix(text, units)?)?;
        match packet.strip_prefix(b"b") {
            Some(base64) => {
                out.put_slice((units + 1).to_string().as_bytes());
                out.put_slice(b":b4");
                out.put_slice(base64);
            }
            None => out.put_slice(rest.get(..head + 1 + packet.len())?),
        }
        rest = after;
    }
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix_text(payload: &'static str) -> String {
        String::from_utf8(fix_attachments(Bytes::from_static(payload.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn an_attachment_gets_its_type_and_its_length() {
        assert_eq!(fix_text("9:bAQIDBA=="), "10:b4AQIDBA==");
        assert_eq!(fix_text("2:4x9:b4QIDBA==2:4y"), "2:4x10:b44QIDBA==2:4y");
    }

    #[test]
    fn lengths_count_utf16_units_of_text_beyond_ascii() {
        assert_eq!(fix_text("3:4é€4:4\u{1f600}:5:bAAAA"), "3:4é€4:4\u{1f600}:6:b4AAAA");
    }

    #[test]
    fn text_that_looks_like_an_attachment_is_unchanged() {
        assert_eq!(fix_text("7:4[\"x:b\""), "7:4[\"x:b\"");
        assert_eq!(fix_text("6:4a1:bc"), "6:4a1:bc");
        assert_eq!(fix_text("not a payload:b"), "not a payload:b");
    }
}
