//! The asks of this node, and those of other nodes that connections of this node answer.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
    time::Duration,
};

use tokio::sync::Notify;

use super::tally::Tally;
use crate::{
    chat::{
        hub::due_queue::DueQueue,
        ports::{AskReply, SettledAsk},
    },
    domain::{AskAnswer, AskId, AskOutcome, ConnectionAddress, ConnectionId, NodeId},
};

/// The most asks at one time, so that a connection that closes is looked up in few of them.
const ASKS_MAX: usize = 1024;
/// The most bytes of all answers that are kept at one time. Further ones count as missing.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long what became of connections is collected for a reply to another node.
const REPLY_DELAY: Duration = Duration::from_millis(20);
/// The most connections in a reply.
const SETTLED_MAX: usize = 512;
/// The size of answers at which a reply is sent at once.
const REPLY_BYTES: usize = 256 << 10;
/// The memory of an answer without its arguments. It bounds the number of answers, too.
const ANSWER_BYTES: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct AskTable {
    answers_max: usize,
    /// The number of the last ask.
    last: u64,
    asks: HashMap<AskId, Ask>,
    /// The number of connections in `waiting` of all asks.
    awaited: usize,
    /// The size of the answers of all asks.
    bytes: usize,
    /// The asks of other nodes, at the ends of their waits.
    due: DueQueue<AskId>,
    /// The asks of other nodes whose next reply is due.
    replies_due: DueQueue<AskId>,
}

#[derive(Debug)]
struct Ask {
    /// The connections of this node that have not answered.
    waiting: HashSet<ConnectionId>,
    caller: Caller,
}

#[derive(Debug)]
enum Caller {
    Here(Tally),
    Node(RemoteAsk, NextReply),
}

/// The next reply to another node.
#[derive(Debug, Default)]
struct NextReply {
    settled: Vec<SettledAsk>,
    /// The size of the answers.
    bytes: usize,
    /// When it is sent.
    due: Option<Duration>,
}

/// An ask of another node.
#[derive(Clone, Debug)]
pub(super) struct RemoteAsk {
    /// The node.
    pub(super) node: NodeId,
    /// The number of the ask there.
    pub(super) ask: AskId,
    /// The end of its wait.
    pub(super) until: Duration,
}

/// A reply to an ask of another node.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AskForward {
    pub(super) to: NodeId,
    pub(super) ask: AskId,
    pub(super) reply: AskReply,
}

