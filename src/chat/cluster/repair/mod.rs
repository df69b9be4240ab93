//! Repair (anti-entropy): recovers what the bus lost from the store and from the other nodes.

mod catch_up;
mod denials;

use std::{collections::BTreeSet, mem, time::Duration};

use tokio::time::sleep;
use tracing::{info, warn};

use super::{Cluster, DirtyChannels, MembershipRefresh, RefreshQueue, StaleMemberships};
use crate::{
    chat::{
        ports::{ClusterEvent, Fault},
        publisher::Rosters,
    },
    domain::{Channel, DeviceSet, Place},
};

/// The time between two checks for due work while there are other nodes.
const TICK: Duration = Duration::from_millis(250);
/// The time between two comparisons with the store while the bus or a peer is silent.
const STORE_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// The time after which unanswered requests are repeated.
const ROSTER_REQUEST_INTERVAL: Duration = Duration::from_secs(1);
/// How long the bus must work before the absence of a user on other nodes is certain.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// The time from a failed read of the store to the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// Conversations or users per query to the store.
const STORE_CHECK_BATCH_MAX: usize = 1000;
/// Rooms per roster request.
const ROSTERS_PER_REQUEST_MAX: usize = 100;

/// The times of the last runs of each step.
#[derive(Debug, Default)]
struct RepairState {
    checked_at: Duration,
    requested_at: Duration,
    expiry_checked_at: Duration,
    /// The last time that the bus, a peer or a roster was missing.
    disconnected_at: Duration,
    /// Whether the last read of the store failed.
    failed: bool,
}

impl Cluster {
    /// Detects and delivers what the bus lost. Runs until it is dropped.
    pub(crate) async fn repair(&self, journal: &impl RefreshQueue) {
        let mut progress = RepairState::default();
        loop {
            tokio::select! {
                () = self.publisher.wait_for_work() => (),
                () = self.tick() => (),
            }
            self.publisher.update_subscriptions(&mut self.lock().subscribed);
            self.request_new_rosters();
            self.check_store(&mut progress).await;
            self.refresh(journal);
            self.catch_up().await;
            self.resend_requests(&mut progress);
            self.expire_doubtful_when_due(&mut progress).await;
        }
    }

    /// Waits until work may be due: for ever, if this node is alone and no entry is missing.
    async fn tick(&self) {
        let next = self.lock().reorder_buffers.values().map(|it| it.due).min();
        let next = next.map(|due| due.saturating_sub(self.hub.now()));
        match next {
            Some(wait) => sleep(wait.min(TICK)).await,
            None if self.publisher.is_alone() => std::future::pending().await,
            None => sleep(TICK).await,
        }
    }

    /// Requests the rosters of rooms that are new on this node. Rooms whose channel has no active
    /// subscription follow when it has one.
    fn request_new_rosters(&self) {
        let new_rooms = self.publisher.take_new_rooms();
        let mut state = self.lock();
        let channel = |place: &Place| Channel::of(place).next();
        let subscribed_rooms = new_rooms.into_iter().filter(|place| {
            channel(place).is_some_and(|channel| state.subscribed.contains(&channel))
        });
        let subscribed_rooms: Vec<_> = subscribed_rooms.collect();
        state.dirty_channels.channels.extend(subscribed_rooms.iter().filter_map(channel));
        state.rosters_due |= !subscribed_rooms.is_empty();
        state.request_rosters(subscribed_rooms, None);
    }

    /// Compares the rooms and users of dirty channels with the store.
    async fn check_store(&self, progress: &mut RepairState) {
        let now = self.hub.now();
        let is_due = now >= progress.checked_at + STORE_CHECK_INTERVAL;
        if !self.publisher.is_alone() && is_due && !self.is_connected() {
            self.lock().dirty_channels.all = true;
            progress.checked_at = now;
        }
        self.check_for_missing_denials();
        if progress.failed && now < progress.checked_at + RETRY_DELAY {
            return;
        }
        let dirty_channels = mem::take(&mut self.lock().dirty_channels);
        if dirty_channels.is_empty() {
            return;
        }
        let channels = (!dirty_channels.all).then_some(&dirty_channels.channels);
        let checked = async {
            self.check_rooms(channels).await?;
            self.check_users(channels).await?;
            self.check_denials(channels).await
        };
        match checked.await {
            Ok(()) if mem::take(&mut progress.failed) => {
                info!("cluster repair reads the store again");
            }
            Ok(()) => (),
            Err(fault) => {
                if !mem::replace(&mut progress.failed, true) {
                    warn!(error = fault.chain(), "cluster repair cannot read the store");
                }
                progress.checked_at = self.hub.now();
                self.lock().dirty_channels.extend(dirty_channels);
            }
        }
    }

