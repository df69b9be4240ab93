//! The frame of an event, which connections share, or the frames of one with attachments.

use std::sync::OnceLock;

use bytes::Bytes;

use super::messages::{WindowBits, compress};
use crate::chat::DeliveryTimer;

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::transport) struct SharedFrame {
    plain: Bytes,
    timer: Option<DeliveryTimer>,
    /// The compressed form, made for the first connection that has one.
    compressed: OnceLock<Bytes>,
}

impl SharedFrame {
    /// The frame without compression, and what times its delivery.
    pub(in crate::transport) fn new(plain: Bytes, timer: Option<&DeliveryTimer>) -> Self {
        let plain = timed(plain, timer);
        Self { plain, timer: timer.cloned(), compressed: OnceLock::new() }
    }

    /// The size without compression.
    pub(in crate::transport) fn plain_bytes(&self) -> usize {
        self.plain.len()
    }

    /// The frame for a connection with this window, or for one without compression.
    pub(in crate::transport) fn for_window(&self, window: Option<WindowBits>) -> Bytes {
        if window.is_some_and(|it| it.fits(&self.plain)) {
            let compress = || timed(compress(&self.plain), self.timer.as_ref());
            self.compressed.get_or_init(compress).clone()
        } else {
            self.plain.clone()
        }
    }
}

/// The bytes, owned by the timer if there is one.
fn timed(frame: Bytes, timer: Option<&DeliveryTimer>) -> Bytes {
    match timer {
        Some(timer) => timer.attach_to(frame),
        None => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::lanes::frame;

    #[test]
    fn both_forms_are_made_once() {
        let shared = SharedFrame::new(frame::text(&"text ".repeat(1000)), None);
        let window = WindowBits::parse("15");
        let (plain, compressed) = (shared.for_window(None), shared.for_window(window));
        assert!(compressed.len() < plain.len());
        assert_eq!(shared.for_window(None).as_ptr(), plain.as_ptr());
        assert_eq!(shared.for_window(window).as_ptr(), compressed.as_ptr());
        assert_eq!(shared.for_window(WindowBits::parse("12")).as_ptr(), plain.as_ptr());
    }

    #[test]
    fn the_large_frames_of_a_packet_are_compressed() {
        let attachments = [Bytes::from(vec![7; 5000]), Bytes::from_static(b"short")];
        let shared = SharedFrame::new(frame::packet("short", &[4], &attachments), None);
        let compressed = shared.for_window(WindowBits::parse("15"));
        let begins: Vec<_> = frame::split_whole(&compressed).map(|(_, it)| it[0]).collect();
        assert_eq!(begins, [0x81, 0xc2, 0x82]);
        assert!(compressed.len() < 100);
        let small =
            SharedFrame::new(frame::packet(&"x".repeat(600), &[], &[vec![7; 600].into()]), None);
        let as_it_is = small.for_window(WindowBits::parse("15"));
        assert_eq!(as_it_is, small.for_window(None), "no frame is large");
    }

    #[test]
    fn a_short_frame_is_sent_as_it_is() {
        let shared = SharedFrame::new(frame::text("short"), None);
        assert_eq!(shared.for_window(WindowBits::parse("15")), frame::text("short"));
    }
}