/// There are too many asks, or too many answers are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl AskTable {
    /// No asks. At most `answers_max` answers are awaited at one time.
    pub(super) fn new(answers_max: usize) -> Self {
        let (due, replies_due) = (DueQueue::default(), DueQueue::default());
        Self { answers_max, last: 0, asks: HashMap::new(), awaited: 0, bytes: 0, due, replies_due }
    }

    /// Adds an ask of this node to these connections and to those of `peers`. The result is notified
    /// once no answer is to come.
    pub(super) fn begin(
        &mut self,
        connections: HashSet<ConnectionId>,
        peers: Vec<NodeId>,
    ) -> Result<(AskId, Arc<Notify>), Full> {
        let tally = Tally::new(connections.len(), peers);
        let done = tally.done();
        tally.notify_if_done(&connections);
        Ok((self.insert(connections, Caller::Here(tally))?, done))
    }

    /// Adds an ask of another node to these connections.
    pub(super) fn begin_remote(
        &mut self,
        connections: HashSet<ConnectionId>,
        remote: RemoteAsk,
    ) -> Result<AskId, Full> {
        let until = remote.until;
        let id = self.insert(connections, Caller::Node(remote, NextReply::default()))?;
        self.due.insert(until, id);
        Ok(id)
    }

    fn insert(&mut self, waiting: HashSet<ConnectionId>, caller: Caller) -> Result<AskId, Full> {
        let awaited = self.awaited + waiting.len();
        if self.asks.len() >= ASKS_MAX || awaited > self.answers_max {
            return Err(Full);
        }
        self.last += 1;
        let id = AskId::from_raw(self.last);
        self.asks.insert(id, Ask { waiting, caller });
        self.awaited = awaited;
        Ok(id)
    }

    /// Whether an answer of this connection is awaited.
    pub(super) fn awaits(&self, id: AskId, connection: ConnectionId) -> bool {
        self.asks.get(&id).is_some_and(|ask| ask.waiting.contains(&connection))
    }

    /// Takes the answer of a connection of this node, if it is awaited. Returns the reply to the node
    /// that asks, if it is sent at `now`.
    pub(super) fn answer(
        &mut self,
        id: AskId,
        answer: AskAnswer,
        now: Duration,
    ) -> Option<AskForward> {
        let connection = answer.connection.clone();
        self.settle(id, (&connection, Some(answer)), now)
    }

    /// A connection of this node has closed: no answer of it is to come. Returns the replies to other
    /// nodes.
    pub(super) fn close(
        &mut self,
        connection: &ConnectionAddress,
        now: Duration,
    ) -> Vec<AskForward> {
        let is_asked = |(_, ask): &(&AskId, &Ask)| ask.waiting.contains(&connection.connection);
        let ids: Vec<_> = self.asks.iter().filter(is_asked).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.settle(id, (connection, None), now)).collect()
    }

    fn settle(
        &mut self,
        id: AskId,
        (connection, answer): (&ConnectionAddress, Option<AskAnswer>),
        now: Duration,
    ) -> Option<AskForward> {
        let Ask { waiting, caller } = self.asks.get_mut(&id)?;
        if !waiting.remove(&connection.connection) {
            return None;
        }
        self.awaited -= 1;
        let is_over = waiting.is_empty();
        match caller {
            Caller::Here(tally) => {
                keep(&mut self.bytes, tally, answer);
                tally.notify_if_done(waiting);
                None
            }
            Caller::Node(_, reply) => {
                reply.bytes += answer.as_ref().map_or(0, bytes);
                let gone = || SettledAsk::Gone(connection.clone());
                reply.settled.push(answer.map_or_else(gone, SettledAsk::Answered));
                if is_over || reply.settled.len() >= SETTLED_MAX || reply.bytes >= REPLY_BYTES {
                    let forward = self.take_reply(id);
                    if is_over {
                        self.end(id);
                    }
                    return forward;
                }
                if reply.due.is_none() {
                    reply.due = Some(now + REPLY_DELAY);
                    self.replies_due.insert(now + REPLY_DELAY, id);
                }
                None
            }
        }
    }

    /// Takes the next reply to another node.
    fn take_reply(&mut self, id: AskId) -> Option<AskForward> {
        let Caller::Node(RemoteAsk { node, ask, until: _ }, reply) =
            &mut self.asks.get_mut(&id)?.caller
        else {
            return None;
        };
        let NextReply { settled, bytes: _, due } = mem::take(reply);
        let forward = AskForward { to: node.clone(), ask: *ask, reply: AskReply::Settled(settled) };
        if let Some(due) = due {
            self.replies_due.remove(due, id);
        }
        Some(forward)
    }

    /// Takes the replies that are due at `now`.
    pub(super) fn take_replies(&mut self, now: Duration) -> Vec<AskForward> {
        let due = self.replies_due.take(now);
        due.into_iter().filter_map(|id| self.take_reply(id)).collect()
    }

    /// Records what another node replies to an ask of this one.
    pub(super) fn record(&mut self, from: &NodeId, id: AskId, reply: AskReply) {
        let ask = self.asks.get_mut(&id);
        if let Some(Ask { waiting, caller: Caller::Here(tally) }) = ask {
            for answer in tally.record(from, reply) {
                keep(&mut self.bytes, tally, Some(answer));
            }
            tally.notify_if_done(waiting);
        }
    }

    /// Another node has left: its asks end, and no replies of it are to come.
    pub(super) fn forget_node(&mut self, left: &NodeId) {
        let mut ended = Vec::new();
        for (id, Ask { waiting, caller }) in &mut self.asks {
            match caller {
                Caller::Here(tally) => {
                    tally.lose(left);
                    tally.notify_if_done(waiting);
                }
                Caller::Node(remote, _) if remote.node == *left => ended.push(*id),
                Caller::Node(..) => (),
            }
        }
        for id in ended {
            self.end(id);
        }
    }

    /// Ends the waits of all asks of this node.
    pub(super) fn end_waits(&self) {
        for Ask { caller, .. } in self.asks.values() {
            if let Caller::Here(tally) = caller {
                tally.end();
            }
        }
    }

    /// Removes an ask. Returns its result, if it is one of this node.
    pub(super) fn end(&mut self, id: AskId) -> Option<AskOutcome> {
        let Ask { waiting, caller } = self.asks.remove(&id)?;
        self.awaited -= waiting.len();
        match caller {
            Caller::Here(tally) => {
                self.bytes -= tally.answers().iter().map(bytes).sum::<usize>();
                Some(tally.into_outcome())
            }
            Caller::Node(RemoteAsk { until, .. }, reply) => {
                self.due.remove(until, id);
                if let Some(due) = reply.due {
                    self.replies_due.remove(due, id);
                }
                None
            }
        }
    }

    /// The next moment at which an ask of another node is over, or a reply to one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.due.next().into_iter().chain(self.replies_due.next()).min()
    }

    /// Removes the asks of other nodes that are over at `now`.
    pub(super) fn expire(&mut self, now: Duration) {
        for id in self.due.take(now) {
            self.end(id);
        }
    }
}

/// Keeps an answer, if its size allows it.
fn keep(total: &mut usize, tally: &mut Tally, answer: Option<AskAnswer>) {
    if let Some(answer) = answer
        && *total + bytes(&answer) <= ANSWER_BYTES_MAX
    {
        *total += bytes(&answer);
        tally.add(answer);
    }
}

/// The memory of an answer.
fn bytes(answer: &AskAnswer) -> usize {
    ANSWER_BYTES + answer.args.bytes()
}
