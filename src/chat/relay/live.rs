//! That this node lives, and which others do.

use std::{future::Future, mem, time::Duration};

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::{ACQUAINTANCE_MAX, Relay};
use crate::{
    chat::ports::{Census, Fault, GuestName},
    domain::{DeviceSet, Space, UserName},
};

/// How often this node says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How often the other nodes are told at most of who came or went.
const GATHER: Duration = Duration::from_millis(20);

/// How often it was said who is here.
#[derive(Debug, Default)]
pub(super) struct Counts {
    begun: u64,
    /// Which was the last that went well.
    done: u64,
    /// Whether the last one did not.
    has_failed: bool,
}

impl Relay {
    /// Says to the other nodes again and again that this one lives. Runs for ever.
    pub(crate) async fn beat(&self) {
        loop {
            self.herald.beat();
            sleep(BEAT_EVERY).await;
        }
    }

    /// Says so to whoever counts the nodes, with the users who came and went, and sees to those nodes
    /// and names that are gone. Runs for ever.
    pub(crate) async fn count_nodes(&self) {
        let (mut failed, mut freed) = (false, Vec::new());
        loop {
            freed.extend(self.hub.take_freed());
            let begun_at = Instant::now();
            match self.count_once(&mut freed).await {
                Ok(()) if mem::take(&mut failed) => info!("nodes are counted again"),
                Ok(()) => (),
                Err(fault) => {
                    self.lock().neighbours.blink(self.hub.now());
                    if !mem::replace(&mut failed, true) {
                        warn!(error = fault.chain(), "it cannot be said that this node lives");
                    }
                }
            }
            tokio::select! {
                () = self.hub.moved(), if !failed => sleep_until(begun_at + GATHER).await,
                () = sleep(BEAT_EVERY) => (),
            }
        }
    }

    async fn count_once(&self, freed: &mut Vec<GuestName>) -> Result<(), Fault> {
        self.counts.send_modify(|it| it.begun += 1);
        let moved = self.hub.take_moved();
        match self.nodes.beat(&moved).await {
            Ok(census) => {
                self.counts.send_modify(|it| {
                    it.done = it.begun;
                    it.has_failed = false;
                });
                if self.herald.has_lapsed() {
                    // The others have told already who left while nobody could be asked.
                    self.settle(1).await;
                }
                self.herald.is_counted();
                self.take_census(census);
            }
            Err(fault) => {
                self.counts.send_modify(|it| it.has_failed = true);
                self.hub.keep_moved(moved);
                return Err(fault);
            }
        }
        if !freed.is_empty() {
            self.nodes.release(freed).await?;
            freed.clear();
        }
        Ok(())
    }

    fn take_census(&self, census: Census) {
        let Census { alive, lost } = census;
        for GuestName { space, user, stay } in lost {
            self.hub.lose_name(&space, &user, &stay);
        }
        let now = self.hub.now();
        let alive = alive.into_iter().filter(|node| node != self.herald.node());
        let mut state = self.lock();
        let (new, gone) = state.neighbours.count(alive, now);
        let others = state.neighbours.names().count();
        for node in &gone {
            state.streams.forget(node);
            state.ask_no_more(node);
        }
        drop(state);
        self.herald.count_others(others);
        for node in &new {
            info!(node.id = node.as_raw(), "another node lives");
            self.meet(node);
        }
        for node in &gone {
            info!(node.id = node.as_raw(), "a node is gone");
            self.hub.forget_node(node);
        }
    }

    /// Ends when the other nodes can know who is here now and who is about to be, or after a moment.
    pub(crate) fn introduction(&self) -> impl Future<Output = ()> {
        let mut counts = self.counts.subscribe();
        let next = counts.borrow().begun + 1;
        let is_alone = self.herald.is_alone();
        async move {
            if !is_alone {
                let counted = counts.wait_for(|it| it.done >= next || it.has_failed);
                timeout(ACQUAINTANCE_MAX, counted).await.ok();
            }
        }
    }

    /// On which devices users are on the other nodes.
    pub(crate) async fn online_elsewhere(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<DeviceSet>, Fault> {
        if self.herald.is_alone() {
            return Ok(vec![DeviceSet::default(); users.len()]);
        }
        self.nodes.online(space, users).await
    }

    /// Whether this node hears the others, as far as the bus can tell.
    pub(crate) fn hears(&self) -> bool {
        self.bus.is_whole()
    }
}
