//! Packets of `socket.io-msgpack-parser`: each is a map in a binary message, with its bytes inside.
//!
//! They are translated to and from packets of the default parser, which everything else reads and
//! writes. Its keys are `type`, `nsp`, `data` and `id`; clients add others, which nobody reads.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{
    read::{ForeignValues, Unpacked, unpack},
    write::pack,
};
use crate::{
    domain::{Limits, Rejection, Seq},
    wire::{json::DEPTH_MAX, payload::Payload, socketio::Packet},
};

/// The types of packets. Those with attachments have types of their own with the default parser alone.
const CONNECT: u8 = 0;
const DISCONNECT: u8 = 1;
const EVENT: u8 = 2;
const ACKNOWLEDGEMENT: u8 = 3;
const CONNECT_ERROR: u8 = 4;
const BINARY_EVENT: u8 = EVENT + WITH_ATTACHMENTS;
const BINARY_ACKNOWLEDGEMENT: u8 = ACKNOWLEDGEMENT + WITH_ATTACHMENTS;
/// What the types with attachments add to those without.
const WITH_ATTACHMENTS: u8 = 3;

/// The arguments are in the list of the packet, in the packet.
const PACKET_DEPTH_MAX: usize = DEPTH_MAX + 2;

const NOT_A_PACKET: Rejection = Rejection::BadRequest("this is no packet of the parser");

/// The text of the error that a client with this parser reports at the path of the default one.
const OTHER_PATH: &str =
    "socket.io-msgpack-parser is served under /socket.io-msgpack/: set the option `path`";

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub struct UnpackedPacket {
    /// The packet, as a client with the default parser sends it.
    pub packet: Packet,
    /// Why its request is refused. The packet has no attachments then.
    pub rejection: Option<Rejection>,
}

/// The map of a client's packet.
#[derive(Deserialize)]
struct ReceivedMap<'a> {
    r#type: u8,
    #[serde(borrow)]
    nsp: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    id: Option<u64>,
}

/// The map of a packet for the client.
#[derive(Serialize)]
struct SentMap<'a, T> {
    r#type: u8,
    nsp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
}

#[derive(Serialize)]
struct RefusalData {
    message: &'static str,
}

