//! The frames that the engine writes: an empty close frame is replaced by one with a code, perhaps
//! after a last message.

use std::{
    io,
    task::{Poll, ready},
};

use bytes::{Buf as _, Bytes};

/// The first byte of a close frame.
const CLOSE: u8 = 0x88;
/// The first byte of a binary message.
const BINARY: u8 = 0x82;
/// The byte before a length of 64 bits.
const LONG: u8 = 127;
/// The longest head of a frame from the server, which is not masked.
const HEAD_BYTES_MAX: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OutgoingFrames {
    position: FramePosition,
    /// What is left of the frames that replace the close frame of the engine.
    close_frame: Option<Bytes>,
}

/// The place between the frames that were written and those that follow.
#[derive(Clone, Copy, Debug, Default)]
struct FramePosition {
    head: [u8; HEAD_BYTES_MAX],
    head_len: usize,
    /// The bytes of the current payload that were not written.
    left: u64,
}

impl OutgoingFrames {
    /// Replaces the close frame of the engine by one with this code.
    pub(super) fn set_close_code(&mut self, code: u16) {
        let [high, low] = code.to_be_bytes();
        self.close_frame = Some(Bytes::copy_from_slice(&[CLOSE, 2, high, low]));
    }

    /// Sends a binary message before the close frame.
    pub(super) fn set_last_message(&mut self, message: &[u8]) {
        let close_frame = self.close_frame.take().unwrap_or_default();
        let length = (message.len() as u64).to_be_bytes();
        let frames = [&[BINARY, LONG][..], &length, message, &close_frame].concat();
        self.close_frame = Some(frames.into());
    }

    /// Writes `bytes` with `write`. A close frame is written in full or counts as not written.
    pub(super) fn poll_write(
        &mut self,
        bytes: &[u8],
        mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut bytes = bytes;
        if let Some(close_frame) = &mut self.close_frame {
            let before_close = FramePosition::advance(&mut self.position.clone(), bytes);
            if before_close == 0 {
                return write_close_frame(close_frame, bytes.len(), write);
            }
            bytes = bytes.get(..before_close).unwrap_or_default();
        }
        let written = ready!(write(bytes))?;
        self.position.advance(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }
}

/// Writes what is left of the close frame, in place of `replaced` bytes.
fn write_close_frame(
    close_frame: &mut Bytes,
    replaced: usize,
    mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    while close_frame.has_remaining() {
        let written = ready!(write(close_frame))?;
        if written == 0 {
            return Poll::Ready(Ok(0));
        }
        close_frame.advance(written);
    }
    Poll::Ready(Ok(replaced))
}

impl FramePosition {
    /// Moves past `bytes`, but not past the beginning of a close frame. Returns how many were passed.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if self.left > 0 {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                self.left -= length as u64;
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            if self.head_len == 0 && *first == CLOSE {
                break;
            }
            if let Some(slot) = self.head.get_mut(self.head_len) {
                *slot = *first;
            }
            self.head_len += 1;
            rest = after;
            if let Some(payload) = self.payload_bytes() {
                (self.left, self.head_len) = (payload, 0);
            }
        }
        bytes.len() - rest.len()
    }

    /// The length in the head, if the head is complete.
    fn payload_bytes(&self) -> Option<u64> {
        let head = self.head.get(..self.head_len)?;
        match (head.get(1)?, head.get(2..)?) {
            (127, long) => long.first_chunk().map(|it| u64::from_be_bytes(*it)),
            (126, medium) => medium.first_chunk().map(|it| u16::from_be_bytes(*it).into()),
            (short, _) => Some(u64::from(*short)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` in pieces of `piece`.
    fn write_in_pieces(frames: &mut OutgoingFrames, bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut rest, mut sent) = (bytes, Vec::new());
        while !rest.is_empty() {
            let outcome = frames.poll_write(rest, |bytes| {
                let length = bytes.len().min(piece);
                sent.extend_from_slice(&bytes[..length]);
                Poll::Ready(Ok(length))
            });
            let Poll::Ready(Ok(written)) = outcome else { panic!("{outcome:?}") };
            rest = &rest[written..];
        }
        sent
    }

    #[test]
    fn only_the_close_frame_is_replaced() {
        let text = [&[0x81, 126, 0, 130][..], &[CLOSE; 130]].concat();
        let frames = [&text[..], &[0x82, 2, CLOSE, 0], &[0x89, 0]].concat();
        let all = [&frames[..], &[CLOSE, 0]].concat();
        for piece in [1, 3, 1000] {
            let mut plain = OutgoingFrames::default();
            assert_eq!(write_in_pieces(&mut plain, &all, piece), all);
            let mut coded = OutgoingFrames::default();
            write_in_pieces(&mut coded, &text[..7], piece);
            coded.set_close_code(1009);
            let sent = write_in_pieces(&mut coded, &all[7..], piece);
            assert_eq!(sent, [&frames[7..], &[CLOSE, 2, 0x03, 0xf1]].concat());
            let mut refused = OutgoingFrames::default();
            refused.set_close_code(1003);
            refused.set_last_message(b"no");
            let sent = write_in_pieces(&mut refused, &all, piece);
            let last = b"\x82\x7f\0\0\0\0\0\0\0\x02no\x88\x02\x03\xeb";
            assert_eq!(sent, [&frames[..], last].concat());
        }
    }
}
