//! Payloads that clients post: several packets in one body.
//!
//! Packets are counted here before the engine parses any of them. Payloads of version 3 are also
//! split, because for each packet the engine copies everything that follows it: a megabyte of
//! one-letter packets would occupy a core for minutes.

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, header::CONTENT_TYPE};

use super::request::{EngineRejection, Version};
use crate::{
    domain::Limits,
    transport::body::{self, BodyError},
    wire::msgpack,
};

/// Separates the packets of a payload of version 4.
pub(super) const SEPARATOR: u8 = 0x1e;

/// Separates the length and the text of a packet of version 3.
const TEXT_MARK: u8 = b':';

/// Ends the digits of a length in a binary payload of version 3.
const BINARY_MARK: u8 = 0xff;

/// The most digits of a length. The limit for a frame is far below 1 GB.
const DIGITS_MAX: usize = 9;

/// Reads a posted body within the limits of a frame.
pub(super) async fn read_body(body: Body, limits: &Limits) -> Result<Bytes, EngineRejection> {
    let (bytes_max, wait_max) = (limits.frame_bytes_max.get(), limits.request_body_wait_max);
    body::read(body, bytes_max, wait_max).await.map_err(|error| match error {
        BodyError::TooLarge => EngineRejection::TooLarge { limit: bytes_max },
        BodyError::TooSlow => EngineRejection::TooSlow,
        BodyError::BadRequest => EngineRejection::BadRequest,
    })
}

/// The encoding of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PayloadFormat {
    /// Version 4: text with separators.
    V4,
    /// Version 3: text with lengths in UTF-16 units.
    V3Text,
    /// Version 3: bytes with lengths.
    V3Binary,
}

impl PayloadFormat {
    /// The format of the body of a request.
    pub(super) fn of(version: Version, headers: &HeaderMap) -> Result<Self, EngineRejection> {
        let binary = headers.get(CONTENT_TYPE).is_some_and(|it| {
            it.as_bytes().to_ascii_lowercase().starts_with(b"application/octet-stream")
        });
        match version {
            Version::V4 if binary => Err(EngineRejection::BadRequest),
            Version::V4 => Ok(Self::V4),
            Version::V3 if binary => Ok(Self::V3Binary),
            Version::V3 => Ok(Self::V3Text),
        }
    }
}

/// A payload that the engine reads in linear time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    /// The content type for the engine.
    pub(super) content_type: &'static str,
    /// The number of packets.
    pub(super) packets: usize,
    /// The body in parts, each of which the engine reads separately.
    pub(super) parts: Vec<Bytes>,
}

/// The reason why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PayloadError {
    /// The payload violates the protocol.
    Malformed,
    /// The payload has more packets than may wait.
    TooManyPackets,
}

/// Counts the packets of `body`, and splits it if its version needs that.
pub(super) fn split(
    format: PayloadFormat,
    body: Bytes,
    packets_max: usize,
) -> Result<Payload, PayloadError> {
    match format {
        _ if body.is_empty() => Err(PayloadError::Malformed),
        PayloadFormat::V4 => {
            let packets = body.split(|it| is_separator(*it)).count();
            if packets > packets_max {
                return Err(PayloadError::TooManyPackets);
            }
            Ok(Payload { content_type: "text/plain", packets, parts: vec![body] })
        }
        PayloadFormat::V3Text | PayloadFormat::V3Binary => split_packets(format, body, packets_max),
    }
}

impl Payload {
    /// The packets, each as it is in the payload.
    pub(super) fn packets(&self, format: PayloadFormat) -> Vec<Bytes> {
        match format {
            PayloadFormat::V4 => {
                let packets = |body: &Bytes| {
                    body.split(|it| is_separator(*it))
                        .map(|it| body.slice_ref(it))
                        .collect::<Vec<_>>()
                };
                self.parts.iter().flat_map(packets).collect()
            }
            PayloadFormat::V3Text | PayloadFormat::V3Binary => self.parts.clone(),
        }
    }

    /// The payload with these packets in place of its own.
    pub(super) fn with_packets(self, format: PayloadFormat, packets: Vec<Bytes>) -> Self {
        let count = packets.len();
        let parts = match format {
            PayloadFormat::V4 if count > 0 => vec![packets.join(&SEPARATOR).into()],
            PayloadFormat::V4 | PayloadFormat::V3Text | PayloadFormat::V3Binary => packets,
        };
        Self { packets: count, parts, ..self }
    }
}

/// The payload with which a client ends its session.
pub(super) fn close(version: Version) -> Payload {
    let packet: &'static [u8] = match version {
        Version::V3 => b"1:1",
        Version::V4 => b"1",
    };
    Payload { content_type: "text/plain", packets: 1, parts: vec![Bytes::from_static(packet)] }
}

/// The payload with which a client of version 4 answers a ping.
pub(super) fn pong() -> Payload {
    Payload { content_type: "text/plain", packets: 1, parts: vec![Bytes::from_static(b"3")] }
}