/// A value that is there. `null` is one.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a message of a client.
pub fn unpack_packet(message: &[u8], limits: &Limits) -> Result<UnpackedPacket, Rejection> {
    let Unpacked { text, attachments, rejection } =
        unpack(message, PACKET_DEPTH_MAX, ForeignValues::AsJavaScript, limits)?;
    // A list is none, although it could be read as one.
    let map = Some(&*text).filter(|it| it.starts_with('{')).ok_or(NOT_A_PACKET)?;
    let ReceivedMap { r#type: kind, nsp, data, id } =
        serde_json::from_str(map).map_err(|_error| NOT_A_PACKET)?;
    // What ends a namespace or a packet of the default parser.
    if !nsp.starts_with('/') || nsp.contains(|c: char| c == ',' || c.is_control()) {
        return Err(NOT_A_PACKET);
    }
    let namespace = if nsp == "/" { String::new() } else { format!("{nsp},") };
    let json = data.map_or("", RawValue::get);
    let is_request = match kind {
        CONNECT | DISCONNECT => false,
        EVENT | ACKNOWLEDGEMENT if json.starts_with('[') => true,
        _ => return Err(NOT_A_PACKET),
    };
    if !is_request {
        // Bytes stay placeholders in `auth`, where nothing reads them.
        let packet = Packet { text: format!("4{kind}{namespace}{json}"), attachments: Vec::new() };
        return Ok(UnpackedPacket { packet, rejection: None });
    }
    let id = match id {
        Some(id) if id > Seq::MAX.as_raw() => return Err(NOT_A_PACKET),
        Some(id) => id.to_string(),
        None => String::new(),
    };
    let attachments = if rejection.is_none() { attachments } else { Vec::new() };
    let kind = match attachments.len() {
        0 => kind.to_string(),
        count => format!("{}{count}-", kind + WITH_ATTACHMENTS),
    };
    let packet = Packet { text: format!("4{kind}{namespace}{id}{json}"), attachments };
    Ok(UnpackedPacket { packet, rejection })
}

/// The message of a packet for a client. `None` if the text is no packet.
pub fn pack_packet(packet: &Packet) -> Option<Bytes> {
    let Packet { text, attachments } = packet;
    let text = text.strip_prefix('4')?;
    let kind = text.bytes().next()?.checked_sub(b'0')?;
    let mut rest = text.get(1..)?;
    let kind = match kind {
        CONNECT..=CONNECT_ERROR => kind,
        BINARY_EVENT | BINARY_ACKNOWLEDGEMENT => {
            (_, rest) = rest.split_once('-')?;
            kind - WITH_ATTACHMENTS
        }
        _ => return None,
    };
    let (nsp, rest) = if rest.starts_with('/') {
        rest.split_once(',').unwrap_or((rest, ""))
    } else {
        ("/", rest)
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (id, json) = rest.split_at_checked(digits)?;
    let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
    let data: Option<&RawValue> =
        if json.is_empty() { None } else { Some(serde_json::from_str(json).ok()?) };
    let data = SentMap { r#type: kind, nsp, data, id };
    Some(pack(Payload { data, attachments: attachments.clone() }))
}

/// The message that refuses `message` at the path of the default parser, if that is a CONNECT packet.
pub fn refuse_connect(message: &[u8], limits: &Limits) -> Option<Bytes> {
    let UnpackedPacket { packet: Packet { text, .. }, .. } = unpack_packet(message, limits).ok()?;
    let namespace = text.strip_prefix("40")?;
    let nsp = namespace.split(',').next().filter(|it| it.starts_with('/')).unwrap_or("/");
    let data = Some(RefusalData { message: OTHER_PATH });
    let refusal = SentMap { r#type: CONNECT_ERROR, nsp, data, id: None };
    Some(pack(Payload::without_attachments(refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(message: &[u8]) -> Result<UnpackedPacket, Rejection> {
        unpack_packet(message, &Limits::default())
    }

    /// A packet of this type with these bytes after its namespace, `/shop`.
    fn packet(members: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
        let head = [0x80 | members, 0xa4, b't', b'y', b'p', b'e', kind];
        [&head[..], b"\xa3nsp\xa5/shop", rest].concat()
    }

    #[test]
    fn a_message_is_a_packet_of_the_default_parser() {
        for (message, expected, attachments) in [
            (&b"\x82\xa4type\x00\xa3nsp\xa1/"[..], "40", 0),
            // As the parser writes `{type: 0, data: undefined, nsp: "/"}`.
            (b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/", "40", 0),
            (&packet(3, 0, b"\xa4data\x81\xa1t\xa1x"), r#"40/shop,{"t":"x"}"#, 0),
            (&packet(3, 0, b"\xa4data\xc0"), "40/shop,null", 0),
            (&packet(2, 1, b""), "41/shop,", 0),
            (&packet(3, 2, b"\xa4data\x91\xa1x"), r#"42/shop,["x"]"#, 0),
            (&packet(3, 2, b"\xa4data\x92\xa1x\xd4\x00\x00"), r#"42/shop,["x",null]"#, 0),
            (&packet(4, 2, b"\xa2id\x07\xa4data\x91\xa1x"), r#"42/shop,7["x"]"#, 0),
            (&packet(4, 3, b"\xa4data\x90\xa2id\xcb\x40\x1c\0\0\0\0\0\0"), "43/shop,7[]", 0),
            (
                &packet(4, 3, b"\xa2id\x00\xa4data\x91\xc4\x01x"),
                r#"461-/shop,0[{"_placeholder":true,"num":0}]"#,
                1,
            ),
        ] {
            let UnpackedPacket { packet, rejection } = unpacked(message).unwrap();
            assert_eq!((&*packet.text, packet.attachments.len()), (expected, attachments));
            assert_eq!(rejection, None);
        }
    }

    #[test]
    fn other_messages_are_no_packets() {
        for (message, what) in [
            (&b""[..], "nothing"),
            (b"\xc0", "nil"),
            (b"\x93\x02\xa1/\x91\xa1x", "an array"),
            (b"\x81\xa4type\x00", "no namespace"),
            (b"\x81\xa3nsp\xa1/", "no type"),
            (b"\x82\xa4type\x00\xa3nsp\x07", "a number as namespace"),
            (b"\x82\xa4type\x00\xa3nsp\xa0", "an empty namespace"),
            (b"\x82\xa4type\x00\xa3nsp\xa4/a,b", "a comma"),
            (b"\x82\xa4type\x00\xa3nsp\xa3/\x1ea", "a separator"),
            (b"\x82\xa4type\xff\xa3nsp\xa1/", "type -1"),
            (b"\x82\xa4type\xa12\xa3nsp\xa1/", "a text as type"),
            (&packet(3, 4, b"\xa4data\x80"), "an error"),
            (&packet(3, 5, b"\xa4data\x91\xa1x"), "type 5"),
            (&packet(2, 2, b""), "no data"),
            (&packet(3, 2, b"\xa4data\xc0"), "nil as data"),
            (&packet(3, 2, b"\xa4data\x81\xa1x\x01"), "an object as data"),
            (&packet(4, 2, b"\xa4data\x91\xa1x\xa2id\xc0"), "nil as id"),
            (&packet(4, 2, b"\xa4data\x91\xa1x\xa2id\xff"), "id -1"),
            (&packet(4, 2, b"\xa4data\x91\xa1x\xa2id\xa11"), "a text as id"),
            (&packet(4, 2, b"\xa4data\x91\xa1x\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "2^64"),
            (&packet(3, 2, b"\xa4data\xdd\xff\xff\xff\xff"), "four billion arguments"),
            (&packet(3, 2, b"\xa4data\x92\xa1x"), "cut off"),
            (&packet(3, 2, b"\xa4data\x91\xa1x\x01"), "more behind the end"),
            (&packet(3, 2, b"\xa4data\x92\xa1x\x81\x01\x01"), "a key that is a number"),
        ] {
            assert!(unpacked(message).is_err(), "{what}");
        }
    }

    #[test]
    fn a_request_that_cannot_be_translated_is_refused_and_named() {
        let deep = |depth: usize| [b"\x92\xa1x".to_vec(), vec![0x91; depth], vec![0xc0]].concat();
        let eleven = [&b"\x9c\xa1x"[..], &b"\xc4\x01x".repeat(11)].concat();
        for (data, refused) in [
            (deep(DEPTH_MAX), false),
            (deep(DEPTH_MAX + 1), true),
            (deep(100_000), true),
            (eleven, true),
            (b"\x92\xa1x\x81\xac_placeholder\xc3".to_vec(), true),
            (b"\x92\xa1x\xd5\x07ab".to_vec(), true),
        ] {
            let message = packet(4, 2, &[b"\xa2id\x05\xa4data", &data[..]].concat());
            let UnpackedPacket { packet, rejection } = unpacked(&message).unwrap();
            assert!(packet.text.starts_with(r#"42/shop,5["x","#), "{}", packet.text);
            assert_eq!((rejection.is_some(), packet.attachments.len()), (refused, 0));
        }
    }

    #[test]
    fn a_packet_for_the_client_is_a_map() {
        let packed =
            |text: &str, attachments| pack_packet(&Packet { text: text.to_owned(), attachments });
        for (text, expected) in [
            (r#"40{"sid":"x"}"#, &b"\x83\xa4data\x81\xa3sid\xa1x\xa3nsp\xa1/\xa4type\x00"[..]),
            ("41/shop,", b"\x82\xa3nsp\xa5/shop\xa4type\x01"),
            ("41/shop", b"\x82\xa3nsp\xa5/shop\xa4type\x01"),
            (r#"42["x",-1]"#, b"\x83\xa4data\x92\xa1x\xff\xa3nsp\xa1/\xa4type\x02"),
            ("43/shop,12[]", b"\x84\xa4data\x90\xa2id\x0c\xa3nsp\xa5/shop\xa4type\x03"),
        ] {
            assert_eq!(packed(text, Vec::new()).unwrap(), expected, "{text}");
        }
        let text = r#"461-/shop,12[{"_placeholder":true,"num":0}]"#;
        assert_eq!(
            packed(text, vec![Bytes::from_static(b"x")]).unwrap(),
            &b"\x84\xa4data\x91\xc4\x01x\xa2id\x0c\xa3nsp\xa5/shop\xa4type\x03"[..]
        );
        for text in ["", "2", "4", "4x", "451", "42[", "42/shop"] {
            let is_packet = text == "42/shop";
            assert_eq!(packed(text, Vec::new()).is_some(), is_packet, "{text}");
        }
    }

    #[test]
    fn only_connect_is_refused_at_the_other_path() {
        let refused = |message: &[u8]| refuse_connect(message, &Limits::default());
        for connect in [packet(2, 0, b""), packet(3, 0, b"\xa4data\x81\xa1t\xa1x")] {
            let refusal = refused(&connect).unwrap();
            assert!(refusal.starts_with(b"\x83\xa4data\x81\xa7message"), "{refusal:?}");
            assert!(refusal.ends_with(b"\xa3nsp\xa5/shop\xa4type\x04"), "{refusal:?}");
        }
        for message in [&b""[..], b"\x00", b"\xdf\xff\xff\xff\xff\xa4type\x00", &packet(2, 1, b"")]
        {
            assert_eq!(refused(message), None, "{message:?}");
        }
    }
}
