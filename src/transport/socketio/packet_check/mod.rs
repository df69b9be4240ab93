//! What becomes of each packet of a client before the engine reads it.
//!
//! The engine is more patient than the official server in some cases, and less in others. Where
//! clients can tell the difference, the packet is judged here as the official parser and server do.

mod packed;
#[cfg(test)]
mod tests;

pub(super) use self::packed::PackedMessage;

use serde::de::IgnoredAny;

use super::{
    event_names::{self, Mark, NameScan, SCAN_BYTES_MAX},
    packet_head::{Extent, NoHead, PacketHead, kind},
    payload::{self, Payload, PayloadFormat},
    request::Version,
};
use crate::wire::socketio::{self as wire, ANSWER_NAME};

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The engine reads it.
    Passed,
    /// The engine reads it after this change.
    Marked(Mark),
    /// The engine reads this packet in its place.
    Replaced(Vec<u8>),
    /// Nobody reads it.
    Ignored,
    /// It ends the session.
    Refused(Protocol),
    /// More bytes are needed.
    Unfinished,
}

/// The protocol that a packet breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The session ends at once.
    EngineIo,
    /// A client that polls is told so with its next poll.
    SocketIo,
}

/// The spaces that a session has joined.
pub(super) trait JoinedSpaces {
    /// Whether the session is connected to the namespace, or is about to be.
    fn is_joined(&self, namespace: &str) -> bool;

    /// Whether the client has the answer to its CONNECT to the namespace. Before, the engine ignores a
    /// second one: official clients send it when they open a space that they are about to open.
    fn is_connected(&self, namespace: &str) -> bool;
}

/// Checks the packets of a session, in their order.
#[derive(Debug)]
pub(super) struct PacketCheck {
    version: Version,
    /// The namespaces that packets left of which the engine may not have read all.
    left: Vec<Box<str>>,
}

/// A payload without the packets that the engine must not read.
pub(super) struct CheckedPayload {
    pub(super) payload: Payload,
    /// The protocol that a packet behind those of the payload breaks. The packets after it are gone.
    pub(super) refused: Option<Protocol>,
}

impl PacketCheck {
    /// No packet was checked.
    pub(super) fn new(version: Version) -> Self {
        Self { version, left: Vec::new() }
    }

    /// Checks an Engine.IO packet.
    pub(super) fn check(
        &mut self,
        packet: &[u8],
        extent: Extent,
        spaces: &dyn JoinedSpaces,
    ) -> Verdict {
        match packet {
            [first, ..] if *first == self.version.server_heartbeat() => {
                Verdict::Refused(Protocol::EngineIo)
            }
            // What only the server sends, or what belongs to a probe: as pongs without a question.
            [b'0' | b'5' | b'6', ..] => Verdict::Ignored,
            b"3probe" if extent == Extent::Whole => Verdict::Ignored,
            // A ping of a client of version 3.
            b"2probe" if extent == Extent::Whole => Verdict::Replaced(b"2".to_vec()),
            [b'2' | b'3', rest @ ..]
                if extent == Extent::Beginning && b"probe".starts_with(rest) =>
            {
                Verdict::Unfinished
            }
            [b'4', ..] => match PacketHead::read(packet, extent) {
                Ok(head) => self.check_message(packet, &head, extent, spaces),
                Err(NoHead::Unfinished) if packet.len() < SCAN_BYTES_MAX => Verdict::Unfinished,
                Err(NoHead::Unfinished) => Verdict::Passed,
                Err(NoHead::Malformed) => REFUSED,
            },
            [] if extent == Extent::Beginning => Verdict::Unfinished,
            // A close, heartbeats and bytes in base64.
            [b'1'..=b'3' | b'b', ..] => Verdict::Passed,
            _ => Verdict::Refused(Protocol::EngineIo),
        }
    }

    /// The same for a packet on a WebSocket, where a close packet says nothing.
    pub(super) fn check_frame(
        &mut self,
        packet: &[u8],
        extent: Extent,
        spaces: &dyn JoinedSpaces,
    ) -> Verdict {
        match packet {
            [b'1', ..] => Verdict::Ignored,
            _ => self.check(packet, extent, spaces),
        }
    }

