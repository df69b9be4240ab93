//! Frames of a WebSocket server (RFC 6455, section 5.2).
//!
//! A server does not mask its frames, so one frame with its header serves all connections.

use bytes::Bytes;

/// The first byte of a whole text frame.
const TEXT: u8 = 0x81;
/// The first byte of a whole binary frame.
const BINARY: u8 = 0x82;
/// Marks the content of a text or binary frame as compressed (RFC 7692).
const COMPRESSED: u8 = 0x40;
/// The first byte of a close frame.
const CLOSE: u8 = 0x88;
/// The first byte of a pong.
const PONG: u8 = 0x8a;
/// A ping without content.
const PING: &[u8] = &[0x89, 0];

/// The most bytes of a header.
const HEADER_BYTES_MAX: usize = 10;
/// Marks a length of two bytes.
const LENGTH_16: u8 = 126;
/// Marks a length of eight bytes.
const LENGTH_64: u8 = 127;

/// A text frame.
pub(in crate::transport) fn text(content: &str) -> Bytes {
    frame(TEXT, &[content.as_bytes()])
}

/// A binary frame.
pub(in crate::transport) fn binary(content: &[u8]) -> Bytes {
    frame(BINARY, &[content])
}

/// A text frame and the binary frames that belong to it. Each of these begins with `binary_prefix`.
pub(in crate::transport) fn packet(
    content: &str,
    binary_prefix: &[u8],
    attachments: &[Bytes],
) -> Bytes {
    let bytes_of = |it: &Bytes| HEADER_BYTES_MAX + binary_prefix.len() + it.len();
    let bytes = HEADER_BYTES_MAX + content.len() + attachments.iter().map(bytes_of).sum::<usize>();
    let mut frames = Vec::with_capacity(bytes);
    append(&mut frames, TEXT, &[content.as_bytes()]);
    for attachment in attachments {
        append(&mut frames, BINARY, &[binary_prefix, attachment]);
    }
    Bytes::from(frames)
}

/// A whole frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Frame<'a> {
    /// A text. It is UTF-8.
    Text(&'a [u8]),
    /// A byte string.
    Binary(&'a [u8]),
    /// A ping, a pong or a close.
    Control,
}

/// The frames in `bytes`, which holds whole frames of the server.
pub(in crate::transport) fn split(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    split_whole(bytes).map(|(frame, _)| frame)
}

/// `bytes`, which holds whole frames of the server, with other frames in place of texts where `replace`
/// says so. `None` if it never does.
pub(in crate::transport) fn replace_texts(
    bytes: &[u8],
    replace: impl Fn(&str) -> Option<Bytes>,
) -> Option<Bytes> {
    let replacement = |it| match it {
        Frame::Text(content) => std::str::from_utf8(content).ok().and_then(&replace),
        Frame::Binary(_) | Frame::Control => None,
    };
    let parts: Vec<_> = split_whole(bytes).map(|(it, whole)| (replacement(it), whole)).collect();
    if parts.iter().all(|(replaced, _)| replaced.is_none()) {
        return None;
    }
    let mut frames = Vec::with_capacity(bytes.len());
    for (replaced, whole) in parts {
        frames.extend_from_slice(replaced.as_deref().unwrap_or(whole));
    }
    Some(Bytes::from(frames))
}

/// `frames`, which holds whole frames of the server, with the contents of texts and byte strings as
/// `compress` returns them where that is shorter. Frames of less than `bytes_min` are not changed.
pub(in crate::transport) fn with_compressed(
    frames: &Bytes,
    bytes_min: usize,
    compress: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Bytes {
    let shorter = |frame, whole: &[u8]| {
        let (first, content) = match frame {
            Frame::Text(content) if bytes_min <= whole.len() => (TEXT, content),
            Frame::Binary(content) if bytes_min <= whole.len() => (BINARY, content),
            Frame::Text(_) | Frame::Binary(_) | Frame::Control => return None,
        };
        let compressed = compress(content).filter(|it| it.len() < content.len());
        compressed.map(|it| (first | COMPRESSED, it))
    };
    let parts: Vec<_> =
        split_whole(frames).map(|(it, whole)| (shorter(it, whole), whole)).collect();
    if parts.iter().all(|(compressed, _)| compressed.is_none()) {
        return frames.clone();
    }
    let mut changed = Vec::with_capacity(frames.len());
    for (compressed, whole) in parts {
        match compressed {
            Some((first, content)) => append(&mut changed, first, &[&content]),
            None => changed.extend_from_slice(whole),
        }
    }
    changed.shrink_to_fit();
    Bytes::from(changed)
}

/// `bytes`, which holds whole frames of the server, without the first text of this content. `None` if
/// it has none.
pub(in crate::transport) fn without_text(bytes: &[u8], content: &[u8]) -> Option<Bytes> {
    let mut at = 0;
    for (frame, whole) in split_whole(bytes) {
        let end = at + whole.len();
        if frame == Frame::Text(content) {
            return Some([bytes.get(..at)?, bytes.get(end..)?].concat().into());
        }
        at = end;
    }
    None
}

/// The frames in `bytes`, each with all of its bytes.
pub(in crate::transport) fn split_whole(bytes: &[u8]) -> impl Iterator<Item = (Frame<'_>, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let begin = rest;
        let (first, after) = rest.split_first()?;
        let (length, after) = match after.split_first()? {
            (&LENGTH_16, after) => {
                let (length, after) = after.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), after)
            }
            (&LENGTH_64, after) => {
                let (length, after) = after.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*length)).ok()?, after)
            }
            (length, after) => (usize::from(*length), after),
        };
        let (content, after) = after.split_at_checked(length)?;
        rest = after;
        let (whole, _) = begin.split_at_checked(begin.len() - after.len())?;
        let frame = match *first {
            TEXT => Frame::Text(content),
            BINARY => Frame::Binary(content),
            _ => Frame::Control,
        };
        Some((frame, whole))
    })
}

