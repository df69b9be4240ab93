//! Which server serves which groups.
//!
//! A standalone server serves all of them. In a cluster each group lies in one slot, and any node
//! without known failures can name the slot's primary. Nodes are asked in turn, so that a
//! partitioned one is not relied on for long.

use std::collections::BTreeMap;

use redis::{Pipeline, Value};

use super::{
    names::{ChannelGroup, ChannelNames},
    server::{RedisFailure, RedisServer, TlsConfig},
};

/// The servers of a cluster that are remembered beside those of the settings.
const KNOWN_MAX: usize = 64;

/// The groups of each server.
pub(super) type Topology = BTreeMap<(String, u16), (RedisServer, Vec<ChannelGroup>)>;

/// The servers to ask.
#[derive(Debug)]
pub(super) struct RedisCluster {
    names: ChannelNames,
    tls_config: TlsConfig,
    seeds: Vec<RedisServer>,
    known: Vec<RedisServer>,
    /// The next server to ask.
    next_candidate: usize,
}

/// A standalone server.
pub(super) fn single_server(server: &RedisServer) -> Topology {
    BTreeMap::from([(key(server), (server.clone(), ChannelGroup::all().collect()))])
}

fn key(server: &RedisServer) -> (String, u16) {
    let (host, port) = server.address();
    (host.to_owned(), port)
}

impl RedisCluster {
    pub(super) fn new(names: ChannelNames, tls_config: TlsConfig, seeds: Vec<RedisServer>) -> Self {
        Self { names, tls_config, seeds, known: Vec::new(), next_candidate: 0 }
    }

    /// Asks one server after the other until one returns the topology. The error names the first
    /// server that failed.
    pub(super) async fn discover(&mut self) -> Result<Topology, (RedisServer, RedisFailure)> {
        let candidates: Vec<_> = self.seeds.iter().chain(&self.known).cloned().collect();
        let mut first = None;
        for _ in 0..candidates.len() {
            self.next_candidate = (self.next_candidate + 1) % candidates.len();
            let Some(server) = candidates.get(self.next_candidate) else { continue };
            match self.query(server).await {
                Ok(topology) => return Ok(topology),
                Err(failure) => first = first.or_else(|| Some((server.clone(), failure))),
            }
        }
        Err(first.expect("there is a seed"))
    }

    /// Asks one server.
    pub(super) async fn query(&mut self, server: &RedisServer) -> Result<Topology, RedisFailure> {
        let mut commands = Pipeline::new();
        commands.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
        let answers = server.query(&self.tls_config, &commands).await?;
        if answers.iter().any(is_cluster_disabled) {
            return Err(RedisFailure::NoCluster);
        }
        if let Some(failure) = RedisFailure::from_answers(&answers) {
            return Err(failure);
        }
        let [info, slots] = answers.as_slice() else { return Err(RedisFailure::ClusterDown) };
        if !text(info).contains("cluster_state:ok") {
            return Err(RedisFailure::ClusterDown);
        }
        let ranges = ranges(slots);
        let mut topology = Topology::new();
        for group in ChannelGroup::all() {
            let slot = self.names.slot(group);
            let range = ranges.iter().find(|it| (it.first..=it.last).contains(&slot));
            let (host, port) =
                range.and_then(|it| it.servers.first()).ok_or(RedisFailure::ClusterDown)?;
            let primary = server.with_address(host, *port);
            topology.entry(key(&primary)).or_insert((primary, Vec::new())).1.push(group);
        }
        self.update_known(server, &ranges);
        Ok(topology)
    }

    fn update_known(&mut self, server: &RedisServer, ranges: &[SlotRange<'_>]) {
        let all = ranges.iter().flat_map(|it| &it.servers);
        let all: BTreeMap<_, _> = all
            .map(|(host, port)| server.with_address(host, *port))
            .map(|it| (key(&it), it))
            .collect();
        let is_seed = |server: &RedisServer| self.seeds.iter().any(|it| key(it) == key(server));
        self.known = all.into_values().filter(|it| !is_seed(it)).take(KNOWN_MAX).collect();
    }
}

/// Slots and the servers that serve them, the primary first. An empty host is the server that was
/// asked.
struct SlotRange<'a> {
    first: u16,
    last: u16,
    servers: Vec<(&'a str, u16)>,
}

/// Parses the reply to `CLUSTER SLOTS`. Unknown parts are skipped.
fn ranges(answer: &Value) -> Vec<SlotRange<'_>> {
    items(answer).iter().filter_map(range).collect()
}

fn range(value: &Value) -> Option<SlotRange<'_>> {
    let [first, last, servers @ ..] = items(value) else { return None };
    let servers: Vec<_> = servers.iter().map(server).collect::<Option<_>>()?;
    Some(SlotRange { first: number(first)?, last: number(last)?, servers })
}

fn server(value: &Value) -> Option<(&str, u16)> {
    let [host, port, ..] = items(value) else { return None };
    let host = text(host);
    (host != "?").then_some((host, number(port)?))
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

/// The text of a reply, if it is one.
pub(super) fn text(value: &Value) -> &str {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).unwrap_or_default(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text,
        _ => "",
    }
}

fn is_cluster_disabled(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    error.details().is_some_and(|it| it.contains("cluster support disabled"))
}
