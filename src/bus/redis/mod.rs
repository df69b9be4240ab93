//! A bus for nodes on several machines, through the channels of Redis.
//!
//! A node subscribes to what it listens to, and proves each second, group by group, that what it
//! publishes comes back. What it cannot prove it says: it is not whole, until it is again.
//! See `envelope` for what is said, `state` for what is decided, and `link` for who does it.

mod check;
mod core;
mod envelope;
mod link;
mod names;
mod outgoing;
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
    core::Core,
    names::Names,
    outgoing::{Outgoing, Posted},
    server::{Server, Trust},
    state::Phase,
};
use super::inbox::Inbox;
use crate::{
    chat::ports::{Announcement, Bus, Heard},
    domain::{Channel, NodeId, Secret},
};

pub use self::{
    check::{Complaint, Why},
    server::{BadAddress, Trouble},
};

/// How long a close waits for what is to be sent.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest prefix of channels.
const PREFIX_BYTES_MAX: usize = 64;

/// Where Redis is, and how it is used.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// Addresses with their passwords: one, or some servers of a cluster.
    pub servers: Vec<Secret>,
    /// What they are.
    pub kind: RedisKind,
    /// What names of channels begin with, so that several Roomcasts may share a Redis.
    pub prefix: String,
    /// Who publishes.
    pub node: NodeId,
    /// Announcements that wait to be published, and as many that wait to be taken. More are dropped.
    pub queue_max: NonZeroUsize,
}

/// What the servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisKind {
    /// One server.
    Standalone,
    /// A Redis Cluster.
    Cluster,
}

/// Why there is no bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOptions {
    /// Nothing to connect to.
    #[error("there is no server")]
    NoServer,
    /// Nodes would be split among servers that know nothing of each other.
    #[error("there is more than one server, and they are not said to be a cluster")]
    ManyServers,
    /// An address that is none.
    #[error("server {number} {why}")]
    Address {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        why: BadAddress,
    },
    /// Names could not be made with it.
    #[error("the prefix is not 1 to {PREFIX_BYTES_MAX} visible ASCII characters without braces")]
    Prefix,
}

/// See the module.
#[derive(Debug)]
pub struct RedisBus {
    core: Arc<Core>,
    servers: Vec<Server>,
    kind: RedisKind,
    trust: Trust,
    runs: AtomicBool,
}

impl RedisBus {
    /// A bus that carries once it [runs](Self::run). Connects to nothing.
    pub fn new(options: &RedisOptions) -> Result<Arc<Self>, BadOptions> {
        Self::trusting(options, Trust::default())
    }

    fn trusting(options: &RedisOptions, trust: Trust) -> Result<Arc<Self>, BadOptions> {
        let RedisOptions { servers, kind, prefix, node, queue_max } = options;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
        if !(1..=PREFIX_BYTES_MAX).contains(&prefix.len()) || !prefix.bytes().all(plain) {
            return Err(BadOptions::Prefix);
        }
        let servers = servers.iter().zip(1..).map(|(url, number)| {
            Server::parse(url).map_err(|why| BadOptions::Address { number, why })
        });
        let servers: Vec<_> = servers.collect::<Result<_, _>>()?;
        match (kind, servers.len()) {
            (_, 0) => return Err(BadOptions::NoServer),
            (RedisKind::Cluster, _) | (RedisKind::Standalone, 1) => (),
            (RedisKind::Standalone, _) => return Err(BadOptions::ManyServers),
        }
        let names = Names::new(prefix, node.clone());
        let (inbox, outgoing) = (Inbox::new(*queue_max), Outgoing::new(*queue_max));
        let core = Core::new(node.clone(), names, inbox, outgoing);
        Ok(Arc::new(Self { core, servers, kind: *kind, trust, runs: AtomicBool::new(false) }))
    }

    /// Tries each server, and says what is wrong.
    pub async fn check(options: &RedisOptions) -> Vec<Complaint> {
        check::check(options, &Trust::default()).await
    }

    /// Connects, and connects again whenever that is needed, until the bus is closed. May be dropped
    /// at any time.
    pub async fn run(self: Arc<Self>) {
        self.runs.store(true, Ordering::Release);
        let _stands = Stands(&self.runs);
        tokio::select! {
            () = run::run(&self) => (),
            () = self.closed() => (),
        }
    }

    async fn closed(&self) {
        loop {
            let changed = self.core.changed.notified();
            if self.core.lock().phase == Phase::Closed {
                return;
            }
            changed.await;
        }
    }

    /// Waits until all that waited was sent.
    async fn sent(&self) {
        loop {
            let settled = self.core.settled.notified();
            let all = {
                let state = self.core.lock();
                state.outgoing.is_empty() && state.under_way == 0
            };
            if all || !self.runs.load(Ordering::Acquire) {
                return;
            }
            settled.await;
        }
    }
}

/// Whether [`RedisBus::run`] does. Dropping it says that it does not.
struct Stands<'a>(&'a AtomicBool);

impl Drop for Stands<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish(&self, channel: Channel, announcement: Announcement) {
        if self.core.lock().phase != Phase::Open {
            return;
        }
        let payload = match envelope::encode(&announcement) {
            Ok(payload) => payload,
            Err(error) => {
                debug!(channel = channel.as_raw(), %error, "news cannot be written");
                return;
            }
        };
        let posted = self.core.lock().outgoing.post(channel, payload, Instant::now());
        match posted {
            Posted::NoMore => warn!("more is to be published than Redis takes: some is dropped"),
            Posted::Again(count) => {
                info!(announcements.count = count, "Redis keeps up again: {count} were dropped");
            }
            Posted::Yes | Posted::No => (),
        }
        self.core.changed.notify_waiters();
    }

    fn listen(&self, channels: &BTreeSet<Channel>) {
        let mut state = self.core.lock();
        let heard = state.want(channels, Instant::now());
        if !heard.is_empty() {
            self.core.inbox.open(heard);
        }
        drop(state);
        self.core.changed.notify_waiters();
    }

    async fn next(&self) -> Option<Heard> {
        self.core.inbox.next().await
    }

    fn is_whole(&self) -> bool {
        self.core.is_whole()
    }

    async fn close(&self) {
        let began = {
            let mut state = self.core.lock();
            let began = state.phase == Phase::Open;
            if began {
                state.phase = Phase::Closing;
            }
            began
        };
        self.core.changed.notify_waiters();
        if began && timeout(CLOSE_WAIT_MAX, self.sent()).await.is_err() {
            debug!("the bus was closed with something left to publish");
        }
        self.core.lock().phase = Phase::Closed;
        self.core.inbox.close();
        self.core.changed.notify_waiters();
    }
}
