//! The heads of frames, and what is written in place of frames.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::error::FrameError;
use crate::transport::socketio::{event_names::Mark, request::Version};

/// The bit of the last fragment.
pub(super) const FIN: u8 = 0x80;
/// The bits that only extensions use.
const RESERVED: u8 = 0x70;
/// The one of these that marks a compressed message, in its first frame (RFC 7692).
pub(super) const COMPRESSED: u8 = 0x40;
/// The bit of a masked frame.
const MASKED: u8 = 0x80;
/// The longest payload with a length of one byte.
const SHORT_MAX: usize = 125;
/// The first letter of a text that holds bytes.
const BASE64_PREFIX: u8 = b'b';
/// The first letters of CONNECT.
const CONNECT_PREFIX: &[u8] = b"40";

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
const PONG: u8 = 10;

/// The head of a frame.
#[derive(Debug)]
pub(super) struct FrameHead {
    pub(super) first: u8,
    pub(super) is_last: bool,
    pub(super) opcode: u8,
    /// The size of the head.
    pub(super) bytes: usize,
    pub(super) payload_bytes: usize,
    pub(super) mask: [u8; 4],
}

impl FrameHead {
    /// Reads a head, if it is complete.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        Self::read_permitting(0, bytes)
    }

    /// The same where messages may be compressed.
    pub(super) fn read_compressed(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        Self::read_permitting(COMPRESSED, bytes)
    }

    /// The same where the first frame of a message may have the `permitted` bits.
    fn read_permitting(permitted: u8, bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (is_last, opcode) = (first & FIN != 0, first & 0x0f);
        let is_control = opcode >= CLOSE;
        let length = second & !MASKED;
        let is_known = opcode <= BINARY || (CLOSE..=PONG).contains(&opcode);
        let is_long_control = is_control && (!is_last || usize::from(length) > SHORT_MAX);
        let permitted = if matches!(opcode, TEXT | BINARY) { permitted } else { 0 };
        if first & RESERVED & !permitted != 0
            || second & MASKED == 0
            || !is_known
            || is_long_control
        {
            return Err(FrameError::Protocol);
        }
        let length_bytes = match length {
            127 => 8,
            126 => 2,
            _ => 0,
        };
        let Some((long, rest)) = rest.split_at_checked(length_bytes) else { return Ok(None) };
        let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
        let long = long.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        if long >> 63 != 0 {
            return Err(FrameError::Protocol);
        }
        let payload = if length_bytes == 0 { u64::from(length) } else { long };
        let payload_bytes = usize::try_from(payload).unwrap_or(usize::MAX);
        let bytes = 2 + length_bytes + mask.len();
        Ok(Some(Self { first: *first, is_last, opcode, bytes, payload_bytes, mask: *mask }))
    }

    /// Whether the frame is a text that is needed as a whole, of which these are the first bytes.
    pub(super) fn is_collected(&self, payload: &[u8]) -> bool {
        self.is_base64(payload) || self.is_connect(payload)
    }

    /// Whether the frame is CONNECT, of which these are the first bytes.
    fn is_connect(&self, payload: &[u8]) -> bool {
        let begin = unmask(payload, self.mask, 0).take(CONNECT_PREFIX.len());
        self.opcode == TEXT && self.is_last && begin.eq(CONNECT_PREFIX.iter().copied())
    }

    /// Whether the frame is a text that holds bytes, of which these are the first ones: clients with
    /// `forceBase64` send them.
    pub(super) fn is_base64(&self, payload: &[u8]) -> bool {
        self.opcode == TEXT
            && self.is_last
            && unmask(payload, self.mask, 0).next() == Some(BASE64_PREFIX)
    }

    /// Writes the bytes of a whole text that holds them as a binary frame, which the engine reads.
    pub(super) fn write_bytes(
        &self,
        version: Version,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        let text: Vec<u8> = unmask(payload, self.mask, 0).skip(1).collect();
        write_base64(version, &text, out)
    }

    /// Writes a frame as two fragments, the first with the marker at its end. The rest of its
    /// payload belongs behind them.
    pub(super) fn write_marked(&self, payload: &[u8], change: Mark, out: &mut Vec<u8>) {
        let at = change.at();
        let (before, after) = payload.split_at(at);
        let before: Vec<u8> = unmask(before, self.mask, 0).collect();
        let marked = change.apply(&before);
        write_head(TEXT, marked.len(), [0; 4], out);
        out.extend(marked);
        let mut mask = self.mask;
        mask.rotate_left(at % 4);
        write_head(FIN | CONTINUATION, self.payload_bytes - at, mask, out);
        out.extend_from_slice(after);
    }
}

/// Writes the bytes of a text in base64 as a binary frame.
pub(super) fn write_base64(
    version: Version,
    text: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    // In version 3 the packet type is the first byte of a frame, and a digit in the text.
    let (mut bytes, base64) = match version {
        Version::V3 => (vec![4], text.strip_prefix(b"4").ok_or(FrameError::Protocol)?),
        Version::V4 => (Vec::new(), text),
    };
    BASE64_STANDARD.decode_vec(base64, &mut bytes).map_err(|_error| FrameError::Protocol)?;
    write_head(FIN | BINARY, bytes.len(), [0; 4], out);
    out.extend(bytes);
    Ok(())
}

/// Writes a text that is not masked.
pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write_head(FIN | TEXT, text.len(), [0; 4], out);
    out.extend_from_slice(text);
}

pub(super) fn write_head(first: u8, length: usize, mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(MASKED | short),
        (_, Ok(medium)) => {
            out.push(MASKED | 0x7e);
            out.extend(medium.to_be_bytes());
        }
        _ => {
            out.push(MASKED | 0x7f);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(mask);
}

/// The bytes of a payload from `offset` on.
pub(super) fn unmask(payload: &[u8], mask: [u8; 4], offset: usize) -> impl Iterator<Item = u8> {
    let key = mask.into_iter().cycle().skip(offset % 4);
    payload.iter().zip(key).map(|(byte, key)| byte ^ key)
}
