//! The messages in the bytes of a client (RFC 6455, sections 5 to 8).
//!
//! Bytes are judged as they arrive: a frame fails at the first byte that shows what is wrong, not once
//! it is whole. Memory grows with what has arrived, not with what a frame claims.

use std::mem;

use bytes::Bytes;

use super::{
    frame_head::{
        Coding, FrameError, FrameHead, IncomingCompression, MASK_BYTES, Opcode, PartialHead,
    },
    text::PartialText,
};
use crate::transport::deflate::Inflater;

/// The most memory that a message takes before its bytes arrive.
const CAPACITY_MAX: u64 = 4096;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Message(Message),
    /// A ping with its payload, which the answer repeats.
    Ping(Bytes),
    Pong,
    /// A close with its payload: nothing, or a code and a reason.
    Close(Bytes),
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Text(String),
    Binary(Bytes),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Decoder {
    message_bytes_max: usize,
    head: PartialHead,
    /// The frame whose payload arrives.
    frame: Option<Frame>,
    /// The message whose last fragment has not arrived whole.
    message: Option<PartialMessage>,
    /// The payload of a control frame.
    control: Vec<u8>,
}

/// A frame whose payload arrives.
#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    /// The bytes that have not arrived.
    left: u64,
    /// The mask. The first byte is that of the next byte of the payload.
    mask: [u8; MASK_BYTES],
}

/// A message that arrives.
#[derive(Debug)]
struct PartialMessage {
    content: PartialContent,
    /// Exists if the message is compressed.
    inflater: Option<Box<Inflater>>,
    /// The size that its frames claim.
    bytes: u64,
}

#[derive(Debug)]
enum PartialContent {
    Text(PartialText),
    Binary(Vec<u8>),
}

impl Decoder {
    /// Decodes messages of at most `message_bytes_max` bytes.
    pub(super) fn new(message_bytes_max: usize, compression: IncomingCompression) -> Self {
        let (head, control) = (PartialHead::new(compression), Vec::new());
        Self { message_bytes_max, head, frame: None, message: None, control }
    }

    /// Takes bytes, which it unmasks, up to the end of what is whole first. Returns how many these are.
    /// After an error it is not to be used.
    pub(super) fn push(
        &mut self,
        bytes: &mut [u8],
    ) -> Result<(usize, Option<Incoming>), FrameError> {
        let mut used = 0;
        loop {
            let rest = bytes.get_mut(used..).unwrap_or_default();
            if let Some(frame) = &mut self.frame {
                let length = usize::try_from(frame.left).unwrap_or(usize::MAX).min(rest.len());
                let (payload, _) = rest.split_at_mut(length);
                frame.unmask(payload);
                let (opcode, is_whole) = (frame.opcode, frame.left == 0);
                used += length;
                self.append(opcode, payload)?;
                if !is_whole {
                    return Ok((used, None));
                }
                if let Some(incoming) = self.finish_frame()? {
                    return Ok((used, Some(incoming)));
                }
            } else {
                let (head_bytes, head) = self.head.push(rest)?;
                used += head_bytes;
                let Some(head) = head else { return Ok((used, None)) };
                self.begin_frame(&head)?;
            }
        }
    }

    fn begin_frame(&mut self, head: &FrameHead) -> Result<(), FrameError> {
        let FrameHead { opcode, is_final, coding, payload_bytes, mask } = *head;
        if !opcode.is_control() {
            let capacity = payload_bytes.min(CAPACITY_MAX);
            let capacity = usize::try_from(capacity).expect("it is small");
            let inflater = match coding {
                Coding::Plain => None,
                Coding::Compressed => Some(Box::new(Inflater::new(self.message_bytes_max))),
            };
            let message = match (opcode, &mut self.message) {
                (Opcode::Continuation, Some(message)) => message,
                (Opcode::Text, none @ None) => {
                    let text = PartialText::with_capacity(capacity);
                    none.insert(PartialMessage::new(PartialContent::Text(text), inflater))
                }
                (Opcode::Binary, none @ None) => {
                    let bytes = Vec::with_capacity(capacity);
                    none.insert(PartialMessage::new(PartialContent::Binary(bytes), inflater))
                }
                _ => return Err(FrameError::Protocol),
            };
            message.bytes = message.bytes.saturating_add(payload_bytes);
            if message.bytes > self.message_bytes_max as u64 {
                return Err(FrameError::TooLarge);
            }
        }
        self.frame = Some(Frame { opcode, is_final, left: payload_bytes, mask });
        Ok(())
    }

    fn append(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), FrameError> {
        if opcode.is_control() {
            self.control.extend_from_slice(payload);
            return Ok(());
        }
        match &mut self.message {
            Some(message) => message.push(payload),
            None => Ok(()),
        }
    }

    /// Ends the frame. Returns what is whole with it.
    fn finish_frame(&mut self) -> Result<Option<Incoming>, FrameError> {
        let Some(Frame { opcode, is_final, .. }) = self.frame.take() else { return Ok(None) };
        match opcode {
            Opcode::Ping => Ok(Some(Incoming::Ping(mem::take(&mut self.control).into()))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Some(Incoming::Pong))
            }
            Opcode::Close => {
                check_close(&self.control)?;
                Ok(Some(Incoming::Close(mem::take(&mut self.control).into())))
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary if is_final => {
                let message = self.message.take();
                message.map(|it| it.finish().map(Incoming::Message)).transpose()
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => Ok(None),
        }
    }
}

impl Frame {
    /// Unmasks the next bytes of the payload.
    fn unmask(&mut self, payload: &mut [u8]) {
        for (byte, mask) in payload.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.left -= payload.len() as u64;
        self.mask.rotate_left(payload.len() % MASK_BYTES);
    }
}

impl PartialMessage {
    fn new(content: PartialContent, inflater: Option<Box<Inflater>>) -> Self {
        Self { content, inflater, bytes: 0 }
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        match &mut self.inflater {
            Some(inflater) => inflater.push(payload, |bytes| self.content.push(bytes)),
            None => self.content.push(payload),
        }
    }

    fn finish(mut self) -> Result<Message, FrameError> {
        if let Some(inflater) = self.inflater {
            inflater.finish(|bytes| self.content.push(bytes))?;
        }
        self.content.finish()
    }
}

impl PartialContent {
    fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        match self {
            Self::Text(text) => text.push(bytes),
            Self::Binary(content) => {
                content.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Message, FrameError> {
        match self {
            Self::Text(text) => text.finish().map(Message::Text),
            Self::Binary(content) => Ok(Message::Binary(content.into())),
        }
    }
}

/// The code in the payload of a close frame.
pub(super) fn close_code(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}

/// Checks the payload of a close frame: nothing, or a code that may be sent and a reason.
fn check_close(payload: &[u8]) -> Result<(), FrameError> {
    if payload.is_empty() {
        return Ok(());
    }
    match close_code(payload) {
        Some(1000..=1003 | 1007..=1014 | 3000..=4999) => {}
        _ => return Err(FrameError::Protocol),
    }
    let reason = payload.get(2..).unwrap_or_default();
    std::str::from_utf8(reason).map(|_| ()).map_err(|_invalid| FrameError::NotUtf8)
}

#[cfg(test)]
mod tests;
