//! The head of a client's frame (RFC 6455, section 5.2).
//!
//! What is wrong in it is found at the first byte that shows it.

use crate::transport::deflate::InflateError;

/// The bit of the last fragment.
const FIN: u8 = 0x80;
/// The bits that only extensions use.
const RESERVED: u8 = 0x70;
/// The one of these that marks a compressed message, in its first frame (RFC 7692).
const COMPRESSED: u8 = 0x40;
/// The bits of the opcode.
const OPCODE: u8 = 0x0f;
/// The bit of a masked frame.
const MASKED: u8 = 0x80;
/// The longest payload of a control frame, and the longest one with a length of one byte.
const SHORT_MAX: u8 = 125;
/// Marks a length of two bytes.
const LENGTH_16: u8 = 126;
/// The bytes of a mask.
pub(super) const MASK_BYTES: usize = 4;
/// The most bytes of a head.
const HEAD_BYTES_MAX: usize = 14;

/// Why frames are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// The frame breaks RFC 6455.
    Protocol,
    /// The message is larger than the limit.
    TooLarge,
    /// The text is not UTF-8.
    NotUtf8,
    /// The message cannot be inflated.
    Compression,
}

impl From<InflateError> for FrameError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge => Self::TooLarge,
            InflateError::Broken => Self::Compression,
        }
    }
}

/// How a message is coded, of which a frame is the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Compressed,
}

/// Whether messages may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IncomingCompression {
    On,
    Off,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) opcode: Opcode,
    /// Whether the frame is the last one of its message.
    pub(super) is_final: bool,
    pub(super) coding: Coding,
    pub(super) payload_bytes: u64,
    pub(super) mask: [u8; MASK_BYTES],
}

/// The bytes of a head that has not arrived whole.
#[derive(Debug)]
pub(super) struct PartialHead {
    bytes: [u8; HEAD_BYTES_MAX],
    length: u8,
    /// The reserved bits that a message may begin with.
    permitted: u8,
}

impl PartialHead {
    /// The head of a frame, for a connection with this `compression`.
    pub(super) fn new(compression: IncomingCompression) -> Self {
        let permitted = match compression {
            IncomingCompression::On => COMPRESSED,
            IncomingCompression::Off => 0,
        };
        Self { bytes: [0; HEAD_BYTES_MAX], length: 0, permitted }
    }

    /// Takes the bytes of a head. Returns how many these are, and the head once it is whole.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(usize, Option<FrameHead>), FrameError> {
        for (at, byte) in bytes.iter().enumerate() {
            let length = usize::from(self.length);
            if let Some(slot) = self.bytes.get_mut(length) {
                *slot = *byte;
            }
            self.length += 1;
            let begun = self.bytes.get(..=length).unwrap_or_default();
            if let Some(head) = read(begun, self.permitted)? {
                self.length = 0;
                return Ok((at + 1, Some(head)));
            }
        }
        Ok((bytes.len(), None))
    }
}

impl Opcode {
    fn of(first: u8) -> Result<Self, FrameError> {
        match first & OPCODE {
            0 => Ok(Self::Continuation),
            1 => Ok(Self::Text),
            2 => Ok(Self::Binary),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            _reserved => Err(FrameError::Protocol),
        }
    }

    /// Whether the frame begins a message.
    fn begins_message(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }

