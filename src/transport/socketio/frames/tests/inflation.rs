//! Compressed messages in pieces of every size.

use flate2::{Compress, Compression, FlushCompress};

use super::{super::head::COMPRESSED, *};

/// The content of a compressed message.
fn deflate(content: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(content.len() + 100);
    let mut deflate = Compress::new(Compression::default(), false);
    deflate.compress_vec(content, &mut compressed, FlushCompress::Sync).unwrap();
    compressed.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().to_vec()
}

/// A compressed message in a single frame.
fn compressed(opcode: u8, content: &[u8]) -> Vec<u8> {
    frame(FIN | COMPRESSED | opcode, &deflate(content))
}

fn inflating() -> IncomingFrames {
    let mut frames = IncomingFrames::new(Version::V4, Parser::Json, limits());
    frames.inflate(Some(Box::new(Inflation::new(70_000))));
    frames
}

/// Passes `input` in pieces, of a client that may compress its messages.
fn pass_inflated(input: &[u8], piece: usize) -> Result<Vec<u8>, FrameError> {
    let (mut frames, mut out) = (inflating(), Vec::new());
    for piece in input.chunks(piece) {
        frames.push(piece, &Joined, &mut out)?;
        while frames.has_more() {
            frames.push(&[], &Joined, &mut out)?;
        }
    }
    assert_eq!(frames.left(), 0);
    Ok(out)
}

#[test]
fn a_compressed_message_becomes_one_frame() {
    let long = format!(r#"42["send message","{}é"]"#, "x".repeat(60_000));
    let parts = deflate(long.as_bytes());
    let (begin, rest) = parts.split_at(7);
    let input = [
        compressed(TEXT, b"40/team"),
        text("42[\"x\"]"),
        frame(COMPRESSED | TEXT, begin),
        frame(0x89, b"ping"),
        frame(CONTINUATION, b""),
        frame(FIN, rest),
        compressed(BINARY, &[7; 3000]),
        frame(TEXT, b"42[\"a"),
        frame(FIN, b"b\"]"),
        compressed(TEXT, b"bAQID"),
        compressed(TEXT, b"42[7]"),
        compressed(TEXT, b"3"),
    ]
    .concat();
    let mut expected = Vec::new();
    write_text(b"40/team", &mut expected);
    expected.extend([text("42[\"x\"]"), frame(0x89, b"ping")].concat());
    write_text(long.as_bytes(), &mut expected);
    write_head(FIN | BINARY, 3000, [0; 4], &mut expected);
    expected.extend([7; 3000]);
    write_text(b"42[\"ab\"]", &mut expected);
    write_head(FIN | BINARY, 3, [0; 4], &mut expected);
    expected.extend([1, 2, 3]);
    write_head(TEXT, 6, [0; 4], &mut expected);
    expected.extend(b"42[\"\",");
    write_head(FIN, 2, [0; 4], &mut expected);
    expected.extend(b"7]");
    write_text(b"3", &mut expected);
    for piece in PIECES {
        let passed = pass_inflated(&input, piece).map(|it| it == expected);
        assert_eq!(passed, Ok(true), "in pieces of {piece}");
    }
}

#[test]
fn broken_compressed_messages_are_refused_with_their_kind() {
    let begun = |rest: &[u8]| [&frame(COMPRESSED | TEXT, b"\xca")[..], rest].concat();
    let cut = deflate(&b"some words ".repeat(100));
    for (bytes, error) in [
        (begun(&frame(FIN | COMPRESSED, b"")), FrameError::Protocol),
        (begun(&frame(0xc9, b"")), FrameError::Protocol),
        (begun(&text("42[1]")), FrameError::Protocol),
        (begun(&compressed(TEXT, b"42[1]")), FrameError::Protocol),
        ([frame(TEXT, b"42[\"a"), compressed(TEXT, b"42[1]")].concat(), FrameError::Protocol),
        (frame(FIN | 0x60 | TEXT, b""), FrameError::Protocol),
        (frame(FIN | 0x50 | TEXT, b""), FrameError::Protocol),
        (frame(FIN | COMPRESSED | TEXT, b"\x07\x00"), FrameError::Compression),
        (frame(FIN | COMPRESSED | TEXT, b"\xf2\x00\x11\x00\x00"), FrameError::Compression),
        (frame(FIN | COMPRESSED | TEXT, &cut[..cut.len() - 3]), FrameError::Compression),
        (compressed(TEXT, b"42[\"\xff\"]"), FrameError::NotUtf8),
        (compressed(TEXT, b"2probe!"), FrameError::Packet),
        (compressed(TEXT, b""), FrameError::Packet),
        (compressed(BINARY, &vec![7; 70_001]), FrameError::TooLarge),
        (compressed(BINARY, &vec![7; 69_000]), FrameError::TooLarge),
        (frame(FIN | COMPRESSED | TEXT, &vec![0; 70_001]), FrameError::TooLarge),
    ] {
        for piece in PIECES {
            let passed = pass_inflated(&bytes, piece);
            assert_eq!(passed, Err(error.clone()), "{} bytes in {piece}", bytes.len());
        }
    }
    assert_eq!(pass(&compressed(TEXT, b"42[1]"), 1), Err(FrameError::Protocol), "not agreed on");
}

#[test]
fn the_rest_of_a_refused_compressed_payload_is_counted() {
    let refused = frame(FIN | COMPRESSED | TEXT, &vec![0; 80_000]);
    for arrived in [14, 1000] {
        let (mut frames, mut out) = (inflating(), Vec::new());
        let outcome = frames.push(&refused[..arrived], &Joined, &mut out);
        assert_eq!((outcome, out.len()), (Err(FrameError::TooLarge), 0));
        assert_eq!(frames.left(), refused.len() - arrived);
    }
}

#[test]
fn many_inflated_bytes_wait() {
    let message = compressed(BINARY, &vec![7; 60_000]);
    let (mut frames, mut out) = (inflating(), Vec::new());
    frames.push(&message.repeat(100), &Joined, &mut out).unwrap();
    let mut messages = 0;
    loop {
        assert!(out.len() < PASSED_BYTES_MAX + 60_100, "{} bytes", out.len());
        messages += out.len() / 60_000;
        if !frames.has_more() {
            break;
        }
        out.clear();
        frames.push(&[], &Joined, &mut out).unwrap();
    }
    assert_eq!((messages, frames.is_between_messages()), (100, true));
}
