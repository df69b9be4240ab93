//! Event names that the engine cannot read, and answers, which it drops.
//!
//! The engine borrows the name of an event from the text of its packet. A name with an escape, as
//! Python writes every letter beyond ASCII, or a name that is a number, is an error there and ends
//! the session. So such a packet gets [`NAME_MARKER`] as its first element below the engine, and
//! `wire` reads the name from the second one. Packets with other names are unchanged.
//!
//! An acknowledgement of a client answers an event that was sent past the engine, which ignores it
//! therefore. So it becomes an event packet with the same number, namespace and attachments, and
//! with [`ANSWER_NAME`] as its first element. `wire` ignores one without a number.

use super::packet_head::{Extent, PacketHead, kind};
use crate::wire::socketio::{ANSWER_NAME, NAME_MARKER, REFUSED_BYTES_MAX, REFUSED_NAME};

/// The bytes of a packet that are examined. The head before the name is far shorter, also with the
/// name of a space.
pub(super) const SCAN_BYTES_MAX: usize = 1024;

/// Where a packet has its kind.
const KIND_AT: usize = 1;

/// Longer names are marked without a search for their end.
const NAME_BYTES_MAX: usize = 64;

/// The most bytes by which a packet grows: [`ANSWER_NAME`] and a comma, and why it is refused.
pub(super) const MARKER_BYTES_MAX: usize = ANSWER_NAME.len() + 1 + REFUSED_BYTES_MAX;

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
    /// The spaces before the byte with this number, where the JSON begins, do not belong there.
    Space(usize),
}

impl Mark {
    /// The number of the byte before which the marker belongs.
    pub(super) fn at(self) -> usize {
        match self {
            Self::Name(at) | Self::Answer(at) | Self::EmptyAnswer(at) | Self::Space(at) => at,
        }
    }

    /// The changed beginning of a packet, for its bytes before [`at`](Self::at).
    pub(super) fn apply(self, before: &[u8]) -> Vec<u8> {
        let (head, bracket) = match before {
            [head @ .., bracket @ b'['] => (head, std::slice::from_ref(bracket)),
            head => (head, &[][..]),
        };
        let head = head.trim_ascii_end();
        let (name, comma) = match self {
            Self::Space(_) => return head.to_vec(),
            Self::Name(_) => return [head, bracket, NAME_MARKER.as_bytes()].concat(),
            Self::Answer(_) => (ANSWER_NAME, ","),
            Self::EmptyAnswer(_) => (ANSWER_NAME, ""),
        };
        as_answer([head, bracket, name.as_bytes(), comma.as_bytes()].concat())
    }

    /// The changed packet.
    pub(super) fn changed(self, packet: &[u8]) -> Vec<u8> {
        let (before, after) = packet.split_at(self.at());
        [&self.apply(before), after].concat()
    }
}

/// The packet, which has [`ANSWER_NAME`], as an event.
pub(super) fn as_answer(mut packet: Vec<u8>) -> Vec<u8> {
    if let Some(kind) = packet.get_mut(KIND_AT) {
        let has_attachments = matches!(*kind, kind::BINARY_ANSWER | kind::BINARY_EVENT);
        *kind = if has_attachments { kind::BINARY_EVENT } else { kind::EVENT };
    }
    packet
}

/// Examines the name of an event, or an acknowledgement. The JSON after the head begins an array.
pub(super) fn scan(packet: &[u8], head: &PacketHead<'_>, extent: Extent) -> NameScan {
    let items_at = head.json_at + 1;
    let items = packet.get(items_at..).unwrap_or_default().trim_ascii_start();
    if matches!(head.kind, kind::ANSWER | kind::BINARY_ANSWER) {
        return match items.first() {
            None if extent == Extent::Beginning => unfinished(packet, NameScan::Unmarked),
            Some(b']') => NameScan::Marked(Mark::EmptyAnswer(items_at)),
            _ => NameScan::Marked(Mark::Answer(items_at)),
        };
    }
    match items.split_first() {
        None => unfinished(packet, NameScan::Unmarked),
        Some((b']', _)) => NameScan::Unmarked,
        Some((b'"', name)) => scan_name(packet, name, items_at),
        Some(_) => NameScan::Marked(Mark::Name(items_at)),
    }
}

/// Examines a name after its quotation mark. Names that look like markers are marked: an empty one, and
/// those of answers and of refused requests.
fn scan_name(packet: &[u8], name: &[u8], name_at: usize) -> NameScan {
    let end = name.iter().take(NAME_BYTES_MAX).position(|it| matches!(it, b'"' | b'\\'));
    let marked = NameScan::Marked(Mark::Name(name_at));
    match end.and_then(|at| name.split_at_checked(at)) {
        Some((name, [b'"', ..])) if !is_marker(name) => NameScan::Unmarked,
        Some(_) => marked,
        None if name.len() >= NAME_BYTES_MAX => marked,
        None => unfinished(packet, marked),
    }
}

/// Whether a name, without its quotation marks, is a marker.
fn is_marker(name: &[u8]) -> bool {
    let markers = ["", ANSWER_NAME, REFUSED_NAME];
    markers.iter().any(|it| it.trim_matches('"').as_bytes() == name)
}

/// The result for a packet whose known bytes decide nothing.
fn unfinished(packet: &[u8], otherwise: NameScan) -> NameScan {
    if packet.len() < SCAN_BYTES_MAX { NameScan::Unfinished } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(packet: &str) -> String {
        let head = PacketHead::read(packet.as_bytes(), Extent::Whole).unwrap();
        match scan(packet.as_bytes(), &head, Extent::Whole) {
            NameScan::Marked(mark) => String::from_utf8(mark.changed(packet.as_bytes())).unwrap(),
            NameScan::Unmarked | NameScan::Unfinished => packet.to_owned(),
        }
    }

    #[test]
    fn names_that_the_engine_reads_are_unmarked() {
        for packet in [
            r#"42["send message","hi"]"#,
            r#"42/shop,17["é"]"#,
            r#"42["acknowledge"]"#,
            r#"4510-/shop,17[ "x",{"_placeholder":true,"num":0}]"#,
            "42[]",
            "42[ ]",
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
            ("427 \t[300]", r#"427["",300]"#),
            (r#"427["",1]"#, r#"427["","",1]"#),
            (r#"427["ack",1]"#, r#"427["","ack",1]"#),
            (r#"42["refused",0,"x"]"#, r#"42["","refused",0,"x"]"#),
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
            ("43[]", r#"42["ack"]"#),
            ("437[", r#"427["ack","#),
            ("43 [1]", r#"42["ack",1]"#),
            ("437 [1]", r#"427["ack",1]"#),
            ("461-[1]", r#"451-["ack",1]"#),
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
}
