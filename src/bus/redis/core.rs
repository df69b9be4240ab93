//! The state that the bus and its links share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use redis::{PushInfo, PushKind, Value};
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, info, warn};

use super::{
    envelope::{self, IncomingEnvelope},
    names::{ChannelGroup, ChannelNames, NameKind},
    outgoing::{OutgoingMessage, OutgoingQueue},
    server::RedisFailure,
    state::{BusState, PING_TIMEOUT},
};
use crate::{
    bus::inbox::{BusInbox, PushResult},
    domain::{Channel, NodeId},
};

/// What the payload of a probe begins with. That of a ping begins with a number.
const PROBE: &str = "probe:";

/// See the module.
#[derive(Debug)]
pub(super) struct BusCore {
    pub(super) node: NodeId,
    pub(super) names: ChannelNames,
    pub(super) inbox: BusInbox,
    /// The origin of the times in pings.
    epoch: Instant,
    next_generation: AtomicU64,
    state: Mutex<BusState>,
    /// Notifies of new messages, of changed subscriptions and of the close.
    pub(super) changed: Notify,
    /// Notifies when a link has ended or has no messages in flight.
    pub(super) drained: Notify,
}

/// The lifetime of one connection, for the groups that it serves. When it is dropped, the groups
/// are not subscribed.
#[derive(Debug)]
pub(super) struct Generation {
    core: Arc<BusCore>,
    number: u64,
    groups: Box<[ChannelGroup]>,
    begin: Instant,
    /// Notifies that the server has ended a subscription without a request.
    moved: Notify,
}

impl BusCore {
    pub(super) fn new(
        node: NodeId,
        names: ChannelNames,
        inbox: BusInbox,
        outgoing: OutgoingQueue,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            names,
            inbox,
            epoch: Instant::now(),
            next_generation: AtomicU64::new(0),
            state: Mutex::new(BusState::new(outgoing)),
            changed: Notify::new(),
            drained: Notify::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BusState> {
        self.state.lock()
    }

    pub(super) fn is_connected(&self) -> bool {
        !self.inbox.overflows() && self.lock().is_connected(Instant::now())
    }

    /// Logs a failure, once until recovery.
    pub(super) fn report_failure(&self, server: &str, failure: &RedisFailure) {
        let is_new = self.lock().failing_since.replace(Instant::now()).is_none();
        if is_new {
            warn!(
                server.address = server,
                error = %failure,
                "redis subscription lost"
            );
        } else {
            debug!(server.address = server, error = %failure, "redis subscription still lost");
        }
    }

    /// Logs the recovery, once.
    fn report_recovery(&self) {
        let mut state = self.lock();
        if state.failing_since.is_some() && state.is_connected(Instant::now()) {
            state.failing_since = None;
            drop(state);
            info!("redis connection restored");
        }
    }

    fn on_payload(&self, channel: Channel, payload: &[u8]) {
        let found = match envelope::open(payload) {
            // With two nodes, half of the messages are this node's own: those are not decoded any
            // further.
            Ok(found) if found.is_from(&self.node) => return,
            found => found,
        };
        match found.and_then(IncomingEnvelope::read) {
            Ok(announcement) => {
                if self.inbox.push(channel, announcement, payload.len()) == PushResult::Dropped {
                    debug!(channel = channel.as_raw(), "redis inbox full");
                }
            }
            Err(malformed) => {
                debug!(channel = channel.as_raw(), error = %malformed, "redis message malformed");
            }
        }
    }
}

impl Generation {
    pub(super) fn begin(core: &Arc<BusCore>, groups: &[ChannelGroup]) -> Arc<Self> {
        let number = core.next_generation.fetch_add(1, Ordering::Relaxed);
        core.lock().begin(number, groups);
        Arc::new(Self {
            core: Arc::clone(core),
            number,
            groups: groups.into(),
            begin: Instant::now(),
            moved: Notify::new(),
        })
    }

