//! The messages of a client with `socket.io-msgpack-parser`, which are translated as a whole.

use std::mem;

use super::{
    error::FrameError,
    head::{BINARY, CONTINUATION, FIN, FrameHead, TEXT, unmask, write_head, write_text},
};
use crate::{
    domain::Limits,
    transport::socketio::packet_check::{JoinedSpaces, PackedMessage, PacketCheck},
};

/// The message whose last fragment has not arrived.
#[derive(Debug, Default)]
pub(super) struct PackedMessages {
    opcode: u8,
    begun: Vec<u8>,
}

/// A whole message.
#[derive(Debug)]
pub(super) struct WholeMessage {
    opcode: u8,
    content: Vec<u8>,
}

impl PackedMessages {
    /// Adds the payload of a frame. Returns the message that it ends.
    pub(super) fn push(&mut self, head: &FrameHead, payload: &[u8]) -> Option<WholeMessage> {
        if head.opcode != CONTINUATION {
            self.opcode = head.opcode;
        }
        self.begun.extend(unmask(payload, head.mask, 0));
        let Self { opcode, begun } = self;
        head.is_last.then(|| WholeMessage { opcode: *opcode, content: mem::take(begun) })
    }
}

impl WholeMessage {
    /// Writes what the engine reads in its place.
    pub(super) fn pass(
        self,
        packets: &mut PacketCheck,
        limits: &Limits,
        (spaces, out): (&dyn JoinedSpaces, &mut Vec<u8>),
    ) -> Result<(), FrameError> {
        let Self { opcode, content } = self;
        let message = match opcode {
            TEXT if str::from_utf8(&content).is_err() => return Err(FrameError::NotUtf8),
            TEXT => PackedMessage::Text(&content),
            _ => PackedMessage::Binary(&content),
        };
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
