//! A bus for nodes on several machines, over Redis Pub/Sub.
//!
//! A node subscribes to its channels, and pings itself through each channel group once a second.
//! While pings do not return, it reports the bus as disconnected. See `envelope` for the encoding,
//! `state` for the decisions and `link` for the connections.

mod check;
mod core;
mod envelope;
mod link;
mod measure;
mod names;
mod outgoing;
mod patterns;
mod run;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod topology;

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use self::{
    core::BusCore,
    names::ChannelNames,
    outgoing::{EnqueueResult, OutgoingQueue},
    server::{RedisServer, TlsConfig},
    state::BusPhase,
};
use super::inbox::BusInbox;
use crate::{
    chat::ports::{Announcement, Bus, BusEvent},
    domain::{Channel, NodeId, Secret},
};

pub use self::{
    check::{ProblemCause, ServerProblem},
    measure::RedisMeasurement,
    patterns::RedisPatterns,
    server::{RedisAddressError, RedisFailure},
};

/// How long a close waits for the queue to be sent.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest prefix of channels.
const PREFIX_BYTES_MAX: usize = 64;

/// Where Redis is, and how it is used.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// Addresses with passwords: one server, or some servers of a cluster.
    pub servers: Vec<Secret>,
    /// The kind of the servers.
    pub kind: RedisKind,
    /// The prefix of channel names, so that several installations of Roomcast can share a Redis.
    pub prefix: String,
    /// The id of this node.
    pub node: NodeId,
    /// The limits of the queues of outgoing and of received announcements. Those past it are
    /// dropped.
    pub queue_max: NonZeroUsize,
}

/// The kind of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisKind {
    /// One server.
    Standalone,
    /// A Redis Cluster.
    Cluster,
}

/// Why a bus cannot be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisOptionsError {
    /// The list of servers is empty.
    #[error("there is no server")]
    NoServer,
    /// The nodes would be split among servers that are not connected.
    #[error("there is more than one server, but the kind is not a cluster")]
    ManyServers,
    /// An address is invalid.
    #[error("server {number} {cause}")]
    Address {
        /// The server's place in the settings, from 1.
        number: usize,
        /// The problem.
        cause: RedisAddressError,
    },
    /// The prefix cannot be used in names.
    #[error("the prefix is not 1 to {PREFIX_BYTES_MAX} visible ASCII characters without braces")]
    Prefix,
}

/// See the module.
#[derive(Debug)]
pub struct RedisBus {
    core: Arc<BusCore>,
    servers: Vec<RedisServer>,
    kind: RedisKind,
    tls_config: TlsConfig,
    is_running: AtomicBool,
}

impl RedisBus {
    /// Creates a bus that works while it [runs](Self::run). Opens no connection.
    pub fn new(options: &RedisOptions) -> Result<Arc<Self>, RedisOptionsError> {
        Self::with_tls_config(options, TlsConfig::default())
    }

    fn with_tls_config(
        options: &RedisOptions,
        tls_config: TlsConfig,
    ) -> Result<Arc<Self>, RedisOptionsError> {
        let RedisOptions { servers, kind, prefix, node, queue_max } = options;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
        if !(1..=PREFIX_BYTES_MAX).contains(&prefix.len()) || !prefix.bytes().all(plain) {
            return Err(RedisOptionsError::Prefix);
        }
        let servers = parse_servers(servers)?;
        match (kind, servers.len()) {
            (_, 0) => return Err(RedisOptionsError::NoServer),
            (RedisKind::Cluster, _) | (RedisKind::Standalone, 1) => (),
            (RedisKind::Standalone, _) => return Err(RedisOptionsError::ManyServers),
        }
        let names = ChannelNames::new(prefix, node.clone());
        let (inbox, outgoing) = (BusInbox::new(*queue_max), OutgoingQueue::new(*queue_max));
        let core = BusCore::new(node.clone(), names, inbox, outgoing);
        Ok(Arc::new(Self {
            core,
            servers,
            kind: *kind,
            tls_config,
            is_running: AtomicBool::new(false),
        }))
    }

    /// Checks each server, and returns the problems.
    pub async fn check(options: &RedisOptions) -> Vec<ServerProblem> {
        check::check(options, &TlsConfig::default()).await
    }

    /// Measures each server that answers.
    pub async fn measure(options: &RedisOptions) -> Vec<RedisMeasurement> {
        measure::measure(options, &TlsConfig::default()).await
    }

    /// Connects, and reconnects when necessary, until the bus is closed. Cancel-safe.
    pub async fn run(self: Arc<Self>) {
        self.is_running.store(true, Ordering::Release);
        let _running = RunningGuard(&self.is_running);
        tokio::select! {
            () = run::run(&self) => (),
            () = self.wait_until_closed() => (),
        }
    }

    async fn wait_until_closed(&self) {
        loop {
            let changed = self.core.changed.notified();
            if self.core.lock().phase == BusPhase::Closed {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the queue is sent.
    async fn wait_until_sent(&self) {
        loop {
            let drained = self.core.drained.notified();
            let all = {
                let state = self.core.lock();
                state.outgoing.is_empty() && state.in_flight == 0
            };
            if all || !self.is_running.load(Ordering::Acquire) {
                return;
            }
            drained.await;
        }
    }
}

fn parse_servers(servers: &[Secret]) -> Result<Vec<RedisServer>, RedisOptionsError> {
    let servers = servers.iter().zip(1..).map(|(url, number)| {
        RedisServer::parse(url).map_err(|cause| RedisOptionsError::Address { number, cause })
    });
    servers.collect()
}

/// Marks that [`RedisBus::run`] is active until it is dropped.
struct RunningGuard<'a>(&'a AtomicBool);

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish(&self, channel: Channel, announcement: Announcement) {
        if self.core.lock().phase != BusPhase::Open {
            return;
        }
        let payload = match envelope::encode(&announcement) {
            Ok(payload) => payload,
            Err(error) => {
                debug!(channel = channel.as_raw(), %error, "redis message not encodable");
                return;
            }
        };
        let enqueued = self.core.lock().outgoing.enqueue(channel, payload, Instant::now());
        match enqueued {
            EnqueueResult::Overflowed => {
                warn!("redis publish queue full");
            }
            EnqueueResult::Recovered(count) => {
                info!(dropped.count = count, "redis publish queue recovered");
            }
            EnqueueResult::Queued | EnqueueResult::Dropped => (),
        }
        self.core.changed.notify_waiters();
    }

    fn set_subscriptions(&self, channels: &BTreeSet<Channel>) {
        let mut state = self.core.lock();
        let already_subscribed = state.set_wanted(channels, Instant::now());
        if !already_subscribed.is_empty() {
            self.core.inbox.push_subscribed(already_subscribed);
        }
        drop(state);
        self.core.changed.notify_waiters();
    }

    async fn next(&self) -> Option<BusEvent> {
        self.core.inbox.next().await
    }

    fn probe(&self, number: u64) {
        self.core.lock().probe = Some(number);
        self.core.changed.notify_waiters();
    }

    fn is_connected(&self) -> bool {
        self.core.is_connected()
    }

    async fn close(&self) {
        let began = {
            let mut state = self.core.lock();
            let began = state.phase == BusPhase::Open;
            if began {
                state.phase = BusPhase::Closing;
            }
            began
        };
        self.core.changed.notify_waiters();
        if began && timeout(CLOSE_WAIT_MAX, self.wait_until_sent()).await.is_err() {
            debug!("redis closed with messages in the publish queue");
        }
        self.core.lock().phase = BusPhase::Closed;
        self.core.inbox.close();
        self.core.changed.notify_waiters();
    }
}
