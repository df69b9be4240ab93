//! The frames of a WebSocket client, between its stream and the engine.
//!
//! The engine ends a session without a word when a frame is too large or breaks the protocol. So the
//! frames are checked here first, and the session can say why it ends. Frames pass unchanged, but
//! for what the engine cannot read:
//!
//! - Event names, and answers, which it drops (see [`event_names`]): such a frame is split in two
//!   fragments, and the marker is the end of the first one.
//! - Bytes as a text in base64, which become a binary frame.
//!
//! Bytes are not collected, only such a text, the beginning of a packet until it is known whether it
//! needs the marker, and the first message if it may be a packet of another parser.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;

use super::{
    event_names::{self, Mark, NameScan, SCAN_BYTES_MAX},
    request::Version,
};
use crate::wire::msgpack;

/// The bit of the last fragment.
const FIN: u8 = 0x80;
/// The bits that only extensions use.
const RESERVED: u8 = 0x70;
/// The bit of a masked frame.
const MASKED: u8 = 0x80;
/// The longest CONNECT packet of another parser that is recognized: a token and the rooms of `since`.
const FOREIGN_CONNECT_BYTES_MAX: usize = 64 << 10;
/// The longest payload with a length of one byte.
const SHORT_MAX: usize = 125;
/// The first letter of a text that holds bytes.
const BASE64_PREFIX: u8 = b'b';
/// The length of `2probe`.
const PROBE_BYTES: usize = 6;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PONG: u8 = 10;

/// Why frames of a client are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// The message is larger than the limit.
    TooLarge,
    /// The frame breaks RFC 6455.
    Protocol,
    /// The text is not UTF-8.
    NotUtf8,
    /// The client has a parser that is not supported. The message is its refusal.
    ForeignParser(Bytes),
}

impl FrameError {
    /// The close code, as RFC 6455 defines it.
    pub(super) fn close_code(&self) -> u16 {
        match self {
            Self::TooLarge => 1009,
            Self::Protocol => 1002,
            Self::ForeignParser(_) => 1003,
            Self::NotUtf8 => 1007,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct IncomingFrames {
    version: Version,
    message_bytes_max: usize,
    /// The first bytes of a head, or of the payload after `head`.
    begun: Vec<u8>,
    /// The head of a frame for which it is not yet known whether it needs the marker.
    head: Option<FrameHead>,
    /// The bytes of the current payload that have not arrived.
    left: usize,
    /// The kind and the size of the message whose last fragment has not begun.
    unfinished: Option<(MessageKind, usize)>,
    /// The text of the current payload is checked with this.
    text: Option<TextCheck>,
    first_message: FirstMessage,
}

/// The first message of a connection. Only a client with another parser sends bytes before a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstMessage {
    /// It has not begun.
    Awaited,
    /// It is collected, because it is binary.
    Collecting,
    /// It was passed.
    Passed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MessageKind {
    Text,
    Binary,
}

/// Checks a masked text piece by piece.
#[derive(Clone, Copy, Debug, Default)]
struct TextCheck {
    mask: [u8; 4],
    payload_bytes: usize,
    /// The number of payload bytes that were checked.
    offset: usize,
    /// The first bytes of a character that is not complete.
    partial: [u8; 3],
    partial_len: usize,
}

/// The head of a frame.
#[derive(Debug)]
struct FrameHead {
    first: u8,
    is_last: bool,
    opcode: u8,
    payload_bytes: usize,
    mask: [u8; 4],
}

impl IncomingFrames {
    /// Nothing has arrived yet. Messages have at most `message_bytes_max` bytes.
    pub(super) fn new(version: Version, message_bytes_max: usize) -> Self {
        let (begun, head, unfinished, text) = (Vec::new(), None, None, None);
        let first_message = FirstMessage::Awaited;
        Self { version, message_bytes_max, begun, head, left: 0, unfinished, text, first_message }
    }

    /// The bytes that are still to come of a payload that has begun, or of one that was refused.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Counts bytes of a refused payload.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Adds received bytes. What the engine may read is appended to `out`, so nothing after an error.
    pub(super) fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        while !input.is_empty() {
            let useful = match &self.head {
                Some(head)
                    if self.first_message == FirstMessage::Collecting
                        || head.is_base64(&self.begun) =>
                {
                    head.payload_bytes - self.begun.len()
                }
                Some(head) => head.payload_bytes.min(SCAN_BYTES_MAX) - self.begun.len(),
                None if self.left > 0 => self.left,
                None => 1,
            };
            let (taken, rest) = input.split_at(useful.min(input.len()));
            input = rest;
            let outcome = if self.head.is_none() && self.left > 0 {
                self.check(taken).map(|()| out.extend_from_slice(taken))
            } else {
                self.begun.extend_from_slice(taken);
                self.begin(out)
            };
            outcome.inspect_err(|_| self.skip(input.len()))?;
        }
        Ok(())
    }

    /// Checks bytes of the current payload.
    fn check(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        self.left -= payload.len();
        self.text.as_mut().map_or(Ok(()), |it| it.push(payload))
    }

    /// Passes the frame that has begun, once it is known whether it needs the marker.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let head = if let Some(head) = self.head.take() {
            head
        } else {
            let Some(head) = FrameHead::read(&self.begun)? else { return Ok(()) };
            self.admit(&head)?;
            self.begun.clear();
            head
        };
        if self.first_message == FirstMessage::Collecting {
            if self.begun.len() < head.payload_bytes {
                self.head = Some(head);
                return Ok(());
            }
            self.first_message = FirstMessage::Passed;
            self.check_parser(&head)?;
        }
        if head.is_base64(&self.begun) {
            if self.begun.len() < head.payload_bytes {
                self.head = Some(head);
                return Ok(());
            }
            return head.write_bytes(self.version, &std::mem::take(&mut self.begun), out);
        }
        let scan = head.scan(self.version, &self.begun);
        let scan = scan.inspect_err(|_| self.left = head.payload_bytes - self.begun.len())?;
        if scan == NameScan::Unfinished {
            self.head = Some(head);
            return Ok(());
        }
        let payload = std::mem::take(&mut self.begun);
        self.left = head.payload_bytes;
        self.check(&payload)?;
        match scan {
            NameScan::Marked(mark) => head.write_marked(&payload, mark, out),
            NameScan::Unmarked | NameScan::Unfinished => {
                write_head(head.first, head.payload_bytes, head.mask, out);
                out.extend_from_slice(&payload);
            }
        }
        Ok(())
    }

