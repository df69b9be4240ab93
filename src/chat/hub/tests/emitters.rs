//! What emitters do to connections of this node.

use super::*;
use crate::domain::{
    Body, CustomEvent, EventName, NodeId, PassingDelivery, RoomSelector, Selection,
};

/// The address of a connection, as clients know it.
fn address(node: &str, registration: &ConnectionRegistration) -> String {
    let (node, connection) = (NodeId::from_raw(node), registration.id());
    ConnectionAddress { node, connection }.to_string()
}

fn selection(space: &str, rooms: &[&str], except: &[&str]) -> Selection {
    let selectors = |names: &[&str]| names.iter().map(|it| RoomSelector::parse(it)).collect();
    let space = Space::parse(space).unwrap();
    Selection { space, rooms: selectors(rooms), except: selectors(except) }
}

fn emit(hub: &Hub, to: &Selection, delivery: PassingDelivery) {
    let args = Body::from_raw("[]".into(), Vec::new());
    let event = CustomEvent { name: EventName::parse("x").unwrap(), args };
    hub.emitters.send(to, event, delivery);
}

/// How often a connection has received the event.
fn count(recorder: &RecordingOutbox) -> usize {
    recorder.events().iter().filter(|it| *it == "x []").count()
}

/// Ann and Bob are members of the lobby, and a third connection is anonymous and in "den".
struct Three {
    hub: Arc<Hub>,
    recorders: [Arc<RecordingOutbox>; 3],
    registrations: Vec<ConnectionRegistration>,
    _guards: Vec<NameClaim>,
    _listener: ListenerRegistration,
}

impl Three {
    fn new() -> Self {
        let hub = Hub::new(Limits::default(), publisher());
        let recorders = [(); 3].map(|()| RecordingOutbox::with_capacity(99));
        let [ann, bob, other] = &recorders;
        let (ann, ann_claim) = connect(&hub, "ann", ann);
        let (bob, bob_claim) = connect(&hub, "bob", bob);
        let outbox = Arc::clone(other) as Arc<dyn Outbox>;
        let other = hub.connections.register(Space::root(), Arc::clone(&outbox), NOW);
        let den = Place::room(&Space::root(), &RoomName::parse("den").unwrap());
        let listener = hub.custom_events.listen(den, other.id(), outbox);
        Self {
            hub,
            recorders,
            registrations: vec![ann, bob, other],
            _guards: vec![ann_claim, bob_claim],
            _listener: listener,
        }
    }

    /// How often each connection receives an event that is sent once.
    fn receivers(&self, rooms: &[&str], except: &[&str]) -> [usize; 3] {
        let before = self.recorders.each_ref().map(|it| count(it));
        emit(&self.hub, &selection("/", rooms, except), PassingDelivery::Reliable);
        let after = self.recorders.each_ref().map(|it| count(it));
        std::array::from_fn(|place| after[place] - before[place])
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_each_selected_connection_once() {
    let three = Three::new();
    let ann: &str = &address("alone", &three.registrations[0]);
    let remote: &str = &address("another-node", &three.registrations[0]);
    for (rooms, except, expected) in [
        (&[][..], &[][..], [1, 1, 1]),
        (&["lobby"], &[], [1, 1, 0]),
        (&["lobby", "den", ann], &[], [1, 1, 1]),
        (&["lobby"], &[ann], [0, 1, 0]),
        (&[], &["lobby"], [0, 0, 1]),
        (&[], &["den"], [1, 1, 0]),
        (&[ann], &[], [1, 0, 0]),
        (&[remote], &[], [0, 0, 0]),
        (&["empty"], &[], [0, 0, 0]),
        (&["\n"], &[], [0, 0, 0]),
        (&["lobby"], &["\n", "empty"], [1, 1, 0]),
    ] {
        assert_eq!(three.receivers(rooms, except), expected, "{rooms:?} without {except:?}");
    }
    let before = count(&three.recorders[0]);
    emit(&three.hub, &selection("/shop", &["lobby"], &[]), PassingDelivery::Reliable);
    emit(&three.hub, &selection("/shop", &[ann], &[]), PassingDelivery::Reliable);
    emit(&three.hub, &selection("/shop", &[], &[]), PassingDelivery::Reliable);
    assert_eq!(count(&three.recorders[0]), before, "nothing of another space");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_in_a_room_until_it_leaves_or_ends() {
    let mut three = Three::new();
    let game = [RoomName::parse("game").unwrap()];
    three.hub.emitters.join(&selection("/", &[], &[]), &game);
    assert_eq!(three.receivers(&["game"], &[]), [1, 1, 1]);
    three.hub.emitters.leave(&selection("/", &["den"], &[]), &game);
    assert_eq!(three.receivers(&["game", "lobby"], &[]), [1, 1, 0]);
    drop(three.registrations.remove(1));
    assert_eq!(three.receivers(&["game"], &[]), [1, 0, 0]);
    three.hub.emitters.leave(&selection("/", &[], &[]), &[RoomName::lobby()]);
    assert_eq!(three.receivers(&["lobby"], &[])[0], 1, "a member stays");
}

#[tokio::test(start_paused = true)]
async fn selected_connections_are_closed() {
    let three = Three::new();
    three.hub.emitters.disconnect(&selection("/", &["lobby"], &["den"]));
    let is_closed =
        |it: &Arc<RecordingOutbox>| it.events().last().unwrap() == "closed Disconnected";
    let [ann, bob, other] = &three.recorders;
    assert!(is_closed(ann) && is_closed(bob) && other.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_misses_a_volatile_event_and_is_closed_by_another() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorder = RecordingOutbox::with_capacity(1);
    let _registration =
        hub.connections.register(Space::root(), Arc::clone(&recorder) as Arc<dyn Outbox>, NOW);
    let all = selection("/", &[], &[]);
    emit(&hub, &all, PassingDelivery::Volatile);
    assert_eq!(recorder.events(), [""; 0]);
    emit(&hub, &all, PassingDelivery::Reliable);
    emit(&hub, &all, PassingDelivery::Reliable);
    assert_eq!(recorder.events(), ["x []", "closed SlowReader"]);
}
