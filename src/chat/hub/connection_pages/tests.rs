//! Pages of a node whose peers reply as the tests say.

use std::pin::pin;

use futures_util::{FutureExt as _, future::join_all};
use time::OffsetDateTime;

use super::*;
use crate::{
    chat::{
        hub::{ConnectionRegistration, Hub},
        ports::{ClusterCommand, DisconnectCause, Placing},
        test_support::{RecordingOutbox, publisher},
    },
    domain::{Limits, RoomName, Space, UserName},
};

fn node(name: &str) -> NodeId {
    NodeId::from_raw(name)
}

/// So many of all connections after one.
fn request(after: Option<&str>, count_max: usize) -> ConnectionsRequest {
    let after = after.map(|it| ConnectionAddress::parse(it).unwrap());
    let detail = ConnectionsDetail::None;
    ConnectionsRequest { space: Space::root(), user: None, after, count_max, detail }
}

fn addresses(first: &FirstConnections) -> Vec<String> {
    first.connections.iter().map(|it| it.address.to_string()).collect()
}

/// The hub of a node named `alone`, and its connections.
struct Fixture {
    hub: Arc<Hub>,
    connections: Vec<ConnectionRegistration>,
}

impl Fixture {
    /// With so many connections: the first is of ann, the others are anonymous.
    fn new(count: usize) -> Self {
        let hub = Hub::new(Limits::default(), publisher());
        let register = |_| {
            let outbox = RecordingOutbox::with_capacity(1);
            hub.connections.register(Space::root(), outbox, OffsetDateTime::UNIX_EPOCH)
        };
        let connections: Vec<_> = (0..count).map(register).collect();
        connections[0].identify(&UserName::from_raw("ann"));
        Self { hub, connections }
    }

    fn here(&self, request: &ConnectionsRequest) -> FirstConnections {
        self.hub.connection_pages.first_here(request)
    }

    /// Replies in the name of another node with its first `count` connections.
    fn reply(&self, from: &str, request: u64, count: u64) {
        let template = self.here(&request_of_one()).connections.remove(0);
        let open = |number| {
            let (node, connection) = (node(from), ConnectionId::from_raw(number));
            let address = ConnectionAddress { node, connection };
            OpenConnection { address, ..template.clone() }
        };
        let connections = (1..=count).map(open).collect();
        let first = FirstConnections { connections, total: count, nodes: Vec::new() };
        let (to, request) = (node("alone"), ConnectionsRequestId::from_raw(request));
        self.hub.connection_pages.record(&node(from), (&to, request), first);
    }

    fn waiting(&self) -> usize {
        self.hub.connection_pages.table.lock().pages.len()
    }
}

fn request_of_one() -> ConnectionsRequest {
    request(None, 1)
}

#[test]
fn a_node_lists_its_own_connections_after_the_cursor() {
    let fixture = Fixture::new(3);
    let list = |after, count_max| addresses(&fixture.here(&request(after, count_max)));
    assert_eq!(list(None, 2), ["alone.c1", "alone.c2"]);
    assert_eq!(list(Some("alone.c1"), 2), ["alone.c2", "alone.c3"]);
    assert_eq!(list(Some("a.c2"), 9).len(), 3, "all come after those of a lower node");
    assert_eq!(list(Some("b.c1"), 9), [""; 0]);
    assert_eq!(fixture.here(&request(Some("b.c1"), 9)).total, 3);
    let anns = ConnectionsRequest { user: Some(UserName::from_raw("ann")), ..request(None, 9) };
    let anns = fixture.here(&anns);
    assert_eq!((addresses(&anns), anns.total), (vec!["alone.c1".to_owned()], 1));
    assert_eq!(fixture.connections.len(), 3);
}

#[test]
fn a_detailed_page_has_rooms_and_the_node() {
    let fixture = Fixture::new(2);
    fixture.hub.connection_pages.set_host("vm");
    let place = |placing| {
        let address = ConnectionAddress::parse("alone.c2").unwrap();
        let (space, room) = (Space::root(), RoomName::parse("news").unwrap());
        let command = ClusterCommand::PlaceConnection { space, address, room, placing };
        fixture.hub.apply_command(&command, OffsetDateTime::UNIX_EPOCH);
    };
    let page = |detail| fixture.here(&ConnectionsRequest { detail, ..request(None, 9) });
    let rooms = |first: &FirstConnections| -> Vec<Vec<String>> {
        let names =
            |it: &OpenConnection| it.rooms.iter().map(|it| it.as_raw().to_owned()).collect();
        first.connections.iter().map(names).collect()
    };
    place(Placing::In);
    let first = page(ConnectionsDetail::RoomsAndNodes);
    assert_eq!(rooms(&first), [vec![], vec!["news".to_owned()]]);
    let [stats] = &*first.nodes else { panic!("{first:?}") };
    assert_eq!((stats.node.as_raw(), &*stats.host, stats.opened), ("alone", "vm", 2));
    assert_eq!(stats.open(), 2);
    assert_eq!((stats.closed.len(), stats.traffic), (0, Traffic::default()));
    assert!(page(ConnectionsDetail::Rooms).nodes.is_empty());
    let no_rooms: [Vec<String>; 2] = Default::default();
    assert_eq!(rooms(&page(ConnectionsDetail::None)), no_rooms);
    place(Placing::Out);
    assert_eq!(rooms(&page(ConnectionsDetail::Rooms)), no_rooms);
}

