//! A text that arrives in parts. It is checked while it arrives.

use std::str;

use super::frame_head::FrameError;

/// The most bytes of a character.
const CHARACTER_BYTES_MAX: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PartialText {
    text: String,
    /// The first bytes of a character that has not arrived whole.
    partial: [u8; CHARACTER_BYTES_MAX],
    partial_bytes: u8,
}

impl PartialText {
    /// An empty text, with room for as many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ..Self::default() }
    }

    /// Appends bytes. Fails at the first one that cannot follow.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        while self.partial_bytes > 0
            && let Some((byte, rest)) = bytes.split_first()
        {
            bytes = rest;
            let partial_bytes = usize::from(self.partial_bytes);
            if let Some(slot) = self.partial.get_mut(partial_bytes) {
                *slot = *byte;
            }
            self.partial_bytes = 0;
            let begun = self.partial;
            self.append(begun.get(..=partial_bytes).unwrap_or_default())?;
        }
        self.append(bytes)
    }

    /// The text, if it ends with a whole character.
    pub(super) fn finish(self) -> Result<String, FrameError> {
        if self.partial_bytes == 0 { Ok(self.text) } else { Err(FrameError::NotUtf8) }
    }

    /// Appends bytes that begin with a character.
    fn append(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        match str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(error) if error.error_len().is_some() => return Err(FrameError::NotUtf8),
            Err(error) => {
                let (valid, partial) = bytes.split_at(error.valid_up_to());
                self.text.push_str(str::from_utf8(valid).expect("it is valid up to there"));
                for (slot, byte) in self.partial.iter_mut().zip(partial) {
                    *slot = *byte;
                }
                self.partial_bytes = u8::try_from(partial.len()).expect("less than a character");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appends `bytes` in parts of `size`. Returns the text, or the number of bytes until the error.
    fn read(bytes: &[u8], size: usize) -> Result<String, usize> {
        let mut text = PartialText::default();
        for (at, part) in bytes.chunks(size).enumerate() {
            text.push(part).map_err(|_not_utf8| at * size + part.len())?;
        }
        text.finish().map_err(|_not_utf8| usize::MAX)
    }

    #[test]
    fn text_is_whole_however_it_arrives() {
        for text in ["", "x", "\0", "κόσμε", "\u{ffff}\u{10ffff}", "a😀b\u{80}\u{7ff}\u{800}"]
        {
            for size in 1..=text.len().max(1) {
                assert_eq!(read(text.as_bytes(), size).as_deref(), Ok(text), "parts of {size}");
            }
        }
    }

    #[test]
    fn the_first_impossible_byte_fails() {
        for (bytes, at) in [
            (&b"ab\x80"[..], 3),
            (b"\xc0", 1),
            (b"\xc3(", 2),
            (b"\xe0\x9f", 2),
            (b"\xed\xa0", 2),
            (b"\xe2\x82(", 3),
            (b"\xf0\x8f", 2),
            (b"\xf4\x90", 2),
            (b"\xf0\x9f\x98(", 4),
            (b"\xf5", 1),
            (b"ab\xf0\x9f", usize::MAX),
        ] {
            assert_eq!(read(bytes, 1), Err(at), "{bytes:x?}");
            assert!(read(bytes, bytes.len()).is_err());
        }
    }
}
