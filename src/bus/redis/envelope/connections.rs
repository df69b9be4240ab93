//! The encoding of requests for connections, and of what nodes reply to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    entry::address,
    values::{self, Text, from_ms, name, node, to_ms},
};
use crate::{
    chat::ports::{
        Carrier, ClusterEvent, ConnectionsDetail, ConnectionsRequest, ConnectionsRequestId,
        DisconnectCause, FirstConnections, NodeStats, OpenConnection, Peer, Traffic,
    },
    domain::{NodeId, RoomName},
};

#[derive(Serialize, Deserialize)]
pub(super) struct ConnectionsRequestPayload<'a> {
    id: u64,
    #[serde(borrow)]
    space: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    after: Option<Text<'a>>,
    max: usize,
    /// `rooms`, or `nodes` for these and what the nodes say of themselves. Earlier versions do not
    /// know it, and later ones may have more.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    detail: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConnectionsReplyPayload<'a> {
    #[serde(borrow)]
    to: Text<'a>,
    id: u64,
    total: u64,
    #[serde(borrow)]
    connections: Vec<OpenConnectionPayload<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<NodeStatsPayload<'a>>,
}

#[derive(Serialize, Deserialize)]
struct OpenConnectionPayload<'a> {
    #[serde(borrow)]
    connection: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    /// `websocket`, `polling` or `ws`.
    #[serde(borrow)]
    carrier: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    address: Option<Text<'a>>,
    since_ms: i64,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
struct NodeStatsPayload<'a> {
    #[serde(borrow)]
    node: Text<'a>,
    #[serde(borrow)]
    host: Text<'a>,
    process: u32,
    uptime_ms: u64,
    opened: u64,
    #[serde(borrow)]
    connections: Vec<(Text<'a>, Text<'a>, u64)>,
    /// What follows is not known to earlier versions.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    closed: Vec<(Text<'a>, u64)>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    ended: Vec<(Text<'a>, Text<'a>)>,
    #[serde(default)]
    traffic: TrafficPayload,
}

#[derive(Default, Serialize, Deserialize)]
struct TrafficPayload {
    packets_in: u64,
    bytes_in: u64,
    packets_out: u64,
    bytes_out: u64,
}

impl<'a> ConnectionsRequestPayload<'a> {
    pub(super) fn of(id: ConnectionsRequestId, request: &'a ConnectionsRequest) -> Self {
        let ConnectionsRequest { space, user, after, count_max, detail } = request;
        let detail = match detail {
            ConnectionsDetail::None => None,
            ConnectionsDetail::Rooms => Some("rooms"),
            ConnectionsDetail::RoomsAndNodes => Some("nodes"),
        };
        Self {
            id: id.as_raw(),
            space: space.as_raw().into(),
            user: user.as_ref().map(name),
            after: after.as_ref().map(|it| it.to_string().into()),
            max: *count_max,
            detail: detail.map(Into::into),
        }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { id, space, user, after, max: count_max, detail } = self;
        let user = user.as_deref().map(values::user).transpose()?;
        let after = after.as_ref().map(address).transpose()?;
        let detail = match detail.as_deref() {
            Some("rooms") => ConnectionsDetail::Rooms,
            Some("nodes") => ConnectionsDetail::RoomsAndNodes,
            _ => ConnectionsDetail::None,
        };
        let space = values::space(&space)?;
        let request = ConnectionsRequest { space, user, after, count_max, detail };
        Ok(ClusterEvent::ConnectionsRequest(ConnectionsRequestId::from_raw(id), request))
    }
}

impl<'a> ConnectionsReplyPayload<'a> {
    pub(super) fn of(
        to: &'a NodeId,
        request: ConnectionsRequestId,
        first: &'a FirstConnections,
    ) -> Result<Self, Malformed> {
        let FirstConnections { connections, total, nodes } = first;
        let connections = connections.iter().map(OpenConnectionPayload::of);
        Ok(Self {
            to: to.as_raw().into(),
            id: request.as_raw(),
            total: *total,
            connections: connections.collect::<Result<_, _>>()?,
            nodes: nodes.iter().map(NodeStatsPayload::of).collect(),
        })
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { to, id, total, connections, nodes } = self;
        let connections = connections.into_iter().map(OpenConnectionPayload::parse);
        let connections = connections.collect::<Result<_, _>>()?;
        let nodes = nodes.into_iter().map(NodeStatsPayload::parse).collect::<Result<_, _>>()?;
        Ok(ClusterEvent::ConnectionsReply {
            to: node(&to)?,
            request: ConnectionsRequestId::from_raw(id),
            first: FirstConnections { connections, total, nodes },
        })
    }
}