/// Has counted this.
struct Counted(Traffic);

impl TrafficMeter for Counted {
    fn traffic(&self) -> Traffic {
        self.0
    }
}

#[test]
fn a_node_says_why_connections_ended_and_what_passed_through_them() {
    let mut fixture = Fixture::new(3);
    let traffic = Traffic { packets_in: 1, bytes_in: 2, packets_out: 3, bytes_out: 4 };
    fixture.hub.connection_pages.set_traffic_meter(Arc::new(Counted(traffic)));
    let stats = |fixture: &Fixture| {
        let detail = ConnectionsDetail::RoomsAndNodes;
        fixture.here(&ConnectionsRequest { detail, ..request(None, 9) }).nodes.remove(0)
    };
    assert_eq!(stats(&fixture).ended, []);
    fixture.connections.pop();
    let after = stats(&fixture);
    let address = ConnectionAddress::parse("alone.c3").unwrap();
    assert_eq!(after.ended, [(address, DisconnectCause::ByClient)]);
    assert_eq!(after.closed, [(DisconnectCause::ByClient, 1)]);
    assert_eq!(after.traffic, traffic);
}

#[tokio::test(start_paused = true)]
async fn replies_are_merged_in_order_and_end_the_wait() {
    let fixture = Fixture::new(2);
    let pages = &fixture.hub.connection_pages;
    let mut list = pin!(pages.list(request(None, 4), vec![node("a"), node("z")]));
    assert!(list.as_mut().now_or_never().is_none());
    fixture.reply("z", 1, 3);
    fixture.reply("z", 1, 3);
    fixture.reply("unknown", 1, 3);
    fixture.reply("a", 2, 3);
    assert!(list.as_mut().now_or_never().is_none(), "one has not replied");
    fixture.reply("a", 1, 1);
    let ConnectionsOutcome { first, complete } = list.now_or_never().unwrap().unwrap();
    assert_eq!(addresses(&first), ["a.c1", "alone.c1", "alone.c2", "z.c1"]);
    assert_eq!((first.total, complete, fixture.waiting()), (6, true, 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_asks_nobody() {
    let fixture = Fixture::new(2);
    let list = fixture.hub.connection_pages.list(request(None, 9), Vec::new());
    let ConnectionsOutcome { first, complete } = list.now_or_never().unwrap().unwrap();
    assert_eq!((first.connections.len(), first.total, complete), (2, 2, true));
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_makes_a_page_incomplete_after_a_second() {
    let fixture = Fixture::new(1);
    let list = fixture.hub.connection_pages.list(request(None, 9), vec![node("a"), node("b")]);
    let list = async {
        let (begun_at, outcome) = (fixture.hub.now(), list.await.unwrap());
        (outcome, begun_at..fixture.hub.now())
    };
    let replying = async { fixture.reply("b", 1, 2) };
    let ((ConnectionsOutcome { first, complete }, waited), ()) = tokio::join!(list, replying);
    assert_eq!((addresses(&first).len(), first.total, complete), (3, 3, false));
    let until = waited.start + REPLY_WAIT_MAX;
    assert!((until..until + REPLY_WAIT_MAX).contains(&waited.end), "{waited:?}");
    fixture.reply("a", 1, 2);
    assert_eq!(fixture.waiting(), 0, "a late reply is ignored");
}

#[tokio::test(start_paused = true)]
async fn at_most_64_requests_wait_and_a_dropped_one_does_not() {
    let fixture = Fixture::new(1);
    let list = || fixture.hub.connection_pages.list(request(None, 1), vec![node("a")]).boxed();
    let mut pending = join_all((0..REQUESTS_MAX).map(|_| list()));
    assert!((&mut pending).now_or_never().is_none());
    assert_eq!(fixture.waiting(), REQUESTS_MAX);
    assert_eq!(list().now_or_never(), Some(Err(Rejection::Unavailable)));
    drop(pending);
    assert_eq!(fixture.waiting(), 0);
    assert!(list().now_or_never().is_none());
}
