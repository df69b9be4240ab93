//! A cluster: three primaries, and a replica of each.

use std::process::Command;

use super::harness::{Node, Server, free_port, healed, options, two_ears, until};
use crate::{
    bus::{
        contract::{self, channel},
        redis::{
            RedisBus, RedisKind,
            names::{Group, Names},
        },
    },
    domain::NodeId,
};

const CHANNELS: [u16; 5] = [7, 8, 9, 100, 1024];

/// Servers that are a cluster.
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
            until(|| async { server.order("PING").await.starts_with("+PONG") }).await;
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
        cluster.ready().await;
        cluster
    }

    /// Waits until all are well and every replica follows.
    async fn ready(&self) {
        for server in &self.servers {
            until(|| async {
                let cluster = server.order("CLUSTER INFO").await;
                let role = server.order("ROLE").await;
                cluster.contains("cluster_state:ok")
                    && (role.contains("master") || role.contains("connected"))
            })
            .await;
        }
    }

    fn node(&self, name: &'static str) -> Node {
        Node::start_with(&options(name, RedisKind::Cluster, &[&self.servers[0].url()]), name)
    }

    /// The place of the primary that serves a slot, and what it is called in the cluster.
    async fn primary_of(&self, slot: u16) -> (usize, String) {
        for (place, server) in self.servers.iter().enumerate() {
            let nodes = server.order("CLUSTER NODES").await;
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
        panic!("nobody serves slot {slot}");
    }
}

/// The slot of a channel.
fn slot(number: u16) -> u16 {
    Names::new("roomcast", NodeId::from_raw("any")).slot(Group::of(channel(number)))
}

#[tokio::test]
async fn keeps_the_contract() {
    let cluster = Cluster::start().await;
    let urls: Vec<_> = cluster.servers.iter().map(Server::url).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let complaints = RedisBus::check(&options("me", RedisKind::Cluster, &urls)).await;
    assert!(complaints.is_empty(), "{complaints:?}");
    let asked = cluster.servers[0].order("CLUSTER KEYSLOT roomcast:7").await;
    assert!(asked.starts_with(&format!(":{}\r\n", slot(7))), "{asked}");
    let nodes = ["ann", "bob", "eve"].map(|name| cluster.node(name));
    let [ann, bob, eve] = &nodes;
    contract::three_nodes([("ann", &*ann.bus), ("bob", &*bob.bus), ("eve", &*eve.bus)]).await;
    let me = cluster.node("me");
    contract::bus(&*me.bus).await;
}

#[tokio::test]
async fn a_replica_takes_the_place_of_a_primary_that_dies() {
    let mut cluster = Cluster::start().await;
    let (ann, bob) = (cluster.node("ann"), cluster.node("bob"));
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    let (place, _) = cluster.primary_of(slot(7)).await;
    cluster.servers[place].kill();
    ann.broken().await;
    bob.broken().await;
    // Only what was at that primary is opened again.
    healed(&ann, &bob, &[7]).await;
    for (number, on) in (1..).zip(CHANNELS) {
        ann.say(on, number);
        while bob.hears().await != ("ann".to_owned(), on, number) {}
    }
}

/// The one that stood still comes back as a replica, and nobody speaks to it any more.
#[tokio::test]
async fn a_replica_takes_the_place_of_a_primary_that_stands_still() {
    let cluster = Cluster::start().await;
    let (ann, bob) = (cluster.node("ann"), cluster.node("bob"));
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
    let (place, _) = cluster.primary_of(slot(7)).await;
    let still = &cluster.servers[place];
    still.signal("-STOP");
    ann.broken().await;
    bob.broken().await;
    healed(&ann, &bob, &[7]).await;
    still.signal("-CONT");
    until(|| async { still.order("ROLE").await.contains("slave") }).await;
    ann.say(7, 1);
    while bob.hears().await != ("ann".to_owned(), 7, 1) {}
    assert!(ann.is_whole() && bob.is_whole());
}

#[tokio::test]
async fn a_slot_may_move_to_another_primary() {
    let cluster = Cluster::start().await;
    let (ann, bob) = (cluster.node("ann"), cluster.node("bob"));
    let (ann, bob) = two_ears(&ann, &bob, &CHANNELS).await;
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
        let answer = server.order(&format!("CLUSTER SETSLOT {moved} {order}")).await;
        assert!(answer.starts_with("+OK"), "{answer}");
    }
    healed(&ann, &bob, &[7]).await;
    let heard = to.order("PUBSUB SHARDNUMSUB {roomcast:7}:7").await;
    assert!(heard.contains(":2\r\n"), "{heard}");
}
