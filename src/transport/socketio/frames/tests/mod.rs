//! Frames in pieces of every size.

mod inflation;

use std::num::NonZeroUsize;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{head::FIN, *};

/// A session that has joined every space but `/team`.
struct Joined;

impl JoinedSpaces for Joined {
    fn is_joined(&self, namespace: &str) -> bool {
        namespace != "/team"
    }

    fn is_connected(&self, namespace: &str) -> bool {
        self.is_joined(namespace)
    }
}

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut frame = Vec::new();
    write_head(first, payload.len(), mask, &mut frame);
    frame.extend(unmask(payload, mask, 0));
    frame
}

fn text(text: &str) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes())
}

fn limits() -> Arc<Limits> {
    let frame_bytes_max = NonZeroUsize::new(70_000).unwrap();
    Arc::new(Limits { frame_bytes_max, ..Limits::default() })
}

/// Passes `input` in pieces.
fn pass(input: &[u8], piece: usize) -> Result<Vec<u8>, FrameError> {
    pass_of(Version::V4, input, piece)
}

fn pass_of(version: Version, input: &[u8], piece: usize) -> Result<Vec<u8>, FrameError> {
    pass_as((version, Parser::Json), input, piece)
}

fn pass_as(
    (version, parser): (Version, Parser),
    input: &[u8],
    piece: usize,
) -> Result<Vec<u8>, FrameError> {
    let (mut frames, mut out) = (IncomingFrames::new(version, parser, limits()), Vec::new());
    input.chunks(piece).try_for_each(|it| frames.push(it, &Joined, &mut out)).map(|()| out)
}

/// The fragments of the messages in unbroken frames.
fn fragments(mut bytes: &[u8]) -> Vec<(u8, String)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (head_len, head) = (1..15)
            .find_map(|length| Some((length, FrameHead::read(&bytes[..length]).unwrap()?)))
            .unwrap();
        let (payload, rest) = bytes[head_len..].split_at(head.payload_bytes);
        let text = unmask(payload, head.mask, 0).collect();
        found.push((head.first, String::from_utf8(text).unwrap()));
        bytes = rest;
    }
    found
}

const PIECES: [usize; 5] = [1, 2, 7, 100, 100_000];

#[test]
fn bytes_in_base64_become_a_binary_frame() {
    let long = vec![7; 3000];
    for (version, prefix, head) in [(Version::V4, "b", &[][..]), (Version::V3, "b4", &[4])] {
        for bytes in [&[][..], &[1], &[1, 2, 3], &long] {
            let sent = text(&format!("{prefix}{}", BASE64_STANDARD.encode(bytes)));
            let payload = [head, bytes].concat();
            let mut expected = Vec::new();
            write_head(FIN | BINARY, payload.len(), [0; 4], &mut expected);
            expected.extend(payload);
            expected.extend(text("42[\"x\"]"));
            let sent = [sent, text("42[\"x\"]")].concat();
            for piece in PIECES {
                assert!(
                    pass_of(version, &sent, piece).unwrap() == expected,
                    "{version:?}, {piece}"
                );
            }
        }
        for broken in ["b!", "bA", "b5AQID"] {
            assert_eq!(pass_of(version, &text(broken), 1), Err(FrameError::Protocol), "{broken}");
        }
    }
}

