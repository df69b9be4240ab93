//! The objects of the Admin UI.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    chat::{
        AdminSocket, ServerCounts,
        ports::{NodeStats, OpenConnection, Peer, Traffic},
    },
    domain::UserName,
    wire::payload::Timestamp,
};

/// A connection. It is a client of its own: the id of a session of Engine.IO never leaves the server.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SocketData<'a> {
    id: String,
    client_id: String,
    transport: &'static str,
    nsp: &'a str,
    data: UserData<'a>,
    handshake: HandshakeData<'a>,
    rooms: Vec<String>,
}

/// What of a connection changes.
#[derive(Serialize)]
pub(super) struct UpdatedSocketData<'a> {
    id: String,
    nsp: &'a str,
    transport: &'static str,
    data: UserData<'a>,
}

#[derive(Serialize)]
struct UserData<'a> {
    user: Option<&'a str>,
}

/// What the server keeps of the first request. Headers and query are not kept.
#[derive(Serialize)]
struct HandshakeData<'a> {
    address: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    query: BTreeMap<&'a str, &'a str>,
    /// Milliseconds since 1970.
    issued: i64,
    time: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerData<'a> {
    server_id: &'a str,
    hostname: &'a str,
    pid: u32,
    /// In seconds.
    uptime: f64,
    clients_count: u64,
    polling_clients_count: u64,
    aggregated_events: Vec<EventCount>,
    namespaces: Vec<NamespaceData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NamespaceData<'a> {
    name: &'a str,
    sockets_count: u64,
}

/// How often something happened.
#[derive(Serialize)]
pub(super) struct EventCount {
    /// Milliseconds since 1970.
    timestamp: i64,
    r#type: &'static str,
    #[serde(rename = "subType", skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    count: u64,
}

impl EventCount {
    /// Those that are not zero.
    pub(super) fn list(counts: &ServerCounts, at: OffsetDateTime) -> Vec<Self> {
        let ServerCounts { opened, closed, traffic } = counts;
        let Traffic { packets_in, bytes_in, packets_out, bytes_out } = *traffic;
        let timestamp = at.unix_timestamp() * 1000;
        let event = |(r#type, sub_type, count)| Self { timestamp, r#type, sub_type, count };
        let ends = closed.iter().map(|(cause, count)| {
            let sub_type = Some(super::reason(*cause));
            ("rawDisconnection", sub_type, *count)
        });
        let sums = [
            ("packetsIn", None, packets_in),
            ("bytesIn", None, bytes_in),
            ("packetsOut", None, packets_out),
            ("bytesOut", None, bytes_out),
        ];
        let all = [("rawConnection", None, *opened)].into_iter().chain(ends).chain(sums);
        all.filter(|(_, _, count)| *count > 0).map(event).collect()
    }
}

impl<'a> From<&'a AdminSocket> for SocketData<'a> {
    fn from(socket: &'a AdminSocket) -> Self {
        let AdminSocket { space, open } = socket;
        let OpenConnection {
            address,
            user,
            peer: Peer { carrier, address: of_peer },
            since,
            rooms,
        } = open;
        let id = address.to_string();
        // As with the official server, each socket is alone in a room that is named like its id.
        let rooms = [id.clone()].into_iter().chain(rooms.iter().map(|it| it.as_raw().to_owned()));
        Self {
            client_id: id.clone(),
            transport: carrier.as_str(),
            nsp: space.as_raw(),
            data: UserData { user: user.as_ref().map(UserName::as_raw) },
            handshake: HandshakeData {
                address: of_peer.as_deref().unwrap_or_default(),
                headers: BTreeMap::new(),
                query: BTreeMap::new(),
                issued: since.unix_timestamp() * 1000 + i64::from(since.millisecond()),
                time: Timestamp(*since),
            },
            rooms: rooms.collect(),
            id,
        }
    }
}

impl<'a> From<&'a AdminSocket> for UpdatedSocketData<'a> {
    fn from(socket: &'a AdminSocket) -> Self {
        let SocketData { id, transport, nsp, data, .. } = SocketData::from(socket);
        Self { id, nsp, transport, data }
    }
}

impl<'a> ServerData<'a> {
    pub(super) fn of(stats: &'a NodeStats, aggregated_events: Vec<EventCount>) -> Self {
        let NodeStats { node, host, process, uptime, .. } = stats;
        let namespaces = stats.by_space().into_iter().map(|(space, sockets_count)| {
            let name = space.as_raw();
            NamespaceData { name, sockets_count }
        });
        Self {
            server_id: node.as_raw(),
            hostname: host,
            pid: *process,
            uptime: uptime.as_secs_f64(),
            clients_count: stats.open(),
            polling_clients_count: stats.polling(),
            aggregated_events,
            namespaces: namespaces.collect(),
        }
    }
}
