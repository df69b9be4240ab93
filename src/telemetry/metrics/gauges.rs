//! What the chat holds, as gauges. They are read for each scrape, so they cannot drift.

use std::collections::BTreeMap;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::{PREFIX, gauge};
use crate::{
    chat::{EngineState, Gauges, ports::Carrier},
    domain::Space,
};

/// The spaces with series of their own: those with the most connections.
const SPACES_MAX: usize = 100;
/// The label of the others.
const OTHER: &str = "other";

type Labels = [(&'static str, String); 3];

/// The gauges of one scrape.
pub(super) fn registry(gauges: &Gauges) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    let it = &mut registry;
    it.register("connections", "Open connections", connections(gauges));
    register(it, "users_online", "Users with a connection, or in the grace period", gauges.users);
    register(it, "rooms_live", "Rooms in memory", gauges.rooms);
    let help = "What waits for connections that read slowly";
    it.register_with_unit("outbox", help, Unit::Bytes, gauge(gauges.waiting_bytes));
    let traffic = &gauges.traffic;
    let help = "What clients have sent";
    it.register_with_unit("received", help, Unit::Bytes, counter(traffic.bytes_in));
    let help = "What clients were sent";
    it.register_with_unit("sent", help, Unit::Bytes, counter(traffic.bytes_out));
    register(it, "journal_waiting", "Commands that wait for the store", gauges.journal_commands);
    let help = "The size of the messages that wait for the store";
    it.register_with_unit("journal", help, Unit::Bytes, gauge(gauges.journal_bytes));
    let help = "1 if the last transaction succeeded";
    register(it, "store_up", help, (gauges.store == EngineState::Up).into());
    let help = "1 if announcements of other nodes arrive";
    register(it, "bus_up", help, (gauges.bus == EngineState::Up).into());
    register(it, "draining", "1 while the node drains", gauges.is_draining.into());
    registry
}

fn register(registry: &mut Registry, name: &str, help: &str, value: usize) {
    registry.register(name, help, gauge(value));
}

/// A counter with this value.
fn counter(value: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(value);
    counter
}

fn connections(gauges: &Gauges) -> Family<Labels, Gauge> {
    let family: Family<Labels, Gauge> = Family::default();
    // These exist without connections, too.
    for carrier in [Carrier::PlainWebSocket, Carrier::SocketIoPolling, Carrier::SocketIoWebSocket] {
        family.get_or_create(&labels(Space::root().as_raw(), carrier)).set(0);
    }
    let mut totals: BTreeMap<&Space, usize> = BTreeMap::new();
    for ((space, _), count) in &gauges.connections {
        *totals.entry(space).or_default() += count;
    }
    let mut largest: Vec<_> = totals.into_iter().collect();
    largest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    largest.truncate(SPACES_MAX);
    for ((space, carrier), count) in &gauges.connections {
        let is_largest = largest.iter().any(|(it, _)| *it == space);
        let label = if is_largest { space.as_raw() } else { OTHER };
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        family.get_or_create(&labels(label, *carrier)).inc_by(count);
    }
    family
}

fn labels(space: &str, carrier: Carrier) -> Labels {
    let transport = match carrier {
        Carrier::SocketIoPolling => "polling",
        Carrier::SocketIoWebSocket | Carrier::PlainWebSocket => "websocket",
    };
    let wire = carrier.wire().as_str();
    [("wire", wire.into()), ("transport", transport.into()), ("space", space.into())]
}
