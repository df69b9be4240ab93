//! The packets of clients with `socket.io-msgpack-parser`.
//!
//! They are whole messages. Each becomes a packet of the default parser, which is judged as all others
//! and which the engine reads in its place.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{CheckedPayload, PacketCheck, Protocol, Verdict};
use crate::{
    domain::Limits,
    transport::socketio::{
        packet_check::JoinedSpaces,
        packet_head::{Extent, PacketHead},
        payload::{Payload, PayloadFormat},
    },
    wire::{
        msgpack::{self, UnpackedPacket},
        socketio::{self as wire, Packet},
    },
};

/// A message of a client.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport::socketio) enum PackedMessage<'a> {
    /// A packet of Engine.IO alone.
    Text(&'a [u8]),
    /// A packet of Socket.IO.
    Binary(&'a [u8]),
}

impl PacketCheck {
    /// What the engine reads in place of a message. `None` if it reads nothing.
    pub(in crate::transport::socketio) fn check_packed(
        &mut self,
        message: PackedMessage<'_>,
        limits: &Limits,
        spaces: &dyn JoinedSpaces,
    ) -> Result<Option<Packet>, Protocol> {
        let (packet, rejection) = match message {
            // A message of the default parser, or its bytes.
            PackedMessage::Text([b'4' | b'b', ..]) => return Err(Protocol::SocketIo),
            PackedMessage::Text(text) => {
                let text = String::from_utf8(text.to_vec()).map_err(|_text| Protocol::EngineIo)?;
                (Packet { text, attachments: Vec::new() }, None)
            }
            PackedMessage::Binary(bytes) => {
                let UnpackedPacket { packet, rejection } =
                    msgpack::unpack_packet(bytes, limits).map_err(|_reason| Protocol::SocketIo)?;
                (packet, rejection)
            }
        };
        let Packet { text, attachments } = packet;
        let text = match self.check(text.as_bytes(), Extent::Whole, spaces) {
            Verdict::Passed | Verdict::Unfinished => text,
            Verdict::Marked(mark) => checked_text(mark.changed(text.as_bytes()))?,
            Verdict::Replaced(packet) => checked_text(packet)?,
            Verdict::Ignored => return Ok(None),
            Verdict::Refused(protocol) => return Err(protocol),
        };
        let text = match rejection {
            Some(rejection) => PacketHead::read(text.as_bytes(), Extent::Whole)
                .ok()
                .and_then(|head| wire::refuse(&text, head.json_at, &rejection))
                .ok_or(Protocol::SocketIo)?,
            None => text,
        };
        Ok(Some(Packet { text, attachments }))
    }

    /// Checks the packets of a payload.
    pub(in crate::transport::socketio) fn check_packed_payload(
        &mut self,
        payload: Payload,
        limits: &Limits,
        spaces: &dyn JoinedSpaces,
    ) -> CheckedPayload {
        let (mut kept, mut refused) = (Vec::new(), None);
        for packet in payload.packets(PayloadFormat::V4) {
            let bytes = packet.strip_prefix(b"b").map(|it| BASE64_STANDARD.decode(it));
            let message = match &bytes {
                Some(Ok(bytes)) => Ok(PackedMessage::Binary(bytes)),
                Some(Err(_)) => Err(Protocol::SocketIo),
                None => Ok(PackedMessage::Text(&packet)),
            };
            match message.and_then(|it| self.check_packed(it, limits, spaces)) {
                Ok(None) => {}
                Ok(Some(Packet { text, attachments })) => {
                    kept.push(text.into());
                    let base64 = |it| format!("b{}", BASE64_STANDARD.encode(it)).into();
                    kept.extend(attachments.iter().map(base64));
                }
                Err(protocol) => {
                    refused = Some(protocol);
                    break;
                }
            }
        }
        // The attachments are no requests.
        let packets = payload.packets.min(kept.len());
        let payload = Payload { packets, ..payload.with_packets(PayloadFormat::V4, kept) };
        CheckedPayload { payload, refused }
    }
}

/// The text of a packet in place of one that is UTF-8.
fn checked_text(packet: Vec<u8>) -> Result<String, Protocol> {
    String::from_utf8(packet).map_err(|_packet| Protocol::EngineIo)
}