/// The refusal of a client, if the first packet of `payload` is CONNECT of a parser that has
/// another path. Only clients of version 4 send CONNECT first.
pub(super) fn refuse_parser(
    format: PayloadFormat,
    payload: &Payload,
    limits: &Limits,
) -> Option<Bytes> {
    if format != PayloadFormat::V4 {
        return None;
    }
    let first = payload.parts.first()?.split(|it| is_separator(*it)).next()?;
    msgpack::refuse_connect(&BASE64_STANDARD.decode(first.strip_prefix(b"b")?).ok()?, limits)
}

/// The packets of a payload of the engine, which is text.
pub(super) fn packets(version: Version, payload: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (packet, after) = match version {
            _ if rest.is_empty() => return None,
            Version::V3 => {
                let (packet, after) = rest.split_at_checked(text_packet_length(rest)?)?;
                (text_of(PayloadFormat::V3Text, packet)?, after)
            }
            Version::V4 => {
                let end = rest.iter().position(|it| is_separator(*it)).unwrap_or(rest.len());
                let (packet, after) = rest.split_at(end);
                (packet, after.get(1..).unwrap_or_default())
            }
        };
        rest = after;
        std::str::from_utf8(packet).ok()
    })
}

/// Whether the byte separates packets of version 4.
pub(super) fn is_separator(byte: u8) -> bool {
    byte == SEPARATOR
}

/// The text of a packet of a payload, without its length. Of version 4, bytes are text, too.
pub(super) fn text_of(format: PayloadFormat, part: &[u8]) -> Option<&[u8]> {
    let mark = match (format, part.first()) {
        (PayloadFormat::V4, _) => return Some(part),
        (PayloadFormat::V3Text, _) => TEXT_MARK,
        (PayloadFormat::V3Binary, Some(0)) => BINARY_MARK,
        (PayloadFormat::V3Binary, _) => return None,
    };
    let mark_at = part.iter().position(|it| *it == mark)?;
    part.get(mark_at + 1..)
}

/// A text packet, with its length if its format has one.
pub(super) fn packet(format: PayloadFormat, packet: Vec<u8>) -> Bytes {
    let head = match format {
        PayloadFormat::V4 => return packet.into(),
        PayloadFormat::V3Binary => {
            let digits = packet.len().to_string().into_bytes().into_iter().map(|it| it - b'0');
            [0].into_iter().chain(digits).chain([BINARY_MARK]).collect()
        }
        PayloadFormat::V3Text => {
            format!("{}:", String::from_utf8_lossy(&packet).encode_utf16().count()).into_bytes()
        }
    };
    [head, packet].concat().into()
}

/// Splits `body`, of version 3, into packets.
fn split_packets(
    format: PayloadFormat,
    mut body: Bytes,
    packets_max: usize,
) -> Result<Payload, PayloadError> {
    let mut parts = Vec::new();
    while body.has_remaining() {
        if parts.len() == packets_max {
            return Err(PayloadError::TooManyPackets);
        }
        let length = match format {
            PayloadFormat::V3Binary => binary_packet_length(&body),
            PayloadFormat::V3Text | PayloadFormat::V4 => text_packet_length(&body),
        };
        let part = body.split_to(length.ok_or(PayloadError::Malformed)?);
        // A text without content is no packet.
        if text_of(format, &part) != Some(&[]) {
            parts.push(part);
        }
    }
    let content_type = match format {
        PayloadFormat::V3Binary => "application/octet-stream",
        PayloadFormat::V3Text | PayloadFormat::V4 => "text/plain",
    };
    Ok(Payload { content_type, packets: parts.len(), parts })
}

/// The length of the first packet of a text payload, with its header.
fn text_packet_length(payload: &[u8]) -> Option<usize> {
    let head = payload.iter().take(DIGITS_MAX + 1).position(|it| *it == TEXT_MARK)?;
    let units = number(payload.get(..head)?.iter().map(|it| it.wrapping_sub(b'0')))?;
    let text = payload.get(head + 1..)?;
    Some(head + 1 + utf16_prefix(text, units)?)
}

/// The length of the first packet of a binary payload, with its header.
fn binary_packet_length(payload: &[u8]) -> Option<usize> {
    let (kind, rest) = payload.split_first()?;
    let digits = rest.iter().take(DIGITS_MAX + 1).position(|it| *it == BINARY_MARK)?;
    let bytes = number(rest.get(..digits)?.iter().copied()).filter(|it| *it > 0)?;
    let whole = 1 + digits + 1 + bytes;
    (*kind <= 1 && payload.len() >= whole).then_some(whole)
}

/// A number of one digit or more.
fn number(digits: impl Iterator<Item = u8>) -> Option<usize> {
    let mut sum = None;
    for digit in digits {
        if digit > 9 {
            return None;
        }
        sum = Some(sum.unwrap_or(0) * 10 + usize::from(digit));
    }
    sum
}

