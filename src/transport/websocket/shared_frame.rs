//! The frame of an event, which connections share.

use std::sync::OnceLock;

use bytes::Bytes;

use super::deflate::{self, WindowBits};

/// See the module.
#[derive(Debug)]
pub(super) struct SharedFrame {
    plain: Bytes,
    /// The compressed form, made for the first connection that has one.
    compressed: OnceLock<Bytes>,
}

impl SharedFrame {
    /// The frame without compression.
    pub(super) fn new(plain: Bytes) -> Self {
        Self { plain, compressed: OnceLock::new() }
    }

    /// The frame for a connection with this window, or for one without compression.
    pub(super) fn for_window(&self, window: Option<WindowBits>) -> Bytes {
        if window.is_some_and(|it| it.fits(&self.plain)) {
            self.compressed.get_or_init(|| deflate::compress(&self.plain)).clone()
        } else {
            self.plain.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::lanes::frame;

    #[test]
    fn both_forms_are_made_once() {
        let shared = SharedFrame::new(frame::text(&"text ".repeat(1000)));
        let window = WindowBits::parse("15");
        let (plain, compressed) = (shared.for_window(None), shared.for_window(window));
        assert!(compressed.len() < plain.len());
        assert_eq!(shared.for_window(None).as_ptr(), plain.as_ptr());
        assert_eq!(shared.for_window(window).as_ptr(), compressed.as_ptr());
        assert_eq!(shared.for_window(WindowBits::parse("12")).as_ptr(), plain.as_ptr());
    }

    #[test]
    fn a_short_frame_is_sent_as_it_is() {
        let shared = SharedFrame::new(frame::text("short"));
        assert_eq!(shared.for_window(WindowBits::parse("15")), frame::text("short"));
    }
}
