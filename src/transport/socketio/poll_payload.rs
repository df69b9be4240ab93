//! The answers to polls, built from frames: what a WebSocket would have received.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;

use super::{payload::SEPARATOR, request::Version};
use crate::transport::lanes::frame::{self, Frame};

/// The payload of whole frames of a session. That of one text is a part of its frame.
pub(super) fn of_frames(version: Version, frames: &[Bytes]) -> Bytes {
    if version == Version::V4
        && let [single] = frames
    {
        let mut parts = frame::split(single);
        if let (Some(Frame::Text(text)), None) = (parts.next(), parts.next()) {
            return single.slice_ref(text);
        }
    }
    PollPayload::new(version, frames).into_bytes()
}

/// The payload that ends a poll so that its client can upgrade.
pub(super) fn noop(version: Version) -> Bytes {
    Bytes::from_static(match version {
        Version::V3 => b"1:6",
        Version::V4 => b"6",
    })
}

/// The payload that ends a session.
pub(super) fn close(version: Version) -> Bytes {
    Bytes::from_static(match version {
        Version::V3 => b"1:1",
        Version::V4 => b"1",
    })
}

/// The same for a poll that begins after the end. Its first packet is that of the official server.
pub(super) fn noop_and_close(version: Version) -> Bytes {
    Bytes::from_static(match version {
        Version::V3 => b"1:61:1",
        Version::V4 => b"6\x1e1",
    })
}

/// A payload of Engine.IO packets. Clients of version 3 receive text, too.
#[derive(Debug)]
pub(super) struct PollPayload {
    version: Version,
    bytes: Vec<u8>,
}

impl PollPayload {
    /// The payload of whole frames of a session.
    pub(super) fn new(version: Version, frames: &[Bytes]) -> Self {
        let capacity = frames.iter().map(|it| it.len() + 8).sum();
        let mut payload = Self { version, bytes: Vec::with_capacity(capacity) };
        for whole in frames {
            payload.push_frames(whole);
        }
        payload
    }

    /// Adds whole frames.
    pub(super) fn push_frames(&mut self, frames: &[u8]) {
        for frame in frame::split(frames) {
            match frame {
                Frame::Text(text) => self.push_text(text),
                Frame::Binary(bytes) => self.push_bytes(bytes),
                Frame::Control => {}
            }
        }
    }

    /// Adds a payload of the engine, which is not empty.
    pub(super) fn append(&mut self, payload: &[u8]) {
        self.separate();
        self.bytes.extend_from_slice(payload);
    }

    /// The payload.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }

    /// Adds a packet.
    pub(super) fn push_text(&mut self, packet: &[u8]) {
        self.separate();
        if self.version == Version::V3 {
            self.push_length(utf16_units(packet));
        }
        self.bytes.extend_from_slice(packet);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        self.separate();
        let (prefix, bytes) = match self.version {
            // A frame of version 3 begins with its packet type.
            Version::V3 => ("b4", bytes.get(1..).unwrap_or_default()),
            Version::V4 => ("b", bytes),
        };
        let base64 = BASE64_STANDARD.encode(bytes);
        if self.version == Version::V3 {
            self.push_length(prefix.len() + base64.len());
        }
        self.bytes.extend_from_slice(prefix.as_bytes());
        self.bytes.extend_from_slice(base64.as_bytes());
    }

    fn push_length(&mut self, length: usize) {
        self.bytes.extend_from_slice(length.to_string().as_bytes());
        self.bytes.push(b':');
    }

    fn separate(&mut self) {
        if self.version == Version::V4 && !self.bytes.is_empty() {
            self.bytes.push(SEPARATOR);
        }
    }
}

/// The length of UTF-8 text in UTF-16 units, as version 3 counts it.
fn utf16_units(text: &[u8]) -> usize {
    let begins = text.iter().filter(|it| !matches!(it, 0x80..=0xbf)).count();
    let pairs = text.iter().filter(|it| **it >= 0xf0).count();
    begins + pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(version: Version, prefix: &[u8], engine: &[u8]) -> String {
        let attachments = [Bytes::from_static(&[1, 2, 3, 4])];
        let packet = frame::packet("451-[]", prefix, &attachments);
        let frames = [frame::text("42[\"\u{e9}\u{20ac}\u{1f600}\"]"), packet, frame::ping()];
        let mut payload = PollPayload::new(version, &frames);
        payload.append(engine);
        String::from_utf8(payload.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn packets_of_version_4_are_separated() {
        let expected = "42[\"\u{e9}\u{20ac}\u{1f600}\"]\u{1e}451-[]\u{1e}bAQIDBA==\u{1e}2";
        assert_eq!(payload(Version::V4, &[], b"2"), expected);
    }

    #[test]
    fn the_payload_of_one_text_is_not_copied() {
        let single = frame::text("42[\"x\"]");
        let payload = of_frames(Version::V4, std::slice::from_ref(&single));
        assert_eq!(payload, "42[\"x\"]");
        assert!(single.as_ptr_range().contains(&payload.as_ptr()));
        for frames in [&[single.clone(), single.clone()][..], &[frame::ping()], &[]] {
            let expected = PollPayload::new(Version::V4, frames).into_bytes();
            assert_eq!(of_frames(Version::V4, frames), expected);
        }
        assert_eq!(of_frames(Version::V3, &[single]), "7:42[\"x\"]");
    }

    #[test]
    fn packets_of_version_3_have_lengths_in_utf16_units() {
        let expected = "10:42[\"\u{e9}\u{20ac}\u{1f600}\"]6:451-[]10:b4AQIDBA==1:3";
        assert_eq!(payload(Version::V3, &[4], b"1:3"), expected);
    }
}
