//! `permessage-deflate` (RFC 7692): messages that are compressed one by one.
//!
//! Nothing is kept between two messages, in either direction: a connection has a window only while a
//! compressed message arrives, and what is sent to one connection can be sent to all.

use std::num::NonZeroU8;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::transport::lanes::frame;

/// The smallest frame that is compressed, as with answers to polls.
const COMPRESSED_BYTES_MIN: usize = 1024;
/// The largest window, which has no effect on the size of what is compressed.
const WINDOW_BITS_MAX: u8 = 15;
/// The end of a compressed message, which is not sent.
const TAIL: &[u8] = &[0, 0, 0xff, 0xff];
/// An empty last block. It ends what is whole, and nothing else.
const LAST_BLOCK: &[u8] = &[3, 0];
/// The most blocks in a message that are marked as the last one. Each of them needs a new window.
const LAST_BLOCKS_MAX: u8 = 8;
/// How many times as large as its compressed form a message may be.
const RATIO_MAX: u64 = 200;
/// The size from which on that counts: short messages may be as simple as they like.
const RATIO_BYTES_MIN: u64 = 64 << 10;
/// The lowest level whose codes are made for the content.
const LEVEL: u32 = 2;
/// The bytes that are inflated at once.
const INFLATED_BYTES: usize = 4096;

/// Why a message cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum InflateError {
    /// It is larger than the limit, or than its ratio allows.
    TooLarge,
    /// It is not a whole compressed message.
    Broken,
}

/// The base-2 logarithm of the window that the client has for what the server compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) struct WindowBits(NonZeroU8);

impl WindowBits {
    /// The largest window.
    pub(in crate::transport) const MAX: Self =
        Self(NonZeroU8::new(WINDOW_BITS_MAX).expect("it is not zero"));

    /// Reads a number from 8 to 15.
    pub(in crate::transport) fn parse(value: &str) -> Option<Self> {
        let is_plain = value.starts_with(|first: char| matches!(first, '1'..='9'));
        let bits = value.parse().ok().filter(|bits| (8..=WINDOW_BITS_MAX).contains(bits));
        bits.filter(|_| is_plain).and_then(NonZeroU8::new).map(Self)
    }

    /// The number.
    pub(in crate::transport) fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether a packet's frames are compressed for this window. In a small window only what fits is,
    /// because then no match reaches too far back.
    pub(in crate::transport) fn fits(self, frames: &Bytes) -> bool {
        let fits = self == Self::MAX || frames.len() <= 1 << self.get();
        COMPRESSED_BYTES_MIN <= frames.len() && fits
    }
}

/// Whole frames for one connection, compressed if it has a window that fits them.
pub(in crate::transport) fn compress_for(window: Option<WindowBits>, frames: Bytes) -> Bytes {
    if window.is_some_and(|it| it.fits(&frames)) { compress(&frames) } else { frames }
}

/// Whole frames with the contents of the large ones compressed where that is shorter.
pub(super) fn compress(frames: &Bytes) -> Bytes {
    frame::with_compressed(frames, COMPRESSED_BYTES_MIN, |content| {
        let mut compressed = Vec::with_capacity(content.len());
        let mut deflate = Compress::new(Compression::new(LEVEL), false);
        deflate.compress_vec(content, &mut compressed, FlushCompress::Sync).ok()?;
        // Space that is left shows that it has sufficed.
        let is_whole = compressed.len() < compressed.capacity();
        let length = compressed.strip_suffix(TAIL).filter(|_| is_whole)?.len();
        compressed.truncate(length);
        Some(compressed)
    })
}

/// A compressed message that arrives.
#[derive(Debug)]
pub(in crate::transport) struct Inflater {
    window: Decompress,
    /// Whether the last block has been read.
    has_ended: bool,
    last_blocks: u8,
    bytes_max: u64,
    received: u64,
    inflated: u64,
}

impl Inflater {
    /// Inflates a message of at most `bytes_max` bytes.
    pub(in crate::transport) fn new(bytes_max: usize) -> Self {
        let window = Decompress::new(false);
        let (bytes_max, received, inflated) = (bytes_max as u64, 0, 0);
        let (has_ended, last_blocks) = (false, 0);
        Self { window, has_ended, last_blocks, bytes_max, received, inflated }
    }

    /// Inflates bytes into `content`.
    pub(in crate::transport) fn push<E: From<InflateError>>(
        &mut self,
        compressed: &[u8],
        content: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.received += compressed.len() as u64;
        self.inflate(compressed, content)
    }

    /// Inflates the end of the message. Fails if it is not whole.
    pub(in crate::transport) fn finish<E: From<InflateError>>(
        mut self,
        mut content: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.received == 0 {
            return Ok(());
        }
        self.inflate(TAIL, &mut content)?;
        self.inflate(LAST_BLOCK, &mut content)?;
        if self.has_ended { Ok(()) } else { Err(InflateError::Broken.into()) }
    }

    fn inflate<E: From<InflateError>>(
        &mut self,
        mut compressed: &[u8],
        mut content: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut space = [0; INFLATED_BYTES];
        loop {
            if self.has_ended && !compressed.is_empty() {
                self.begin_again()?;
            }
            let (read, written) = (self.window.total_in(), self.window.total_out());
            let status = self.window.decompress(compressed, &mut space, FlushDecompress::None);
            let status = status.map_err(|_broken| InflateError::Broken)?;
            self.has_ended = status == Status::StreamEnd;
            let read = usize::try_from(self.window.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.window.total_out() - written).unwrap_or(usize::MAX);
            self.count(written as u64)?;
            content(space.get(..written).unwrap_or_default())?;
            compressed = compressed.get(read..).unwrap_or_default();
            if compressed.is_empty() && (written < space.len() || self.has_ended) {
                return Ok(());
            }
            if read == 0 && written == 0 {
                return Err(InflateError::Broken.into());
            }
        }
    }

