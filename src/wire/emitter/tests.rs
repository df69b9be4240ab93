//! Packets as version 5.1.0 of the emitter publishes them, and malformed ones.

use proptest::prelude::*;

use super::*;

const KEY: &str = "socket.io";
/// `to("lobby").emit("news", 1, { at: new Date(1700000000123) }, Buffer.from([1, 2]))`.
const TO_A_ROOM: &[u8] = b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x94\xa4news\x01\x81\xa2at\xd7\
    \xff\x1dSS\x00eS\xf1\x00\xc4\x02\x01\x02\xa3nsp\xa1/\x83\xa5rooms\x91\xa5lobby\xa5flags\x80\
    \xa6except\x90";
/// `to(["a", "b"]).to(7).except("c").volatile.emit("x", "y")`.
const TO_ROOMS: &[u8] = b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x92\xa1x\xa1y\xa3nsp\xa1/\x83\
    \xa5rooms\x93\xa1a\xa1b\x07\xa5flags\x81\xa8volatile\xc3\xa6except\x91\xa1c";
/// `of("/shop").emit("x")`.
const TO_A_NAMESPACE: &[u8] = b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x91\xa1x\xa3nsp\xa5/shop\
    \x83\xa5rooms\x90\xa5flags\x80\xa6except\x90";

fn read(channel: &str, payload: &[u8]) -> Option<Result<EmitterPacket, Rejection>> {
    packet(KEY, (channel.as_bytes(), payload), &Limits::default())
}

fn selected(space: &str, rooms: &[&str], except: &[&str]) -> Selection {
    let selectors = |names: &[&str]| names.iter().map(|it| RoomSelector::parse(it)).collect();
    let space = Space::parse(space).unwrap();
    Selection { space, rooms: selectors(rooms), except: selectors(except) }
}

fn emitted(packet: Option<Result<EmitterPacket, Rejection>>) -> (Selection, String, String) {
    let EmitterPacket { to, effect } = packet.unwrap().unwrap();
    let EmitterEffect::Emit(event, delivery) = effect else { panic!("{effect:?}") };
    let args = body::write(&event.args, AttachmentEncoding::Base64, 0);
    (to, format!("{} {args}", event.name.as_raw()), format!("{delivery:?}"))
}

/// An event as an emitter publishes it, with these bytes as its data.
fn with_data(data: &[u8]) -> Vec<u8> {
    let begin = b"\x93\xa7emitter\x83\xa4type\x02\xa4data".as_slice();
    let end = b"\xa3nsp\xa1/\x83\xa5rooms\x90\xa5flags\x80\xa6except\x90".as_slice();
    [begin, data, end].concat()
}

