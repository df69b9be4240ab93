//! What one open Admin UI was told, and what it has to be told next.

use std::collections::{BTreeMap, BTreeSet};

use super::{AdminSnapshot, AdminSocket};
use crate::{
    chat::ports::{Carrier, DisconnectCause, NodeStats, OpenConnection, Traffic},
    domain::{ConnectionAddress, NodeId, RoomName, Space},
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct AdminView {
    sockets: BTreeMap<(Space, ConnectionAddress), OpenConnection>,
    /// Those that are not in the last list, and whose node had not recorded their end yet.
    missing: BTreeSet<(Space, ConnectionAddress)>,
    /// What each node had counted.
    servers: BTreeMap<NodeId, ServerCounts>,
}

/// A difference between two lists of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminChange {
    /// A connection is new.
    Connected(AdminSocket),
    /// A connection has another user or another carrier.
    Updated(AdminSocket),
    /// A connection is in a room that it was not in.
    Joined(Space, ConnectionAddress, RoomName),
    /// A connection is not in a room any more.
    Left(Space, ConnectionAddress, RoomName),
    /// A connection has ended. Its rooms were these.
    Disconnected(Space, ConnectionAddress, DisconnectCause, Vec<RoomName>),
}

/// What happened to the connections of a node since it was last told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Number of new connections.
    pub opened: u64,
    /// Number of connections that have ended, by cause.
    pub closed: Vec<(DisconnectCause, u64)>,
    /// What connections sent and received.
    pub traffic: Traffic,
}

impl AdminView {
    /// Takes over a list. Returns what differs, in an order in which it can be told.
    pub fn update(&mut self, snapshot: &AdminSnapshot) -> Vec<AdminChange> {
        let mut changes = Vec::new();
        let found: BTreeSet<_> = snapshot.sockets.iter().map(key).collect();
        let causes = causes(snapshot);
        let Self { sockets, missing, .. } = self;
        missing.retain(|key| !found.contains(key));
        sockets.retain(|key, open| {
            // A node that did not answer still has its connections.
            if !snapshot.complete || found.contains(key) {
                return true;
            }
            let cause = match causes.get(&key.1) {
                Some(cause) => *cause,
                None if snapshot.left.contains(&key.1.node) => DisconnectCause::ServerShutdown,
                // It may have ended after its node said which connections had: the next list has it.
                None if missing.insert(key.clone()) => return true,
                None => DisconnectCause::TransportClose,
            };
            missing.remove(key);
            let (space, address) = key.clone();
            changes.push(AdminChange::Disconnected(space, address, cause, open.rooms.clone()));
            false
        });
        for socket in &snapshot.sockets {
            match self.sockets.insert(key(socket), socket.open.clone()) {
                None => changes.push(AdminChange::Connected(socket.clone())),
                Some(before) => add_differences(&before, socket, &mut changes),
            }
        }
        changes
    }

    /// What a node has done since this was last called for it. Nothing is known of the time before.
    pub fn count(&mut self, stats: &NodeStats) -> ServerCounts {
        let NodeStats { node, opened, closed, traffic, .. } = stats;
        let now = ServerCounts { opened: *opened, closed: closed.clone(), traffic: *traffic };
        let before = self.servers.insert(node.clone(), now.clone());
        now.since(before.as_ref().unwrap_or(&now))
    }
}

impl ServerCounts {
    fn since(&self, before: &Self) -> Self {
        let closed_before: BTreeMap<_, _> = before.closed.iter().copied().collect();
        let closed = self.closed.iter().map(|(cause, count)| {
            let before = closed_before.get(cause).copied().unwrap_or_default();
            (*cause, count.saturating_sub(before))
        });
        Self {
            opened: self.opened.saturating_sub(before.opened),
            closed: closed.filter(|(_, count)| *count > 0).collect(),
            traffic: self.traffic.since(&before.traffic),
        }
    }
}

impl NodeStats {
    /// Number of open connections by space.
    pub fn by_space(&self) -> BTreeMap<&Space, u64> {
        let mut by_space = BTreeMap::new();
        for (space, _, count) in &self.connections {
            *by_space.entry(space).or_default() += count;
        }
        by_space
    }

    /// Number of open connections that poll.
    pub fn polling(&self) -> u64 {
        let polling = self.connections.iter().filter(|it| it.1 == Carrier::SocketIoPolling);
        polling.map(|(_, _, count)| count).sum()
    }
}