    /// Continues after a block that was marked as the last one (section 7.2.3.4).
    fn begin_again(&mut self) -> Result<(), InflateError> {
        self.last_blocks += 1;
        if self.last_blocks > LAST_BLOCKS_MAX {
            return Err(InflateError::Broken);
        }
        self.window.reset(false);
        Ok(())
    }

    /// Counts what was inflated, before it takes memory.
    fn count(&mut self, bytes: u64) -> Result<(), InflateError> {
        self.inflated += bytes;
        let is_bomb = RATIO_BYTES_MIN < self.inflated
            && self.received.saturating_mul(RATIO_MAX) < self.inflated;
        if self.bytes_max < self.inflated || is_bomb {
            return Err(InflateError::TooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    /// Inflates in parts of `size`.
    fn inflate(compressed: &[u8], size: usize) -> Result<Vec<u8>, InflateError> {
        let (mut inflater, mut content) = (Inflater::new(LIMIT), Vec::new());
        let mut append = |bytes: &[u8]| {
            content.extend_from_slice(bytes);
            Ok(())
        };
        for part in compressed.chunks(size) {
            inflater.push(part, &mut append)?;
        }
        inflater.finish(&mut append).map(|()| content)
    }

    /// The compressed content of a frame.
    fn compressed(content: &[u8]) -> Vec<u8> {
        let whole = frame::binary(content);
        let compressed = compress(&whole);
        assert_eq!(compressed[0], 0xc2);
        let head = match compressed[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        compressed[head..].to_vec()
    }

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        for example in [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ] {
            for size in 1..=example.len() {
                assert_eq!(inflate(example, size).as_deref(), Ok(&b"Hello"[..]), "{example:x?}");
            }
        }
        assert_eq!(inflate(b"\0", 1).as_deref(), Ok(&b""[..]));
        assert_eq!(inflate(b"", 1).as_deref(), Ok(&b""[..]));
        let window_of_before = inflate(b"\xf2\x00\x11\x00\x00", 5);
        assert_eq!(window_of_before, Err(InflateError::Broken));
    }

    #[test]
    fn what_is_compressed_is_inflated() {
        let texts = (1_u32..2000).map(|it| it.wrapping_mul(it).to_string());
        let content = texts.collect::<String>().into_bytes();
        for length in [1024, 4095, 4096, 4097, content.len()] {
            let content = &content[..length];
            let compressed = compressed(content);
            assert!(compressed.len() < length);
            for size in [1, 100, compressed.len()] {
                assert!(inflate(&compressed, size).unwrap() == content, "{length} in {size}");
            }
        }
        let random = Bytes::from_static(b"\x82\x03\x9a\x01\xfe");
        assert_eq!(compress(&random), random, "it would not be shorter");
        assert_eq!(compress(&frame::ping()), frame::ping());
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let compressed = compressed(&b"a text that is long enough ".repeat(100));
        for length in 1..compressed.len() {
            let cut = inflate(&compressed[..length], length);
            assert_eq!(cut, Err(InflateError::Broken), "{length} bytes");
        }
        for broken in [&b"\xff"[..], b"\x07\x00", b"\x01\x05\x00\x00\x00", b"\xf3\x48\xcd\xc9"] {
            assert_eq!(inflate(broken, 9), Err(InflateError::Broken), "{broken:x?}");
        }
        let many_last_blocks = [3, 0].repeat(1000);
        assert_eq!(inflate(&many_last_blocks, 2000), Err(InflateError::Broken));
    }

    #[test]
    fn a_bomb_ends_early() {
        let large = compressed(&[7; 1100]);
        let (mut inflater, mut passed) = (Inflater::new(1000), 0);
        let result = inflater.push(&large, |bytes| {
            passed += bytes.len();
            Ok(())
        });
        assert_eq!((result, passed), (Err(InflateError::TooLarge), 0));
        for (size, expected) in [(LIMIT - 1, Err(InflateError::TooLarge)), (60_000, Ok(60_000))] {
            let mut bomb = Vec::with_capacity(10_000);
            let mut deflate = Compress::new(Compression::best(), false);
            deflate.compress_vec(&vec![7; size], &mut bomb, FlushCompress::Sync).unwrap();
            let bomb = bomb.strip_suffix(TAIL).unwrap();
            assert_eq!(inflate(bomb, bomb.len()).map(|it| it.len()), expected);
        }
    }

    #[test]
    fn a_small_window_has_short_messages() {
        for bad in ["", "7", "16", "08", "+9", "9.0", "x", " 9", "255", "300"] {
            assert_eq!(WindowBits::parse(bad), None, "{bad:?}");
        }
        let frame = |bytes: usize| Bytes::from(vec![0; bytes]);
        for (bits, fits, exceeds) in [("15", 1 << 20, 1023), ("12", 4096, 4097), ("11", 1024, 2049)]
        {
            let bits = WindowBits::parse(bits).unwrap();
            assert!(bits.fits(&frame(fits)) && !bits.fits(&frame(exceeds)), "{bits:?}");
        }
        let smallest = WindowBits::parse("8").unwrap();
        assert!(!smallest.fits(&frame(256)) && !smallest.fits(&frame(1024)));
    }
}
