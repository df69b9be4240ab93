//! A connection of another space is no connection: what names one by its address does nothing.

use super::*;
use crate::domain::{
    AfterDisconnect, Body, CustomEvent, CustomTarget, EventName, NodeId, PassingDelivery,
};

/// Two anonymous connections: one in the root space, one in "/shop".
struct Two {
    hub: Arc<Hub>,
    recorders: [Arc<RecordingOutbox>; 2],
    registrations: [ConnectionRegistration; 2],
}

fn spaces() -> [Space; 2] {
    [Space::root(), Space::parse("/shop").unwrap()]
}

impl Two {
    fn new() -> Self {
        let hub = Hub::new(Limits::default(), publisher());
        let recorders = [(); 2].map(|()| RecordingOutbox::with_capacity(99));
        let [root, shop] = spaces();
        let register = |space, recorder: &Arc<RecordingOutbox>| {
            hub.connections.register(space, Arc::clone(recorder) as Arc<dyn Outbox>, NOW)
        };
        let registrations = [register(root, &recorders[0]), register(shop, &recorders[1])];
        Self { hub, recorders, registrations }
    }

    fn address(&self, number: usize) -> ConnectionAddress {
        let node = self.hub.publisher.node().clone();
        ConnectionAddress { node, connection: self.registrations[number].id() }
    }

    fn emit(&self, to: &CustomTarget, except: Option<&ConnectionAddress>) {
        let args = Body::from_raw("[]".into(), Vec::new());
        let event = CustomEvent { name: EventName::parse("x").unwrap(), args };
        self.hub.custom_events.send(to, event, except, PassingDelivery::Reliable);
    }

    fn disconnect(&self, space: Space, address: ConnectionAddress) {
        let after = AfterDisconnect::StayAway;
        let command = ClusterCommand::DisconnectConnection { space, address, after };
        self.hub.apply_command(&command, NOW);
    }

    /// What each connection has received.
    fn received(&self) -> [Vec<String>; 2] {
        self.recorders.each_ref().map(|it| it.events())
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_a_connection_only_in_its_space() {
    let two = Two::new();
    let [root, shop] = spaces();
    two.emit(&CustomTarget::Connection(shop.clone(), two.address(0)), None);
    two.emit(&CustomTarget::Connection(root.clone(), two.address(1)), None);
    assert_eq!(two.received(), [vec![], Vec::<String>::new()]);
    let remote = ConnectionAddress { node: NodeId::from_raw("other"), ..two.address(0) };
    two.emit(&CustomTarget::Connection(root.clone(), remote), None);
    assert_eq!(two.received(), [vec![], Vec::<String>::new()]);
    two.emit(&CustomTarget::Connection(root, two.address(0)), None);
    assert_eq!(two.received(), [vec!["x []"], vec![]]);
    two.emit(&CustomTarget::Connection(shop, two.address(1)), None);
    assert_eq!(two.received(), [vec!["x []"], vec!["x []"]]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_another_space_is_no_exception() {
    let two = Two::new();
    let [root, shop] = spaces();
    two.emit(&CustomTarget::Space(shop), Some(&two.address(0)));
    assert_eq!(two.received(), [vec![], vec!["x []"]]);
    two.emit(&CustomTarget::Space(root), Some(&two.address(0)));
    assert_eq!(two.received(), [vec![], vec!["x []"]]);
}

#[tokio::test(start_paused = true)]
async fn the_excepted_connection_receives_nothing_whatever_the_target_is() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorders = [(); 2].map(|()| RecordingOutbox::with_capacity(99));
    let open = recorders.each_ref().map(|it| connect(&hub, "ann", it));
    let before = recorders.each_ref().map(|it| it.events().len());
    let connection = open[0].0.id();
    let first = ConnectionAddress { node: hub.publisher.node().clone(), connection };
    let inbox = Place { space: Space::root(), conversation: Conversation::Inbox(user("ann")) };
    for to in [
        CustomTarget::Connection(Space::root(), first.clone()),
        CustomTarget::Place(inbox),
        CustomTarget::Place(lobby().place),
        CustomTarget::Space(Space::root()),
    ] {
        let args = Body::from_raw("[]".into(), Vec::new());
        let event = CustomEvent { name: EventName::parse("x").unwrap(), args };
        hub.custom_events.send(&to, event, Some(&first), PassingDelivery::Reliable);
    }
    let received = recorders.each_ref().map(|it| it.events().len());
    assert_eq!([received[0] - before[0], received[1] - before[1]], [0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_disconnected_only_in_its_space() {
    let two = Two::new();
    let [root, shop] = spaces();
    two.disconnect(shop, two.address(0));
    two.disconnect(root.clone(), two.address(1));
    assert_eq!(two.received(), [vec![], Vec::<String>::new()]);
    two.disconnect(root, two.address(0));
    assert_eq!(two.received(), [vec!["closed Disconnected"], vec![]]);
}
