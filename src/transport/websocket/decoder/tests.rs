//! Frames in parts of every size, and what is refused.

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::{
    self, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use super::*;

const LIMIT: usize = 70_000;
const PARTS: [usize; 6] = [1, 2, 7, 100, 4096, 1 << 20];

/// A client's frame.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ ..65_536 => {
            frame.push(0xfe);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Decodes `bytes` in parts of `size`, until the first error.
fn decode(bytes: &[u8], size: usize) -> (Vec<Incoming>, Result<(), FrameError>) {
    let (mut decoder, mut found) = (Decoder::new(LIMIT, IncomingCompression::Off), Vec::new());
    for part in bytes.chunks(size) {
        let mut part = part.to_vec();
        let mut rest = &mut part[..];
        while !rest.is_empty() {
            match decoder.push(rest) {
                Ok((used, incoming)) => {
                    found.extend(incoming);
                    rest = &mut rest[used..];
                }
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(()))
}

fn text(text: &str) -> Incoming {
    Incoming::Message(Message::Text(text.into()))
}

#[test]
fn messages_are_whole_however_they_arrive() {
    let long = "é".repeat(LIMIT / 2);
    let frames = [
        frame(0x81, b""),
        frame(0x82, &[0; 126]),
        frame(0x01, "é".as_bytes().split_at(1).0),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x8a, b"pong"),
        frame(0x80, "é".as_bytes().split_at(1).1),
        frame(0x81, long.as_bytes()),
        frame(0x88, b"\x03\xe8bye"),
    ];
    let expected = [
        text(""),
        Incoming::Message(Message::Binary(Bytes::from_static(&[0; 126]))),
        Incoming::Ping(Bytes::from_static(b"ping")),
        Incoming::Pong,
        text("é"),
        text(&long),
        Incoming::Close(Bytes::from_static(b"\x03\xe8bye")),
    ];
    for size in PARTS {
        let (decoded, result) = decode(&frames.concat(), size);
        assert!(decoded == expected, "parts of {size}");
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn frames_that_break_the_protocol_are_refused() {
    let zeros = vec![0; LIMIT + 1];
    let cases: [(&[&[u8]], FrameError); 13] = [
        (&[&frame(0x80, b"")], FrameError::Protocol),
        (&[&frame(0x01, b"a"), &frame(0x81, b"b")], FrameError::Protocol),
        (&[&frame(0x01, b"a"), &frame(0x02, b"b")], FrameError::Protocol),
        (&[&frame(0x83, b"")], FrameError::Protocol),
        (&[&frame(0x88, b"\x03")], FrameError::Protocol),
        (&[&frame(0x88, &1005_u16.to_be_bytes())], FrameError::Protocol),
        (&[&frame(0x88, &1016_u16.to_be_bytes())], FrameError::Protocol),
        (&[&frame(0x88, &5000_u16.to_be_bytes())], FrameError::Protocol),
        (&[&frame(0x88, b"\x03\xe8\xff")], FrameError::NotUtf8),
        (&[&frame(0x01, b"\xc3"), &frame(0x80, b"")], FrameError::NotUtf8),
        // The rest of these never arrives.
        (&[&frame(0x81, b"a\xffb")[..8]], FrameError::NotUtf8),
        (&[&frame(0x82, &zeros)[..14]], FrameError::TooLarge),
        (&[&frame(0x02, &zeros[..LIMIT]), &frame(0x80, b"x")[..6]], FrameError::TooLarge),
    ];
    for (frames, error) in cases {
        for size in PARTS {
            let (_, result) = decode(&frames.concat(), size);
            assert_eq!(result, Err(error), "{:x?}", &frames[0][..frames[0].len().min(20)]);
        }
    }
}

#[test]
fn a_claimed_length_takes_no_memory() {
    let mut decoder = Decoder::new(1 << 30, IncomingCompression::Off);
    decoder.push(&mut [0x82, 0xff, 0, 0, 0, 0, 0x20, 0, 0, 0, 1, 2, 3, 4, 5]).unwrap();
    let Some(PartialMessage { content: PartialContent::Binary(bytes), .. }) = decoder.message
    else {
        panic!("a message has begun");
    };
    assert!(bytes.capacity() <= 4096);
}

/// The same by the library that the tests' clients use.
fn by_tungstenite(bytes: &[u8]) -> (Vec<Incoming>, bool) {
    let stream = Stream(bytes);
    let config =
        WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut decoded = Vec::new();
    loop {
        decoded.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => {
                Incoming::Message(Message::Text(text.to_string()))
            }
            Ok(tungstenite::Message::Binary(bytes)) => Incoming::Message(Message::Binary(bytes)),
            Ok(tungstenite::Message::Ping(payload)) => Incoming::Ping(payload),
            Ok(tungstenite::Message::Pong(_)) => Incoming::Pong,
            Ok(other) => panic!("{other} is not in the frames"),
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (decoded, true),
            Err(_) => return (decoded, false),
        });
    }
}

/// Reads bytes, and drops what is written.
struct Stream<'a>(&'a [u8]);

impl std::io::Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_messages_are_those_that_tungstenite_reads(
        frames in prop::collection::vec(
            (
                prop::sample::select(&[0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x83, 0xc1][..]),
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..4),
                    "[a-zé😀]{0,60}".prop_map(String::into_bytes),
                ],
            ),
            0..8,
        ),
        size in 1_usize..40,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        let (decoded, result) = decode(&bytes, size);
        let (expected, is_good) = by_tungstenite(&bytes);
        prop_assert_eq!(decoded, expected);
        prop_assert_eq!(result.is_ok(), is_good);
    }
}