impl<'a> OpenConnectionPayload<'a> {
    fn of(open: &'a OpenConnection) -> Result<Self, Malformed> {
        let OpenConnection { address: connection, user, peer, since, rooms } = open;
        let Peer { carrier, address } = peer;
        Ok(Self {
            connection: connection.to_string().into(),
            user: user.as_ref().map(name),
            carrier: carrier_name(*carrier).into(),
            address: address.as_deref().map(Into::into),
            since_ms: to_ms(*since)?,
            rooms: rooms.iter().map(|room| room.as_raw().into()).collect(),
        })
    }

    fn parse(self) -> Result<OpenConnection, DecodeError> {
        let Self { connection, user, carrier, address: of_peer, since_ms, rooms } = self;
        let carrier = carrier_named(&carrier)?;
        let room = |raw: Text<'_>| RoomName::parse(&raw).ok().ok_or(Malformed::Value("room"));
        Ok(OpenConnection {
            address: address(&connection)?,
            user: user.as_deref().map(values::user).transpose()?,
            peer: Peer { carrier, address: of_peer.map(|it| it.into_owned().into()) },
            since: from_ms(since_ms)?,
            rooms: rooms.into_iter().map(room).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> NodeStatsPayload<'a> {
    fn of(stats: &'a NodeStats) -> Self {
        let NodeStats { node, host, process, uptime, opened, connections, closed, ended, traffic } =
            stats;
        let connections = connections.iter().map(|(space, carrier, count)| {
            (space.as_raw().into(), carrier_name(*carrier).into(), *count)
        });
        Self {
            node: node.as_raw().into(),
            host: (&**host).into(),
            process: *process,
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            opened: *opened,
            connections: connections.collect(),
            closed: closed
                .iter()
                .map(|(cause, count)| (cause_name(*cause).into(), *count))
                .collect(),
            ended: ended
                .iter()
                .map(|(address, cause)| (address.to_string().into(), cause_name(*cause).into()))
                .collect(),
            traffic: TrafficPayload::of(traffic),
        }
    }

    fn parse(self) -> Result<NodeStats, DecodeError> {
        let Self {
            node: name,
            host,
            process,
            uptime_ms,
            opened,
            connections,
            closed,
            ended,
            traffic,
        } = self;
        let connections = connections.into_iter().map(|(space, carrier, count)| {
            Ok::<_, DecodeError>((values::space(&space)?, carrier_named(&carrier)?, count))
        });
        let ended = ended.into_iter().filter_map(|(connection, cause)| {
            let cause = cause_named(&cause)?;
            Some(address(&connection).map(|it| (it, cause)))
        });
        Ok(NodeStats {
            node: node(&name)?,
            host: host.into(),
            process,
            uptime: Duration::from_millis(uptime_ms),
            opened,
            connections: connections.collect::<Result<_, _>>()?,
            closed: closed.into_iter().filter_map(|it| Some((cause_named(&it.0)?, it.1))).collect(),
            ended: ended.collect::<Result<_, _>>()?,
            traffic: traffic.parse(),
        })
    }
}

impl TrafficPayload {
    fn of(traffic: &Traffic) -> Self {
        let Traffic { packets_in, bytes_in, packets_out, bytes_out } = *traffic;
        Self { packets_in, bytes_in, packets_out, bytes_out }
    }

    fn parse(self) -> Traffic {
        let Self { packets_in, bytes_in, packets_out, bytes_out } = self;
        Traffic { packets_in, bytes_in, packets_out, bytes_out }
    }
}

fn cause_name(cause: DisconnectCause) -> &'static str {
    match cause {
        DisconnectCause::TransportClose => "transport_close",
        DisconnectCause::PingTimeout => "ping_timeout",
        DisconnectCause::ParseError => "parse_error",
        DisconnectCause::ByClient => "client",
        DisconnectCause::ByServer => "server",
        DisconnectCause::ServerShutdown => "shutdown",
        DisconnectCause::ForcedClose => "forced_close",
    }
}

/// The cause with this name. `None` for one of a later version.
fn cause_named(name: &str) -> Option<DisconnectCause> {
    DisconnectCause::ALL.into_iter().find(|it| cause_name(*it) == name)
}

fn carrier_name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::SocketIoWebSocket => "websocket",
        Carrier::SocketIoPolling => "polling",
        Carrier::PlainWebSocket => "ws",
    }
}

fn carrier_named(name: &str) -> Result<Carrier, DecodeError> {
    match name {
        "websocket" => Ok(Carrier::SocketIoWebSocket),
        "polling" => Ok(Carrier::SocketIoPolling),
        "ws" => Ok(Carrier::PlainWebSocket),
        _ => Err(DecodeError::Unknown),
    }
}