    /// Refuses a client whose first message is a packet of another parser.
    fn check_parser(&mut self, head: &FrameHead) -> Result<(), FrameError> {
        let message: Vec<u8> = unmask(&self.begun, head.mask, 0).collect();
        msgpack::refuse_connect(&message).map_or(Ok(()), |it| Err(FrameError::ForeignParser(it)))
    }

    /// Checks that a frame may begin here.
    fn admit(&mut self, head: &FrameHead) -> Result<(), FrameError> {
        if head.opcode >= CLOSE {
            // A close code has two bytes.
            if head.opcode == CLOSE && head.payload_bytes == 1 {
                return Err(FrameError::Protocol);
            }
            self.text = None;
            return Ok(());
        }
        let (kind, before) = match (head.opcode, self.unfinished) {
            (CONTINUATION, Some(unfinished)) => unfinished,
            (TEXT, None) => (MessageKind::Text, 0),
            (BINARY, None) => (MessageKind::Binary, 0),
            _ => return Err(FrameError::Protocol),
        };
        let bytes = before.saturating_add(head.payload_bytes);
        if bytes > self.message_bytes_max {
            self.left = head.payload_bytes;
            return Err(FrameError::TooLarge);
        }
        self.unfinished = (!head.is_last).then_some((kind, bytes));
        if self.first_message == FirstMessage::Awaited {
            let is_whole = head.opcode == BINARY && head.is_last;
            self.first_message = if is_whole && bytes <= FOREIGN_CONNECT_BYTES_MAX {
                FirstMessage::Collecting
            } else {
                FirstMessage::Passed
            };
        }
        // A character may be split between fragments: only the engine checks those.
        let is_whole = head.opcode == TEXT && head.is_last;
        self.text = is_whole.then(|| TextCheck {
            mask: head.mask,
            payload_bytes: head.payload_bytes,
            ..TextCheck::default()
        });
        Ok(())
    }
}

