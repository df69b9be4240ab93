//! When missing entries count as gone.

use std::sync::Arc;

use super::*;
use crate::{
    bus::LocalBus,
    chat::{
        cluster::ClusterParts,
        hub::Hub,
        test_support::{message_delivery, publisher},
    },
    clock::SystemClock,
    domain::{Limits, Log, NodeId, RoomName, Space},
    store::{MemoryNodes, MemoryStore},
};

#[tokio::test(start_paused = true)]
async fn only_entries_that_were_buffered_before_the_read_prove_a_gap() {
    let hub = Hub::new(Limits::default(), publisher());
    let cluster = Cluster::new(ClusterParts {
        hub: Arc::clone(&hub),
        bus: Arc::new(LocalBus::default()),
        store: Arc::new(MemoryStore::default()),
        nodes: Arc::new(MemoryNodes::single(NodeId::from_raw("a"))),
        tracer: None,
        clock: Arc::new(SystemClock),
    });
    let place = Place::room(&Space::root(), &RoomName::lobby());
    let log = Log { head: Position::from_raw(100, 100), ..Log::default() };
    let _interest = hub.live_rooms.register_interest(&place, log);
    let head = || hub.fanout.delivery_progress(&place).delivered.map(Seq::as_raw);
    let late = Post { delivery: message_delivery("lobby", 102), origin: None, except: None };
    cluster.lock().reorder_buffers.entry(place.clone()).or_default().add(&[late], Vec::new());
    let empty = || Page { entries: Vec::new(), more: false };
    let delivered = Seq::from_raw(100);
    cluster.deliver_page(&place, (delivered, None), empty());
    assert_eq!(head(), Some(100), "102 arrived during the read, and 101 may be stored");
    cluster.deliver_page(&place, (delivered, Some(Seq::from_raw(102))), empty());
    assert_eq!(head(), Some(102), "101 does not exist");
}
