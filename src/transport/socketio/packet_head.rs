//! The head of a Socket.IO packet: what stands before its JSON.

use std::str;

/// Where a packet has its type.
const KIND_AT: usize = 1;

/// The head of a message of Engine.IO, as the parser of the engine reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketHead<'a> {
    /// The digit of the packet type.
    pub(super) kind: u8,
    /// The number of attachments that the packet announces.
    pub(super) attachments: Option<usize>,
    /// The namespace, as the client writes it.
    pub(super) namespace: &'a str,
    /// Where the number of the acknowledgement begins. It ends at the JSON.
    pub(super) number_at: usize,
    /// Where the JSON begins, after spaces.
    pub(super) json_at: usize,
    /// Whether the packet has the number of an acknowledgement.
    pub(super) has_number: bool,
}

/// How much of a packet is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Beginning,
    Whole,
}

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// More bytes are needed.
    Unfinished,
    /// The engine refuses the packet.
    Malformed,
}

/// The types of packets.
pub(super) mod kind {
    pub(in super::super) const CONNECT: u8 = b'0';
    pub(in super::super) const DISCONNECT: u8 = b'1';
    pub(in super::super) const EVENT: u8 = b'2';
    pub(in super::super) const ANSWER: u8 = b'3';
    pub(in super::super) const BINARY_EVENT: u8 = b'5';
    pub(in super::super) const BINARY_ANSWER: u8 = b'6';
}

impl<'a> PacketHead<'a> {
    /// Reads the head of a message.
    pub(super) fn read(packet: &'a [u8], extent: Extent) -> Result<Self, NoHead> {
        let byte_at = |at: usize| match packet.get(at) {
            None if extent == Extent::Beginning => Err(NoHead::Unfinished),
            byte => Ok(byte.copied()),
        };
        let end_of = |from: usize, accepts: fn(&u8) -> bool| {
            let rest = packet.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|it| accepts(it)).count()
        };
        let kind = byte_at(KIND_AT)?.ok_or(NoHead::Malformed)?;
        let (mut at, mut attachments) = (KIND_AT + 1, None);
        if matches!(kind, kind::BINARY_EVENT | kind::BINARY_ANSWER) {
            let end = end_of(at, u8::is_ascii_digit);
            let number = text(packet, at, end)?.parse().ok();
            if byte_at(end)? != Some(b'-') || number.is_none() {
                return Err(NoHead::Malformed);
            }
            (at, attachments) = (end + 1, number);
        }
        let mut namespace = "/";
        if byte_at(at)? == Some(b'/') {
            let end = end_of(at, |it| *it != b',');
            byte_at(end)?;
            namespace = text(packet, at, end)?;
            at = packet.len().min(end + 1);
        }
        let number_end = end_of(at, u8::is_ascii_digit);
        let json_at = end_of(number_end, u8::is_ascii_whitespace);
        byte_at(json_at)?;
        let has_number = number_end > at;
        Ok(Self { kind, attachments, namespace, number_at: at, json_at, has_number })
    }
}

fn text(packet: &[u8], from: usize, to: usize) -> Result<&str, NoHead> {
    let bytes = packet.get(from..to).unwrap_or_default();
    str::from_utf8(bytes).map_err(|_error| NoHead::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(packet: &str) -> (char, Option<usize>, &str, bool, &str) {
        let head = PacketHead::read(packet.as_bytes(), Extent::Whole).unwrap();
        let PacketHead { kind, attachments, namespace, json_at, has_number, .. } = head;
        (char::from(kind), attachments, namespace, has_number, packet.get(json_at..).unwrap())
    }

    #[test]
    fn every_part_is_found() {
        for (packet, expected) in [
            ("40", ('0', None, "/", false, "")),
            ("40{}", ('0', None, "/", false, "{}")),
            ("40/shop", ('0', None, "/shop", false, "")),
            ("40/shop,", ('0', None, "/shop", false, "")),
            ("42/shop,17[\"x\"]", ('2', None, "/shop", true, "[\"x\"]")),
            ("42 [\"x\"]", ('2', None, "/", false, "[\"x\"]")),
            ("427", ('2', None, "/", true, "")),
            ("4510-/é,7[]", ('5', Some(10), "/é", true, "[]")),
            ("460-", ('6', Some(0), "/", false, "")),
        ] {
            assert_eq!(head(packet), expected, "{packet}");
        }
    }

    #[test]
    fn a_head_that_the_engine_refuses_is_none() {
        for packet in ["4", "45", "45-[]", "451", "451[]", "45a-[]", "4599999999999999999999-[]"] {
            let read = PacketHead::read(packet.as_bytes(), Extent::Whole);
            assert_eq!(read, Err(NoHead::Malformed), "{packet}");
        }
    }

    #[test]
    fn a_beginning_has_the_head_of_the_whole_or_none() {
        let packet = b"4510-/shop,17 [";
        let whole = PacketHead::read(packet, Extent::Whole).unwrap();
        assert_eq!(PacketHead::read(packet, Extent::Beginning), Ok(whole));
        for length in 0..packet.len() {
            let read = PacketHead::read(&packet[..length], Extent::Beginning);
            assert_eq!(read, Err(NoHead::Unfinished), "{length}");
        }
    }
}
