//! Packets of `socket.io-msgpack-parser`, a parser that is not supported.
//!
//! A client with this parser sends each packet as a map in a binary message, and reads nothing else.
//! So its CONNECT is recognized, and refused by such a map.

use bytes::Bytes;
use rmp::Marker;
use serde::Serialize;

use super::{read::MsgPackReader, write::pack};
use crate::{domain::Rejection, wire::payload::Payload};

/// The types of packets.
const CONNECT: u64 = 0;
const CONNECT_ERROR: u64 = 4;

/// The text of the error that the client reports.
const UNSUPPORTED: &str =
    "socket.io-msgpack-parser is not supported: connect without the option `parser`";

#[derive(Serialize)]
struct Refusal<'a> {
    r#type: u64,
    nsp: &'a str,
    data: RefusalData,
}

#[derive(Serialize)]
struct RefusalData {
    message: &'static str,
}

/// The packet that refuses `message`, if that is a CONNECT packet.
pub fn refuse_connect(message: &[u8]) -> Option<Bytes> {
    let namespace = namespace_of_connect(message).ok().flatten()?;
    let data = RefusalData { message: UNSUPPORTED };
    let refusal = Refusal { r#type: CONNECT_ERROR, nsp: &namespace, data };
    Some(pack(Payload::without_attachments(refusal)))
}

/// The namespace of a CONNECT packet.
fn namespace_of_connect(message: &[u8]) -> Result<Option<String>, Rejection> {
    let mut reader = MsgPackReader::new(message, 0);
    let map = reader.marker()?;
    if !matches!(map, Marker::FixMap(_) | Marker::Map16 | Marker::Map32) {
        return Ok(None);
    }
    let (mut kind, mut namespace) = (None, None);
    for _ in 0..reader.length(map)? {
        let marker = reader.marker()?;
        let key = reader.text(marker)?;
        let marker = reader.marker()?;
        match &*key {
            "type" => kind = reader.unsigned(marker)?,
            "nsp" => namespace = Some(reader.text(marker)?.into_owned()),
            _ => reader.skip(marker)?,
        }
    }
    Ok(namespace.filter(|_| kind == Some(CONNECT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_packet_is_refused_in_its_namespace() {
        for connect in [
            &b"\x82\xa4type\x00\xa3nsp\xa5/shop"[..],
            // As the parser writes `{type: 0, data: undefined, nsp: "/shop"}`.
            b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa5/shop",
            b"\x83\xa4type\x00\xa4data\x81\xa5token\xa1x\xa3nsp\xa5/shop",
        ] {
            let refusal = refuse_connect(connect).unwrap();
            let begin = b"\x83\xa4data\x81\xa7message";
            assert!(refusal.starts_with(begin), "{refusal:?}");
            assert!(refusal.ends_with(b"\xa3nsp\xa5/shop\xa4type\x04"), "{refusal:?}");
        }
    }

    #[test]
    fn other_messages_are_no_connect_packet() {
        for message in [
            &b""[..],
            b"\x00",
            b"\x93\x01\x02\x03",
            b"\x81\xa4type\x00",
            b"\x81\xa3nsp\xa1/",
            b"\x82\xa4type\x02\xa3nsp\xa1/",
            b"\x82\xa4type\xc0\xa3nsp\xa1/",
            b"\x82\xa4type\x00\xa3nsp\x07",
            b"\x82\xa4type\x00\xa3nsp\xa5/",
            b"\xdf\xff\xff\xff\xff\xa4type\x00",
        ] {
            assert_eq!(refuse_connect(message), None, "{message:?}");
        }
    }
}
