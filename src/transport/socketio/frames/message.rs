//! Messages that are read as a whole: those of `socket.io-msgpack-parser`, and texts in fragments.

use std::mem;

use super::{
    error::FrameError,
    head::{
        BINARY, CONTINUATION, FIN, FrameHead, TEXT, unmask, write_base64, write_head, write_text,
    },
};
use crate::{
    domain::Limits,
    transport::socketio::{
        packet_check::{JoinedSpaces, PackedMessage, PacketCheck, Verdict},
        packet_head::Extent,
        request::{Parser, Version},
    },
};

/// The message whose last fragment has not arrived.
#[derive(Debug, Default)]
pub(super) struct MessageParts {
    opcode: u8,
    begun: Vec<u8>,
}

/// A whole message.
#[derive(Debug)]
pub(super) struct WholeMessage {
    opcode: u8,
    content: Vec<u8>,
}

/// What reads the messages of a session.
pub(super) struct MessageReader<'a> {
    pub(super) version: Version,
    pub(super) parser: Parser,
    pub(super) limits: &'a Limits,
    pub(super) packets: &'a mut PacketCheck,
    pub(super) spaces: &'a dyn JoinedSpaces,
}

impl MessageParts {
    /// Adds the payload of a frame. Returns the message that it ends.
    pub(super) fn push(&mut self, head: &FrameHead, payload: &[u8]) -> Option<WholeMessage> {
        if head.opcode != CONTINUATION {
            self.opcode = head.opcode;
        }
        self.begun.extend(unmask(payload, head.mask, 0));
        let Self { opcode, begun } = self;
        head.is_last.then(|| WholeMessage { opcode: mem::take(opcode), content: mem::take(begun) })
    }

    /// Whether a text has begun.
    pub(super) fn is_text(&self) -> bool {
        self.opcode == TEXT
    }
}

impl MessageReader<'_> {
    /// Writes what the engine reads in place of a message.
    pub(super) fn pass(self, message: &WholeMessage, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let WholeMessage { opcode, content } = message;
        if *opcode == TEXT && str::from_utf8(content).is_err() {
            return Err(FrameError::NotUtf8);
        }
        match (self.parser, *opcode) {
            (Parser::Json, _) => self.pass_text(content, out),
            (Parser::MsgPack, TEXT) => self.pass_packed(PackedMessage::Text(content), out),
            (Parser::MsgPack, _) => self.pass_packed(PackedMessage::Binary(content), out),
        }
    }

    fn pass_text(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        if let [b'b', base64 @ ..] = text {
            return write_base64(self.version, base64, out);
        }
        match self.packets.check_frame(text, Extent::Whole, self.spaces) {
            Verdict::Passed | Verdict::Unfinished => write_text(text, out),
            Verdict::Marked(mark) => write_text(&mark.changed(text), out),
            Verdict::Replaced(packet) => write_text(&packet, out),
            Verdict::Ignored => {}
            Verdict::Refused(_) => return Err(FrameError::Packet),
        }
        Ok(())
    }

    fn pass_packed(self, message: PackedMessage<'_>, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let Self { limits, packets, spaces, .. } = self;
        if matches!(message, PackedMessage::Text([b'1', ..])) {
            return Ok(());
        }
        let packet = packets.check_packed(message, limits, spaces);
        let Some(packet) = packet.map_err(|_protocol| FrameError::Packet)? else { return Ok(()) };
        // Its text may be several times as long as the message.
        if packet.text.len() > limits.frame_bytes_max.get() {
            return Err(FrameError::TooLarge);
        }
        write_text(packet.text.as_bytes(), out);
        for attachment in &packet.attachments {
            write_head(FIN | BINARY, attachment.len(), [0; 4], out);
            out.extend_from_slice(attachment);
        }
        Ok(())
    }
}
