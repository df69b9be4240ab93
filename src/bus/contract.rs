//! What every bus must do. Each engine's tests run this.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    chat::{
        ports::{Announcement, Bus},
        test_support::said,
    },
    domain::{Entry, Seq},
};

/// More announcements than any engine may queue.
const MANY: u64 = 10_000;
/// Long enough for an engine to deliver what it wrongly would.
const A_WHILE: Duration = Duration::from_secs(1);

/// Holds `bus`, the only node on it, to the port's guarantees.
pub(crate) async fn bus(bus: &dyn Bus) {
    publishing_never_waits(bus);
    a_node_does_not_hear_itself(bus).await;
}

fn publishing_never_waits(bus: &dyn Bus) {
    for seq in 1..=MANY {
        bus.publish(Announcement { delivery: said("lobby", seq) });
    }
}

async fn a_node_does_not_hear_itself(bus: &dyn Bus) {
    let delivery = said("lobby", 1);
    bus.publish(Announcement { delivery: Arc::clone(&delivery) });
    let heard = timeout(A_WHILE, bus.next()).await;
    let seq = heard.map(|it| it.map(|it| it.delivery.entry().map(Entry::seq)));
    assert_ne!(seq, Ok(Some(Some(Seq::from_raw(1)))));
}