    /// Whether the frame may come within a message, and is never fragmented.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Reads a head, of which the first frame of a message may have the `permitted` bits. `None` if there
/// are more bytes to come.
fn read(bytes: &[u8], permitted: u8) -> Result<Option<FrameHead>, FrameError> {
    let Some((&first, after_first)) = bytes.split_first() else { return Ok(None) };
    let (opcode, is_final) = (Opcode::of(first)?, first & FIN != 0);
    let permitted = if opcode.begins_message() { permitted } else { 0 };
    if first & RESERVED & !permitted != 0 || (opcode.is_control() && !is_final) {
        return Err(FrameError::Protocol);
    }
    let Some((&second, after_second)) = after_first.split_first() else { return Ok(None) };
    let short = second & !MASKED;
    if second & MASKED == 0 || (opcode.is_control() && short > SHORT_MAX) {
        return Err(FrameError::Protocol);
    }
    let Some((payload_bytes, mask)) = read_length(short, after_second)? else { return Ok(None) };
    let coding = if first & COMPRESSED == 0 { Coding::Plain } else { Coding::Compressed };
    let mask = mask.first_chunk().copied();
    Ok(mask.map(|mask| FrameHead { opcode, is_final, coding, payload_bytes, mask }))
}

/// Reads a length, of which the second byte of the head has `short`, and returns what follows it.
fn read_length(short: u8, after: &[u8]) -> Result<Option<(u64, &[u8])>, FrameError> {
    let (length, shortest, rest) = match short {
        ..=SHORT_MAX => return Ok(Some((u64::from(short), after))),
        LENGTH_16 => {
            let Some((length, rest)) = after.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*length)), u64::from(SHORT_MAX) + 1, rest)
        }
        _ => {
            let Some((length, rest)) = after.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*length), u64::from(u16::MAX) + 1, rest)
        }
    };
    // The shortest form is the only one, and the top bit is zero.
    if length < shortest || i64::try_from(length).is_err() {
        return Err(FrameError::Protocol);
    }
    Ok(Some((length, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `bytes` one by one. Returns the head, or the number of bytes until the error.
    fn read_slowly(bytes: &[u8]) -> Result<Option<FrameHead>, usize> {
        let mut partial = PartialHead::new(IncomingCompression::Off);
        for (at, byte) in bytes.iter().enumerate() {
            let (_, head) = partial.push(&[*byte]).map_err(|error| {
                assert_eq!(error, FrameError::Protocol);
                at + 1
            })?;
            if head.is_some() {
                return Ok(head);
            }
        }
        Ok(None)
    }

    #[test]
    fn lengths_have_their_shortest_form() {
        for (length, expected) in [
            (&[0x80][..], Ok(0)),
            (&[0xfd], Ok(125)),
            (&[0xfe, 0, 126], Ok(126)),
            (&[0xfe, 0xff, 0xff], Ok(65_535)),
            (&[0xff, 0, 0, 0, 0, 0, 1, 0, 0], Ok(65_536)),
            (&[0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Ok(u64::MAX >> 1)),
            (&[0xfe, 0, 125], Err(4)),
            (&[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Err(10)),
            (&[0xff, 0x80, 0, 0, 0, 0, 1, 0, 0], Err(10)),
        ] {
            let bytes = [&[0x82], length, &[1, 2, 3, 4]].concat();
            let head = read_slowly(&bytes).map(Option::unwrap);
            assert_eq!(head.map(|it| it.payload_bytes), expected, "{length:?}");
            let mut partial = PartialHead::new(IncomingCompression::Off);
            let whole = partial.push(&[&bytes[..], b"payload"].concat());
            match whole {
                Ok((used, head)) => {
                    assert_eq!((used, head.unwrap().mask), (bytes.len(), [1, 2, 3, 4]));
                }
                Err(_) => assert!(expected.is_err()),
            }
        }
    }

    #[test]
    fn an_error_is_found_at_the_first_byte_that_shows_it() {
        for (bytes, read) in [
            (&[0x83][..], 1),
            (&[0x8b], 1),
            (&[0xc1], 1),
            (&[0xa1], 1),
            (&[0x91], 1),
            (&[0x09], 1),
            (&[0x08], 1),
            (&[0x81, 0x00], 2),
            (&[0x89, 0xfe], 2),
            (&[0x88, 0xff], 2),
        ] {
            assert_eq!(read_slowly(bytes), Err(read), "{bytes:?}");
        }
        assert_eq!(read_slowly(&[0x01, 0x80, 0, 0]), Ok(None));
    }

    #[test]
    fn only_the_first_frame_of_a_message_is_marked_as_compressed() {
        for first in [0xc1, 0x42, 0xc2] {
            let mut partial = PartialHead::new(IncomingCompression::On);
            let (_, head) = partial.push(&[first, 0x80, 0, 0, 0, 0]).unwrap();
            assert_eq!(head.unwrap().coding, Coding::Compressed, "{first:x}");
            assert!(read_slowly(&[first]).is_err(), "{first:x} without the extension");
        }
        for first in [0x40, 0xc0, 0xc9, 0xca, 0xc8, 0xe1, 0xd1, 0xa1] {
            let mut partial = PartialHead::new(IncomingCompression::On);
            assert_eq!(partial.push(&[first]), Err(FrameError::Protocol), "{first:x}");
        }
    }
}
