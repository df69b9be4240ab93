//! Heartbeats on the bus and the node lease in the store.

use std::{future::Future, mem, time::Duration};

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::{Cluster, PEER_WAIT_MAX};
use crate::{
    chat::{
        ports::{Fault, GuestExpired, GuestName, HeartbeatReply, RemoteUsers},
        publisher::Rosters,
    },
    domain::{DeviceSet, NodeId, Space, UserName},
};

/// The time between two heartbeats of this node.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// The shortest time between two reports of changed online users to the store.
const PRESENCE_BATCH_DELAY: Duration = Duration::from_millis(20);

/// The lease renewals that were started and completed. Each one reports the online users.
#[derive(Debug, Default)]
pub(super) struct LeaseRounds {
    started: u64,
    /// The last successful one.
    done: u64,
    /// Whether the last one failed.
    has_failed: bool,
}

impl Cluster {
    /// Publishes a heartbeat once per [`HEARTBEAT_INTERVAL`]. Runs for ever.
    pub(crate) async fn publish_heartbeats(&self) {
        loop {
            self.publisher.publish_heartbeat();
            sleep(HEARTBEAT_INTERVAL).await;
        }
    }

    /// Renews this node's lease and reports the changes of its online users. Removes nodes whose
    /// leases have expired, and guest names that were lost. `forget_guest` is called for guests of
    /// nodes that have left. Runs for ever.
    pub(crate) async fn maintain_lease(&self, forget_guest: impl Fn(GuestExpired) + Sync) {
        let (mut failed, mut freed) = (false, Vec::new());
        loop {
            freed.extend(self.hub.users.take_freed_names());
            let begun_at = Instant::now();
            match self.renew_lease(&mut freed, &forget_guest).await {
                Ok(()) if mem::take(&mut failed) => info!("node lease renewal restored"),
                Ok(()) => (),
                Err(fault) => {
                    self.lock().peers.record_store_failure(self.hub.now());
                    if !mem::replace(&mut failed, true) {
                        warn!(error = fault.chain(), "node lease renewal failed");
                    }
                }
            }
            tokio::select! {
                () = self.hub.users.wait_for_change(), if !failed => {
                    sleep_until(begun_at + PRESENCE_BATCH_DELAY).await;
                }
                () = sleep(HEARTBEAT_INTERVAL) => (),
            }
        }
    }

    async fn renew_lease(
        &self,
        freed: &mut Vec<GuestName>,
        forget_guest: &(impl Fn(GuestExpired) + Sync),
    ) -> Result<(), Fault> {
        self.lease_rounds.send_modify(|it| it.started += 1);
        let changes = self.hub.users.take_device_changes();
        match self.nodes.heartbeat(&changes).await {
            Ok(reply) => {
                self.lease_rounds.send_modify(|it| {
                    it.done = it.started;
                    it.has_failed = false;
                });
                if self.publisher.is_lease_expired() {
                    // The other nodes have removed this node and its users. Users whose grace
                    // period ended meanwhile have to be removed here, too.
                    self.expire_doubtful(Rosters::Incomplete).await;
                }
                self.publisher.record_lease_renewal();
                self.apply_heartbeat_reply(reply, forget_guest);
            }
            Err(fault) => {
                self.lease_rounds.send_modify(|it| it.has_failed = true);
                self.hub.users.restore_device_changes(changes);
                return Err(fault);
            }
        }
        if !freed.is_empty() {
            self.nodes.release(freed).await?;
            freed.clear();
        }
        Ok(())
    }

    fn apply_heartbeat_reply(&self, reply: HeartbeatReply, forget_guest: impl Fn(GuestExpired)) {
        let HeartbeatReply { alive, lost, expired } = reply;
        expired.into_iter().for_each(forget_guest);
        for GuestName { space, user, guest_session } in lost {
            self.hub.users.revoke_guest_name(&space, &user, &guest_session);
        }
        let now = self.hub.now();
        let alive = alive.into_iter().filter(|node| node != self.publisher.node());
        let mut state = self.lock();
        let (new, gone) = state.peers.update_alive(alive, now);
        let others = state.peers.ids().count();
        for node in &gone {
            state.gap_detector.forget(node);
            state.cancel_roster_requests(node);
        }
        drop(state);
        self.publisher.set_peer_count(others);
        for node in &new {
            info!(node.id = node.as_raw(), "node discovered");
            self.add_peer(node);
        }
        for node in &gone {
            info!(node.id = node.as_raw(), "node lease expired");
            self.hub.live_rooms.forget_node(node);
            self.hub.forget_replies_of(node);
        }
    }

    /// Completes when the store has this node's current online users and those that the next
    /// renewal reports, or after [`PEER_WAIT_MAX`].
    pub(crate) fn presence_announced(&self) -> impl Future<Output = ()> {
        let mut lease_rounds = self.lease_rounds.subscribe();
        let next = lease_rounds.borrow().started + 1;
        let is_alone = self.publisher.is_alone();
        async move {
            if !is_alone {
                let counted = lease_rounds.wait_for(|it| it.done >= next || it.has_failed);
                timeout(PEER_WAIT_MAX, counted).await.ok();
            }
        }
    }

    /// Completes when the lease of this node was renewed for the first time.
    pub(crate) async fn wait_for_lease(&self) {
        let mut lease_rounds = self.lease_rounds.subscribe();
        lease_rounds.wait_for(|it| it.done > 0).await.expect("the sender lives in `self`");
    }

    /// The users' devices on the other nodes.
    pub(crate) async fn remote_devices(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<DeviceSet>, Fault> {
        if self.publisher.is_alone() {
            return Ok(vec![DeviceSet::default(); users.len()]);
        }
        self.nodes.online(space, users).await
    }

    /// The other nodes that may have connections.
    pub(crate) fn serving_peers(&self) -> Vec<NodeId> {
        let now = self.hub.now();
        self.lock().peers.serving(now).cloned().collect()
    }

    /// The other nodes that have stopped lately.
    pub(crate) fn stopped_peers(&self) -> Vec<NodeId> {
        self.lock().peers.stopped().cloned().collect()
    }

    /// A page of the users on the other nodes: the first `count_max` after a name.
    pub(crate) async fn remote_users(
        &self,
        space: &Space,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<RemoteUsers, Fault> {
        if self.publisher.is_alone() {
            return Ok(RemoteUsers::default());
        }
        self.nodes.remote_users(space, after, count_max).await
    }

    /// Whether the bus is connected.
    pub(crate) fn is_bus_connected(&self) -> bool {
        self.bus.is_connected()
    }
}
