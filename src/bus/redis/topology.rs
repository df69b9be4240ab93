//! Which server serves which groups.
//!
//! One server serves all of them. In a cluster each group lies in one slot, and any node that knows of
//! no trouble says which primary has it. Nodes are asked in turn, so that one that is cut off is not
//! believed for long.

use std::collections::BTreeMap;

use redis::{Pipeline, Value};

use super::{
    names::{Group, Names},
    server::{Server, Trouble, Trust},
};

/// Servers of a cluster that are remembered beside those of the settings.
const KNOWN_MAX: usize = 64;

/// The groups of each server.
pub(super) type Plan = BTreeMap<(String, u16), (Server, Vec<Group>)>;

/// Whom to ask.
#[derive(Debug)]
pub(super) struct Cluster {
    names: Names,
    trust: Trust,
    seeds: Vec<Server>,
    known: Vec<Server>,
    /// Who is asked next.
    turn: usize,
}

/// A server alone.
pub(super) fn alone(server: &Server) -> Plan {
    BTreeMap::from([(key(server), (server.clone(), Group::all().collect()))])
}

fn key(server: &Server) -> (String, u16) {
    let (host, port) = server.address();
    (host.to_owned(), port)
}

impl Cluster {
    pub(super) fn new(names: Names, trust: Trust, seeds: Vec<Server>) -> Self {
        Self { names, trust, seeds, known: Vec::new(), turn: 0 }
    }

    /// Asks one after the other until somebody knows. Answers whose trouble it is that nobody does.
    pub(super) async fn discover(&mut self) -> Result<Plan, (Server, Trouble)> {
        let candidates: Vec<_> = self.seeds.iter().chain(&self.known).cloned().collect();
        let mut first = None;
        for _ in 0..candidates.len() {
            self.turn = (self.turn + 1) % candidates.len();
            let Some(server) = candidates.get(self.turn) else { continue };
            match self.ask(server).await {
                Ok(plan) => return Ok(plan),
                Err(trouble) => first = first.or_else(|| Some((server.clone(), trouble))),
            }
        }
        Err(first.expect("there is a seed"))
    }

    /// What one server knows.
    pub(super) async fn ask(&mut self, server: &Server) -> Result<Plan, Trouble> {
        let mut questions = Pipeline::new();
        questions.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
        let answers = server.ask(&self.trust, &questions).await?;
        if answers.iter().any(says_no_cluster) {
            return Err(Trouble::NoCluster);
        }
        if let Some(trouble) = Trouble::in_answers(&answers) {
            return Err(trouble);
        }
        let [info, slots] = answers.as_slice() else { return Err(Trouble::ClusterDown) };
        if !text(info).contains("cluster_state:ok") {
            return Err(Trouble::ClusterDown);
        }
        let ranges = ranges(slots);
        let mut plan = Plan::new();
        for group in Group::all() {
            let slot = self.names.slot(group);
            let range = ranges.iter().find(|it| (it.first..=it.last).contains(&slot));
            let (host, port) =
                range.and_then(|it| it.servers.first()).ok_or(Trouble::ClusterDown)?;
            let primary = server.beside(host, *port);
            plan.entry(key(&primary)).or_insert((primary, Vec::new())).1.push(group);
        }
        self.remember(server, &ranges);
        Ok(plan)
    }

    fn remember(&mut self, server: &Server, ranges: &[Range<'_>]) {
        let all = ranges.iter().flat_map(|it| &it.servers);
        let all: BTreeMap<_, _> =
            all.map(|(host, port)| server.beside(host, *port)).map(|it| (key(&it), it)).collect();
        let is_seed = |server: &Server| self.seeds.iter().any(|it| key(it) == key(server));
        self.known = all.into_values().filter(|it| !is_seed(it)).take(KNOWN_MAX).collect();
    }
}

/// Slots and who serves them, the primary first. A host may be empty: it is the one that was asked.
struct Range<'a> {
    first: u16,
    last: u16,
    servers: Vec<(&'a str, u16)>,
}

/// Reads the answer to `CLUSTER SLOTS`. What is not understood is passed over.
fn ranges(answer: &Value) -> Vec<Range<'_>> {
    items(answer).iter().filter_map(range).collect()
}

fn range(value: &Value) -> Option<Range<'_>> {
    let [first, last, servers @ ..] = items(value) else { return None };
    let servers: Vec<_> = servers.iter().map(server).collect::<Option<_>>()?;
    Some(Range { first: number(first)?, last: number(last)?, servers })
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

/// The text of an answer, if it is one.
pub(super) fn text(value: &Value) -> &str {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).unwrap_or_default(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text,
        _ => "",
    }
}

fn says_no_cluster(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    error.details().is_some_and(|it| it.contains("cluster support disabled"))
}
