//! The serialization of one event for each wire.

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput};
use roomcast::{
    chat::event::{Delivery, Event, MissedEntries, MissedRun},
    domain::{
        Act, Content, DisplayNames, Entry, Limits, MessageId, MessageKind, Place, Position,
        RoomName, Space, UserName,
    },
    wire,
};
use time::{OffsetDateTime, macros::datetime};

use super::fixtures::small_body;

/// The time of all messages.
const THEN: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
/// Messages in one `missed`, and names in one `get users`.
const MANY: u64 = 200;

/// Measures each event in the form of each wire.
pub(crate) fn measure(criterion: &mut Criterion) {
    let events = [
        ("new message", Event::Entry(message(7))),
        ("missed of 200", missed()),
        ("get users of 200", users()),
    ];
    let (limits, root) = (Limits::default(), wire::socketio::Namespace::new("/"));
    for (name, event) in events {
        let mut group = criterion.benchmark_group(format!("encode/{name}"));
        group.measurement_time(Duration::from_secs(1));
        let fresh = || Delivery::new(event.clone());
        let bytes = wire::websocket::event(&fresh(), &limits).len();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("json", |bencher| {
            let write = |it: &mut Arc<Delivery>| wire::websocket::event(it, &limits);
            bencher.iter_batched_ref(fresh, write, BatchSize::SmallInput);
        });
        group.bench_function("socket.io", |bencher| {
            let write =
                |it: &mut Arc<Delivery>| wire::socketio::event(it, &root, &limits).text.len();
            bencher.iter_batched_ref(fresh, write, BatchSize::SmallInput);
        });
        group.bench_function("msgpack", |bencher| {
            let write = |it: &mut Arc<Delivery>| wire::msgpack::event(it, &limits).len();
            bencher.iter_batched_ref(fresh, write, BatchSize::SmallInput);
        });
        group.finish();
    }
}

fn message(seq: u64) -> Entry {
    let content = Content::Body { body: small_body(), edited_at: None };
    Entry {
        place: Place::room(&Space::root(), &RoomName::lobby()),
        position: Position::from_raw(seq, seq),
        id: MessageId::from_raw(&format!("0197f3c0-6d5c-7a3e-8f00-{seq:012}")),
        author: UserName::from_raw("ann"),
        author_name: None,
        at: THEN,
        act: Act::Said { kind: MessageKind::Message, content },
    }
}

fn missed() -> Event {
    let entries = (1..=MANY).map(|seq| Delivery::new(Event::Entry(message(seq)))).collect();
    let run = MissedRun::Recovered { entries, more: false, names: DisplayNames::new() };
    Event::Missed(MissedEntries { room: RoomName::lobby(), run })
}

fn users() -> Event {
    let name = |number| UserName::from_raw(&format!("user {number}"));
    Event::Users((1..=MANY).map(name).collect())
}