    /// Handles a message that the server has pushed.
    pub(super) fn on_push(&self, push: PushInfo) {
        let PushInfo { kind, data } = push;
        let mut data = data.into_iter();
        let Some(Value::BulkString(name)) = data.next() else { return };
        let Some(name_kind) = self.core.names.name_kind(&name) else { return };
        match (kind, name_kind) {
            (PushKind::Message | PushKind::SMessage, NameKind::Channel(channel)) => {
                let Some(Value::BulkString(payload)) = data.next() else { return };
                let wanted = self.core.lock().is_wanted(channel);
                if wanted {
                    self.core.on_payload(channel, &payload);
                }
            }
            (PushKind::Message | PushKind::SMessage, NameKind::Ping(group)) => {
                let Some(Value::BulkString(payload)) = data.next() else { return };
                if let Some(number) = probe_number(&payload) {
                    self.core.inbox.push_probe(number);
                } else if let Some(sent) = self.sent(&payload) {
                    self.core.lock().record_ping(self.number, group, sent, Instant::now());
                    self.core.report_recovery();
                }
            }
            (PushKind::Subscribe | PushKind::SSubscribe, NameKind::Channel(channel)) => {
                // In one step, so that the bus is never connected before this is queued.
                let mut state = self.core.lock();
                if state.confirm(self.number, channel) {
                    self.core.inbox.push_subscribed([channel]);
                }
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, name_kind) => {
                let asked = match name_kind {
                    NameKind::Channel(channel) => {
                        self.core.lock().confirm_unsubscribed(self.number, channel)
                    }
                    NameKind::Ping(_) => false,
                };
                if !asked {
                    self.moved.notify_one();
                }
            }
            _ => (),
        }
    }

    /// The payload of a ping that is sent now.
    pub(super) fn ping(&self) -> String {
        format!("{}:{}", self.number, self.core.epoch.elapsed().as_millis())
    }

    /// When a ping of this generation was sent.
    fn sent(&self, payload: &[u8]) -> Option<Instant> {
        let (number, millis) = str::from_utf8(payload).ok()?.split_once(':')?;
        let elapsed = Duration::from_millis(millis.parse().ok()?);
        let is_own = number.parse() == Ok(self.number) && elapsed <= self.core.epoch.elapsed();
        is_own.then(|| self.core.epoch + elapsed)
    }

    /// Waits for the end of the generation: the pings of a group time out, or the group has moved.
    /// The connection exists since `since`. Cancel-safe.
    pub(super) async fn wait_until_over(&self, since: Instant) -> RedisFailure {
        tokio::select! {
            () = self.moved.notified() => RedisFailure::Moved,
            () = self.wait_until_ping_times_out(since) => RedisFailure::PingTimedOut,
        }
    }

    async fn wait_until_ping_times_out(&self, since: Instant) {
        loop {
            let due = self.core.lock().oldest_ping(&self.groups, since) + PING_TIMEOUT;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// Whether a ping has returned on it.
    pub(super) fn was_healthy(&self) -> bool {
        self.core.lock().oldest_ping(&self.groups, self.begin) > self.begin
    }

    /// Takes the next messages to send. They are in flight until the result is dropped.
    pub(super) fn take_outgoing(&self) -> InFlight<'_> {
        let mut state = self.core.lock();
        let messages = state.outgoing.take(&self.groups, Instant::now());
        state.in_flight += messages.len();
        InFlight { core: &self.core, messages }
    }

    /// Takes a probe that is to be sent, if this generation serves its group.
    pub(super) fn take_probe(&self) -> Option<(ChannelGroup, String)> {
        let group = ChannelGroup::of(Channel::BROADCAST);
        let number =
            self.groups.contains(&group).then(|| self.core.lock().probe.take()).flatten()?;
        Some((group, format!("{PROBE}{number}")))
    }

    /// The channels to subscribe to.
    pub(super) fn missing(&self) -> Vec<Channel> {
        self.core.lock().missing(&self.groups)
    }

    /// Takes the channels to unsubscribe from.
    pub(super) fn take_surplus(&self) -> Vec<Channel> {
        self.core.lock().take_surplus(&self.groups)
    }
}

/// The number in the payload of a probe.
fn probe_number(payload: &[u8]) -> Option<u64> {
    str::from_utf8(payload).ok()?.strip_prefix(PROBE)?.parse().ok()
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.core.lock().end(self.number);
    }
}

/// Messages that were taken from the queue.
pub(super) struct InFlight<'a> {
    core: &'a BusCore,
    pub(super) messages: Vec<OutgoingMessage>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.core.lock().in_flight -= self.messages.len();
        self.core.drained.notify_waiters();
    }
}
