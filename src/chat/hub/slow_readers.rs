//! Where a connection whose outbox is full is closed.
//!
//! An outbox only reports that it is full (`Overflow`). The hub collects such outboxes under its locks
//! and closes them here, outside of every lock.

use std::sync::Arc;

use tracing::debug;

use super::live_room::FullOutboxes;
use crate::{
    chat::{event::Delivery, ports::Outbox},
    domain::CloseReason,
};

/// Closes connections whose outboxes were full.
pub(crate) fn close_slow_readers(full_outboxes: FullOutboxes) {
    for outbox in full_outboxes {
        debug!("outbox full, closing the connection");
        outbox.close(CloseReason::SlowReader);
    }
}

/// Begins to close connections. The caller holds no lock.
pub(crate) fn close_outboxes(outboxes: Vec<Arc<dyn Outbox>>, reason: CloseReason) {
    for outbox in outboxes {
        outbox.close(reason);
    }
}

/// Sends one connection an event that is not in a log.
pub(crate) fn send(outbox: &Arc<dyn Outbox>, delivery: &Arc<Delivery>) {
    if outbox.push(delivery).is_err() {
        close_slow_readers(vec![Arc::clone(outbox)]);
    }
}
