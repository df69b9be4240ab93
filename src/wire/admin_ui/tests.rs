//! The form of each event and command.

use std::time::Duration;

use time::macros::datetime;

use super::*;
use crate::{
    chat::{
        AdminCommand, AdminRequest,
        ports::{Carrier, OpenConnection, Peer, Traffic},
    },
    domain::{ConnectionAddress, Limits, NodeId, Rejection, RoomName, RoomSelector, UserName},
};

const NOW: OffsetDateTime = datetime!(2026-11-30 01:02:03.456 UTC);

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn address() -> ConnectionAddress {
    ConnectionAddress::parse("n1.c1a").unwrap()
}

fn socket() -> AdminSocket {
    let open = OpenConnection {
        address: address(),
        user: Some(UserName::from_raw("ann")),
        peer: Peer { carrier: Carrier::SocketIoPolling, address: Some("::1".into()) },
        since: NOW,
        rooms: vec![room("lobby")],
    };
    AdminSocket { space: Space::root(), open }
}

fn texts(bodies: &[Body]) -> Vec<&str> {
    bodies.iter().map(Body::json).collect()
}

const SOCKET: &str = concat!(
    r#"{"id":"n1.c1a","clientId":"n1.c1a","transport":"polling","nsp":"/","data":{"user":"ann"},"#,
    r#""handshake":{"address":"::1","headers":{},"query":{},"issued":1796000523456,"#,
    r#""time":"2026-11-30T01:02:03.456Z"},"rooms":["n1.c1a","lobby"]}"#
);

