//! Keeps a link to every server that serves a group, and finds out which those are.

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

/// How often a cluster is asked who serves what, though nothing is wrong.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5);

/// Does not end; may be dropped at any time.
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

/// What is due.
enum ClusterStep {
    /// To look who serves what.
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
                // Soon, and not at once: a cluster needs its time to find another primary.
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
                // Links that are well stay as they are: whoever is asked may be the one in trouble.
                if bus.core.is_connected() {
                    debug!(error = %failure, "nobody says who serves what in the cluster");
                } else {
                    bus.core.report_failure(&server.to_string(), &failure);
                }
                discover_at = Instant::now() + backoff.next_delay();
            }
        }
    }
}

/// The links, each with what it is for.
struct ServerLinks {
    commands: PubSubCommands,
    running: FuturesUnordered<Abortable<BoxFuture<'static, ()>>>,
    abort_handles: BTreeMap<((String, u16), Vec<ChannelGroup>), AbortHandle>,
    /// Told when one has lost its connection.
    lost: Arc<Notify>,
}

impl ServerLinks {
    fn new(commands: PubSubCommands) -> Self {
        let (running, abort_handles) = (FuturesUnordered::new(), BTreeMap::new());
        Self { commands, running, abort_handles, lost: Arc::default() }
    }

    /// From now on there is a link for each of these, and no other.
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

    /// Moves the links. Does not end. Cancel-safe.
    async fn run_forever(&mut self) {
        loop {
            // What comes out was aborted.
            if self.running.next().await.is_none() {
                pending::<()>().await;
            }
        }
    }
}
