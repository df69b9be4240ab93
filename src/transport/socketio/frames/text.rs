//! Checks that masked texts are UTF-8, piece by piece.

use super::{error::FrameError, head::unmask};

/// Checks a masked text piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextCheck {
    mask: [u8; 4],
    payload_bytes: usize,
    /// The number of payload bytes that were checked.
    offset: usize,
    /// The first bytes of a character that is not complete.
    partial: [u8; 3],
    partial_len: usize,
}

impl TextCheck {
    /// Nothing of the payload was checked.
    pub(super) fn new(mask: [u8; 4], payload_bytes: usize) -> Self {
        Self { mask, payload_bytes, ..Self::default() }
    }

    /// Checks the next bytes of a payload.
    pub(super) fn push(&mut self, payload: &[u8]) -> Result<(), FrameError> {
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