impl FrameHead {
    /// Reads a head, if it is complete.
    fn read(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (is_last, opcode) = (first & FIN != 0, first & 0x0f);
        let is_control = opcode >= CLOSE;
        let length = second & !MASKED;
        let is_known = opcode <= BINARY || (CLOSE..=PONG).contains(&opcode);
        let is_long_control = is_control && (!is_last || usize::from(length) > SHORT_MAX);
        if first & RESERVED != 0 || second & MASKED == 0 || !is_known || is_long_control {
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
        Ok(Some(Self { first: *first, is_last, opcode, payload_bytes, mask: *mask }))
    }

    /// Examines the beginning of a text. A heartbeat of the server's kind is refused, but for what has
    /// the length of a probe: the engine refuses that where it does not belong.
    fn scan(&self, version: Version, payload: &[u8]) -> Result<NameScan, FrameError> {
        if self.opcode != TEXT {
            return Ok(NameScan::Unmarked);
        }
        let text: Vec<u8> = unmask(payload, self.mask, 0).collect();
        if text.first() == Some(&version.server_heartbeat()) && self.payload_bytes != PROBE_BYTES {
            return Err(FrameError::Protocol);
        }
        Ok(match event_names::scan(&text) {
            NameScan::Unfinished if payload.len() == self.payload_bytes => NameScan::Unmarked,
            scan => scan,
        })
    }

    /// Whether the frame is a text that holds bytes, of which these are the first ones: clients with
    /// `forceBase64` send them.
    fn is_base64(&self, payload: &[u8]) -> bool {
        self.opcode == TEXT
            && self.is_last
            && unmask(payload, self.mask, 0).next() == Some(BASE64_PREFIX)
    }

    /// Writes the bytes of a whole text that holds them as a binary frame, which the engine reads.
    fn write_bytes(
        &self,
        version: Version,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        let text: Vec<u8> = unmask(payload, self.mask, 0).skip(1).collect();
        // In version 3 the packet type is the first byte of a frame, and a digit in the text.
        let (mut bytes, base64) = match version {
            Version::V3 => (vec![4], text.strip_prefix(b"4").ok_or(FrameError::Protocol)?),
            Version::V4 => (Vec::new(), text.as_slice()),
        };
        BASE64_STANDARD.decode_vec(base64, &mut bytes).map_err(|_error| FrameError::Protocol)?;
        write_head(FIN | BINARY, bytes.len(), [0; 4], out);
        out.extend(bytes);
        Ok(())
    }

    /// Writes a frame as two fragments, the first with the marker at its end. The rest of its
    /// payload belongs behind them.
    fn write_marked(&self, payload: &[u8], change: Mark, out: &mut Vec<u8>) {
        let at = change.at();
        let (before, after) = payload.split_at(at);
        let before: Vec<u8> = unmask(before, self.mask, 0).collect();
        let marked = change.apply(&before);
        write_head(TEXT, marked.len(), [0; 4], out);
        out.extend(marked);
        let last = if self.is_last { FIN } else { 0 };
        let mut mask = self.mask;
        mask.rotate_left(at % 4);
        write_head(last | CONTINUATION, self.payload_bytes - at, mask, out);
        out.extend_from_slice(after);
    }
}

fn write_head(first: u8, length: usize, mask: [u8; 4], out: &mut Vec<u8>) {
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
fn unmask(payload: &[u8], mask: [u8; 4], offset: usize) -> impl Iterator<Item = u8> {
    let key = mask.into_iter().cycle().skip(offset % 4);
    payload.iter().zip(key).map(|(byte, key)| byte ^ key)
}

impl TextCheck {
    /// Checks the next bytes of a payload.
    fn push(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        let partial = self.partial.iter().copied().take(self.partial_len);
        let text: Vec<u8> = partial.chain(unmask(payload, self.mask, self.offset)).collect();
        self.offset += payload.len();
        let ends = self.offset >= self.payload_bytes;
        let valid = match std::str::from_utf8(&text) {
            Ok(_) => text.len(),
            Err(error) if error.error_len().is_none() && !ends => error.valid_up_to(),
            Err(_) => return Err(FrameError::NotUtf8),
        };
        let partial = text.get(valid..).unwrap_or_default();
        self.partial_len = partial.len();
        for (slot, byte) in self.partial.iter_mut().zip(partial) {
            *slot = *byte;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
