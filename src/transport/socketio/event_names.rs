//! Event names that the engine cannot read.
//!
//! The engine borrows the name of an event from the text of its packet. A name with an escape, as
//! Python writes every letter beyond ASCII, or a name that is a number, is an error there and ends
//! the session. So such a packet gets [`NAME_MARKER`] as its first element below the engine, and
//! `wire` reads the name from the second one. Packets with other names are unchanged.

use bytes::Bytes;

use super::payload::{self, Payload, PayloadFormat};
use crate::wire::socketio::NAME_MARKER;

/// The bytes of a packet that are examined. The head before the name is far shorter, also with the
/// name of a space.
pub(super) const SCAN_BYTES_MAX: usize = 1024;

/// Longer names are marked without a search for their end.
const NAME_BYTES_MAX: usize = 64;

/// The result of [`scan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameScan {
    /// The engine can read the packet, or rejects it in any case.
    Unmarked,
    /// The marker belongs before the byte with this number.
    MarkAt(usize),
    /// The packet must be longer for a decision.
    Unfinished,
}

/// Examines the beginning of an Engine.IO packet.
pub(super) fn scan(packet: &[u8]) -> NameScan {
    let mut bytes = packet.iter().copied().enumerate().peekable();
    let mut skip_while = |accepts: fn(u8) -> bool| {
        while bytes.next_if(|(_, byte)| accepts(*byte)).is_some() {}
        bytes.peek().copied()
    };
    match packet {
        [b'4', b'2' | b'5', ..] => {}
        [] | [b'4'] => return NameScan::Unfinished,
        _ => return NameScan::Unmarked,
    }
    // The type, the number of attachments, the space and the number of the acknowledgement.
    let mut next = skip_while(|byte| byte.is_ascii_digit() || byte == b'-');
    if matches!(next, Some((_, b'/'))) {
        skip_while(|byte| byte != b',');
        next = skip_while(|byte| byte == b',' || byte.is_ascii_digit());
    }
    let name_at = match next {
        Some((at, b'[')) => at + 1,
        Some(_) => return NameScan::Unmarked,
        None => return unfinished(packet, NameScan::Unmarked),
    };
    let rest = packet.get(name_at..).unwrap_or_default().trim_ascii_start();
    match rest.split_first() {
        None => unfinished(packet, NameScan::Unmarked),
        Some((b']', _)) => NameScan::Unmarked,
        Some((b'"', name)) => scan_name(packet, name, name_at),
        Some(_) => NameScan::MarkAt(name_at),
    }
}

/// Examines a name after its quotation mark. An empty name is marked, because it looks like a marker.
fn scan_name(packet: &[u8], name: &[u8], name_at: usize) -> NameScan {
    let end = name.iter().take(NAME_BYTES_MAX).position(|it| matches!(it, b'"' | b'\\'));
    match end.map(|at| (at, name.get(at))) {
        Some((1.., Some(b'"'))) => NameScan::Unmarked,
        Some(_) => NameScan::MarkAt(name_at),
        None if name.len() >= NAME_BYTES_MAX => NameScan::MarkAt(name_at),
        None => unfinished(packet, NameScan::MarkAt(name_at)),
    }
}

/// The result for a packet whose known bytes decide nothing.
fn unfinished(packet: &[u8], otherwise: NameScan) -> NameScan {
    if packet.len() < SCAN_BYTES_MAX { NameScan::Unfinished } else { otherwise }
}