#[test]
fn a_page_is_told_its_session_and_what_it_may_do() {
    assert_eq!(session(&Token::from_raw("abc")).json(), r#"["session","abc"]"#);
    assert_eq!(
        config(AdminUiRights::Commands).json(),
        r#"["config",{"supportedFeatures":["EMIT","JOIN","LEAVE","DISCONNECT","MJOIN","MLEAVE","MDISCONNECT","AGGREGATED_EVENTS","ALL_EVENTS"]}]"#
    );
    assert_eq!(
        config(AdminUiRights::ReadOnly).json(),
        r#"["config",{"supportedFeatures":["AGGREGATED_EVENTS","ALL_EVENTS"]}]"#
    );
}

#[test]
fn a_socket_has_the_form_of_the_official_server() {
    assert_eq!(all_sockets(&[]).json(), r#"["all_sockets",[]]"#);
    assert_eq!(all_sockets(&[socket()]).json(), format!(r#"["all_sockets",[{SOCKET}]]"#));
}

#[test]
fn each_change_is_an_event_and_an_end_leaves_all_rooms() {
    let at = "\"2026-11-30T01:02:03.456Z\"";
    let of = |it: AdminChange| change(&it, NOW);
    let connected = of(AdminChange::Connected(socket()));
    assert_eq!(texts(&connected), [format!(r#"["socket_connected",{SOCKET},{at}]"#)]);
    let updated = of(AdminChange::Updated(socket()));
    let expected = r#"["socket_updated",{"id":"n1.c1a","nsp":"/","transport":"polling","data":{"user":"ann"}}]"#;
    assert_eq!(texts(&updated), [expected]);
    let shop = || Space::from_raw("/shop");
    let joined = of(AdminChange::Joined(shop(), address(), room("a")));
    assert_eq!(texts(&joined), [format!(r#"["room_joined","/shop","a","n1.c1a",{at}]"#)]);
    let left = of(AdminChange::Left(shop(), address(), room("a")));
    assert_eq!(texts(&left), [format!(r#"["room_left","/shop","a","n1.c1a",{at}]"#)]);
    let ended = |cause| of(AdminChange::Disconnected(shop(), address(), cause, vec![room("a")]));
    let words = [
        "transport close",
        "ping timeout",
        "parse error",
        "client namespace disconnect",
        "server namespace disconnect",
        "server shutting down",
        "forced close",
    ];
    for (cause, word) in DisconnectCause::ALL.into_iter().zip(words) {
        let expected = [
            format!(r#"["socket_disconnected","/shop","n1.c1a","{word}",{at}]"#),
            format!(r#"["room_left","/shop","n1.c1a","n1.c1a",{at}]"#),
            format!(r#"["room_left","/shop","a","n1.c1a",{at}]"#),
        ];
        assert_eq!(texts(&ended(cause)), expected);
    }
}

#[test]
fn the_figures_of_a_node_have_its_spaces_and_what_happened() {
    let stats = NodeStats {
        node: NodeId::from_raw("n1"),
        host: "vm".into(),
        process: 7,
        uptime: Duration::from_millis(1500),
        opened: 5,
        connections: vec![
            (Space::root(), Carrier::SocketIoPolling, 1),
            (Space::root(), Carrier::PlainWebSocket, 2),
        ],
        closed: Vec::new(),
        ended: Vec::new(),
        traffic: Traffic::default(),
    };
    let closed = vec![(DisconnectCause::PingTimeout, 1), (DisconnectCause::ByClient, 2)];
    let traffic = Traffic { packets_in: 4, bytes_in: 50, packets_out: 0, bytes_out: 60 };
    let counts = ServerCounts { opened: 3, closed, traffic };
    let expected = concat!(
        r#"["server_stats",{"serverId":"n1","hostname":"vm","pid":7,"uptime":1.5,"#,
        r#""clientsCount":3,"pollingClientsCount":1,"#,
        r#""aggregatedEvents":[{"timestamp":1796000523000,"type":"rawConnection","count":3},"#,
        r#"{"timestamp":1796000523000,"type":"rawDisconnection","subType":"ping timeout","count":1},"#,
        r#"{"timestamp":1796000523000,"type":"rawDisconnection","#,
        r#""subType":"client namespace disconnect","count":2},"#,
        r#"{"timestamp":1796000523000,"type":"packetsIn","count":4},"#,
        r#"{"timestamp":1796000523000,"type":"bytesIn","count":50},"#,
        r#"{"timestamp":1796000523000,"type":"bytesOut","count":60}],"#,
        r#""namespaces":[{"name":"/","socketsCount":3}]}]"#
    );
    assert_eq!(server_stats(&stats, &counts, NOW).json(), expected);
    let cut = r#"["event_received","/","-",["list_cut","1000 of 1200 sockets are shown"],"2026-11-30T01:02:03.456Z"]"#;
    assert_eq!(list_is_cut(1000, 1200, NOW).json(), cut);
}

#[test]
fn credentials_are_a_session_or_a_password() {
    let password =
        |name: &str, text| AdminCredentials::Password(name.into(), Token::from_raw(text));
    for (auth, expected) in [
        (r#"{"sessionId":"abc"}"#, AdminCredentials::Session(Token::from_raw("abc"))),
        (r#"{"username":"a","password":"b","sessionId":null}"#, password("a", "b")),
        (r#"{"username":"","password":""}"#, password("", "")),
        (r#"{"sessionId":""}"#, AdminCredentials::None),
        (r#"{"username":"a"}"#, AdminCredentials::None),
        (r#"{"username":1,"password":{}}"#, AdminCredentials::None),
        ("[]", AdminCredentials::None),
    ] {
        assert_eq!(credentials(Some(auth)), expected, "{auth}");
    }
    assert_eq!(credentials(None), AdminCredentials::None);
}

#[test]
fn commands_are_those_of_the_page() {
    let limits = Limits::default();
    let parse = |text: &str| request(text, &limits);
    let expected = |filter: Option<&str>, command| {
        let filter = filter.map(RoomSelector::parse);
        Ok(AdminRequest { space: Space::root(), filter, command })
    };
    let [join, leave] = [AdminCommand::Join(room("a")), AdminCommand::Leave(room("a"))];
    for (text, filter, command) in [
        (r#"["join","/","a","n1.c1a"]"#, Some("n1.c1a"), join.clone()),
        (r#"["","join","/","a"]"#, None, join),
        (r#"["leave","/","a",null]"#, None, leave.clone()),
        (r#"["leave","/","a",""]"#, None, leave),
        (r#"["_disconnect","/",true,"lobby"]"#, Some("lobby"), AdminCommand::Disconnect),
        (r#"["_disconnect","/",false]"#, None, AdminCommand::Disconnect),
    ] {
        assert_eq!(parse(text), expected(filter, command), "{text}");
    }
    let emitted = parse(r#"["emit","/","lobby","offer",{"n":1},"x"]"#).unwrap();
    let AdminCommand::Emit(event) = emitted.command else { panic!("{emitted:?}") };
    assert_eq!((event.name.as_raw(), event.args.json()), ("offer", r#"[{"n":1},"x"]"#));
    assert_eq!(emitted.filter, Some(RoomSelector::parse("lobby")));
}

#[test]
fn other_arrays_are_refused() {
    let limits = Limits::default();
    let deep = format!(r#"["emit","/",null,"x",{}{}]"#, "[".repeat(80), "]".repeat(80));
    for text in [
        "",
        "[]",
        r#"["join"]"#,
        r#"["join","/"]"#,
        r#"["join","/",7]"#,
        r#"["join",7,"a"]"#,
        r#"["leave","/"]"#,
        r#"["_disconnect","/"]"#,
        r#"["_disconnect","/",true,7]"#,
        r#"["emit","/","a"]"#,
        r#"["emit","/","a",7]"#,
        r#"["delete","/","a"]"#,
        r#"[7,"/","a"]"#,
        r#"{"join":1}"#,
        &deep,
    ] {
        let refused = request(text, &limits);
        assert!(matches!(refused, Err(Rejection::BadRequest(_))), "{text}: {refused:?}");
    }
    assert_eq!(
        request(r#"["emit","/","a","message edited"]"#, &limits),
        Err(Rejection::UnknownEvent)
    );
    assert!(request(r#"["join","nowhere","a"]"#, &limits).is_err());
    assert!(request(r#"["join","/",""]"#, &limits).is_err());
}
