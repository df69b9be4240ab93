//! The encoding of requests for connections, and of what nodes reply to them.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    entry::address,
    values::{self, Text, from_ms, name, node, to_ms},
};
use crate::{
    chat::ports::{
        Carrier, ClusterEvent, ConnectionsRequest, ConnectionsRequestId, FirstConnections,
        OpenConnection, Peer,
    },
    domain::NodeId,
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
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConnectionsReplyPayload<'a> {
    #[serde(borrow)]
    to: Text<'a>,
    id: u64,
    total: u64,
    #[serde(borrow)]
    connections: Vec<OpenConnectionPayload<'a>>,
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
}

impl<'a> ConnectionsRequestPayload<'a> {
    pub(super) fn of(id: ConnectionsRequestId, request: &'a ConnectionsRequest) -> Self {
        let ConnectionsRequest { space, user, after, count_max } = request;
        Self {
            id: id.as_raw(),
            space: space.as_raw().into(),
            user: user.as_ref().map(name),
            after: after.as_ref().map(|it| it.to_string().into()),
            max: *count_max,
        }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { id, space, user, after, max: count_max } = self;
        let user = user.as_deref().map(values::user).transpose()?;
        let after = after.as_ref().map(address).transpose()?;
        let request = ConnectionsRequest { space: values::space(&space)?, user, after, count_max };
        Ok(ClusterEvent::ConnectionsRequest(ConnectionsRequestId::from_raw(id), request))
    }
}

impl<'a> ConnectionsReplyPayload<'a> {
    pub(super) fn of(
        to: &'a NodeId,
        request: ConnectionsRequestId,
        first: &'a FirstConnections,
    ) -> Result<Self, Malformed> {
        let FirstConnections { connections, total } = first;
        let connections = connections.iter().map(OpenConnectionPayload::of);
        Ok(Self {
            to: to.as_raw().into(),
            id: request.as_raw(),
            total: *total,
            connections: connections.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { to, id, total, connections } = self;
        let connections = connections.into_iter().map(OpenConnectionPayload::parse);
        let connections = connections.collect::<Result<_, _>>()?;
        Ok(ClusterEvent::ConnectionsReply {
            to: node(&to)?,
            request: ConnectionsRequestId::from_raw(id),
            first: FirstConnections { connections, total },
        })
    }
}

impl<'a> OpenConnectionPayload<'a> {
    fn of(open: &'a OpenConnection) -> Result<Self, Malformed> {
        let OpenConnection { address: connection, user, peer: Peer { carrier, address }, since } =
            open;
        let carrier = match carrier {
            Carrier::SocketIoWebSocket => "websocket",
            Carrier::SocketIoPolling => "polling",
            Carrier::PlainWebSocket => "ws",
        };
        Ok(Self {
            connection: connection.to_string().into(),
            user: user.as_ref().map(name),
            carrier: carrier.into(),
            address: address.as_deref().map(Into::into),
            since_ms: to_ms(*since)?,
        })
    }

    fn parse(self) -> Result<OpenConnection, DecodeError> {
        let Self { connection, user, carrier, address: of_peer, since_ms } = self;
        let carrier = match &*carrier {
            "websocket" => Carrier::SocketIoWebSocket,
            "polling" => Carrier::SocketIoPolling,
            "ws" => Carrier::PlainWebSocket,
            _ => return Err(DecodeError::Unknown),
        };
        Ok(OpenConnection {
            address: address(&connection)?,
            user: user.as_deref().map(values::user).transpose()?,
            peer: Peer { carrier, address: of_peer.map(|it| it.into_owned().into()) },
            since: from_ms(since_ms)?,
        })
    }
}
