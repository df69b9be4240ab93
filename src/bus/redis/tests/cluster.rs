//! A cluster: three primaries, and a replica of each.

use std::process::Command;

use super::harness::{Node, Server, free_port, options, two_listeners, wait_recovered, wait_until};
use crate::{
    bus::{
        contract::{self, channel},
        redis::{
            RedisBus, RedisKind,
            names::{ChannelGroup, ChannelNames},
        },
    },
    domain::NodeId,
};

const CHANNELS: [u16; 5] = [7, 8, 9, 100, 1024];

/// The servers of a cluster.
struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    async fn start() -> Self {
        let launch = || {
            let bus = free_port().to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500"];
            let port = ["--cluster-port", &bus, "--repl-diskless-sync-delay", "0"];
            Server::launch(free_port(), &[arguments, port].concat())
        };
        let servers: Vec<_> = (0..6).map(|_| launch()).collect();
        for server in &servers {
            wait_until(|| async { server.run_command("PING").await.starts_with("+PONG") }).await;
        }
        let hosts = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(hosts)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("there is no redis-cli: apt-get install redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { servers };
        cluster.wait_ready().await;
        cluster
    }

    /// Waits until the cluster is healthy and every replica is connected.
    async fn wait_ready(&self) {
        for server in &self.servers {
            wait_until(|| async {
                let cluster = server.run_command("CLUSTER INFO").await;
                let role = server.run_command("ROLE").await;
                cluster.contains("cluster_state:ok")
                    && (role.contains("master") || role.contains("connected"))
            })
            .await;
        }
    }

    fn node(&self, name: &'static str) -> Node {
        Node::start_with(&options(name, RedisKind::Cluster, &[&self.servers[0].url()]), name)
    }

    /// The index of the primary that serves a slot, and its id in the cluster.
    async fn primary_of(&self, slot: u16) -> (usize, String) {
        for (place, server) in self.servers.iter().enumerate() {
            let nodes = server.run_command("CLUSTER NODES").await;
            let me = nodes.lines().find(|line| line.contains("myself,master"));
            let words: Vec<_> = me.unwrap_or_default().split_whitespace().collect();
            let serves = words.iter().skip(8).filter_map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                Some(first.parse().ok()?..=last.parse().ok()?)
            });
            if serves.into_iter().any(|range| range.contains(&slot)) {
                return (place, words[0].to_owned());
            }
        }
        panic!("no primary serves slot {slot}");
    }
}

/// The slot of a channel.
fn slot(number: u16) -> u16 {
    ChannelNames::new("roomcast", NodeId::from_raw("any")).slot(ChannelGroup::of(channel(number)))
}

#[tokio::test]
async fn keeps_the_contract() {
    let cluster = Cluster::start().await;
    let urls: Vec<_> = cluster.servers.iter().map(Server::url).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let problems = RedisBus::check(&options("me", RedisKind::Cluster, &urls)).await;
    assert!(problems.is_empty(), "{problems:?}");
    let asked = cluster.servers[0].run_command("CLUSTER KEYSLOT roomcast:7").await;
    assert!(asked.starts_with(&format!(":{}\r\n", slot(7))), "{asked}");
    let nodes = ["ann", "bob", "eve"].map(|name| cluster.node(name));
    let [ann, bob, eve] = &nodes;
    contract::three_node_contract([("ann", &*ann.bus), ("bob", &*bob.bus), ("eve", &*eve.bus)])
        .await;
    let me = cluster.node("me");
    contract::single_node_contract(&*me.bus).await;
}

#[tokio::test]
async fn follows_a_failover_when_a_primary_dies() {
    let mut cluster = Cluster::start().await;
    let (ann, bob) = (cluster.node("ann"), cluster.node("bob"));
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    let (place, _) = cluster.primary_of(slot(7)).await;
    cluster.servers[place].kill();
    ann.wait_disconnected().await;
    bob.wait_disconnected().await;
    // Only what was at that primary is opened again.
    wait_recovered(&ann, &bob, &[7]).await;
    for (number, on) in (1..).zip(CHANNELS) {
        ann.publish(on, number);
        while bob.receive().await != ("ann".to_owned(), on, number) {}
    }
}

/// The stopped primary returns as a replica, and the nodes do not publish to it any more.
#[tokio::test]
async fn follows_a_failover_when_a_primary_is_stopped() {
    let cluster = Cluster::start().await;
    let (ann, bob) = (cluster.node("ann"), cluster.node("bob"));
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    let (place, _) = cluster.primary_of(slot(7)).await;
    let still = &cluster.servers[place];
    still.signal("-STOP");
    ann.wait_disconnected().await;
    bob.wait_disconnected().await;
    wait_recovered(&ann, &bob, &[7]).await;
    still.signal("-CONT");
    wait_until(|| async { still.run_command("ROLE").await.contains("slave") }).await;
    ann.publish(7, 1);
    while bob.receive().await != ("ann".to_owned(), 7, 1) {}
    assert!(ann.is_connected() && bob.is_connected());
}

#[tokio::test]
async fn follows_a_slot_to_another_primary() {
    let cluster = Cluster::start().await;
    let (ann, bob) = (cluster.node("ann"), cluster.node("bob"));
    let (ann, bob) = two_listeners(&ann, &bob, &CHANNELS).await;
    let moved = slot(7);
    let (from, from_id) = cluster.primary_of(moved).await;
    let (to, to_id) = cluster.primary_of((moved + 8192) % 16_384).await;
    let (from, to) = (&cluster.servers[from], &cluster.servers[to]);
    for (server, order) in [
        (to, format!("IMPORTING {from_id}")),
        (from, format!("MIGRATING {to_id}")),
        (to, format!("NODE {to_id}")),
        (from, format!("NODE {to_id}")),
    ] {
        let answer = server.run_command(&format!("CLUSTER SETSLOT {moved} {order}")).await;
        assert!(answer.starts_with("+OK"), "{answer}");
    }
    wait_recovered(&ann, &bob, &[7]).await;
    let received = to.run_command("PUBSUB SHARDNUMSUB {roomcast:7}:7").await;
    assert!(received.contains(":2\r\n"), "{received}");
}
