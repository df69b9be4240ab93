//! Pages of a log, and their limits.

use crate::domain::{Body, Entry, Seq};

/// The size limits of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// The number of entries.
    pub messages: u32,
    /// The bytes of their bodies.
    pub bytes: usize,
    /// The attachments of their bodies.
    pub attachments: usize,
}

impl PageLimit {
    /// Adds an entry to a page that has `used` this much, and returns whether it fits.
    ///
    /// The first entry always fits.
    pub fn admits(&self, used: &mut Self, body: Option<&Body>) -> bool {
        let first = used.messages == 0;
        used.messages += 1;
        used.bytes += body.map_or(0, Body::bytes);
        used.attachments += body.map_or(0, |body| body.attachments().len());
        first
            || (used.messages <= self.messages
                && used.bytes <= self.bytes
                && used.attachments <= self.attachments)
    }

    /// The size of an empty page.
    pub const NOTHING: Self = Self { messages: 0, bytes: 0, attachments: 0 };
}

/// Consecutive entries of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Oldest first, without gaps.
    pub entries: Vec<Entry>,
    /// Whether the range has more entries.
    pub more: bool,
}

/// The part of a log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageRange {
    /// The newest entries.
    Newest,
    /// The newest entries before this seq.
    Before(Seq),
    /// The oldest entries after this seq.
    After(Seq),
}