/// Marks the names in a payload that the engine could not read.
pub(super) fn mark_payload(format: PayloadFormat, payload: Payload) -> Payload {
    let is_marked = |packet: &[u8]| matches!(scan(packet), NameScan::MarkAt(_));
    let parts = payload.parts.iter();
    match format {
        PayloadFormat::V4 => {
            let mut packets = parts.flat_map(|body| body.split(|it| payload::is_separator(*it)));
            if !packets.any(is_marked) {
                return payload;
            }
            let bodies = payload.parts.iter().map(|body| {
                let packets: Vec<_> =
                    body.split(|it| payload::is_separator(*it)).map(mark).collect();
                Bytes::from(packets.join(&payload::SEPARATOR))
            });
            Payload { parts: bodies.collect(), ..payload }
        }
        PayloadFormat::V3Text | PayloadFormat::V3Binary => {
            let remake = |part: &Bytes| match payload::text_of(format, part) {
                Some(packet) if is_marked(packet) => {
                    payload::packet_with_length(format, &mark(packet))
                }
                Some(_) | None => Bytes::clone(part),
            };
            Payload { parts: parts.map(remake).collect(), ..payload }
        }
    }
}

/// A packet with the marker, if it needs one.
fn mark(packet: &[u8]) -> Vec<u8> {
    match scan(packet) {
        NameScan::MarkAt(at) => {
            let (head, rest) = packet.split_at(at);
            [head, NAME_MARKER.as_bytes(), rest].concat()
        }
        NameScan::Unmarked | NameScan::Unfinished => packet.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(packet: &str) -> String {
        String::from_utf8(mark(packet.as_bytes())).unwrap()
    }

    #[test]
    fn names_that_the_engine_reads_are_unmarked() {
        for packet in [
            r#"42["send message","hi"]"#,
            r#"42/shop,17["é"]"#,
            r#"4510-/shop,17[ "x",{"_placeholder":true,"num":0}]"#,
            "42[]",
            "42{}",
            "40",
            "3",
            "2probe",
            "43[\"\"]",
            "bAAA=",
        ] {
            assert_eq!(marked(packet), packet);
        }
    }

    #[test]
    fn other_names_are_marked_before_the_name() {
        for (packet, expected) in [
            (r#"42["q\"uote"]"#, r#"42["","q\"uote"]"#),
            (r#"42/shop,17["caf\u00e9",1]"#, r#"42/shop,17["","caf\u00e9",1]"#),
            (r#"42[300,"x"]"#, r#"42["",300,"x"]"#),
            (r#"427["",1]"#, r#"427["","",1]"#),
            (r#"451-["\n",1]"#, r#"451-["","\n",1]"#),
        ] {
            assert_eq!(marked(packet), expected);
        }
        let long = "x".repeat(10_000);
        assert_eq!(marked(&format!(r#"42["{long}"]"#)), format!(r#"42["","{long}"]"#));
    }

    #[test]
    fn a_prefix_decides_only_what_the_whole_packet_decides() {
        for packet in [r#"42/shop,17["caf\u00e9",1]"#, r#"4510-/shop,17["x",1]"#, "42[7]", "40{}"] {
            let whole = scan(packet.as_bytes());
            for length in 0..packet.len() {
                let part = scan(&packet.as_bytes()[..length]);
                assert!(part == whole || part == NameScan::Unfinished, "{length} of {packet}");
            }
        }
    }

    #[test]
    fn payloads_of_every_format_are_marked() {
        let body = "42[\"é\"]\u{1e}42[7]\u{1e}2";
        let split = |format, body: &'static [u8]| {
            payload::split(format, Bytes::from_static(body), 9).map(|it| mark_payload(format, it))
        };
        let parts = split(PayloadFormat::V4, body.as_bytes()).unwrap().parts;
        assert_eq!(parts, ["42[\"é\"]\u{1e}42[\"\",7]\u{1e}2"]);
        let parts = split(PayloadFormat::V3Text, r#"11:42["\né\n"]5:42[7]"#.as_bytes()).unwrap();
        assert_eq!(parts.parts, [r#"14:42["","\né\n"]"#, "8:42[\"\",7]"]);
        let parts = split(PayloadFormat::V3Binary, b"\0\x05\xff42[7]\x01\x02\xff\x04x").unwrap();
        assert_eq!(parts.parts, [&b"\0\x08\xff42[\"\",7]"[..], b"\x01\x02\xff\x04x"]);
    }
}
