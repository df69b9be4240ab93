//! What the page of the official Admin UI and a server say to each other, in the namespace `/admin`.
//!
//! The names and forms are those of `@socket.io/admin-ui` 0.5.1. Each event is its array, `["name", …]`.

mod data;
mod received;

use serde::Serialize;
use time::OffsetDateTime;

use self::data::{EventCount, ServerData, SocketData, UpdatedSocketData};
pub use self::received::{AdminCredentials, credentials, request};
use super::payload::{self, Timestamp};
use crate::{
    chat::{
        AdminChange, AdminSocket, ServerCounts,
        ports::{DisconnectCause, NodeStats},
    },
    domain::{AdminUiRights, Body, RoomName, Space, Token},
};

/// What the message of a refused login is. The page compares it.
pub const INVALID_CREDENTIALS: &str = "invalid credentials";

/// What the page may do.
const COMMANDS: [&str; 7] =
    ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];
/// What the page shows: the figures of servers, and the lists of sockets, rooms and clients. It shows
/// these only to servers that claim to send all events, too.
const VIEWS: [&str; 2] = ["AGGREGATED_EVENTS", "ALL_EVENTS"];

/// The session with which the page returns.
pub fn session(session: &Token) -> Body {
    event(&("session", session.expose()))
}

/// What the page may do.
pub fn config(rights: AdminUiRights) -> Body {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        supported_features: Vec<&'static str>,
    }
    let commands = match rights {
        AdminUiRights::Commands => COMMANDS.as_slice(),
        AdminUiRights::ReadOnly => &[],
    };
    let supported_features = [commands, &VIEWS].concat();
    event(&("config", Config { supported_features }))
}

/// All connections, in place of those that the page knows.
pub fn all_sockets(sockets: &[AdminSocket]) -> Body {
    let sockets: Vec<_> = sockets.iter().map(SocketData::from).collect();
    event(&("all_sockets", sockets))
}

/// The events of a change.
pub fn change(change: &AdminChange, at: OffsetDateTime) -> Vec<Body> {
    let at = Timestamp(at);
    match change {
        AdminChange::Connected(socket) => {
            vec![event(&("socket_connected", SocketData::from(socket), at))]
        }
        AdminChange::Updated(socket) => {
            vec![event(&("socket_updated", UpdatedSocketData::from(socket)))]
        }
        AdminChange::Joined(space, address, room) => {
            let id = address.to_string();
            vec![event(&("room_joined", space.as_raw(), room.as_raw(), id, at))]
        }
        AdminChange::Left(space, address, room) => {
            let id = address.to_string();
            vec![event(&("room_left", space.as_raw(), room.as_raw(), id, at))]
        }
        AdminChange::Disconnected(space, address, cause, rooms) => {
            let (nsp, id) = (space.as_raw(), address.to_string());
            let end = event(&("socket_disconnected", nsp, &id, reason(*cause), at));
            // The page removes the socket from rooms only when it is told so.
            let rooms = [&*id].into_iter().chain(rooms.iter().map(RoomName::as_raw));
            let left = rooms.map(|room| event(&("room_left", nsp, room, &id, at)));
            [end].into_iter().chain(left).collect()
        }
    }
}

/// The figures of one node.
pub fn server_stats(stats: &NodeStats, counts: &ServerCounts, at: OffsetDateTime) -> Body {
    event(&("server_stats", ServerData::of(stats, EventCount::list(counts, at))))
}

/// An event of no connection, with which the page shows that its lists are not complete.
pub fn list_is_cut(shown: usize, total: u64, at: OffsetDateTime) -> Body {
    let text = format!("{shown} of {total} sockets are shown");
    event(&("event_received", Space::root().as_raw(), "-", ("list_cut", text), Timestamp(at)))
}

/// The words of Socket.IO for the end of a connection.
fn reason(cause: DisconnectCause) -> &'static str {
    match cause {
        DisconnectCause::TransportClose => "transport close",
        DisconnectCause::PingTimeout => "ping timeout",
        DisconnectCause::ParseError => "parse error",
        DisconnectCause::ByClient => "client namespace disconnect",
        DisconnectCause::ByServer => "server namespace disconnect",
        DisconnectCause::ServerShutdown => "server shutting down",
        DisconnectCause::ForcedClose => "forced close",
    }
}

fn event(items: &impl Serialize) -> Body {
    Body::from_raw(payload::json(items).into(), Vec::new())
}

#[cfg(test)]
mod tests;
