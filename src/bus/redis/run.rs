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
    link::{Link, Tries, Words},
    names::Group,
    topology::{Cluster, Plan, alone},
};

/// How often a cluster is asked who serves what, though nothing is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Does not end; may be dropped at any time.
pub(super) async fn run(bus: &Arc<RedisBus>) {
    match bus.kind {
        RedisKind::Standalone => {
            let mut links = Links::new(Words::PLAIN);
            for server in &bus.servers {
                links.follow(alone(server), bus);
            }
            links.keep().await;
        }
        RedisKind::Cluster => follow_cluster(bus).await,
    }
}

/// What is due.
enum Due {
    /// To look who serves what.
    Look,
    /// Nothing.
    Nothing,
}

async fn follow_cluster(bus: &Arc<RedisBus>) {
    let mut cluster = Cluster::new(bus.core.names.clone(), bus.trust.clone(), bus.servers.clone());
    let mut links = Links::new(Words::SHARDED);
    let mut tries = Tries::default();
    let mut look_at = Instant::now();
    loop {
        let lost = Arc::clone(&links.lost);
        let due = tokio::select! {
            () = links.keep() => Due::Nothing,
            () = sleep_until(look_at) => Due::Look,
            () = lost.notified() => {
                // Soon, and not at once: a cluster needs its time to find another primary.
                look_at = look_at.min(Instant::now() + tries.pause());
                Due::Nothing
            }
        };
        if let Due::Nothing = due {
            continue;
        }
        let discover = cluster.discover();
        let found = tokio::select! {
            found = discover => found,
            () = links.keep() => continue,
        };
        match found {
            Ok(plan) => {
                links.follow(plan, bus);
                if bus.core.is_whole() {
                    tries = Tries::default();
                }
                look_at = Instant::now() + LOOK_EVERY;
            }
            Err((server, trouble)) => {
                // Links that are well stay as they are: whoever is asked may be the one in trouble.
                if bus.core.is_whole() {
                    debug!(error = %trouble, "nobody says who serves what in the cluster");
                } else {
                    bus.core.tell(&server.to_string(), &trouble);
                }
                look_at = Instant::now() + tries.pause();
            }
        }
    }
}

/// The links, each with what it is for.
struct Links {
    words: Words,
    running: FuturesUnordered<Abortable<BoxFuture<'static, ()>>>,
    ends: BTreeMap<((String, u16), Vec<Group>), AbortHandle>,
    /// Told when one has lost its connection.
    lost: Arc<Notify>,
}

impl Links {
    fn new(words: Words) -> Self {
        let (running, ends) = (FuturesUnordered::new(), BTreeMap::new());
        Self { words, running, ends, lost: Arc::default() }
    }

    /// From now on there is a link for each of these, and no other.
    fn follow(&mut self, plan: Plan, bus: &Arc<RedisBus>) {
        let mut ends = std::mem::take(&mut self.ends);
        for (address, (server, groups)) in plan {
            let key = (address, groups.clone());
            let end = ends.remove(&key).unwrap_or_else(|| {
                let link = Link {
                    core: Arc::clone(&bus.core),
                    trust: bus.trust.clone(),
                    server,
                    groups,
                    words: self.words,
                    lost: Arc::clone(&self.lost),
                };
                let (end, registration) = AbortHandle::new_pair();
                let kept: BoxFuture<'static, ()> = Box::pin(link.keep());
                self.running.push(Abortable::new(kept, registration));
                end
            });
            self.ends.insert(key, end);
        }
        for end in ends.into_values() {
            end.abort();
        }
    }

    /// Moves the links. Does not end. Cancel-safe.
    async fn keep(&mut self) {
        loop {
            // What comes out was aborted.
            if self.running.next().await.is_none() {
                pending::<()>().await;
            }
        }
    }
}
