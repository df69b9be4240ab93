//! The frames of a WebSocket client, between its stream and the engine.
//!
//! The engine ends a session without a word when a frame is too large or breaks the protocol. So the
//! frames are checked here first, and the session can say why it ends. Frames pass unchanged, but
//! for what the engine cannot read:
//!
//! - Event names, and answers, which it drops (see [`event_names`]): such a frame is split in two
//!   fragments, and the marker is the end of the first one.
//! - Bytes as a text in base64, which become a binary frame.
//! - What nobody reads, or what the official server reads otherwise (see [`packet_check`]).
//! - Messages of `socket.io-msgpack-parser`, which become packets of the default parser.
//! - Texts in fragments, which become one frame.
//!
//! Bytes are not collected, only such texts and messages, CONNECT, the beginning of a packet until it is known what
//! becomes of it, and the first message if it may be a packet of another parser.
//!
//! [`event_names`]: super::event_names
//! [`packet_check`]: super::packet_check

mod error;
mod head;
mod inflation;
mod message;
mod text;

use std::{mem, sync::Arc};

pub(super) use self::{error::FrameError, inflation::Inflation};
use self::{
    head::{BINARY, CLOSE, CONTINUATION, FrameHead, TEXT, unmask, write_head, write_text},
    message::{MessageParts, MessageReader},
    text::TextCheck,
};
use super::{
    event_names::SCAN_BYTES_MAX,
    packet_check::{JoinedSpaces, PacketCheck, Verdict},
    packet_head::Extent,
    request::{Parser, Version},
};
use crate::{domain::Limits, wire::msgpack};

/// The longest CONNECT packet of another parser that is recognized: a token and the rooms of `since`.
const FOREIGN_CONNECT_BYTES_MAX: usize = 64 << 10;