    fn check_message(
        &mut self,
        packet: &[u8],
        head: &PacketHead<'_>,
        extent: Extent,
        spaces: &dyn JoinedSpaces,
    ) -> Verdict {
        let json = packet.get(head.json_at..).unwrap_or_default();
        let is_joined = || {
            !self.left.iter().any(|it| **it == *head.namespace) && spaces.is_joined(head.namespace)
        };
        match head.kind {
            kind::CONNECT if !json.is_empty() && extent == Extent::Beginning => Verdict::Unfinished,
            kind::CONNECT => self.check_connect(head.namespace, json, spaces),
            kind::DISCONNECT if json.is_empty() && is_joined() => {
                self.left.push(head.namespace.into());
                Verdict::Passed
            }
            kind::EVENT | kind::ANSWER | kind::BINARY_EVENT | kind::BINARY_ANSWER => {
                // The engine knows whether the root is joined. It ignores packets to what is no space.
                let may_be_ignored = head.namespace != "/" || json.is_empty();
                if head.attachments == Some(0) || (may_be_ignored && !is_joined()) {
                    REFUSED
                } else if json.is_empty() {
                    without_json(packet, head)
                } else {
                    check_json(packet, json, head, extent)
                }
            }
            _ => REFUSED,
        }
    }

    /// Checks CONNECT. Clients of version 3 write the query of a space behind its name.
    fn check_connect(
        &mut self,
        namespace: &str,
        json: &[u8],
        spaces: &dyn JoinedSpaces,
    ) -> Verdict {
        let (path, query) = match namespace.split_once('?') {
            Some((path, query)) if self.version == Version::V3 => (path, Some(query)),
            _ => (namespace, None),
        };
        if !json.is_empty() && !is_object(json) {
            return REFUSED;
        }
        if let Some(at) = self.left.iter().position(|it| **it == *path) {
            self.left.swap_remove(at);
        } else if spaces.is_connected(path) {
            return REFUSED;
        }
        match query {
            Some(query) => Verdict::Replaced(wire::connect_with_query(path, query).into_bytes()),
            None => Verdict::Passed,
        }
    }

    /// Checks the packets of a payload.
    pub(super) fn check_payload(
        &mut self,
        format: PayloadFormat,
        payload: Payload,
        spaces: &dyn JoinedSpaces,
    ) -> CheckedPayload {
        let (mut kept, mut is_changed, mut refused) = (Vec::new(), false, None);
        for packet in payload.packets(format) {
            let Some(text) = payload::text_of(format, &packet) else {
                kept.push(packet);
                continue;
            };
            let verdict = self.check(text, Extent::Whole, spaces);
            is_changed |= verdict != Verdict::Passed;
            match verdict {
                Verdict::Passed | Verdict::Unfinished => kept.push(packet),
                Verdict::Marked(mark) => kept.push(payload::packet(format, mark.changed(text))),
                Verdict::Replaced(text) => kept.push(payload::packet(format, text)),
                Verdict::Ignored => {}
                Verdict::Refused(protocol) => {
                    refused = Some(protocol);
                    break;
                }
            }
        }
        let payload = if is_changed { payload.with_packets(format, kept) } else { payload };
        CheckedPayload { payload, refused }
    }
}

const REFUSED: Verdict = Verdict::Refused(Protocol::SocketIo);

/// What becomes of an event or an acknowledgement without JSON: it has no name and no arguments.
fn without_json(packet: &[u8], head: &PacketHead<'_>) -> Verdict {
    let is_answer = matches!(head.kind, kind::ANSWER | kind::BINARY_ANSWER);
    if head.attachments.is_none() && !(is_answer && head.has_number) {
        return Verdict::Ignored;
    }
    // Its attachments have to be read, and an acknowledgement answers without arguments.
    let end = if is_answer { packet.len() } else { head.number_at };
    let packet = packet.get(..end).unwrap_or_default();
    Verdict::Replaced(event_names::as_answer([packet, b"[", ANSWER_NAME.as_bytes(), b"]"].concat()))
}

/// Checks an event or an acknowledgement with JSON, of which the beginning is known.
fn check_json(packet: &[u8], json: &[u8], head: &PacketHead<'_>, extent: Extent) -> Verdict {
    if json.first() != Some(&b'[') {
        return REFUSED;
    }
    let before = packet.get(..head.json_at).unwrap_or_default();
    let has_space = before.len() > before.trim_ascii_end().len();
    match event_names::scan(packet, head, extent) {
        // The engine reads no number before a space.
        NameScan::Unmarked if head.has_number && has_space => {
            Verdict::Marked(Mark::Space(head.json_at))
        }
        NameScan::Unmarked => Verdict::Passed,
        NameScan::Marked(mark) => Verdict::Marked(mark),
        NameScan::Unfinished => Verdict::Unfinished,
    }
}

fn is_object(json: &[u8]) -> bool {
    json.first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(json).is_ok()
}
