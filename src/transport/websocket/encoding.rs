//! How the frames of a connection are encoded: their format, and whether they are compressed.

use super::{format::Format, frame_head::IncomingCompression};
use crate::transport::deflate::WindowBits;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Encoding {
    pub(super) format: Format,
    /// The window of the client, if large frames are compressed.
    pub(super) window: Option<WindowBits>,
}

impl Encoding {
    /// Frames that are not compressed.
    #[cfg(test)]
    pub(super) fn plain(format: Format) -> Self {
        Self { format, window: None }
    }

    /// Whether the client may compress its messages. Both sides may, or none.
    pub(super) fn incoming(&self) -> IncomingCompression {
        match self.window {
            Some(_) => IncomingCompression::On,
            None => IncomingCompression::Off,
        }
    }
}