/// The bytes that are passed before the engine reads them. Little that was received may be much that
/// is inflated.
const PASSED_BYTES_MAX: usize = 16 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct IncomingFrames {
    version: Version,
    limits: Arc<Limits>,
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
    packets: PacketCheck,
    parser: Parser,
    /// The message that is read as a whole.
    parts: MessageParts,
    /// Exists if the client may compress its messages.
    inflation: Option<Box<Inflation>>,
    /// Whether nobody reads the current payload.
    is_ignored: bool,
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

impl IncomingFrames {
    /// Nothing has arrived yet.
    pub(super) fn new(version: Version, parser: Parser, limits: Arc<Limits>) -> Self {
        let first_message = match parser {
            Parser::Json => FirstMessage::Awaited,
            Parser::MsgPack => FirstMessage::Passed,
        };
        Self {
            version,
            limits,
            begun: Vec::new(),
            head: None,
            left: 0,
            unfinished: None,
            text: None,
            first_message,
            packets: PacketCheck::new(version),
            parser,
            parts: MessageParts::default(),
            inflation: None,
            is_ignored: false,
        }
    }

    /// Inflates what is received from now on, or what `inflation` has received.
    pub(super) fn inflate(&mut self, inflation: Option<Box<Inflation>>) {
        self.inflation = inflation;
    }

    /// Whether there is more to pass of what was received.
    pub(super) fn has_more(&self) -> bool {
        self.inflation.as_ref().is_some_and(|it| it.is_behind())
    }

    /// Whether the engine has received whole messages.
    pub(super) fn is_between_messages(&self) -> bool {
        self.begun.is_empty() && self.head.is_none() && self.left == 0 && self.unfinished.is_none()
    }

    /// The bytes that are still to come of a payload that has begun, or of one that was refused.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Counts bytes of a refused payload.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Adds received bytes of a session that is in `spaces`. What the engine may read is appended to
    /// `out`, so nothing after an error. If it is much, the rest waits for the next call.
    pub(super) fn push(
        &mut self,
        input: &[u8],
        spaces: &dyn JoinedSpaces,
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        let Some(mut inflation) = self.inflation.take() else {
            return self.push_plain(input, spaces, out);
        };
        inflation.receive(input);
        let (mut plain, mut passed) = (Vec::new(), 0);
        while passed < PASSED_BYTES_MAX {
            plain.clear();
            let has_next = inflation.next(&mut plain);
            if !has_next.inspect_err(|_| self.left = inflation.left())? {
                break;
            }
            passed += plain.len();
            self.push_plain(&plain, spaces, out)?;
        }
        self.inflation = Some(inflation);
        Ok(())
    }

    /// The same for bytes of frames that are not compressed.
    fn push_plain(
        &mut self,
        mut input: &[u8],
        spaces: &dyn JoinedSpaces,
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        while !input.is_empty() {
            let useful = match &self.head {
                Some(head) if self.is_collected(head) => head.payload_bytes - self.begun.len(),
                Some(head) => head.payload_bytes.min(SCAN_BYTES_MAX) - self.begun.len(),
                None if self.left > 0 => self.left,
                None => 1,
            };
            let (taken, rest) = input.split_at(useful.min(input.len()));
            input = rest;
            let outcome = if self.head.is_none() && self.left > 0 {
                self.check(taken).map(|()| self.pass(taken, out))
            } else {
                self.begun.extend_from_slice(taken);
                self.begin(spaces, out)
            };
            outcome.inspect_err(|_| self.skip(input.len()))?;
        }
        Ok(())
    }

    /// Whether the whole payload after this head is needed.
    fn is_collected(&self, head: &FrameHead) -> bool {
        self.is_part(head)
            || self.first_message == FirstMessage::Collecting
            || head.is_collected(&self.begun)
    }

    /// Whether the frame is a part of a message that is read as a whole: one of
    /// `socket.io-msgpack-parser`, or a text in fragments.
    fn is_part(&self, head: &FrameHead) -> bool {
        match self.parser {
            Parser::MsgPack => head.opcode < CLOSE,
            Parser::Json if head.opcode == TEXT => !head.is_last,
            Parser::Json => head.opcode == CONTINUATION && self.parts.is_text(),
        }
    }

    /// Checks bytes of the current payload.
    fn check(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        self.left -= payload.len();
        self.text.as_mut().map_or(Ok(()), |it| it.push(payload))
    }

    /// Passes bytes of the current payload, unless nobody reads it.
    fn pass(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if !self.is_ignored {
            out.extend_from_slice(payload);
        }
        self.is_ignored &= self.left > 0;
    }

    /// Passes the frame that has begun, once it is known what becomes of it.
    fn begin(&mut self, spaces: &dyn JoinedSpaces, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let head = if let Some(head) = self.head.take() {
            head
        } else {
            let Some(head) = FrameHead::read(&self.begun)? else { return Ok(()) };
            self.admit(&head)?;
            self.begun.clear();
            head
        };
        if self.is_collected(&head) && self.begun.len() < head.payload_bytes {
            self.head = Some(head);
            return Ok(());
        }
        if self.is_part(&head) {
            let message = self.parts.push(&head, &mem::take(&mut self.begun));
            let reader = MessageReader {
                version: self.version,
                parser: self.parser,
                limits: &self.limits,
                packets: &mut self.packets,
                spaces,
            };
            return message.map_or(Ok(()), |it| reader.pass(&it, out));
        }
        if self.first_message == FirstMessage::Collecting {
            self.first_message = FirstMessage::Passed;
            self.check_parser(&head)?;
        }
        if head.is_base64(&self.begun) {
            return head.write_bytes(self.version, &mem::take(&mut self.begun), out);
        }
        let verdict = self.check_packet(&head, spaces);
        if verdict == Verdict::Unfinished {
            self.head = Some(head);
            return Ok(());
        }
        let payload = mem::take(&mut self.begun);
        self.left = head.payload_bytes;
        self.check(&payload)?;
        match verdict {
            Verdict::Passed | Verdict::Unfinished => {
                write_head(head.first, head.payload_bytes, head.mask, out);
                out.extend_from_slice(&payload);
            }
            Verdict::Marked(mark) => head.write_marked(&payload, mark, out),
            Verdict::Replaced(packet) => write_text(&packet, out),
            Verdict::Ignored => self.is_ignored = self.left > 0,
            Verdict::Refused(_) => return Err(FrameError::Packet),
        }
        Ok(())
    }

    /// Judges the packet in the payload of a frame.
    fn check_packet(&mut self, head: &FrameHead, spaces: &dyn JoinedSpaces) -> Verdict {
        if head.opcode != TEXT {
            return Verdict::Passed;
        }
        let text: Vec<u8> = unmask(&self.begun, head.mask, 0).collect();
        let has_all = text.len() == head.payload_bytes;
        let extent = if has_all { Extent::Whole } else { Extent::Beginning };
        self.packets.check_frame(&text, extent, spaces)
    }

    /// Refuses a client whose first message is a packet of another parser.
    fn check_parser(&mut self, head: &FrameHead) -> Result<(), FrameError> {
        let message: Vec<u8> = unmask(&self.begun, head.mask, 0).collect();
        msgpack::refuse_connect(&message, &self.limits)
            .map_or(Ok(()), |it| Err(FrameError::ForeignParser(it)))
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
        if bytes > self.limits.frame_bytes_max.get() {
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
        self.text = is_whole.then(|| TextCheck::new(head.mask, head.payload_bytes));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