fn key(socket: &AdminSocket) -> (Space, ConnectionAddress) {
    (socket.space.clone(), socket.open.address.clone())
}

/// Why connections ended, as their nodes say.
fn causes(snapshot: &AdminSnapshot) -> BTreeMap<ConnectionAddress, DisconnectCause> {
    snapshot.nodes.iter().flat_map(|it| &it.ended).cloned().collect()
}

fn add_differences(before: &OpenConnection, now: &AdminSocket, changes: &mut Vec<AdminChange>) {
    let AdminSocket { space, open } = now;
    let moved = |from: &OpenConnection, to: &OpenConnection| {
        let rooms = to.rooms.iter().filter(|room| !from.rooms.contains(room));
        rooms.cloned().collect::<Vec<_>>()
    };
    if (&before.user, &before.peer) != (&open.user, &open.peer) {
        changes.push(AdminChange::Updated(now.clone()));
    }
    let place = || (space.clone(), open.address.clone());
    changes.extend(moved(before, open).into_iter().map(|room| {
        let (space, address) = place();
        AdminChange::Joined(space, address, room)
    }));
    changes.extend(moved(open, before).into_iter().map(|room| {
        let (space, address) = place();
        AdminChange::Left(space, address, room)
    }));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::*;
    use crate::{chat::ports::Peer, domain::UserName};

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn socket(address: &str, user: Option<&str>, rooms: &[&str]) -> AdminSocket {
        let open = OpenConnection {
            address: ConnectionAddress::parse(address).unwrap(),
            user: user.map(UserName::from_raw),
            peer: Peer { carrier: Carrier::SocketIoPolling, address: None },
            since: OffsetDateTime::UNIX_EPOCH,
            rooms: rooms.iter().map(|it| room(it)).collect(),
        };
        AdminSocket { space: Space::root(), open }
    }

    fn stats(node: &str, opened: u64, connections: &[(&str, Carrier, u64)]) -> NodeStats {
        let connections =
            connections.iter().map(|(space, carrier, n)| (Space::from_raw(space), *carrier, *n));
        NodeStats {
            node: NodeId::from_raw(node),
            host: "vm".into(),
            process: 1,
            uptime: Duration::ZERO,
            opened,
            connections: connections.collect(),
            closed: Vec::new(),
            ended: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    /// A list after the end of a connection.
    fn after_end(
        address: &str,
        cause: DisconnectCause,
        sockets: Vec<AdminSocket>,
    ) -> AdminSnapshot {
        let ended = vec![(ConnectionAddress::parse(address).unwrap(), cause)];
        let node = NodeStats { ended, ..stats("n", 2, &[]) };
        AdminSnapshot { nodes: vec![node], ..snapshot(sockets) }
    }

    fn snapshot(sockets: Vec<AdminSocket>) -> AdminSnapshot {
        AdminSnapshot { sockets, complete: true, ..AdminSnapshot::default() }
    }

    fn address(raw: &str) -> (Space, ConnectionAddress) {
        (Space::root(), ConnectionAddress::parse(raw).unwrap())
    }

    #[test]
    fn the_differences_are_told_once() {
        let mut view = AdminView::default();
        let ann = socket("n.c1", Some("ann"), &["a", "b"]);
        let first = snapshot(vec![ann.clone(), socket("n.c2", None, &["lobby"])]);
        let connected = first.sockets.iter().cloned().map(AdminChange::Connected);
        assert_eq!(view.update(&first), connected.collect::<Vec<_>>());
        assert_eq!(view.update(&first), []);
        let bob = socket("n.c2", Some("bob"), &["c"]);
        let moved = snapshot(vec![socket("n.c1", Some("ann"), &["b", "z"]), bob.clone()]);
        let (space, one) = address("n.c1");
        let (_, two) = address("n.c2");
        let expected = vec![
            AdminChange::Joined(space.clone(), one.clone(), room("z")),
            AdminChange::Left(space.clone(), one.clone(), room("a")),
            AdminChange::Updated(bob.clone()),
            AdminChange::Joined(space.clone(), two.clone(), room("c")),
            AdminChange::Left(space.clone(), two, room("lobby")),
        ];
        assert_eq!(view.update(&moved), expected);
        let cause = DisconnectCause::ByClient;
        let gone = AdminChange::Disconnected(space, one, cause, vec![room("b"), room("z")]);
        assert_eq!(view.update(&after_end("n.c1", cause, vec![bob.clone()])), [gone]);
        assert_eq!(view.update(&after_end("n.c1", cause, vec![bob])), []);
    }

    #[test]
    fn a_connection_whose_end_is_not_recorded_yet_is_told_of_with_the_next_list() {
        let cause = DisconnectCause::PingTimeout;
        let left = AdminSnapshot { left: vec![NodeId::from_raw("n")], ..snapshot(vec![]) };
        for (next, expected) in [
            (after_end("n.c1", cause, vec![]), cause),
            (left, DisconnectCause::ServerShutdown),
            (snapshot(vec![]), DisconnectCause::TransportClose),
        ] {
            let mut view = AdminView::default();
            let ann = snapshot(vec![socket("n.c1", Some("ann"), &[])]);
            view.update(&ann);
            assert_eq!(view.update(&snapshot(vec![])), []);
            assert_eq!(view.update(&ann), [], "it is in the list again");
            assert_eq!(view.update(&snapshot(vec![])), []);
            let (space, one) = address("n.c1");
            assert_eq!(
                view.update(&next),
                [AdminChange::Disconnected(space, one, expected, vec![])]
            );
            assert!(view.missing.is_empty());
        }
    }

    #[test]
    fn an_upgrade_is_an_update() {
        let mut view = AdminView::default();
        let polling = socket("n.c1", None, &[]);
        view.update(&snapshot(vec![polling.clone()]));
        let mut upgraded = polling;
        upgraded.open.peer.carrier = Carrier::SocketIoWebSocket;
        let changes = view.update(&snapshot(vec![upgraded.clone()]));
        assert_eq!(changes, [AdminChange::Updated(upgraded)]);
    }

    #[test]
    fn the_connections_of_a_silent_node_are_kept() {
        let mut view = AdminView::default();
        let [one, other] = ["a.c1", "b.c1"].map(|it| socket(it, None, &[]));
        view.update(&snapshot(vec![one.clone(), other]));
        let part = AdminSnapshot { complete: false, ..snapshot(vec![one.clone()]) };
        assert_eq!(view.update(&part), []);
        let (space, other) = address("b.c1");
        let cause = DisconnectCause::ServerShutdown;
        let gone = [AdminChange::Disconnected(space, other, cause, vec![])];
        assert_eq!(view.update(&after_end("b.c1", cause, vec![one])), gone);
    }

    #[test]
    fn a_node_is_counted_from_its_first_numbers_on() {
        let mut view = AdminView::default();
        let [lost, left] = [DisconnectCause::TransportClose, DisconnectCause::ByClient];
        let node = |node, opened, closed: &[_], bytes_in| NodeStats {
            closed: closed.to_vec(),
            traffic: Traffic { bytes_in, ..Traffic::default() },
            ..stats(node, opened, &[])
        };
        let counted = |opened, closed: &[_], bytes_in| ServerCounts {
            opened,
            closed: closed.to_vec(),
            traffic: Traffic { bytes_in, ..Traffic::default() },
        };
        let nothing = counted(0, &[], 0);
        assert_eq!(view.count(&node("a", 10, &[(lost, 4)], 100)), nothing);
        let later = node("a", 15, &[(lost, 4), (left, 3)], 350);
        assert_eq!(view.count(&later), counted(5, &[(left, 3)], 250));
        assert_eq!(view.count(&node("b", 3, &[(lost, 1)], 9)), nothing);
        assert_eq!(view.count(&node("a", 1, &[(lost, 1)], 9)), nothing, "a process began anew");
    }

    #[test]
    fn the_numbers_of_a_node_are_added_up() {
        let stats = stats(
            "a",
            9,
            &[
                ("/", Carrier::PlainWebSocket, 2),
                ("/", Carrier::SocketIoPolling, 3),
                ("/shop", Carrier::SocketIoPolling, 1),
            ],
        );
        assert_eq!((stats.open(), stats.polling()), (6, 4));
        let by_space: Vec<_> =
            stats.by_space().into_iter().map(|(it, count)| (it.as_raw(), count)).collect();
        assert_eq!(by_space, [("/", 5), ("/shop", 1)]);
    }
}
