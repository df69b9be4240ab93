//! The answers to one ask of this node, and how many are still to come.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use tokio::sync::Notify;

use crate::{
    chat::ports::{AskReply, SettledAsk},
    domain::{AskAnswer, AskOutcome, ConnectionId, NodeId},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Tally {
    /// The number of connections that were asked on this node.
    asked_here: usize,
    nodes: BTreeMap<NodeId, NodeTally>,
    answers: Vec<AskAnswer>,
    /// Notified once no answer is to come.
    done: Arc<Notify>,
}

/// What another node has replied.
#[derive(Debug, Default)]
struct NodeTally {
    asked: Option<usize>,
    /// The connections of which nothing more is to come. Replies may arrive twice.
    settled: HashSet<ConnectionId>,
    answered: usize,
    is_lost: bool,
}

impl Tally {
    /// No answers yet, of so many connections of this node and of those of these other nodes.
    pub(super) fn new(asked_here: usize, peers: impl IntoIterator<Item = NodeId>) -> Self {
        let nodes = peers.into_iter().map(|node| (node, NodeTally::default())).collect();
        Self { asked_here, nodes, answers: Vec::new(), done: Arc::new(Notify::new()) }
    }

    /// Notified once no answer is to come.
    pub(super) fn done(&self) -> Arc<Notify> {
        Arc::clone(&self.done)
    }

    /// Keeps an answer.
    pub(super) fn add(&mut self, answer: AskAnswer) {
        self.answers.push(answer);
    }

    /// Records the reply of another node. Returns its answers that are new.
    pub(super) fn record(&mut self, from: &NodeId, reply: AskReply) -> Vec<AskAnswer> {
        let node = self.nodes.entry(from.clone()).or_default();
        match reply {
            AskReply::Asked(connections) => {
                node.asked.get_or_insert(connections);
                Vec::new()
            }
            AskReply::Settled(settled) => {
                settled.into_iter().filter_map(|it| node.settle(it)).collect()
            }
        }
    }

    /// A node has left: no reply of it is to come.
    pub(super) fn lose(&mut self, node: &NodeId) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.is_lost = true;
        }
    }

    /// Ends the wait, if no connection of this node is `waiting` and all others have replied.
    pub(super) fn notify_if_done(&self, waiting: &HashSet<ConnectionId>) {
        if waiting.is_empty() && self.nodes.values().all(NodeTally::is_done) {
            self.end();
        }
    }

    /// Ends the wait.
    pub(super) fn end(&self) {
        self.done.notify_one();
    }

    /// The answers.
    pub(super) fn answers(&self) -> &[AskAnswer] {
        &self.answers
    }

    /// The result, of what has arrived.
    pub(super) fn into_outcome(self) -> AskOutcome {
        let Self { asked_here, nodes, answers, done: _ } = self;
        let complete = nodes.values().all(|it| it.asked.is_some());
        let remote = nodes.values().map(|it| it.asked.unwrap_or(0).max(it.answered));
        let asked = asked_here + remote.sum::<usize>();
        AskOutcome { missing: asked.saturating_sub(answers.len()), answers, complete }
    }
}

impl NodeTally {
    /// Returns the answer, if it is one that is new.
    fn settle(&mut self, settled: SettledAsk) -> Option<AskAnswer> {
        match settled {
            SettledAsk::Answered(answer) => {
                let is_new = self.settled.insert(answer.connection.connection);
                self.answered += usize::from(is_new);
                is_new.then_some(answer)
            }
            SettledAsk::Gone(address) => {
                self.settled.insert(address.connection);
                None
            }
        }
    }

    fn is_done(&self) -> bool {
        self.is_lost || self.asked.is_some_and(|asked| self.settled.len() >= asked)
    }
}
