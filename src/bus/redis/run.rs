//! Keeps a link to each server that serves a group, and discovers those servers.

use std::{collections::BTreeMap, future::pending, sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::debug;

use super::{
    RedisBus, RedisKind,
    link::{PubSubCommands, RetryBackoff, ServerLink},
    names::ChannelGroup,
    topology::{RedisCluster, Topology, single_server},
};

/// How often the topology of a cluster is read, even without failures.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5);

/// Does not return. Cancel-safe.
pub(super) async fn run(bus: &Arc<RedisBus>) {
    match bus.kind {
        RedisKind::Standalone => {
            let mut links = ServerLinks::new(PubSubCommands::PLAIN);
            for server in &bus.servers {
                links.apply_topology(single_server(server), bus);
            }
            links.run_forever().await;
        }
        RedisKind::Cluster => follow_cluster(bus).await,
    }
}

/// The next step.
enum ClusterStep {
    /// To read the topology.
    Discover,
    /// Nothing.
    Nothing,
}

async fn follow_cluster(bus: &Arc<RedisBus>) {
    let mut cluster =
        RedisCluster::new(bus.core.names.clone(), bus.tls_config.clone(), bus.servers.clone());
    let mut links = ServerLinks::new(PubSubCommands::SHARDED);
    let mut backoff = RetryBackoff::default();
    let mut discover_at = Instant::now();
    loop {
        let lost = Arc::clone(&links.lost);
        let step = tokio::select! {
            () = links.run_forever() => ClusterStep::Nothing,
            () = sleep_until(discover_at) => ClusterStep::Discover,
            () = lost.notified() => {
                // After a delay: a cluster needs time to elect another primary.
                discover_at = discover_at.min(Instant::now() + backoff.next_delay());
                ClusterStep::Nothing
            }
        };
        if let ClusterStep::Nothing = step {
            continue;
        }
        let discover = cluster.discover();
        let found = tokio::select! {
            found = discover => found,
            () = links.run_forever() => continue,
        };
        match found {
            Ok(topology) => {
                links.apply_topology(topology, bus);
                if bus.core.is_connected() {
                    backoff = RetryBackoff::default();
                }
                discover_at = Instant::now() + DISCOVERY_INTERVAL;
            }
            Err((server, failure)) => {
                // Working links are kept: the failure may be that of the server that was asked.
                if bus.core.is_connected() {
                    debug!(error = %failure, "redis cluster topology unknown");
                } else {
                    bus.core.report_failure(&server.to_string(), &failure);
                }
                discover_at = Instant::now() + backoff.next_delay();
            }
        }
    }
}

/// The links, by server and groups.
struct ServerLinks {
    commands: PubSubCommands,
    running: FuturesUnordered<Abortable<BoxFuture<'static, ()>>>,
    abort_handles: BTreeMap<((String, u16), Vec<ChannelGroup>), AbortHandle>,
    /// Notified when a link has lost its connection.
    lost: Arc<Notify>,
}

impl ServerLinks {
    fn new(commands: PubSubCommands) -> Self {
        let (running, abort_handles) = (FuturesUnordered::new(), BTreeMap::new());
        Self { commands, running, abort_handles, lost: Arc::default() }
    }

    /// Starts the links that are missing, and aborts those that are not in the topology.
    fn apply_topology(&mut self, topology: Topology, bus: &Arc<RedisBus>) {
        let mut abort_handles = std::mem::take(&mut self.abort_handles);
        for (address, (server, groups)) in topology {
            let key = (address, groups.clone());
            let abort_handle = abort_handles.remove(&key).unwrap_or_else(|| {
                let link = ServerLink {
                    core: Arc::clone(&bus.core),
                    tls_config: bus.tls_config.clone(),
                    server,
                    groups,
                    commands: self.commands,
                    lost: Arc::clone(&self.lost),
                };
                let (abort_handle, registration) = AbortHandle::new_pair();
                let task: BoxFuture<'static, ()> = Box::pin(link.run_forever());
                self.running.push(Abortable::new(task, registration));
                abort_handle
            });
            self.abort_handles.insert(key, abort_handle);
        }
        for abort_handle in abort_handles.into_values() {
            abort_handle.abort();
        }
    }

    /// Polls the links. Does not return. Cancel-safe.
    async fn run_forever(&mut self) {
        loop {
            // A link that ends was aborted.
            if self.running.next().await.is_none() {
                pending::<()>().await;
            }
        }
    }
}
