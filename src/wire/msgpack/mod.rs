//! The vocabulary in `MessagePack`, as plain WebSocket clients may choose to speak it.
//!
//! A frame is made into what a Socket.IO packet is, a JSON text with byte strings beside it, and then
//! read as one; and what goes out is made from such a text. So there is one parser and one writer of
//! requests and events, and this knows of neither.

mod read;
mod write;

use std::sync::Arc;

use bytes::Bytes;

use self::{read::Unpacked, write::pack};
use super::{
    body::AttachmentEncoding,
    frame::{self, RequestFrame},
    request::RequestKind,
};
use crate::{
    chat::{Reply, event::Delivery},
    domain::{CloseReason, Limits},
};

/// What a binary frame asks for.
pub fn request(frame: &[u8], limits: &Limits) -> RequestFrame {
    let Unpacked { text, attachments, rejection } = match read::unpack(frame, limits) {
        Ok(unpacked) => unpacked,
        Err(rejection) => return RequestFrame::rejected(rejection),
    };
    let request_frame =
        frame::request(&text, &attachments, AttachmentEncoding::Placeholders, limits);
    match rejection {
        Some(rejection) => RequestFrame { request: Err(rejection), ..request_frame },
        None => request_frame,
    }
}

/// The frame of an event. The caller remembers it per delivery.
pub fn event(delivery: &Arc<Delivery>, limits: &Limits) -> Bytes {
    pack(frame::event(delivery, AttachmentEncoding::Placeholders, limits))
}

/// The frame that tells a reply, if there is anything to tell.
pub fn reply(kind: RequestKind, ack: Option<u64>, reply: &Reply) -> Option<Bytes> {
    frame::reply(kind, ack, reply, AttachmentEncoding::Placeholders).map(pack)
}

/// The frame of `closing`.
pub fn closing(reason: CloseReason) -> Bytes {
    pack(frame::closing(reason))
}

#[cfg(test)]
mod tests;
