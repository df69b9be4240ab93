//! Packets of clients, and what becomes of them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;

use super::*;
use crate::domain::Limits;

/// A session that has joined `/` and `/shop`, and is about to join `/slow`.
struct Joined;

impl JoinedSpaces for Joined {
    fn is_joined(&self, namespace: &str) -> bool {
        ["/", "/shop", "/slow"].contains(&namespace)
    }

    fn is_connected(&self, namespace: &str) -> bool {
        self.is_joined(namespace) && namespace != "/slow"
    }
}

fn check(version: Version, packet: &str) -> Verdict {
    PacketCheck::new(version).check(packet.as_bytes(), Extent::Whole, &Joined)
}

#[test]
fn heartbeats_of_the_server_are_refused() {
    for (version, wrong, right) in [(Version::V4, "2", "3"), (Version::V3, "3", "2")] {
        for end in ["", "x", "a longer text"] {
            let of = |first| check(version, &format!("{first}{end}"));
            assert_eq!(of(wrong), Verdict::Refused(Protocol::EngineIo), "{wrong}{end}");
            assert_eq!(of(right), Verdict::Passed, "{right}{end}");
        }
    }
}

#[test]
fn packets_that_break_the_protocol_are_refused() {
    for packet in [
        "40",
        "40/shop,",
        "40/team,[]",
        "40/team,\"x\"",
        "40/team,true",
        "40/team,null",
        "40/team,{",
        "40/team,{}x",
        "41{}",
        "41/team,",
        "42/team,[\"x\"]",
        "42/team",
        "43/team,1[]",
        "42{}",
        "431{}",
        "450-[\"x\"]",
        "4600-7[]",
        "4",
        "4x",
        "44{}",
        "45",
        "45a-[]",
    ] {
        for version in [Version::V3, Version::V4] {
            assert_eq!(check(version, packet), REFUSED, "{packet}");
        }
    }
    for packet in ["", "7", "abc"] {
        assert_eq!(check(Version::V4, packet), Verdict::Refused(Protocol::EngineIo), "{packet}");
    }
}

#[test]
fn packets_that_nobody_reads_are_ignored() {
    for packet in ["0{}", "5", "6", "42", "421", "42/shop,", "42/shop", "43", "43/shop,"] {
        assert_eq!(check(Version::V4, packet), Verdict::Ignored, "{packet}");
    }
    assert_eq!(check(Version::V4, "3probe"), Verdict::Ignored);
    assert_eq!(check(Version::V3, "2probe"), Verdict::Replaced(b"2".to_vec()));
}

#[test]
fn other_packets_pass() {
    for packet in ["1", "bAAA=", "41", "40/slow,"] {
        assert_eq!(check(Version::V4, packet), Verdict::Passed, "{packet}");
    }
    for packet in ["40/team", "40/team,{\"a\":1}", "407", "42[\"x\"]", "451-[\"x\"]"] {
        let verdict =
            PacketCheck::new(Version::V4).check(packet.as_bytes(), Extent::Whole, &Nothing);
        assert_eq!(verdict, Verdict::Passed, "{packet}");
    }
}

/// A session without a space.
struct Nothing;

impl JoinedSpaces for Nothing {
    fn is_joined(&self, _namespace: &str) -> bool {
        false
    }

    fn is_connected(&self, _namespace: &str) -> bool {
        false
    }
}

#[test]
fn a_space_is_left_with_the_packet_that_leaves_it() {
    let mut packets = PacketCheck::new(Version::V4);
    let mut check = |packet: &str| packets.check(packet.as_bytes(), Extent::Whole, &Joined);
    for (packet, expected) in [
        ("42/shop,[\"x\"]", Verdict::Passed),
        ("41/shop,", Verdict::Passed),
        ("42/shop,[\"x\"]", REFUSED),
        ("41/shop,", REFUSED),
        ("40/shop,", Verdict::Passed),
        ("42/shop,[\"x\"]", Verdict::Passed),
        ("40/shop,", REFUSED),
    ] {
        assert_eq!(check(packet), expected, "{packet}");
    }
}

#[test]
fn packets_without_json_that_must_be_read_become_answers() {
    for (packet, expected) in [
        ("431", "421[\"ack\"]"),
        ("43/shop,7", "42/shop,7[\"ack\"]"),
        ("451-", "451-[\"ack\"]"),
        ("451-/shop,7", "451-/shop,[\"ack\"]"),
        ("461-7", "451-7[\"ack\"]"),
    ] {
        assert_eq!(check(Version::V4, packet), Verdict::Replaced(expected.into()), "{packet}");
    }
}

