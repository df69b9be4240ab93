//! One message to all members of a room: journal, hub, and a push to each connection.

use std::{sync::Arc, time::Duration};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use roomcast::{
    chat::{Session, event::Delivery},
    domain::{Limits, RoomName},
    store::MemoryStore,
    wire,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::fixtures::{
    CountingOutbox, Encode, EntryCounter, Fixture, post, post_and_wait, small_body,
};

/// Connections in the room.
const CONNECTIONS: usize = 1000;
/// Messages of a burst.
const BURST: u64 = 100;
/// The slot of a delivery in which `transport::websocket` keeps its frame.
const FRAME_SLOT: usize = 1;
/// The slot of a delivery in which `transport::socketio` keeps its frame.
const SOCKETIO_SLOT: usize = 0;

/// The kinds of connections: those that ignore deliveries show the cost of the hub itself.
const KINDS: [(&str, Encode); 3] = [("nothing", nothing), ("json", json), ("socket.io", socketio)];

/// Measures deliveries, for single messages and for bursts.
pub(crate) fn measure(criterion: &mut Criterion) {
    for (name, encode) in KINDS {
        let mut group = criterion.benchmark_group(format!("fan-out to {CONNECTIONS}/{name}"));
        let room = Room::fill(encode);
        room.measure(&mut group);
        group.finish();
    }
}

/// A room full of connections.
struct Room {
    fixture: Fixture,
    counter: Arc<EntryCounter>,
    sessions: Vec<Session>,
}

impl Room {
    fn fill(encode: Encode) -> Self {
        let fixture = Fixture::open(async || MemoryStore::default());
        let counter = Arc::new(EntryCounter::default());
        let lobby = RoomName::lobby();
        let sessions = fixture.runtime.block_on(async {
            let mut sessions = Vec::with_capacity(CONNECTIONS);
            for number in 0..CONNECTIONS {
                let outbox = CountingOutbox::new(&counter, encode);
                sessions.push(fixture.connect_guest(number, &lobby, outbox).await);
            }
            sessions
        });
        Self { fixture, counter, sessions }
    }

    fn measure(mut self, group: &mut BenchmarkGroup<'_, WallTime>) {
        let deliveries = CONNECTIONS as u64;
        group.throughput(Throughput::Elements(deliveries));
        group.bench_function("one message", |bencher| {
            bencher.iter_custom(|times| self.one_by_one(times));
        });
        group.throughput(Throughput::Elements(deliveries * BURST));
        group.bench_function(format!("{BURST} at once"), |bencher| {
            bencher.iter_custom(|times| self.bursts(times));
        });
        let Self { fixture, counter: _, sessions } = self;
        fixture.runtime.block_on(async { drop(sessions) });
        fixture.close();
    }

    /// Posts `times` messages to all connections, one at a time.
    fn one_by_one(&mut self, times: u64) -> Duration {
        let Self { fixture, counter, sessions } = self;
        let (sender, body) = (sessions.first_mut().expect("the room is full"), small_body());
        fixture.runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..times {
                post_and_wait(sender, &body).await;
                counter.wait_for_more(CONNECTIONS as u64).await;
            }
            start.elapsed()
        })
    }

    /// Posts bursts; no message of a burst waits for the one before.
    fn bursts(&mut self, times: u64) -> Duration {
        let Self { fixture, counter, sessions } = self;
        let (sender, body) = (sessions.first_mut().expect("the room is full"), small_body());
        fixture.runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..times {
                for _ in 0..BURST {
                    sender.handle(post(&body), Box::new(drop)).await;
                }
                counter.wait_for_more(CONNECTIONS as u64 * BURST).await;
            }
            start.elapsed()
        })
    }
}

fn nothing(_: &Arc<Delivery>, _: &Limits) -> u64 {
    0
}

/// Like a plain WebSocket connection: the first one encodes the frame, and all share it.
fn json(delivery: &Arc<Delivery>, limits: &Limits) -> u64 {
    let make = || Utf8Bytes::from(wire::websocket::event(delivery, limits));
    let frame = delivery.encoded(FRAME_SLOT, make).clone();
    frame.len() as u64
}

/// Like a Socket.IO connection: its text, without the header of the frame.
fn socketio(delivery: &Arc<Delivery>, limits: &Limits) -> u64 {
    let root = || wire::socketio::Namespace::new("/");
    let make = || Utf8Bytes::from(wire::socketio::event(delivery, &root(), limits).text);
    let frame = delivery.encoded(SOCKETIO_SLOT, make).clone();
    frame.len() as u64
}
