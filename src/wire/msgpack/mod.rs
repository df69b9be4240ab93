//! `MessagePack` frames, which plain WebSocket clients may choose.
//!
//! A received frame is converted to a JSON text with byte strings beside it, as in a Socket.IO
//! packet, and then parsed as one. A sent frame is serialized from the same wire structs as JSON.
//! So there is one parser of requests and one set of structs for events and answers.

mod extension;
mod packet;
mod peek;
mod read;
mod write;

use std::sync::Arc;

use bytes::Bytes;

pub use self::packet::{UnpackedPacket, pack_packet, refuse_connect, unpack_packet};
pub(in crate::wire) use self::read::{ForeignValues, Unpacked, unpack};
use self::{peek::FramePeek, write::pack};
use super::{
    body::AttachmentEncoding,
    frame::{self, RequestFrame},
    json::DEPTH_MAX,
    request::RequestKind,
};
use crate::{
    chat::{Reply, RequestContext, event::Delivery},
    domain::{CloseReason, Limits, Rejection, Seq},
};

/// The depth of a frame: it is an object around the data, which has the common limit.
const FRAME_DEPTH_MAX: usize = DEPTH_MAX + 1;

/// Parses a binary frame.
pub fn request(frame: &[u8], context: RequestContext<'_>) -> RequestFrame {
    let Unpacked { text, attachments, rejection } =
        match unpack(frame, FRAME_DEPTH_MAX, ForeignValues::Refused, context.limits) {
            Ok(unpacked) => unpacked,
            Err(rejection) => return rejected(frame, rejection),
        };
    let request_frame =
        frame::request(&text, &attachments, AttachmentEncoding::Placeholders, context);
    match rejection {
        Some(rejection) => RequestFrame { request: Err(rejection), ..request_frame },
        None => request_frame,
    }
}

/// A frame that is refused. Its answer names the request and carries its `ack`.
fn rejected(frame: &[u8], rejection: Rejection) -> RequestFrame {
    let peek = FramePeek::read(frame);
    let ack = peek.ack.filter(|ack| *ack <= Seq::MAX.as_raw());
    RequestFrame { kind: peek.kind(), ack, request: Err(rejection) }
}

/// The frame of an event. The caller caches it per delivery.
pub fn event(delivery: &Arc<Delivery>, limits: &Limits) -> Bytes {
    pack(frame::event(delivery, AttachmentEncoding::Placeholders, limits))
}

/// The frame of a reply, if the request has one.
pub fn reply(kind: &RequestKind, ack: Option<u64>, reply: &Reply) -> Option<Bytes> {
    frame::reply(kind, ack, reply, AttachmentEncoding::Placeholders).map(pack)
}

/// The frame of `closing`.
pub fn closing(reason: CloseReason) -> Bytes {
    pack(frame::closing(reason))
}

#[cfg(test)]
mod tests;
