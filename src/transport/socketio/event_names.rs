//! Event names that the engine cannot read, and answers, which it drops.
//!
//! The engine borrows the name of an event from the text of its packet. A name with an escape, as
//! Python writes every letter beyond ASCII, or a name that is a number, is an error there and ends
//! the session. So such a packet gets [`NAME_MARKER`] as its first element below the engine, and
//! `wire` reads the name from the second one. Packets with other names are unchanged.
//!
//! An acknowledgement of a client answers an event that was sent past the engine, which ignores it
//! therefore. So it becomes an event packet with the same number, namespace and attachments, and
//! with [`ANSWER_NAME`] as its first element. An acknowledgement without a number is left to the
//! engine, which ends the session.

use bytes::Bytes;

use super::payload::{self, Payload, PayloadFormat};
use crate::wire::socketio::{ANSWER_NAME, NAME_MARKER};

/// The bytes of a packet that are examined. The head before the name is far shorter, also with the
/// name of a space.
pub(super) const SCAN_BYTES_MAX: usize = 1024;

/// Where a packet has its kind.
const KIND_AT: usize = 1;
const EVENT: u8 = b'2';
const ANSWER: u8 = b'3';
const BINARY_EVENT: u8 = b'5';
const BINARY_ANSWER: u8 = b'6';

/// Longer names are marked without a search for their end.
const NAME_BYTES_MAX: usize = 64;

/// The most bytes by which a packet grows: [`ANSWER_NAME`] and a comma.
pub(super) const MARKER_BYTES_MAX: usize = ANSWER_NAME.len() + 1;

/// The result of [`scan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameScan {
    /// The engine can read the packet, or rejects it in any case.
    Unmarked,
    /// The packet has to be changed.
    Marked(Mark),
    /// The packet must be longer for a decision.
    Unfinished,
}

/// The change of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// [`NAME_MARKER`] belongs before the byte with this number.
    Name(usize),
    /// [`ANSWER_NAME`] and a comma belong before the byte with this number, and the packet becomes an
    /// event.
    Answer(usize),
    /// The same without a comma: no argument follows.
    EmptyAnswer(usize),
}

impl Mark {
    /// The number of the byte before which the marker belongs.
    pub(super) fn at(self) -> usize {
        match self {
            Self::Name(at) | Self::Answer(at) | Self::EmptyAnswer(at) => at,
        }
    }

    /// The changed beginning of a packet, for its bytes before [`at`](Self::at).
    pub(super) fn apply(self, before: &[u8]) -> Vec<u8> {
        let (name, comma) = match self {
            Self::Name(_) => return [before, NAME_MARKER.as_bytes()].concat(),
            Self::Answer(_) => (ANSWER_NAME, ","),
            Self::EmptyAnswer(_) => (ANSWER_NAME, ""),
        };
        let mut marked = [before, name.as_bytes(), comma.as_bytes()].concat();
        if let Some(kind) = marked.get_mut(KIND_AT) {
            *kind = if *kind == BINARY_ANSWER { BINARY_EVENT } else { EVENT };
        }
        marked
    }
}

/// Examines the beginning of an Engine.IO packet.
pub(super) fn scan(packet: &[u8]) -> NameScan {
    let mut bytes = packet.iter().copied().enumerate().peekable();
    let mut skip_while = |accepts: fn(u8) -> bool| {
        while bytes.next_if(|(_, byte)| accepts(*byte)).is_some() {}
        bytes.peek().copied()
    };
    let is_answer = match packet {
        [b'4', EVENT | BINARY_EVENT, ..] => false,
        [b'4', ANSWER | BINARY_ANSWER, ..] => true,
        [] | [b'4'] => return NameScan::Unfinished,
        _ => return NameScan::Unmarked,
    };
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
    if is_answer {
        let head = packet.get(KIND_AT + 1..name_at - 1).unwrap_or_default();
        return scan_answer(packet, head, rest, name_at);
    }
    match rest.split_first() {
        None => unfinished(packet, NameScan::Unmarked),
        Some((b']', _)) => NameScan::Unmarked,
        Some((b'"', name)) => scan_name(packet, name, name_at),
        Some(_) => NameScan::Marked(Mark::Name(name_at)),
    }
}

/// Examines an acknowledgement: what is between its kind and its arguments ends with its number.
fn scan_answer(packet: &[u8], head: &[u8], args: &[u8], args_at: usize) -> NameScan {
    if !head.last().is_some_and(u8::is_ascii_digit) {
        return NameScan::Unmarked;
    }
    match args.first() {
        None => unfinished(packet, NameScan::Unmarked),
        Some(b']') => NameScan::Marked(Mark::EmptyAnswer(args_at)),
        Some(_) => NameScan::Marked(Mark::Answer(args_at)),
    }
}

/// Examines a name after its quotation mark. An empty name and that of an answer are marked, because
/// they look like markers.
fn scan_name(packet: &[u8], name: &[u8], name_at: usize) -> NameScan {
    let end = name.iter().take(NAME_BYTES_MAX).position(|it| matches!(it, b'"' | b'\\'));
    let marked = NameScan::Marked(Mark::Name(name_at));
    match end.and_then(|at| name.split_at_checked(at)) {
        Some((name, [b'"', ..])) if !name.is_empty() && !is_answer_name(name) => NameScan::Unmarked,
        Some(_) => marked,
        None if name.len() >= NAME_BYTES_MAX => marked,
        None => unfinished(packet, marked),
    }
}

/// Whether a name, without its quotation marks, is that of answers.
fn is_answer_name(name: &[u8]) -> bool {
    ANSWER_NAME.trim_matches('"').as_bytes() == name
}

/// The result for a packet whose known bytes decide nothing.
fn unfinished(packet: &[u8], otherwise: NameScan) -> NameScan {
    if packet.len() < SCAN_BYTES_MAX { NameScan::Unfinished } else { otherwise }
}

/// Marks the names in a payload that the engine could not read.
pub(super) fn mark_payload(format: PayloadFormat, payload: Payload) -> Payload {
    let is_marked = |packet: &[u8]| matches!(scan(packet), NameScan::Marked(_));
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
        NameScan::Marked(mark) => {
            let (head, rest) = packet.split_at(mark.at());
            [&mark.apply(head), rest].concat()
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
            r#"42["acknowledge"]"#,
            "43/shop,[1]",
            "461-[1]",
            "437{}",
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
            (r#"427["ack",1]"#, r#"427["","ack",1]"#),
            (r#"451-["\n",1]"#, r#"451-["","\n",1]"#),
        ] {
            assert_eq!(marked(packet), expected);
        }
        let long = "x".repeat(10_000);
        assert_eq!(marked(&format!(r#"42["{long}"]"#)), format!(r#"42["","{long}"]"#));
    }

    #[test]
    fn answers_become_events_of_one_name() {
        for (packet, expected) in [
            ("437[]", r#"427["ack"]"#),
            ("43/shop,17[ ]", r#"42/shop,17["ack" ]"#),
            (r#"437["x",1]"#, r#"427["ack","x",1]"#),
            (
                r#"462-/shop,7[{"_placeholder":true,"num":0}]"#,
                r#"452-/shop,7["ack",{"_placeholder":true,"num":0}]"#,
            ),
        ] {
            assert_eq!(marked(packet), expected);
        }
    }

    #[test]
    fn a_prefix_decides_only_what_the_whole_packet_decides() {
        for packet in [
            r#"42/shop,17["caf\u00e9",1]"#,
            r#"4510-/shop,17["x",1]"#,
            "42[7]",
            "40{}",
            "43/a,7[1]",
        ] {
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