    async fn check_rooms(&self, channels: Option<&BTreeSet<Channel>>) -> Result<(), Fault> {
        let live_rooms = self.hub.live_rooms.on_channels(channels);
        for live_rooms in live_rooms.chunks(STORE_CHECK_BATCH_MAX) {
            let places: Vec<_> =
                live_rooms.iter().map(|live_room| live_room.place().clone()).collect();
            let logs = self.store.logs(&places).await?;
            let mut behind = Vec::new();
            for (live_room, log) in live_rooms.iter().zip(logs) {
                live_room.set_member_count(log.members);
                live_room.trim(&log.retained());
                if live_room.log().head.seq < log.head.seq {
                    behind.push(live_room.place().clone());
                }
            }
            self.mark_behind(behind);
        }
        Ok(())
    }

    async fn check_users(&self, channels: Option<&BTreeSet<Channel>>) -> Result<(), Fault> {
        let users = self.hub.users.on_channels(channels);
        for users in users.chunks(STORE_CHECK_BATCH_MAX) {
            let names: Vec<_> = users.iter().map(|(user, _)| user.clone()).collect();
            let revisions = self.store.revisions(&names).await?;
            for ((user, known), revision) in users.iter().zip(revisions) {
                if *known != Some(revision) {
                    let stale = StaleMemberships { revision: Some(revision), ..Default::default() };
                    self.mark_stale(&user.0, &user.1, stale);
                }
            }
        }
        Ok(())
    }

    /// Queues a refresh of each stale user's memberships behind this node's earlier writes. A
    /// refresh that a full queue returns is retried in the next round.
    fn refresh(&self, journal: &impl RefreshQueue) {
        let stale = mem::take(&mut self.lock().stale_users);
        for ((space, user), stale) in stale {
            let refresh = MembershipRefresh { space, user, stale };
            if let Err(MembershipRefresh { space, user, stale }) = journal.try_refresh(refresh) {
                self.lock().stale_users.entry((space, user)).or_default().merge(stale);
            }
        }
    }

    /// Removes users whose grace period is over, once it is certain that they are not on another
    /// node: by the rosters of the other nodes, or by the store while the bus is disconnected.
    async fn expire_doubtful_when_due(&self, progress: &mut RepairState) {
        let unanswered = self.lock().roster_requests.len();
        let now = self.hub.now();
        if unanswered > 0 || !self.is_connected() {
            progress.disconnected_at = now;
        }
        // The other nodes rely on the departures that this node sends, so the bus must have worked
        // for the settle time first.
        let rosters = if now < progress.disconnected_at + SETTLE_TIME {
            Rosters::Incomplete
        } else {
            Rosters::Complete
        };
        self.publisher.set_rosters(rosters);
        if rosters == Rosters::Incomplete
            && now < progress.expiry_checked_at + ROSTER_REQUEST_INTERVAL
        {
            return;
        }
        progress.expiry_checked_at = now;
        self.expire_doubtful(rosters).await;
    }

    /// Does so now. With incomplete rosters the store is asked.
    pub(super) async fn expire_doubtful(&self, rosters: Rosters) {
        for (place, user) in self.hub.live_rooms.take_doubtful() {
            let online = match rosters {
                Rosters::Complete => Ok(vec![DeviceSet::default()]),
                Rosters::Incomplete => {
                    self.nodes.online(&place.space, std::slice::from_ref(&user)).await
                }
            };
            match online {
                Ok(devices) if devices.iter().all(DeviceSet::is_empty) => {
                    self.hub.live_rooms.expire(&place, &user);
                }
                // The user is on another node, or the store does not answer.
                Ok(_) | Err(_) => self.hub.live_rooms.mark_doubtful(vec![(place, user)]),
            }
        }
    }

    /// Repeats unanswered roster requests and requests lost numbers, at a limited rate.
    fn resend_requests(&self, progress: &mut RepairState) {
        let now = self.hub.now();
        let mut state = self.lock();
        let is_due = now >= progress.requested_at + ROSTER_REQUEST_INTERVAL;
        if !mem::take(&mut state.rosters_due) && !is_due {
            return;
        }
        progress.requested_at = now;
        // Rooms without users on this node are not requested.
        state
            .roster_requests
            .retain(|place, _| self.hub.fanout.delivery_progress(place).delivered.is_some());
        let is_subscribed =
            |place: &&Place| Channel::of(place).all(|it| state.subscribed.contains(&it));
        let asked: Vec<_> = state.roster_requests.keys().filter(is_subscribed).cloned().collect();
        let missed = mem::take(&mut state.missed);
        drop(state);
        // All nodes receive the request and answer it, also with an empty roster.
        for places in asked.chunks(ROSTERS_PER_REQUEST_MAX) {
            self.publisher
                .publish(Channel::BROADCAST, ClusterEvent::RosterRequest(places.to_vec()));
        }
        for ((of, channel), numbers) in missed {
            let (from, to) = numbers.into_inner();
            self.publisher.publish(channel, ClusterEvent::ResendRequest { of, from, to });
        }
    }
}

impl DirtyChannels {
    fn is_empty(&self) -> bool {
        !self.all && self.channels.is_empty()
    }

    fn extend(&mut self, other: Self) {
        self.all |= other.all;
        self.channels.extend(other.channels);
    }
}
