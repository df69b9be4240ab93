//! Whether a message would go through this node now: proved by a probe that takes the same way.
//!
//! A probe goes through the journal, a transaction of the store, the bus and the receiver to the hub. A
//! task sends one when somebody asks, one at a time, and its result holds for all who ask within a
//! second. So many requests cost as much as one, and none costs nothing.

use std::{
    collections::BTreeMap,
    future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

use super::{Chat, cluster::ProbeProgress, ports::MetricEvent};

/// How long a probe may take. Past it, the part that has it has failed.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long the result of a probe holds.
const RESULT_LIFETIME: Duration = Duration::from_secs(1);

/// Whether new clients may be sent to this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// They may be.
    Ready,
    /// They may not be, because of this. There is at least one failure.
    Unready(Vec<PartFailure>),
}

/// Why a part of the node does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartFailure {
    /// The part.
    pub part: NodePart,
    /// What is wrong with it.
    pub cause: FailureCause,
    /// How long this is known.
    pub since: Duration,
}

/// What a message needs of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodePart {
    /// The node as a whole.
    Node,
    /// The queue in front of the store.
    Journal,
    /// The store.
    Store,
    /// What carries announcements between nodes.
    Bus,
    /// What delivers to connections.
    Hub,
}

/// Why a part does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// The node stops.
    Draining,
    /// It has refused.
    Unavailable,
    /// The node receives nothing from the other nodes.
    BusDisconnected,
    /// It has not answered in time.
    Timeout,
}

/// A part that has failed, and why.
type Failed = (NodePart, FailureCause);

/// The last probe.
#[derive(Debug, Default)]
pub(super) struct Probes {
    wanted: Notify,
    /// `None` before the first one.
    last: watch::Sender<Option<ProbeResult>>,
    draining_since: OnceLock<Instant>,
}

/// What a probe has found.
#[derive(Clone, Debug)]
struct ProbeResult {
    ended_at: Instant,
    /// The failed parts, and since when they fail.
    failed: Vec<(Failed, Instant)>,
}

impl Probes {
    /// Records that the node stops.
    pub(super) fn record_drain(&self) {
        self.draining_since.get_or_init(Instant::now);
    }

    /// Asks for a probe, and waits for its result.
    async fn wait_for_result(&self) {
        let mut last = self.last.subscribe();
        self.wanted.notify_one();
        let is_valid = |it: &Option<ProbeResult>| it.as_ref().is_some_and(ProbeResult::is_valid);
        last.wait_for(is_valid).await.expect("the sender lives in `self`");
    }
}

impl ProbeResult {
    fn is_valid(&self) -> bool {
        self.ended_at.elapsed() < RESULT_LIFETIME
    }

    fn readiness(&self) -> Readiness {
        let failure = |((part, cause), since): &(Failed, Instant)| PartFailure {
            part: *part,
            cause: *cause,
            since: since.elapsed(),
        };
        if self.failed.is_empty() {
            Readiness::Ready
        } else {
            Readiness::Unready(self.failed.iter().map(failure).collect())
        }
    }
}

impl Chat {
    /// Whether new clients may be sent to this node, and if not, why. Takes up to the time of a probe.
    pub async fn readiness(&self) -> Readiness {
        loop {
            if let Some(since) = self.probes.draining_since.get() {
                let (part, cause) = (NodePart::Node, FailureCause::Draining);
                return Readiness::Unready(vec![PartFailure {
                    part,
                    cause,
                    since: since.elapsed(),
                }]);
            }
            if let Some(result) = self.probes.last.borrow().as_ref().filter(|it| it.is_valid()) {
                return result.readiness();
            }
            self.probes.wait_for_result().await;
        }
    }

    /// Sends probes when somebody asks. Runs for ever.
    pub async fn run_probes(self: Arc<Self>) {
        let mut failing_since = BTreeMap::new();
        for number in 1.. {
            self.probes.wanted.notified().await;
            if self.probes.last.borrow().as_ref().is_some_and(ProbeResult::is_valid) {
                // Asked while the last one was on its way.
                continue;
            }
            let begun_at = Instant::now();
            let failed = self.probe(number, begun_at + PROBE_WAIT_MAX).await;
            failing_since.retain(|part, _| failed.iter().any(|(failed, _)| failed == part));
            let failed = failed.into_iter();
            let failed = failed.map(|it| (it, *failing_since.entry(it.0).or_insert(begun_at)));
            let result = ProbeResult { ended_at: Instant::now(), failed: failed.collect() };
            self.probes.last.send_replace(Some(result));
        }
        future::pending::<()>().await;
    }

    /// Sends a probe, and returns the parts that have failed.
    async fn probe(&self, number: u64, deadline: Instant) -> Vec<Failed> {
        let stored = timeout_at(deadline, self.journal.probe(number)).await;
        let is_bus_connected = self.cluster.is_bus_connected();
        let mut failed = Vec::new();
        match stored {
            Ok(Ok(())) if is_bus_connected => {
                let (begun_at, delivered) = (Instant::now(), self.cluster.wait_for_probe(number));
                if timeout_at(deadline, delivered).await.is_ok() {
                    let elapsed = begun_at.elapsed();
                    self.metrics.record(MetricEvent::BusProbed { elapsed });
                } else {
                    failed.extend(self.late_part(number).map(|it| (it, FailureCause::Timeout)));
                }
            }
            Ok(Ok(())) => (),
            Ok(Err(_)) => failed.push((NodePart::Store, FailureCause::Unavailable)),
            Err(_) if self.journal.is_store_busy() => {
                failed.push((NodePart::Store, FailureCause::Timeout));
            }
            Err(_) => failed.push((NodePart::Journal, FailureCause::Timeout)),
        }
        if !is_bus_connected {
            failed.push((NodePart::Bus, FailureCause::BusDisconnected));
        }
        failed
    }

    /// The part that has a probe that was stored.
    fn late_part(&self, number: u64) -> Option<NodePart> {
        match self.cluster.probe_progress(number) {
            ProbeProgress::Published => Some(NodePart::Bus),
            ProbeProgress::Received => Some(NodePart::Hub),
            ProbeProgress::Delivered => None,
        }
    }
}