#[test]
fn the_query_of_a_space_is_its_auth_in_version_3() {
    for (packet, expected) in [
        ("40/team?", "40/team,{}"),
        ("40/team?token=a.b&since=lobby%3A7,", r#"40/team,{"since":"lobby:7","token":"a.b"}"#),
    ] {
        let replaced = Verdict::Replaced(expected.into());
        assert_eq!(check(Version::V3, packet), replaced, "{packet}");
        assert_eq!(check(Version::V4, packet), Verdict::Passed, "{packet}");
    }
    assert_eq!(check(Version::V3, "40/shop?a=b"), REFUSED, "it is joined");
}

#[test]
fn a_beginning_decides_only_what_the_whole_packet_decides() {
    for packet in [
        r#"42/shop,17["caf\u00e9",1]"#,
        "42[7]",
        "40/team,{}",
        "43/shop,7[1]",
        "43",
        "3probe",
        "450-[]",
        "42/team,[]",
    ] {
        let whole = check(Version::V4, packet);
        for length in 0..packet.len() {
            let begun = &packet.as_bytes()[..length];
            let part = PacketCheck::new(Version::V4).check(begun, Extent::Beginning, &Joined);
            assert!(part == whole || part == Verdict::Unfinished, "{length} of {packet}");
        }
    }
}

#[test]
fn payloads_of_every_format_are_checked() {
    let check = |version, format, body: &'static [u8]| {
        let payload = payload::split(format, Bytes::from_static(body), 9).unwrap();
        let checked = PacketCheck::new(version).check_payload(format, payload, &Joined);
        let Payload { packets, parts, .. } = checked.payload;
        (packets, parts.iter().map(|it| it.to_vec()).collect::<Vec<_>>(), checked.refused)
    };
    let body = "42[\"é\"]\u{1e}42[7]\u{1e}6\u{1e}3";
    let expected = "42[\"é\"]\u{1e}42[\"\",7]\u{1e}3".as_bytes().to_vec();
    let checked = check(Version::V4, PayloadFormat::V4, body.as_bytes());
    assert_eq!(checked, (3, vec![expected], None));
    let checked = check(Version::V4, PayloadFormat::V4, b"3\x1e42[]\x1e40\x1e42[]");
    assert_eq!(checked, (2, vec![b"3\x1e42[]".to_vec()], Some(Protocol::SocketIo)));
    assert_eq!(check(Version::V4, PayloadFormat::V4, b"6"), (0, vec![], None));
    let body = r#"11:42["\né\n"]5:42[7]1:52:42"#.as_bytes();
    let expected = [r#"14:42["","\né\n"]"#, "8:42[\"\",7]"].map(|it| it.as_bytes().to_vec());
    let checked = check(Version::V3, PayloadFormat::V3Text, body);
    assert_eq!(checked, (2, expected.to_vec(), None));
    let body = b"\0\x05\xff42[7]\x01\x02\xff\x04x\0\x01\xff3";
    let expected = [&b"\0\x08\xff42[\"\",7]"[..], b"\x01\x02\xff\x04x"].map(<[u8]>::to_vec);
    let checked = check(Version::V3, PayloadFormat::V3Binary, body);
    assert_eq!(checked, (2, expected.to_vec(), Some(Protocol::EngineIo)));
}

/// `{type: 2, nsp: "/", id: 7, data: [name]}` of `socket.io-msgpack-parser`, for names of one letter.
fn packed(name: u8) -> Vec<u8> {
    let head = b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x07\xa4data\x91\xa1";
    [&head[..], &[name]].concat()
}

#[test]
fn packed_packets_are_judged_after_their_translation() {
    let checked = |message: &[u8]| {
        let message = PackedMessage::Binary(message);
        let limits = Limits::default();
        let packet = PacketCheck::new(Version::V4).check_packed(message, &limits, &Joined);
        packet.map(|it| it.map(|it| it.text))
    };
    for (message, expected) in [
        (packed(b'x'), Ok(Some(r#"427["x"]"#.to_owned()))),
        (packed(b'"'), Ok(Some(r#"427["","\""]"#.to_owned()))),
        (b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\x90".to_vec(), Ok(Some(r#"42["ack"]"#.to_owned()))),
        (
            [&packed(b'x')[..17], b"\xa4data\x92\xa7refused\xd5\x09ab"].concat(),
            Ok(Some(r#"427["refused",3,"","refused",null]"#.to_owned())),
        ),
        (b"\x82\xa4type\x00\xa3nsp\xa1/".to_vec(), Err(Protocol::SocketIo)),
        (b"\x82\xa4type\x01\xa3nsp\xa5/team".to_vec(), Err(Protocol::SocketIo)),
    ] {
        assert_eq!(checked(&message), expected, "{message:x?}");
    }
}

#[test]
fn the_packets_of_a_packed_payload_before_a_broken_one_are_read() {
    let base64 = |bytes: &[u8]| format!("b{}", BASE64_STANDARD.encode(bytes));
    let with_bytes =
        [b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1y".as_slice(), b"\xc4\x01z"].concat();
    let good = [base64(&packed(b'x')), "3".to_owned(), base64(&with_bytes)].join("\u{1e}");
    let kept = concat!(
        "427[\"x\"]\u{1e}3\u{1e}",
        "451-[\"y\",{\"_placeholder\":true,\"num\":0}]\u{1e}beg=="
    );
    for (last, expected) in [
        ("3", None),
        ("b!!", Some(Protocol::SocketIo)),
        ("bAA==", Some(Protocol::SocketIo)),
        ("42[\"x\"]", Some(Protocol::SocketIo)),
        ("2", Some(Protocol::EngineIo)),
    ] {
        let body = Bytes::from(format!("{good}\u{1e}{last}\u{1e}3"));
        let payload = payload::split(PayloadFormat::V4, body, 10).unwrap();
        let CheckedPayload { payload, refused } = PacketCheck::new(Version::V4)
            .check_packed_payload(payload, &Limits::default(), &Joined);
        let kept =
            if expected.is_none() { format!("{kept}\u{1e}3\u{1e}3") } else { kept.to_owned() };
        assert_eq!((refused, payload.parts), (expected, vec![Bytes::from(kept)]), "{last}");
        assert!(payload.packets <= 5);
    }
}
