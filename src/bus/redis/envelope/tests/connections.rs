//! Requests for connections, and what nodes reply to them.

use super::*;
use crate::chat::ports::{
    Carrier, ConnectionsDetail, ConnectionsRequest, ConnectionsRequestId, DisconnectCause,
    FirstConnections, NodeStats, OpenConnection, Peer, Traffic,
};

fn node_stats() -> NodeStats {
    NodeStats {
        node: NodeId::from_raw("n1"),
        host: "vm".into(),
        process: 7,
        uptime: std::time::Duration::from_millis(1500),
        opened: 9,
        connections: vec![(Space::root(), Carrier::PlainWebSocket, 2)],
        closed: vec![(DisconnectCause::ByClient, 6), (DisconnectCause::PingTimeout, 1)],
        ended: DisconnectCause::ALL
            .into_iter()
            .map(|cause| (ConnectionAddress::parse("n1.c1").unwrap(), cause))
            .collect(),
        traffic: Traffic { packets_in: 1, bytes_in: 20, packets_out: 3, bytes_out: 40 },
    }
}

/// Requests and replies.
pub(super) fn examples() -> Vec<Example> {
    let id = ConnectionsRequestId::from_raw(9);
    let address = |raw| ConnectionAddress::parse(raw).unwrap();
    let detailed = |user, after, detail| {
        let space = Space::from_raw("/shop");
        let request = ConnectionsRequest { space, user, after, count_max: 101, detail };
        ClusterEvent::ConnectionsRequest(id, request)
    };
    let request = |user, after| detailed(user, after, ConnectionsDetail::None);
    let open = |connection, carrier| OpenConnection {
        address: address(connection),
        user: None,
        peer: Peer { carrier, address: None },
        since: at(1_700_000_000_123),
        rooms: Vec::new(),
    };
    let ann = OpenConnection {
        user: Some(user("ann")),
        peer: Peer { carrier: Carrier::PlainWebSocket, address: Some("::1".into()) },
        ..open("n1.c1a", Carrier::PlainWebSocket)
    };
    let polling = open("n1.c1b", Carrier::SocketIoPolling);
    let upgraded = open("n1.c1c", Carrier::SocketIoWebSocket);
    let in_rooms = OpenConnection {
        rooms: ["a", "b"].map(|it| RoomName::parse(it).unwrap()).to_vec(),
        ..open("n1.c1d", Carrier::SocketIoPolling)
    };
    let stats = node_stats();
    let reply_of = |connections, total, nodes| {
        let (to, first) = (NodeId::from_raw("n2"), FirstConnections { connections, total, nodes });
        ClusterEvent::ConnectionsReply { to, request: id, first }
    };
    let reply = |connections, total| reply_of(connections, total, Vec::new());
    vec![
        (request(None, None), "connections", r#"{"id":9,"space":"/shop","max":101}"#),
        (
            request(Some(user("ann")), Some(address("n1.c1a"))),
            "connections",
            r#"{"id":9,"space":"/shop","user":"ann","after":"n1.c1a","max":101}"#,
        ),
        (
            detailed(None, None, ConnectionsDetail::Rooms),
            "connections",
            r#"{"id":9,"space":"/shop","max":101,"detail":"rooms"}"#,
        ),
        (
            detailed(None, None, ConnectionsDetail::RoomsAndNodes),
            "connections",
            r#"{"id":9,"space":"/shop","max":101,"detail":"nodes"}"#,
        ),
        (
            reply_of(vec![in_rooms], 1, vec![stats]),
            "connections reply",
            r#"{"to":"n2","id":9,"total":1,"connections":[{"connection":"n1.c1d","carrier":"polling","since_ms":1700000000123,"rooms":["a","b"]}],"nodes":[{"node":"n1","host":"vm","process":7,"uptime_ms":1500,"opened":9,"connections":[["/","ws",2]],"closed":[["client",6],["ping_timeout",1]],"ended":[["n1.c1","transport_close"],["n1.c1","ping_timeout"],["n1.c1","parse_error"],["n1.c1","client"],["n1.c1","server"],["n1.c1","shutdown"],["n1.c1","forced_close"]],"traffic":{"packets_in":1,"bytes_in":20,"packets_out":3,"bytes_out":40}}]}"#,
        ),
        (
            reply(Vec::new(), 7),
            "connections reply",
            r#"{"to":"n2","id":9,"total":7,"connections":[]}"#,
        ),
        (
            reply(vec![ann, polling, upgraded], 3),
            "connections reply",
            r#"{"to":"n2","id":9,"total":3,"connections":[{"connection":"n1.c1a","user":"ann","carrier":"ws","address":"::1","since_ms":1700000000123},{"connection":"n1.c1b","carrier":"polling","since_ms":1700000000123},{"connection":"n1.c1c","carrier":"websocket","since_ms":1700000000123}]}"#,
        ),
    ]
}

#[test]
fn a_detail_of_a_later_version_is_left_out() {
    let envelope = r#"{"v":1,"from":"n1","n":7,"kind":"connections","data":{"id":9,"space":"/","max":1,"detail":"colours"}}"#;
    let event = decode(envelope.as_bytes()).unwrap().event;
    let ClusterEvent::ConnectionsRequest(_, request) = event else { panic!("{event:?}") };
    assert_eq!(request.detail, ConnectionsDetail::None);
}

#[test]
fn the_figures_of_an_earlier_version_have_no_ends_and_a_later_cause_is_left_out() {
    let stats = |more: &str| {
        let envelope = format!(
            r#"{{"v":1,"from":"n1","n":7,"kind":"connections reply","data":{{"to":"n2","id":9,"total":0,"connections":[],"nodes":[{{"node":"n1","host":"vm","process":7,"uptime_ms":1500,"opened":9,"connections":[]{more}}}]}}}}"#
        );
        let event = decode(envelope.as_bytes())?.event;
        let ClusterEvent::ConnectionsReply { first, .. } = event else { panic!("{event:?}") };
        let NodeStats { closed, ended, traffic, .. } = first.nodes.into_iter().next().unwrap();
        Ok::<_, Malformed>((closed, ended.len(), traffic))
    };
    assert_eq!(stats(""), Ok((Vec::new(), 0, Traffic::default())));
    let later = r#","closed":[["later",2],["client",1]],"ended":[["n1.c1","later"]]"#;
    let client = vec![(DisconnectCause::ByClient, 1)];
    assert_eq!(stats(later), Ok((client, 0, Traffic::default())));
    let invalid = stats(r#","ended":[["c1","client"]]"#);
    assert_eq!(invalid, Err(Malformed::Value("connection")));
}

#[test]
fn an_invalid_connection_is_malformed_and_an_unknown_carrier_is_of_another_version() {
    let reply = |connection: &str, carrier: &str| {
        let envelope = format!(
            r#"{{"v":1,"from":"n1","n":7,"kind":"connections reply","data":{{"to":"n2","id":9,"total":1,"connections":[{{"connection":"{connection}","carrier":"{carrier}","since_ms":0}}]}}}}"#
        );
        decode(envelope.as_bytes()).map(|it| matches!(it.event, ClusterEvent::Unknown))
    };
    assert_eq!(reply("n1.c1", "ws"), Ok(false));
    assert_eq!(reply("n1.c1", "quic"), Ok(true));
    assert_eq!(reply("c1", "ws"), Err(Malformed::Value("connection")));
}