#[test]
fn packets_are_judged() {
    let long = "x".repeat(5000);
    let connect = format!(r#"40/team,{{"token":"{long}"}}"#);
    for piece in PIECES {
        let passed = |text: &[u8]| pass(text, piece);
        for refused in ["2", "2probe", "40/shop,", "42/team,[1]", "", "40/team,[]", "450-[]"] {
            assert_eq!(passed(&text(refused)), Err(FrameError::Packet), "{refused}");
        }
        let cut = text(connect.trim_end_matches('}'));
        assert_eq!(passed(&cut), Err(FrameError::Packet));
        assert!(passed(&text(&connect)).unwrap() == text(&connect));
        let next = text("42[\"x\"]");
        for ignored in ["1", "1x", "6", "0{}", "3probe", "42", &format!("0{long}")] {
            assert_eq!(passed(&[text(ignored), next.clone()].concat()), Ok(next.clone()));
        }
        let mut expected = Vec::new();
        write_text(b"421[\"ack\"]", &mut expected);
        expected.extend(&next);
        assert_eq!(passed(&[text("431"), next].concat()), Ok(expected));
    }
}

#[test]
fn frames_with_ordinary_names_pass_unchanged() {
    let frames = [
        text("40/team"),
        text(r#"42["send message","é"]"#),
        text(&format!(r#"427["send message","{}"]"#, "x".repeat(65_536))),
        frame(0x89, b"ping"),
        frame(FIN | BINARY, &[0xff; 300]),
        frame(BINARY, &[0xff; 30]),
        frame(0x8a, b""),
        frame(FIN, &[0xff; 30]),
        frame(0x88, &[3, 0xe8]),
    ]
    .concat();
    for piece in PIECES {
        assert!(pass(&frames, piece).unwrap() == frames, "in pieces of {piece}");
    }
}

#[test]
fn a_marked_frame_becomes_two_fragments() {
    let long = format!(r#"42["{}"]"#, "y".repeat(66_000));
    let frames = [text(r#"42/shop,17["caf\u00e9",1]"#), text(&long), text("42[7]")].concat();
    for piece in PIECES {
        let fragments = fragments(&pass(&frames, piece).unwrap());
        let expected = [
            (TEXT, r#"42/shop,17["","#),
            (FIN, r#""caf\u00e9",1]"#),
            (TEXT, r#"42["","#),
            (FIN, long.split_at(3).1),
            (TEXT, r#"42["","#),
            (FIN, "7]"),
        ];
        assert!(fragments == expected.map(|(first, text)| (first, text.to_owned())), "{piece}");
    }
}

#[test]
fn an_answer_becomes_an_event_in_two_fragments() {
    let long = "y".repeat(60_000);
    let frames = [
        text("43/shop,17[]"),
        text(&format!("437[\"{long}\"]")),
        frame(TEXT, b"4611-7[{\"a\""),
        frame(0x89, b""),
        frame(FIN, b":1}]"),
    ]
    .concat();
    for piece in PIECES {
        let fragments = fragments(&pass(&frames, piece).unwrap());
        let expected = [
            (TEXT, r#"42/shop,17["ack""#.to_owned()),
            (FIN, "]".to_owned()),
            (TEXT, r#"427["ack","#.to_owned()),
            (FIN, format!("\"{long}\"]")),
            (0x89, String::new()),
            (FIN | TEXT, r#"4511-7["ack",{"a":1}]"#.to_owned()),
        ];
        assert!(fragments == expected, "{piece}");
    }
}

#[test]
fn broken_frames_are_refused_with_their_kind() {
    let too_long = [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let fragments = [frame(TEXT, &vec![b'3'; 40_000]), frame(FIN, &vec![b'x'; 40_000])].concat();
    let half = [frame(TEXT, b"4"), text("2")].concat();
    for (bytes, error) in [
        (b"test".to_vec(), FrameError::Protocol),
        (b"\x81\x021x".to_vec(), FrameError::Protocol),
        (too_long.to_vec(), FrameError::Protocol),
        (frame(FIN | 3, b""), FrameError::Protocol),
        (frame(0x09, b""), FrameError::Protocol),
        (frame(0x89, &[0; 126]), FrameError::Protocol),
        (frame(FIN, b"more"), FrameError::Protocol),
        (frame(0x88, b"\x03"), FrameError::Protocol),
        (half, FrameError::Protocol),
        (frame(FIN | TEXT, b"40\xff\xfe"), FrameError::NotUtf8),
        (frame(FIN | TEXT, b"42[\"x\",\"\xc3"), FrameError::NotUtf8),
        (frame(FIN | TEXT, &vec![b'4'; 70_001]), FrameError::TooLarge),
        (fragments, FrameError::TooLarge),
    ] {
        for piece in PIECES {
            let bytes = bytes.get(..200).unwrap_or(&bytes);
            if error != FrameError::TooLarge {
                assert_eq!(
                    pass(bytes, piece),
                    Err(error.clone()),
                    "{bytes:?} in pieces of {piece}"
                );
            }
        }
        assert_eq!(pass(&bytes, 1000), Err(error));
    }
}

#[test]
fn only_the_first_message_is_searched_for_another_parser() {
    let connect = b"\x82\xa4type\x00\xa3nsp\xa1/";
    let first = [frame(0x89, b"ping"), frame(FIN | BINARY, connect)].concat();
    let second = [text("40/team"), frame(FIN | BINARY, connect)].concat();
    let other = [frame(FIN | BINARY, &[0xff; 300]), frame(FIN | BINARY, connect)].concat();
    for piece in PIECES {
        assert!(matches!(pass(&first, piece), Err(FrameError::ForeignParser(_))), "{piece}");
        for passes in [&second, &other] {
            assert!(pass(passes, piece).unwrap() == *passes, "{piece}");
        }
    }
}

/// `{type: 2, nsp: "/shop", data: ["x", bytes]}` of `socket.io-msgpack-parser`.
const PACKED: &[u8] = b"\x83\xa4type\x02\xa3nsp\xa5/shop\xa4data\x92\xa1x\xc4\x01y";

fn pass_packed(input: &[u8], piece: usize) -> Result<Vec<u8>, FrameError> {
    pass_as((Version::V4, Parser::MsgPack), input, piece)
}

#[test]
fn a_packed_message_becomes_a_packet_with_attachments() {
    let mut packet = Vec::new();
    write_text(br#"451-/shop,["x",{"_placeholder":true,"num":0}]"#, &mut packet);
    write_head(FIN | BINARY, 1, [0; 4], &mut packet);
    packet.push(b'y');
    let mut heartbeat = Vec::new();
    write_text(b"3", &mut heartbeat);
    let (begin, end) = PACKED.split_at(9);
    let ping = frame(0x89, b"?");
    for (sent, expected) in [
        (frame(FIN | BINARY, PACKED), packet.clone()),
        ([frame(BINARY, begin), frame(FIN | CONTINUATION, end)].concat(), packet.clone()),
        (
            [frame(BINARY, begin), ping.clone(), frame(FIN | CONTINUATION, end)].concat(),
            [&ping[..], &packet].concat(),
        ),
        ([text("3"), frame(FIN | BINARY, PACKED)].concat(), [&heartbeat[..], &packet].concat()),
        ([frame(TEXT, b""), frame(FIN | CONTINUATION, b"3")].concat(), heartbeat.clone()),
    ] {
        for piece in PIECES {
            assert!(
                pass_packed(&sent, piece).unwrap() == expected,
                "{piece}, {} bytes",
                sent.len()
            );
        }
    }
}

#[test]
fn messages_that_are_not_packed_are_refused() {
    let controls = vec![1; 20_000];
    let long = [&PACKED[..22], b"\x92\xa1x\xda\x4e\x20", &controls].concat();
    for (sent, error) in [
        (text("42/shop,[\"x\"]"), FrameError::Packet),
        (text("40"), FrameError::Packet),
        (text("bAA=="), FrameError::Packet),
        (text("7"), FrameError::Packet),
        (text(""), FrameError::Packet),
        (frame(FIN | TEXT, b"3\xff"), FrameError::NotUtf8),
        (frame(FIN | BINARY, b""), FrameError::Packet),
        (frame(FIN | BINARY, &PACKED[..20]), FrameError::Packet),
        (frame(FIN | BINARY, b"42[\"x\"]"), FrameError::Packet),
        (frame(FIN | BINARY, b"\x82\xa4type\x00\xa3nsp\xa1/"), FrameError::Packet),
        (frame(FIN | BINARY, b"\x82\xa4type\x01\xa3nsp\xa5/team"), FrameError::Packet),
        (frame(FIN | BINARY, &long), FrameError::TooLarge),
        (frame(FIN | BINARY, &vec![0; 70_001]), FrameError::TooLarge),
    ] {
        for piece in PIECES {
            assert_eq!(pass_packed(&sent, piece), Err(error.clone()), "{} bytes", sent.len());
        }
    }
}

#[test]
fn a_text_in_fragments_is_judged_as_a_whole() {
    let fragments = |text: &[u8], at: usize| {
        let (begin, end) = text.split_at(at);
        [frame(TEXT, begin), frame(0x89, b"?"), frame(0, b""), frame(FIN, end)].concat()
    };
    let ping = frame(0x89, b"?");
    let mut bytes = ping.clone();
    write_head(FIN | BINARY, 1, [0; 4], &mut bytes);
    bytes.push(0);
    for (piece, at) in PIECES.into_iter().flat_map(|piece| [(piece, 0), (piece, 1), (piece, 2)]) {
        for (sent, read) in [
            (r#"42["x"]"#, r#"42["x"]"#),
            (r#"42["refused",0,"x"]"#, r#"42["","refused",0,"x"]"#),
            ("437 [1]", r#"427["ack",1]"#),
            (r#"421 ["x"]"#, r#"421["x"]"#),
            ("431", r#"421["ack"]"#),
        ] {
            let mut expected = ping.clone();
            write_text(read.as_bytes(), &mut expected);
            assert_eq!(pass(&fragments(sent.as_bytes(), at), piece).unwrap(), expected);
        }
        assert_eq!(pass(&fragments(b"0{}", at), piece).unwrap(), ping);
        assert_eq!(pass(&fragments(b"bAA==", at), piece).unwrap(), bytes);
        for (broken, error) in [
            (&b"40/shop,"[..], FrameError::Packet),
            (b"40/team,[]", FrameError::Packet),
            (b"450-[]", FrameError::Packet),
            (b"42\xff", FrameError::NotUtf8),
        ] {
            assert_eq!(pass(&fragments(broken, at), piece), Err(error));
        }
    }
}
