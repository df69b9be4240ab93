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
async fn a_connection_is_disconnected_only_in_its_space() {
    let two = Two::new();
    let [root, shop] = spaces();
    two.disconnect(shop, two.address(0));
    two.disconnect(root.clone(), two.address(1));
    assert_eq!(two.received(), [vec![], Vec::<String>::new()]);
    two.disconnect(root, two.address(0));
    assert_eq!(two.received(), [vec!["closed Disconnected"], vec![]]);
}
