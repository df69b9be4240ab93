//! Compressed messages of a client, which the engine cannot read (RFC 7692).
//!
//! Such a message is inflated while it arrives, and becomes one frame. Other frames pass unchanged, so
//! [`IncomingFrames`](super::IncomingFrames) checks what a client without compression would have sent.

use bytes::BytesMut;

use super::{
    error::FrameError,
    head::{BINARY, CLOSE, COMPRESSED, FIN, FrameHead, TEXT, unmask, write_head},
};
use crate::transport::deflate::Inflater;

/// See the module.
#[derive(Debug)]
pub(in crate::transport::socketio) struct Inflation {
    message_bytes_max: usize,
    /// Bytes that were received and not passed.
    ahead: BytesMut,
    /// Whether there may be more of them than the beginning of a head.
    is_behind: bool,
    /// The frame whose payload arrives.
    frame: Option<Frame>,
    /// The compressed message whose last fragment has not arrived whole.
    message: Option<Message>,
}

/// A frame whose payload arrives.
#[derive(Debug)]
struct Frame {
    kind: FrameKind,
    /// The bytes that have not been passed.
    left: usize,
}

#[derive(Debug)]
enum FrameKind {
    /// Its payload is passed as it is.
    Plain,
    /// Its payload is a part of the compressed message. The first byte of the mask is that of the next
    /// byte.
    Compressed { mask: [u8; 4], is_last: bool },
}

/// A compressed message that arrives.
#[derive(Debug)]
struct Message {
    opcode: u8,
    inflater: Box<Inflater>,
    content: Vec<u8>,
    /// The size that its frames claim.
    bytes: usize,
}

impl Inflation {
    /// Nothing has arrived yet. Messages have at most `message_bytes_max` bytes.
    pub(in crate::transport::socketio) fn new(message_bytes_max: usize) -> Self {
        let (ahead, is_behind) = (BytesMut::new(), false);
        Self { message_bytes_max, ahead, is_behind, frame: None, message: None }
    }

    /// Adds received bytes.
    pub(in crate::transport::socketio) fn receive(&mut self, bytes: &[u8]) {
        self.ahead.extend_from_slice(bytes);
        self.is_behind = true;
    }

    /// Whether [`next`](Self::next) may find something before more is received.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// The bytes that are still to come of a payload that has begun, or of one that was refused.
    pub(super) fn left(&self) -> usize {
        let left = self.frame.as_ref().map_or(0, |it| it.left);
        left.saturating_sub(self.ahead.len())
    }

    /// Appends to `out` the next inflated message, or what has arrived of another frame. Returns
    /// `false` if there is nothing. After an error it is not to be used.
    pub(in crate::transport::socketio) fn next(
        &mut self,
        out: &mut Vec<u8>,
    ) -> Result<bool, FrameError> {
        let begin = out.len();
        while out.len() == begin {
            let has_payload = self.frame.is_some() && !self.ahead.is_empty();
            if !has_payload && (self.frame.is_some() || !self.begin_frame(out)?) {
                self.is_behind = false;
                if self.ahead.is_empty() {
                    self.ahead = BytesMut::new();
                }
                return Ok(false);
            }
            self.pass_payload(out)?;
        }
        Ok(true)
    }

    /// Reads a head. Returns `false` if it has not arrived whole.
    fn begin_frame(&mut self, out: &mut Vec<u8>) -> Result<bool, FrameError> {
        let Some(head) = FrameHead::read_compressed(&self.ahead)? else { return Ok(false) };
        let FrameHead { first, is_last, opcode, bytes, payload_bytes, mask } = head;
        let head = self.ahead.split_to(bytes);
        if self.message.is_none() && first & COMPRESSED != 0 {
            self.message = Some(Message::new(opcode, self.message_bytes_max));
        } else if self.message.is_some() && matches!(opcode, TEXT | BINARY) {
            return Err(FrameError::Protocol);
        }
        let message = self.message.as_mut().filter(|_| opcode < CLOSE);
        let kind = if message.is_some() {
            FrameKind::Compressed { mask, is_last }
        } else {
            out.extend_from_slice(&head);
            FrameKind::Plain
        };
        self.frame = Some(Frame { kind, left: payload_bytes });
        if let Some(message) = message {
            message.bytes = message.bytes.saturating_add(payload_bytes);
            if message.bytes > self.message_bytes_max {
                return Err(FrameError::TooLarge);
            }
        }
        Ok(true)
    }

    /// Passes what has arrived of a payload.
    fn pass_payload(&mut self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        let length = frame.left.min(self.ahead.len());
        let payload = self.ahead.split_to(length);
        frame.left -= length;
        let is_whole = frame.left == 0;
        let mut is_last_fragment = false;
        match &mut frame.kind {
            FrameKind::Plain => out.extend_from_slice(&payload),
            FrameKind::Compressed { mask, is_last } => {
                let compressed: Vec<u8> = unmask(&payload, *mask, 0).collect();
                let offset = length % mask.len();
                mask.rotate_left(offset);
                is_last_fragment = *is_last;
                if let Some(message) = &mut self.message {
                    message.push(&compressed)?;
                }
            }
        }
        if is_whole {
            self.frame = None;
            if is_last_fragment && let Some(message) = self.message.take() {
                message.finish(out)?;
            }
        }
        Ok(())
    }
}

impl Message {
    fn new(opcode: u8, bytes_max: usize) -> Self {
        let inflater = Box::new(Inflater::new(bytes_max));
        Self { opcode, inflater, content: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, compressed: &[u8]) -> Result<(), FrameError> {
        let Self { inflater, content, .. } = self;
        inflater.push(compressed, |bytes| {
            content.extend_from_slice(bytes);
            Ok(())
        })
    }

    /// Writes the message as one frame.
    fn finish(self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let Self { opcode, inflater, mut content, .. } = self;
        inflater.finish(|bytes| {
            content.extend_from_slice(bytes);
            Ok::<_, FrameError>(())
        })?;
        write_head(FIN | opcode, content.len(), [0; 4], out);
        out.append(&mut content);
        Ok(())
    }
}