/// A ping.
pub(in crate::transport) fn ping() -> Bytes {
    Bytes::from_static(PING)
}

/// The answer to a ping with this payload.
pub(in crate::transport) fn pong(payload: &[u8]) -> Bytes {
    frame(PONG, &[payload])
}

/// The answer to a close frame with this payload.
pub(in crate::transport) fn close_answer(payload: &[u8]) -> Bytes {
    frame(CLOSE, &[payload])
}

/// A close frame. Its code and reason have at most 125 bytes.
pub(in crate::transport) fn close(code: u16, reason: &str) -> Bytes {
    debug_assert!(reason.len() <= 123, "a control frame has a short length");
    frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()])
}

fn frame(first: u8, parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|it| it.len()).sum();
    let mut frame = Vec::with_capacity(HEADER_BYTES_MAX + length);
    append(&mut frame, first, parts);
    Bytes::from(frame)
}

fn append(frame: &mut Vec<u8>, first: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|it| it.len()).sum();
    frame.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < LENGTH_16 => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(LENGTH_16);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(LENGTH_64);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    for part in parts {
        frame.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::{
        Message, WebSocket,
        protocol::{CloseFrame, Role},
    };

    use super::*;

    /// What a client reads.
    fn read(frame: &Bytes) -> Message {
        let stream = Cursor::new(frame.to_vec());
        WebSocket::from_raw_socket(stream, Role::Client, None).read().unwrap()
    }

    #[test]
    fn clients_read_frames_of_every_length() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let content = "x".repeat(length);
            assert_eq!(read(&text(&content)), Message::text(content.as_str()), "{length}");
            assert_eq!(read(&binary(content.as_bytes())), Message::binary(content), "{length}");
        }
    }

    #[test]
    fn texts_are_replaced_between_other_frames() {
        let frames = [text("one"), binary(b"two"), ping(), text("four")].concat();
        let replace = |content: &str| (content == "four").then(|| text(&"5".repeat(200)));
        let expected = [text("one"), binary(b"two"), ping(), text(&"5".repeat(200))].concat();
        assert_eq!(replace_texts(&frames, replace).unwrap(), expected);
        assert_eq!(replace_texts(&frames, |_| None), None);
    }

    #[test]
    fn the_first_text_of_a_content_is_removed() {
        let frames = [text("2x"), binary(b"2"), text("2"), text("2")].concat();
        let expected = [text("2x"), binary(b"2"), text("2")].concat();
        assert_eq!(without_text(&frames, b"2").unwrap(), expected);
        assert_eq!(without_text(&frames, b"3"), None);
        assert_eq!(without_text(&text("2"), b"2").unwrap(), "");
    }

    #[test]
    fn frames_are_split_again() {
        let attachments = [Bytes::from(vec![7; 70_000]), Bytes::new()];
        let long = "y".repeat(300);
        let frames = [packet("x", &[4], &attachments), ping(), text(&long)].concat();
        let binary = [&[4][..], &attachments[0]].concat();
        let expected = [
            Frame::Text(b"x"),
            Frame::Binary(&binary),
            Frame::Binary(&[4]),
            Frame::Control,
            Frame::Text(long.as_bytes()),
        ];
        assert!(split(&frames).eq(expected));
    }

    #[test]
    fn clients_read_control_frames() {
        assert_eq!(read(&ping()), Message::Ping(Bytes::new()));
        let expected = CloseFrame { code: 4001.into(), reason: "why".into() };
        assert_eq!(read(&close(4001, "why")), Message::Close(Some(expected)));
        assert_eq!(read(&pong(b"ping")), Message::Pong(Bytes::from_static(b"ping")));
        assert_eq!(read(&close_answer(b"")), Message::Close(None));
    }
}