#[test]
fn events_are_read_with_their_rooms_and_arguments() {
    let (to, event, delivery) = emitted(read("socket.io#/#lobby#", TO_A_ROOM));
    assert_eq!(to, selected("/", &["lobby"], &[]));
    assert_eq!(event, r#"news [1,{"at":"2023-11-14T22:13:20.123Z"},{"base64":"AQI="}]"#);
    assert_eq!(delivery, "Reliable");
    let (to, event, delivery) = emitted(read("socket.io#/#", TO_ROOMS));
    assert_eq!(to, selected("/", &["a", "b", "7"], &["c"]));
    assert_eq!((&*event, &*delivery), (r#"x ["y"]"#, "Volatile"));
    let (to, event, _) = emitted(read("socket.io#/shop#", TO_A_NAMESPACE));
    assert_eq!((to, &*event), (selected("/shop", &[], &[]), "x []"));
}

#[test]
fn requests_are_read() {
    let to = selected("/shop", &["a"], &["b"]);
    let rooms = || ["c", "d"].map(|it| RoomName::parse(it).unwrap()).to_vec();
    for (kind, effect) in [
        (2, EmitterEffect::Join(rooms())),
        (3, EmitterEffect::Leave(rooms())),
        (4, EmitterEffect::Disconnect),
    ] {
        let request = format!(
            r#"{{"type":{kind},"opts":{{"rooms":["a"],"except":["b"]}},"rooms":["c","d"],"close":true}}"#
        );
        let packet = read("socket.io-request#/shop#", request.as_bytes());
        assert_eq!(packet, Some(Ok(EmitterPacket { to: to.clone(), effect })));
    }
}

#[test]
fn what_servers_say_to_each_other_is_ignored() {
    for request in [
        r#"{"uid":"emitter","type":6,"data":["x",1]}"#,
        r#"{"uid":"abc","requestId":"r","type":0,"rooms":["a"]}"#,
        r#"{"uid":"abc","requestId":"r","type":5,"opts":{"rooms":[],"except":[]}}"#,
        r#"{"uid":"abc","requestId":"r","type":2,"sid":"s","room":"a"}"#,
        "\u{1}",
    ] {
        assert_eq!(read("socket.io-request#/#", request.as_bytes()), None, "{request}");
    }
}

#[test]
fn nobody_forges_an_event_of_the_protocol() {
    for name in ["new message", "closing", "connect", ""] {
        let name = [&[0x91, 0xa0 | u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        let packet = read("socket.io#/#", &with_data(&name));
        assert_eq!(packet, Some(Err(Rejection::UnknownEvent)));
    }
}

#[test]
fn malformed_packets_are_refused() {
    let many = format!(r#"{{"type":4,"opts":{{"rooms":[{}0]}}}}"#, "0,".repeat(ROOMS_MAX));
    let deep = [vec![0x91; 100_000], vec![0xc0]].concat();
    let eleven = [&b"\x9c\xa1x"[..], &b"\xc4\x01x".repeat(11)].concat();
    for (channel, payload) in [
        ("socket.io#/other#", TO_A_ROOM),
        ("socket.io#/", TO_A_ROOM),
        ("another#/#", TO_A_ROOM),
        ("socket.io#/#", b""),
        ("socket.io#/#", b"\x93\x01\x02\x03"),
        ("socket.io#/#", b"\x93\xa7emitter\x83\xa4type\x02"),
        ("socket.io#/#", &with_data(b"\x90")),
        ("socket.io#/#", &with_data(b"\x91\x07")),
        ("socket.io#/#", &with_data(b"\xa1x")),
        ("socket.io#/#", &with_data(&deep)),
        ("socket.io#/#", &with_data(&eleven)),
        ("socket.io#/#", &with_data(b"\x92\xa1x\x81\xac_placeholder\xc3")),
        ("socket.io-request#/#", b"{"),
        ("socket.io-request#/#", br#"{"type":4,"opts":{"rooms":[{}]}}"#),
        ("socket.io-request#/#", br#"{"type":4,"opts":{"rooms":"a"}}"#),
        ("socket.io-request#/#", br#"{"type":2,"opts":{},"rooms":[""]}"#),
        ("socket.io-request#/", br#"{"type":4,"opts":{}}"#),
        ("socket.io-request#/#", many.as_bytes()),
    ] {
        let packet = read(channel, payload);
        assert!(matches!(packet, Some(Err(_))), "{channel} {packet:?}");
    }
}

#[test]
fn a_packet_above_the_limit_of_frames_is_refused() {
    let limits = Limits::default();
    let largest = vec![b'{'; limits.frame_bytes_max.get()];
    let read = |payload: &[u8]| packet(KEY, (b"socket.io-request#/#", payload), &limits);
    assert!(!matches!(read(&largest), Some(Err(Rejection::MessageTooLarge))));
    let larger = [&largest[..], b"{"].concat();
    assert_eq!(read(&larger), Some(Err(Rejection::MessageTooLarge)));
}

proptest! {
    /// A packet with one byte changed, or cut off, is read or refused.
    #[test]
    fn a_damaged_packet_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        packet in prop::sample::select(vec![TO_A_ROOM, TO_ROOMS, TO_A_NAMESPACE]),
    ) {
        let at = at.index(packet.len());
        let mut damaged = packet.to_vec();
        damaged[at] = byte;
        drop(read("socket.io#/#", &damaged));
        prop_assert!(matches!(read("socket.io#/#", &packet[..at]), Some(Err(_))));
    }

    /// Any bytes are read or refused.
    #[test]
    fn any_bytes_are_read_or_refused(
        data in prop::collection::vec(any::<u8>(), 0..256),
        text in r#"\{("type":[0-9]|"opts":\{("rooms":\[[0-9",]*\])?\}|[,:\[\]{}]|"rooms"){0,8}"#,
    ) {
        drop(read("socket.io#/#", &data));
        drop(read("socket.io#/#", &with_data(&data)));
        drop(read("socket.io-request#/#", &data));
        drop(read("socket.io-request#/#", text.as_bytes()));
    }
}