/// The number of UTF-8 bytes that encode the first `units` units of UTF-16.
///
/// Only the first byte of each character is checked. The engine checks the others.
fn utf16_prefix(text: &[u8], units: usize) -> Option<usize> {
    let (mut bytes, mut left) = (0, units);
    while left > 0 {
        let (length, weight) = match text.get(bytes)? {
            0x00..=0x7f => (1, 1),
            0xc0..=0xdf => (2, 1),
            0xe0..=0xef => (3, 1),
            0xf0..=0xf7 => (4, 2),
            _ => return None,
        };
        bytes += length;
        left = left.checked_sub(weight)?;
    }
    (bytes <= text.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(format: PayloadFormat, body: &[u8]) -> Result<Vec<Vec<u8>>, PayloadError> {
        let payload = split(format, Bytes::copy_from_slice(body), 4)?;
        Ok(payload.parts.iter().map(|it| it.to_vec()).collect())
    }

    #[test]
    fn the_packets_of_the_engine_are_found() {
        let of = |version, payload| packets(version, payload).collect::<Vec<_>>();
        assert_eq!(of(Version::V4, b"40{}\x1e2\x1e41/shop,"), ["40{}", "2", "41/shop,"]);
        assert_eq!(
            of(Version::V3, "2:405:4\u{1f600}{}1:3".as_bytes()),
            ["40", "4\u{1f600}{}", "3"]
        );
        assert!(of(Version::V4, b"").is_empty());
        assert!(of(Version::V3, b"broken").is_empty());
    }

    #[test]
    fn packets_of_version_4_are_counted_and_not_split() {
        let payload = split(PayloadFormat::V4, Bytes::from_static(b"4a\x1e4b\x1e3"), 3).unwrap();
        assert_eq!((payload.packets, payload.parts.len()), (3, 1));
        assert_eq!(
            split(PayloadFormat::V4, Bytes::from_static(&[0x1e; 3]), 3),
            Err(PayloadError::TooManyPackets)
        );
    }

    #[test]
    fn packets_of_version_3_are_split_at_their_utf16_lengths() {
        let body = "3:4é€4:4\u{1f600}x2:4b".as_bytes();
        let split = parts(PayloadFormat::V3Text, body).unwrap();
        let expected = ["3:4é€", "4:4\u{1f600}x", "2:4b"].map(|it| it.as_bytes().to_vec());
        assert_eq!(split, expected);
        assert_eq!(
            parts(PayloadFormat::V3Text, b"0:1:300:2:4:0:").unwrap(),
            [&b"1:3"[..], b"2:4:"]
        );
        assert_eq!(parts(PayloadFormat::V3Text, b"0:").unwrap(), [[0; 0]; 0]);
    }

    #[test]
    fn malformed_text_of_version_3_is_refused() {
        for bad in [
            "1",
            ":1",
            "x:1",
            "-1:1",
            "0:x",
            "0:0:0",
            "9:4a",
            "2:\u{1f600}\u{1f600}",
            "1234567890:4",
            "99999999999999999999:4",
            "1:4extra",
        ] {
            assert_eq!(
                parts(PayloadFormat::V3Text, bad.as_bytes()),
                Err(PayloadError::Malformed),
                "{bad}"
            );
        }
        assert_eq!(parts(PayloadFormat::V3Text, b"3:4\x80a"), Err(PayloadError::Malformed));
        assert_eq!(
            parts(PayloadFormat::V3Text, "1:2".repeat(5).as_bytes()),
            Err(PayloadError::TooManyPackets)
        );
    }

    #[test]
    fn binary_packets_of_version_3_are_split() {
        let body = [0, 2, 255, b'4', b'x', 1, 1, 0, 255, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let split = parts(PayloadFormat::V3Binary, &body).unwrap();
        assert_eq!(split.iter().map(Vec::len).collect::<Vec<_>>(), [5, 14]);
        for bad in [
            &[0][..],
            &[0, 255][..],
            &[2, 1, 255, b'4'][..],
            &[0, 0, 255][..],
            &[1, 5, 255, 4][..],
            &[0, 1, b'4'][..],
            &[0, 10, 255, b'4'][..],
            &[0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255][..],
        ] {
            assert_eq!(
                parts(PayloadFormat::V3Binary, bad),
                Err(PayloadError::Malformed),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_megabyte_of_tiny_packets_is_split_quickly() {
        let body = Bytes::from("1:2".repeat(300_000));
        assert_eq!(split(PayloadFormat::V3Text, body, 400_000).unwrap().packets, 300_000);
    }

    #[test]
    fn version_4_refuses_binary_bodies() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/octet-stream".parse().unwrap());
        assert_eq!(PayloadFormat::of(Version::V4, &headers), Err(EngineRejection::BadRequest));
        assert_eq!(PayloadFormat::of(Version::V3, &headers), Ok(PayloadFormat::V3Binary));
        assert_eq!(PayloadFormat::of(Version::V4, &HeaderMap::new()), Ok(PayloadFormat::V4));
    }
}
